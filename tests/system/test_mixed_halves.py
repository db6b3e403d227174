"""Each half beside the other product: our MTA with Dovecot, Postfix with our mailbox half, and the pure pairs.

The two meet where admins let them meet: private/auth (SASL) and private/dovecot-lmtp (delivery), sockets that the
mailbox half puts into Postfix's queue directory.
"""

import base64
import re
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from fakes.host import PACKAGED, Host
from fakes.host_clients import Imap
from fakes.mail_system import PATIENT_WITH_GUESSERS, until
from fakes.pillarbox_host import install
from fakes.tutorial_host import DOMAIN, MAIL_HOST, MAIN_CF, SOCKETS_FOR_POSTFIX, USERS, tutorial_host
from fakes.typed_smtp import Typed, logged, send, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "rsyslogd", "imaplib", "unshare"),
]

OURS: Final = "/usr/local/sbin"
THEIRS: Final = "/usr/sbin"
SASL_AND_LMTP: Final = """\
mailbox_transport = lmtp:unix:private/dovecot-lmtp
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
"""
DOVECOT_CONF: Final = (
    """\
protocols = imap lmtp
listen = 127.0.0.1
mail_location = maildir:~/Maildir
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %n
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
"""
    + SOCKETS_FOR_POSTFIX
)


class Pair(msgspec.Struct, frozen=True):
    """A host, and where the commands of each half come from."""

    host: Host
    mta: str
    mailbox: str

    def postfix(self, command: str) -> str:
        """postfix(1) of the MTA half's product."""
        return self.host.output(f"PATH={self.mta}:{PACKAGED} postfix {command}")

    def start_postfix(self) -> None:
        """The same half, which answers then."""
        self.host.start_postfix(f"PATH={self.mta}:{PACKAGED} postfix")
        self.host.until_answers(25)


@pytest.fixture(
    scope="module",
    params=[(THEIRS, THEIRS), (OURS, THEIRS), (THEIRS, OURS), (OURS, OURS)],
    ids=["postfix+dovecot", "pillarbox+dovecot", "postfix+pillarbox", "pillarbox+pillarbox"],
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both halves run."""
    mta, mailbox = request.param
    host = tutorial_host(PACKAGED)
    try:
        install(host)
        host.write("/etc/postfix/main.cf", MAIN_CF + SASL_AND_LMTP)
        host.write("/etc/aliases", "postmaster: alice\n")
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + PATIENT_WITH_GUESSERS)
        host.output("postalias /etc/aliases")
        found = Pair(host, mta, mailbox)
        host.output(f"PATH={mailbox}:{PACKAGED} dovecot")
        host.until_answers(143)
        found.start_postfix()
        yield found
    finally:
        host.end()


def test_mail_goes_by_lmtp_and_is_read(pair: Pair) -> None:
    """From SMTP over private/dovecot-lmtp into alice's Maildir, and out by IMAP."""
    lines = until_gone(pair.host, send(pair.host, to=f"alice@{DOMAIN}", subject="over lmtp"))
    found = [line for line in lines if "status=" in line]
    assert len(found) == 1, lines
    (line,) = found
    assert re.search(
        rf"^postfix/lmtp: \w+: to=<alice@tutorial\.test>, relay={re.escape(MAIL_HOST)}\[private/dovecot-lmtp\], .*"
        r"dsn=2\.0\.0, status=sent \(250 2\.0\.0 <alice@tutorial\.test> \S+ Saved\)$",
        line,
    ), line
    until(lambda: logged(pair.host, "saved mail to INBOX"), what="the delivery is logged")
    client = Imap(pair.host)
    client.login("alice", USERS["alice"])
    client.select()
    assert client.search(None, "SUBJECT", '"over lmtp"')[1][0]
    client.logout()


def test_submission_is_authenticated_by_pam(pair: Pair) -> None:
    """AUTH PLAIN goes over private/auth: alice's password is right, another is not."""
    session = Typed(pair.host)
    session(f"HELO client.{DOMAIN}")
    right = base64.b64encode(f"\0alice\0{USERS['alice']}".encode()).decode()
    wrong = base64.b64encode(b"\0alice\0wrong").decode()
    assert session(f"AUTH PLAIN {wrong}").startswith("535 5.7.8 Error: authentication failed:")
    assert session(f"AUTH PLAIN {right}") == "235 2.7.0 Authentication successful"
    assert session("MAIL FROM:<alice@tutorial.test>") == "250 2.1.0 Ok"
    assert session("RCPT TO:<bob@tutorial.test>") == "250 2.1.5 Ok"
    assert session("DATA").startswith("354 ")
    queued = session("From: alice@tutorial.test\r\nSubject: submitted\r\n\r\nHello.\r\n.")
    session("QUIT")
    session.close()
    lines = until_gone(pair.host, queued.rpartition(" ")[2])
    assert any(line.endswith(", sasl_method=PLAIN, sasl_username=alice") for line in lines), lines
    assert re.search(
        r"postfix/smtpd\[\d+\]: warning: \S+\[192\.0\.2\.10\]: SASL PLAIN authentication failed: ",
        pair.host.log(),
    )


def test_restarts_do_not_disturb_the_other(pair: Pair) -> None:
    """A stop and start of the MTA leaves the mailbox half's sockets in private/, and mail flows on."""
    pair.postfix("stop")
    assert {"auth", "dovecot-lmtp"} <= set(pair.host.listing("/var/spool/postfix/private"))
    pair.start_postfix()
    until_gone(pair.host, send(pair.host, to=f"bob@{DOMAIN}", subject="after the restart"))
    pair.host.output(f"PATH={pair.mailbox}:{PACKAGED} doveadm reload")
    pair.postfix("reload")
    until_gone(pair.host, send(pair.host, to=f"bob@{DOMAIN}", subject="after the reload"))
    assert len(pair.host.listing("/home/bob/Maildir/new")) >= 2


RIGHTS: Final = {
    "postfix_master": "root",
    "dovecot_master": "root",
    "delivery": "root",
    "spawner": "root",
    "smtpd": "postfix",
    "smtp": "postfix",
    "qmgr": "postfix",
    "auth": "dovecot",
    "login": "dovenull",
}
"""Whose processes of each module may be; what delivery and the spawner fork belongs to the mailbox's owner."""


def test_rights_of_every_process(pair: Pair) -> None:
    """As root, both halves ours: each process has its own user, and those that read what peers send have no way back."""
    if (pair.mta, pair.mailbox) != (OURS, OURS):
        pytest.skip("both halves must be ours")
    until_gone(pair.host, send(pair.host, to=f"alice@{DOMAIN}", subject="so that there are agents"))
    client = Imap(pair.host)
    client.login("alice", USERS["alice"])
    client.select()
    dropped = ("smtpd", "smtp", "qmgr", "login")

    def users() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for _, user, module in processes(pair.host):
            found.setdefault(module, set()).add(user)
        return found

    # A generation that is just starting (the reload of the test before) has root's rights until it has opened its files.
    until(
        lambda: all(users().get(module) == {RIGHTS[module]} for module in dropped),
        what=lambda: f"everybody has its own rights: {users()}",
    )
    for pid, user, module in processes(pair.host):
        status = pair.host.run(f"cat /proc/{pid}/status").stdout
        if user != "root" and status:
            assert "CapPrm:\t0000000000000000\n" in status, module
            assert "CapEff:\t0000000000000000\n" in status, module
        if module in dropped and status:
            assert "NoNewPrivs:\t1\n" in status, module
    seen = users()
    for module, user in RIGHTS.items():
        assert user in seen.get(module, set()), (module, seen)
    assert seen["postfix_master"] == seen["dovecot_master"] == {"root"}
    assert "alice" in seen["spawner"], "the account's worker is alice's"
    client.logout()


def processes(host: Host) -> list[tuple[str, str, str]]:
    """Process id, user and module of everything of ours."""
    pattern = re.compile(r"^ *(\d+) +(\S+) .*-m pillarbox\.(?:daemons|supervisor)\.(\w+)")
    found = (pattern.search(line) for line in host.output("ps -eo pid=,user:20=,args=").split("\n"))
    return [(match[1], match[2], match[3]) for match in found if match is not None]
