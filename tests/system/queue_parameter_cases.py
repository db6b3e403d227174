"""The cases of test_queue_parameters_peer.py: settings of the queue's programs, and messages that show them."""

from collections.abc import Mapping
from typing import Final

import msgspec

_TEXT: Final = b"Message-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@here.test\r\nSubject: x\r\n\r\nbody\r\n"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message."""

    name: str
    recipients: tuple[str, ...]
    sender: str = "alice@here.test"
    parameters: tuple[str, str] = ("", "")  # of MAIL and RCPT
    message: bytes = _TEXT
    command: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True):
    """Settings of both systems, and the letters that they are given."""

    name: str
    settings: Mapping[str, str]
    letters: tuple[Letter, ...]

    @property
    def main_cf(self) -> str:
        """Its lines."""
        return "".join(f"{name} = {value}\n" for name, value in self.settings.items())


_ALL = "bounce, 2bounce, delay, data, policy, protocol, resource, software"
_RECIPIENTS = {
    f"{name}_notice_recipient": f"alice+{name}" for name in ("bounce", "2bounce", "delay", "error")
}
_HARD = "x@hard.test"
_FAILURES: Final = (
    Letter(name="fails", recipients=(_HARD,)),
    Letter(name="from-nobody", recipients=(_HARD,), sender=""),
    Letter(name="from-double-bounce", recipients=(_HARD,), sender="double-bounce@here.test"),
    Letter(name="from-double-mail", recipients=(_HARD,), sender="double-bounce@mail.here.test"),
    Letter(name="twice", recipients=(_HARD,), sender="someone@hard.test"),
    Letter(name="never", recipients=(_HARD,), parameters=("", "NOTIFY=NEVER")),
    Letter(
        name="success",
        recipients=(_HARD, "alice@here.test", "x@discard.test"),
        parameters=("RET=HDRS ENVID=q", "NOTIFY=SUCCESS"),
    ),
    Letter(
        name="success-nobody",
        recipients=(_HARD, "alice@here.test"),
        sender="",
        parameters=("", "NOTIFY=SUCCESS"),
    ),
    Letter(name="delay-only", recipients=(_HARD,), parameters=("", "NOTIFY=DELAY")),
    Letter(name="expires", recipients=("x@soft.test",)),
    Letter(name="expires-nobody", recipients=("x@soft.test",), sender=""),
    Letter(name="large", recipients=(_HARD,), message=_TEXT + b"large\r\n" * 100),
    Letter(
        name="utf8",
        recipients=("ü@hard.test",),
        parameters=("SMTPUTF8", ""),
        message=_TEXT.replace(b"x\r\n", b"\xc3\xbc\r\n"),
    ),
)

_SOFT: Final = tuple(
    Letter(name=f"soft{program}", recipients=(f"nobody-here@soft{program}.test",))
    for program in ("local", "virtual", "pipe", "smtp")
)
_TEMPLATE: Final = """\
failure_template = <<EOF
Charset: utf-8
From: Bounces (of $myhostname) <bounces@here.test>
Subject: failed
Postmaster-Subject: copy of failed

Text of $myhostname, $maximal_queue_lifetime_days ${delay_warning_time_hours} $delay_warning_time_minutes.
EOF
delay_template = <<EOF
Subject: late

Late.
EOF
success_template = <<EOF
Subject: done

Done.
EOF
verify_template = <<EOF
Subject: verified

Verified.
EOF
"""
FILES: Final = {"/etc/postfix/bounce.cf": _TEMPLATE}

CASES: Final = (
    Case(
        "classes and templates",
        {"bounce_template_file": "/etc/postfix/bounce.cf", "notify_classes": _ALL, **_RECIPIENTS},
        (
            *_FAILURES,
            *_SOFT,
            Letter(name="verify", recipients=("alice@here.test", _HARD), command=("-bv",)),
            Letter(name="verp", recipients=(_HARD, "y@hard.test"), parameters=("XVERP", "")),
        ),
    ),
    Case(
        "delays",
        {
            "delay_warning_time": "1s",
            "maximal_queue_lifetime": "1d",
            "bounce_queue_lifetime": "1d",
            "notify_classes": "delay",
            **_RECIPIENTS,
        },
        (
            *_SOFT,
            Letter(name="late", recipients=("x@soft.test",)),
            Letter(name="late-nobody", recipients=("x@soft.test",), sender=""),
            Letter(name="late-never", recipients=("x@soft.test",), parameters=("", "NOTIFY=NEVER")),
            Letter(name="late-double", recipients=("x@soft.test",), sender="double-bounce@mail.here.test"),
        ),
    ),
    Case(
        "a bounce's lifetime",
        {"bounce_queue_lifetime": "1d", "notify_classes": "2bounce", "bounce_size_limit": "300"},
        _FAILURES,
    ),
)
"""Each is loaded by both systems."""

MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydomain = here.test
myorigin = here.test
mydestination = mail.here.test, here.test, origin.test
inet_protocols = ipv4
alias_maps =
alias_database =
home_mailbox = Maildir/
biff = no
maillog_file = /var/log/mail.log
notify_classes =
smtpd_authorized_verp_clients = 127.0.0.1
recipient_delimiter = +
smtpd_peername_lookup = no
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = inline:{ { hard.test = error:5.1.2 no such host } { soft.test = retry:4.4.1 not yet } { discard.test = discard:gone }
  { softlocal.test = softlocal: } { softvirtual.test = softvirtual: } { softpipe.test = softpipe: }
  { softsmtp.test = softsmtp:refusing.test } }
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
"""
SERVICES: Final = """\
softlocal unix - n n - - local -o soft_bounce=yes
softvirtual unix - n n - - virtual -o soft_bounce=yes -o virtual_mailbox_maps=inline:{a@b.test=a/}
  -o virtual_mailbox_base=/var/v -o virtual_uid_maps=static:5000 -o virtual_gid_maps=static:5000
softpipe unix - n n - - pipe -o soft_bounce=yes user=nobody argv=/bin/sh -c {echo no; exit 67}
softsmtp unix - - n - - smtp -o soft_bounce=yes
"""
