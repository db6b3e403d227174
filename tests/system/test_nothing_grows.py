"""Sessions that have ended leave nothing in the processes that served them: no descriptors, and no memory that adds up."""

import imaplib
import os
import poplib
import re
import smtplib
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from fakes.mail_system import PATIENCE, MailSystem, until

pytestmark = [pytest.mark.system, pytest.mark.root]  # who may look into the memory of others

ROUNDS: Final = 60
"""Sessions of each kind for one look."""
LOOKS: Final = 3
LEFT_BEHIND: Final = 8
"""KiB for each session that a process may have grown by in the best of the looks; a TLS session that is kept has 35."""
HOST: Final = "127.0.0.1"
MESSAGE: Final = b"From: a@example.test\r\nSubject: one more\r\n\r\nHello.\r\n"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _imap(system: MailSystem, *, tls: bool) -> None:
    client = (
        imaplib.IMAP4_SSL(HOST, system.port("imaps"), ssl_context=_context(), timeout=PATIENCE)
        if tls
        else imaplib.IMAP4(HOST, system.port("imap"), timeout=PATIENCE)
    )
    client.login("me@pillarbox.test", system.password)
    client.select("INBOX", readonly=True)
    client.search(None, "SUBJECT", "more")
    client.logout()


def _rude_imap(system: MailSystem) -> None:
    client = imaplib.IMAP4_SSL(HOST, system.port("imaps"), ssl_context=_context(), timeout=PATIENCE)
    client.login("me@pillarbox.test", system.password)
    client.shutdown()


def _refused_imap(system: MailSystem) -> None:
    with imaplib.IMAP4_SSL(HOST, system.port("imaps"), ssl_context=_context(), timeout=PATIENCE) as client:
        client.noop()


def _pop3(system: MailSystem) -> None:
    client = poplib.POP3_SSL(HOST, system.port("pop3s"), timeout=PATIENCE, context=_context())
    client.user("me@pillarbox.test")
    client.pass_(system.password)
    client.stat()
    client.quit()


def _smtp(system: MailSystem, *, tls: bool) -> None:
    with smtplib.SMTP(HOST, system.port("smtp"), timeout=PATIENCE) as client:
        if tls:
            client.starttls(context=_context())
        client.sendmail("a@example.test", "me@pillarbox.test", MESSAGE)


def _rude_smtp(system: MailSystem) -> None:
    client = smtplib.SMTP(HOST, system.port("smtp"), timeout=PATIENCE)
    client.starttls(context=_context())
    client.close()


KINDS: Final[dict[str, Callable[[MailSystem], None]]] = {
    "imap": partial(_imap, tls=False),
    "imaps": partial(_imap, tls=True),
    "imaps, cut off": _rude_imap,
    "imaps, nobody logs in": _refused_imap,
    "pop3s": _pop3,
    "smtp": partial(_smtp, tls=False),
    "smtp, starttls": partial(_smtp, tls=True),
    "smtp, cut off": _rude_smtp,
}


def _descriptors(pids: dict[str, int]) -> dict[str, int]:
    return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()}


def _memory(pids: dict[str, int]) -> dict[str, int]:
    """Memory that only the process has, KiB."""
    return {
        name: sum(
            map(
                int,
                re.findall(r"^Private_Dirty: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M),
            )
        )
        for name, pid in pids.items()
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mail_system", ["root"], indirect=True)
def test_sessions_leave_nothing(mail_system: MailSystem, kind: str) -> None:
    """The first hundred fill what is kept for the next ones; the others cost nothing that stays.

    Processes without root's rights have the same sessions.
    """
    session = KINDS[kind]
    pids = mail_system.roles()
    for _ in range(ROUNDS):
        session(mail_system)
    _until_quiet(mail_system, pids, None)
    before = _descriptors(pids)
    grown: dict[str, list[int]] = {name: [] for name in pids}
    for _ in range(LOOKS):
        memory = _memory(pids)
        for _ in range(ROUNDS):
            session(mail_system)
        for name, now in _memory(pids).items():
            grown[name].append(now - memory[name])
    _until_quiet(mail_system, pids, before)
    least = {name: min(figures) for name, figures in grown.items()}
    assert max(least.values()) <= LEFT_BEHIND * ROUNDS, least


def _until_quiet(system: MailSystem, pids: dict[str, int], expected: dict[str, int] | None) -> None:
    """Until the descriptors are the expected ones, or those of a moment before."""
    last: list[dict[str, int]] = [expected or {}]

    def is_quiet() -> bool:
        now = _descriptors(pids)
        same = all(now[name] <= count for name, count in last[-1].items()) and bool(last[-1])
        if expected is None:
            last.append(now)
        return same

    until(is_quiet, what=lambda: f"descriptors are {_descriptors(pids)}, not {last[-1]}")
