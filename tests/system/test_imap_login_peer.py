"""What a client hears before and at its login, beside Debian's Dovecot."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

CONVERSATIONS: Final = [  # name, what is sent in one piece
    ("a login", b"a LOGIN me secret\r\n"),
    ("one that asked before", b"a CAPABILITY\r\nb LOGIN me secret\r\n"),
    ("one that asked much before", b"a CAPABILITY\r\nb NOOP\r\nc AUTHENTICATE PLAIN AG1lAHNlY3JldA==\r\n"),
    ("one that asks behind it", b"a LOGIN me secret\r\nb CAPABILITY\r\n"),
    ("one that failed before", b"a CAPABILITY\r\nb LOGIN me wrong\r\nc LOGIN me secret\r\n"),
    ("SASL-IR without one", b"a AUTHENTICATE PLAIN\r\nAG1lAHNlY3JldA==\r\n"),
    ("PLAIN of two parts", b"a AUTHENTICATE PLAIN bWUAc2VjcmV0\r\n"),
    ("PLAIN of nobody", b"a AUTHENTICATE PLAIN AAA=\r\n"),
    ("PLAIN of nothing", b"a AUTHENTICATE PLAIN =\r\n"),
    ("an identification", b'a ID ("name" "x")\r\nb LOGIN me secret\r\n'),
]


def heard(port: int, sent: bytes) -> list[bytes]:
    """The lines of a conversation; capabilities by their keyword, since we have more, and times left out."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock,
        sock.makefile("rb") as lines,
    ):
        sock.sendall(sent + b"z LOGOUT\r\n")
        said = [line.rstrip(b"\r\n") for line in lines if not line.startswith(b"* OK Waiting")]
    said = [re.sub(rb"CAPABILITY [^]]*", b"CAPABILITY", line) for line in said]
    return [re.sub(rb" \([0-9.+ ]+ secs\)", b"", line) for line in said]


PAM_SERVICE: Final = "auth required pam_permit.so\naccount required pam_debug.so acct=acct_expired\n"
"""Every password is right, and every account has expired."""


@pytest.fixture
def expired_accounts(tmp_path: Path) -> Iterator[str]:
    """Name of such a service of PAM; nobody else has it, since root's tests have mounts of their own."""
    shutil.copytree("/etc/pam.d", tmp_path / "pam.d")
    (tmp_path / "pam.d" / "expired-accounts").write_text(PAM_SERVICE)
    subprocess.run(["mount", "--bind", str(tmp_path / "pam.d"), "/etc/pam.d"], check=True)
    yield "expired-accounts"
    subprocess.run(["umount", "-l", "/etc/pam.d"], check=True)


def test_accounts_that_have_expired(expired_accounts: str) -> None:
    """RFC 5530 §3: EXPIRED, where PAM says so of a password that is right."""
    passdb = f"passdb {{\n  driver = pam\n  args = {expired_accounts}\n}}\n"
    with dovecot_pair(f"protocols = imap\nmail_location = maildir:~/Maildir\n{passdb}") as pair:
        theirs, ours = [heard(server.port, b"a LOGIN me old\r\n") for server in pair]
        for server in pair:
            until(lambda log=server.log: "(password expired)" in log(), what="the end is told")  # type: ignore[misc]
    assert theirs[1:] == ours[1:]
    assert b"a NO [EXPIRED] Password expired" in ours, (theirs, ours)


@pytest.mark.parametrize("configured", ["+XTRA XTWO", "IMAP4rev1 XTRA"])
def test_capabilities_that_are_configured(configured: str) -> None:
    """imap_capability is for clients that have not logged in, too."""
    settings = f"protocols = imap\nmail_location = maildir:~/Maildir\nimap_capability = {configured}\n"
    with dovecot_pair(settings) as pair:
        greetings = []
        for server in pair:
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock,
                sock.makefile("rb") as lines,
            ):
                greetings.append(lines.readline().replace(b" IMAP4rev2", b""))
        assert greetings[0] == greetings[1]


NOTHING_FIRST: Final = (
    b"ID NIL", b'ID ("name" "before")', b"LOGIN me secret", b"ID NIL", b'ID ("name" "after")', b"LOGOUT",
)  # fmt: skip
IDENTIFICATIONS: Final = (
    rb'ID ("name" "x y" "version" "1" "foo" NIL "bad\\\\" "{tab}")', b"ID NIL", b'ID ("os" "z")',
    b"LOGIN me secret", b'ID ("NAME" "x y" "version" "1, b=c" "foo" NIL)', b'ID ("os" "a")', b"LOGOUT",
)  # fmt: skip


@pytest.mark.parametrize("wanted", ["*", "name version"])
def test_clients_that_identify_themselves(wanted: str) -> None:
    """imap_id_log: the first ID before the login, and the first after it."""
    with dovecot_pair(
        f"protocols = imap\nmail_location = maildir:~/Maildir\nimap_id_log = {wanted}\n"
    ) as pair:
        told = []
        for server in pair:
            for number, conversation in enumerate((IDENTIFICATIONS, NOTHING_FIRST), 1):
                identify(server.port, conversation)
                until(
                    lambda log=server.log, number=number: log().count("Logged out") == number,  # type: ignore[misc]
                    what="the end is told",
                )
            found = re.findall(r".{16}(.*: Info: ID sent: .*)", server.log())
            told.append([re.sub(r"<[^>]{6,}>|<[0-9]+>", "<>", line) for line in found])
        assert told[0] == told[1]
        assert len(told[0]) == 2


def identify(port: int, conversation: tuple[bytes, ...]) -> None:
    """Have a conversation, each command when the one before is answered."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock,
        sock.makefile("rb") as lines,
    ):
        for command in conversation:
            sock.sendall(b"a %b\r\n" % command.replace(b"{tab}", b"\t"))
            while not lines.readline().startswith(b"a "):
                pass


def test_logins_are_those_of_dovecot() -> None:
    """Where capabilities are told depends on whether the client has asked for them; refusals are in the log."""
    settings = "protocols = imap\nmail_location = maildir:~/Maildir\nauth_verbose = yes\n"
    with dovecot_pair(settings + PATIENT_WITH_GUESSERS) as pair:
        for name, sent in CONVERSATIONS:
            said = [heard(server.port, sent) for server in pair]
            assert said[0] == said[1], name
        ours, theirs = pair
        until(lambda: len(refusals(ours.log())) == len(refusals(theirs.log())) == 4, what="refusals are told")
        assert refusals(ours.log()) == refusals(theirs.log())


def refusals(log: str) -> list[tuple[str, str]]:
    """Of the auth server: what refused whom, and why."""
    return re.findall(r"auth: Info: ([a-z]+\([^<]*).*?>\): (.*)", log)
