"""GNU SASL logs in by every mechanism, and hears from us what it hears from Debian's Dovecot.

Its SCRAM is not of our making: it checks the server's signature, too, and refuses to go on without.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from fakes import counterparts
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot", "gsasl")]

MECHANISMS: Final = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
SETTINGS: Final = (
    "protocols = imap\nmail_location = maildir:~/Maildir\n"
    f"auth_mechanisms = {' '.join(MECHANISMS).lower()}\n{PATIENT_WITH_GUESSERS}"
)
_NOT_TOLD: Final = re.compile(r"\* (?:OK|CAPABILITY)|Trying")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9+/=]{24,}")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair(SETTINGS) as servers:
        yield servers


def told(port: int, mechanism: str, password: str) -> list[str]:
    """The conversation, what changes from one to the next left out."""
    command = [counterparts.program("gsasl") or "gsasl", "--imap", f"--connect=127.0.0.1:{port}", "--quiet"]
    command += [f"--mechanism={mechanism}", "-a", "me", "-p", password, "--no-starttls"]
    done = subprocess.run(
        command,
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    lines = [line for line in (done.stdout + done.stderr).split("\n") if not _NOT_TOLD.match(line)]
    return [re.sub(r" \([0-9.+ ]+ secs\)", "", _CHALLENGE.sub("...", line)) for line in lines]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_gsasl(pair: tuple[Server, Server], mechanism: str) -> None:
    """With the right password, and with a wrong one."""
    ours, theirs = (told(server.port, mechanism, "secret") for server in pair)
    assert any(line.endswith(" OK Logged in") for line in ours), ours
    assert ours == theirs
    ours, theirs = (told(server.port, mechanism, "wrong") for server in pair)
    assert any("NO [AUTHENTICATIONFAILED]" in line for line in ours), ours
    assert ours == theirs
