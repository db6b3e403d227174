"""dovecot-lda of both products, each with its own mailbox half and the same dovecot.conf."""

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from email.header import decode_header, make_header
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, rootless_prefix

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
"""
MESSAGE: Final = b"From: x@y.z\nSubject: t\nMessage-ID: <1@x>\n\nbody\n"
FROM_MBOX: Final = b"From a@b  Mon Jan  1 00:00:00 2024\n" + MESSAGE


class Case(msgspec.Struct, frozen=True):
    """A call: its words, the message, and who calls."""

    words: tuple[str, ...]
    content: bytes = MESSAGE
    environment: tuple[str, ...] = ()


_MADE: Final = ("-d", "me", "-o", "lda_mailbox_autocreate=yes")
CASES: Final = {
    "plain": Case(("-d", "me")),
    "sender and addresses": Case(
        ("-d", "me", "-f", "s@example.org", "-a", "me+Foo@example.org", "-r", "me@x")
    ),
    "no sender, environment kept": Case(("-k", "-e", "-d", "me", "-f", "<>")),
    "from an mbox": Case(("-d", "me"), FROM_MBOX),
    "CRLF": Case(("-d", "me"), MESSAGE.replace(b"\n", b"\r\n")),
    "empty": Case(("-d", "me"), b""),
    "no header": Case(("-d", "me"), b"\n"),
    "no such mailbox": Case(("-d", "me", "-m", "Nope")),
    "a mailbox that is made": Case((*_MADE, "-m", "Auto/Box")),
    "a mailbox that is made and subscribed to": Case(
        (*_MADE, "-o", "lda_mailbox_autosubscribe=yes", "-m", "Auto/Known")
    ),
    "a mailbox that is there is not subscribed to": Case(
        (*_MADE, "-o", "lda_mailbox_autosubscribe=yes", "-m", "Auto/Box")
    ),
    "the same again": Case(("-d", "me", "-m", "Auto/Box")),
    "INBOX": Case(("-d", "me", "-m", "INBOX")),
    "inbox": Case(("-d", "me", "-m", "inbox")),
    "a name that is none": Case(("-d", "me", "-m", "a//b")),
    "another place": Case(("-d", "me", "-o", "mail_location=maildir:~/Elsewhere")),
    "a file": Case(("-d", "other", "-p", "FILE")),
    "a file that is not there": Case(("-d", "me", "-p", "/nonexistent")),
    "nobody is named": Case(()),
    "root in the environment": Case((), environment=("USER=root",)),
    "an option that there is not": Case(("-x",)),
    "an option without its argument": Case(("-d",)),
    "a word": Case(("-d", "me", "extra")),
}
CLOSED: Final = {
    "an option that there is not": "usage goes with the program's full path in Dovecot",
    "an option without its argument": "the same",
    "nobody is named": "the same text; who calls is in it",
    "root in the environment": "the same",
    "a file that is not there": "the text of the fault",
}
"""Cases whose exit status alone is compared, and why."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair(SETTINGS) as servers:
        for server in servers:
            (server.base / "message").write_bytes(MESSAGE)
            (server.base / "log").touch()
            (server.base / "log").chmod(0o666)
        yield servers


def call(server: Server, case: Case) -> tuple[int, str, str]:
    """Exit status, standard output and error."""
    program = ["/usr/lib/dovecot/dovecot-lda"]
    if server.name == "ours":
        program = [sys.executable, "-m", "pillarbox.tools.dovecot_lda"]
    words = [word.replace("FILE", str(server.base / "message")) for word in case.words]
    values = dict(one.split("=", 1) for one in case.environment)
    done = subprocess.run(
        [*program, "-c", str(server.configuration), *words],
        input=case.content,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": os.environ["PATH"], **values},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def logged(server: Server) -> list[str]:
    """What lda has told, without ids."""
    found = re.findall(r"lda\(\w+\)<\d+><[^>]*>: (.*)", server.log())
    return [
        text.replace(str(server.base), "BASE").replace("to inbox", "to INBOX")  # as it was spelled
        for text in found
        if not text.startswith("Fatal")
    ]


def stored(server: Server) -> list[tuple[str, bytes]]:
    """Directories and contents of all messages."""
    home = server.base / "home"
    return sorted((str(path.parent.relative_to(home)), path.read_bytes()) for path in home.rglob("new/*"))


def subscribed(server: Server) -> list[str]:
    """What the user is subscribed to."""
    return sorted((server.home() / "Maildir" / "subscriptions").read_text().splitlines())


def test_both_deliver_alike(pair: tuple[Server, Server]) -> None:
    """Exit status, texts, log and files after all cases."""
    differences = []
    for name, case in CASES.items():
        ours, theirs = (call(server, case) for server in pair)
        if name in CLOSED:
            ours, theirs = (ours[0], "", ""), (theirs[0], "", "")
        if ours != theirs:
            differences.append(f"{name}: ours {ours} theirs {theirs}")
    assert differences == []
    assert logged(pair[0]) == logged(pair[1])
    assert stored(pair[0]) == stored(pair[1])
    assert subscribed(pair[0]) == subscribed(pair[1])
    owners = {path.stat().st_uid for path in (pair[0].base / "home").rglob("new/*")}
    assert owners == {pwd.getpwnam("nobody").pw_uid}


def test_mailbox_command_of_a_user(pair: tuple[Server, Server], tmp_path: Path) -> None:
    """Without -d and without root's rights it is the caller's own mail, and no userdb is asked."""
    configuration = tmp_path / "dovecot.conf"
    text = pair[0].configuration.read_text()
    configuration.write_text(re.sub(r"mail_(home|uid|gid) = .*", "", text))
    done = subprocess.run(
        [*rootless_prefix(), sys.executable, "-m", "pillarbox.tools.dovecot_lda", "-c", str(configuration)],
        input=MESSAGE,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": os.environ["PATH"], "USER": "somebody", "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (path,) = (tmp_path / "Maildir" / "new").iterdir()
    assert path.read_bytes() == MESSAGE
    assert re.search(r"lda\(somebody\)<\d+><\S+>: Info: msgid=<1@x>: saved mail to INBOX\n", pair[0].log())


FULL: Final = (
    "-o",
    "mail_plugins=quota",
    "-o",
    "plugin/quota=maildir:User",
    "-o",
    "plugin/quota_rule=*:bytes=1",
)
LARGE: Final = b"From: x@y.z\nX-To: <orig+d@x>\nContent-Type: text/html\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@x>\n\nbody\n"
REJECTIONS: Final = {
    "sender and recipient": Case(("-f", "from@x", "-a", "me+q@x"), LARGE),
    "sender alone": Case(("-f", "from@x"), LARGE),
    "brackets": Case(("-f", "<from@x>", "-a", "<me@x>"), LARGE),
    "recipient in a field": Case(("-f", "from@x", "-o", "lda_original_recipient_header=X-To"), LARGE),
    "told by exit status": Case(("-e", "-f", "from@x"), LARGE),
    "no sender": Case(("-f", ""), LARGE),
    "sender not named": Case((), LARGE),
    "Return-Path": Case((), b"Return-Path: <back@x>\n" + LARGE),
    "an automatic message": Case(
        ("-f", "from@x"), b"Auto-Submitted: auto-replied\nPrecedence: list\nList-Id: <l>\n" + LARGE
    ),
    "no room now": Case(("-f", "from@x", "-o", "quota_full_tempfail=yes"), LARGE),
    "sendmail fails": Case(("-f", "fails@x"), LARGE),
    "texts": Case(
        (
            *("-f", "from@x", "-o", "postmaster_address=Me <pm@x.test>", "-o", "hostname=mx.test"),
            *("-o", "rejection_subject=No: %s to %t", "-o", "rejection_reason=%n%r%%%n<%t> %s %q"),
        ),
        LARGE,
    ),
}


def rejected(server: Server, case: Case) -> tuple[tuple[int, str, str], str, list[str]]:
    """What the call says, what was sent, and what was logged; without what is of one run."""
    sent = server.base / "home" / "sent"
    before = len(logged(server))
    sent.write_bytes(b"")
    sent.chmod(0o666)
    words = ("-d", "me", "-o", f"sendmail_path={server.base}/sendmail", *FULL, *case.words)
    said = call(server, msgspec.structs.replace(case, words=words))
    report = re.sub(r"(?m)^(Message-ID: <dovecot-)[^@]*(?=@)|^Date: .*|\b\d+(?=/)", r"\1", sent.read_text())
    report = re.sub(
        r"=\?utf-8\?.*\?=", lambda match: str(make_header(decode_header(match[0]))), report, flags=re.I
    )
    lines = [
        line
        for line in logged(server)[before:]
        if "Failed to expand" not in line and "program exec" not in line
    ]
    return said, report.replace("\r\n", "\n"), lines


def test_senders_are_told(pair: tuple[Server, Server]) -> None:
    """Where there is no room: the same report, by the same command."""
    for server in pair:
        script = server.base / "sendmail"
        script.write_text(
            f'#!/bin/sh\n(echo "$@"; cat) >> {server.base}/home/sent\n'
            'case "$*" in *fails@x*) exit 1 ;; esac\n'
        )
        script.chmod(0o755)
    found = []
    for name, case in REJECTIONS.items():
        ours, theirs = (rejected(server, case) for server in pair)
        if ours != theirs:
            found.append(f"{name}\n    theirs: {theirs}\n    ours:   {ours}")
    assert not found, "\n".join(found)


def test_without_the_userdb_the_mta_tries_again(pair: tuple[Server, Server]) -> None:
    """75, with either."""
    for server in pair:
        server.stop()
        assert call(server, CASES["plain"])[0] == 75, server.name
