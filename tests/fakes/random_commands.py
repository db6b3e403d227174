"""What clients of a random world say between their messages, and the settings that are about it.

DESCRIPTION
    VRFY, ETRN, XFORWARD, HELO again, and what is no command.  `with_commands` puts them in front of messages of a
    world of random_wider.py, and leaves the rest of it as it is.
"""

import random
from typing import Final

import msgspec

from fakes.random_rewriting import RandomConfiguration, RandomMessage

_SHARE_OF_WORLDS: Final = 0.5
_SETTINGS: Final[tuple[tuple[float, str, tuple[str, ...]], ...]] = (
    (0.15, "disable_vrfy_command", ("yes",)),
    (0.3, "smtpd_etrn_restrictions", ("reject", "permit_mynetworks, reject", "check_etrn_access inline:{ {out.test=OK} {.test=DEFER} {box.test=REJECT no} }", "warn_if_reject reject")),
    (0.3, "fast_flush_domains", ("out.test, relay.test", "")),
    (0.2, "smtpd_noop_commands", ("FOO", "FOO, VRFY")),
    (0.3, "smtpd_forbidden_commands", ("VRFY, FOO", "static:bar", "CONNECT")),
    (0.5, "smtpd_authorized_xforward_hosts", ("127.0.0.1",)),
    (0.2, "smtpd_discard_ehlo_keywords", ("vrfy, etrn", "xforward", "enhancedstatuscodes, size")),
    (0.1, "strict_rfc821_envelopes", ("yes",)),
    (0.1, "smtpd_delay_reject", ("no",)),
    (0.1, "parent_domain_matches_subdomains", ("fast_flush_domains", "")),
    (0.2, "smtpd_sender_login_maps", ("inline:{ {alice@here.test=alice} }",)),
    (0.2, "smtpd_sender_restrictions", ("reject_sender_login_mismatch", "reject_unauthenticated_sender_login_mismatch", "permit_mynetworks, reject_authenticated_sender_login_mismatch")),
)  # fmt: skip
_COMMANDS: Final = (
    *(b"VRFY alice", b"VRFY <bob@here.test>", b"VRFY nobodyhere", b"VRFY x@out.test", b"VRFY <a b@here.test>", b"VRFY"),
    *(b"VRFY alice@alias.test x", b"VRFY gr\xc3\xbcn@here.test", b"VRFY <later@OUT.test>", b"VRFY \"a b\"@box.test"),
    *(b"ETRN out.test", b"ETRN @out.test", b"ETRN #queue", b"ETRN sub.out.test", b"ETRN", b"ETRN [10.53.0.20]", b"ETRN a b"),
    *(b"ETRN relay.test", b"ETRN -x.test", b"ETRN OUT.Test.", b"NOOP", b"NOOP x y", b"EXPN list", b"FOO"),
    *(b"RSET x", b"EHLO client.test", b"HELO client.test", b"EHLO", b"HELO a b", b"EHLO [127.0.0.1]", b"AUTH PLAIN", b"STARTTLS"),
    *(b"RCPT TO:<bob>", b"DATA", b"DATA x", b"BDAT 0", b"BDAT x", b"", b" NOOP", b"noop\t", b"GET / HTTP/1.0", b"Subject: x"),
    *(b"XFORWARD NAME=x.test ADDR=192.0.2.9", b"XFORWARD NAME=[UNAVAILABLE] HELO=y.test PROTO=SMTP SOURCE=LOCAL"),
    *(b"XFORWARD IDENT=7 PORT=99", b"XFORWARD FOO=x", b"XFORWARD ADDR=x", b"XFORWARD", b"XCLIENT NAME=x"),
)  # fmt: skip


def with_commands(world: RandomConfiguration, seed: int) -> RandomConfiguration:
    """The world with more in it, or as it is."""
    chance = random.Random(f"commands {seed}")
    if chance.random() >= _SHARE_OF_WORLDS:
        return world
    chosen = {name: chance.choice(values) for share, name, values in _SETTINGS if chance.random() < share}
    return msgspec.structs.replace(
        world,
        settings=world.settings + "".join(f"{name} = {value}\n" for name, value in chosen.items()),
        messages=tuple(_message(one, chance) for one in world.messages),
    )


def _message(message: RandomMessage, chance: random.Random) -> RandomMessage:
    if message.local or chance.random() < 0.5:
        return message
    return msgspec.structs.replace(
        message, before=tuple(chance.choice(_COMMANDS) for _ in range(chance.randint(1, 5)))
    )
