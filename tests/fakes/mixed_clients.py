"""Clients of all kinds that do what comes to their minds with one account, again and again, until they are stopped.

DESCRIPTION
    Each kind is a function that has one session, and is called again while there is time.  What a server may say to a
    client whose messages another one takes away is no fault; an answer that does not come, or a connection that ends in
    the middle, is.
"""

import contextlib
import imaplib
import poplib
import random
import re
import smtplib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fakes.mail_system import PATIENCE
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing

HOST: Final = "127.0.0.1"
BOXES: Final = ("INBOX", "INBOX", "Work", "Archive", "Trash")
KEPT: Final = 200
"""Messages that the clients leave in a mailbox."""
_GONE: Final = re.compile(
    r"Invalid messageset|expunged|no longer|doesn't exist|already exists|Unknown message|Too many"
)
"""What is said to a client that another one was faster than."""


@dataclass
class Account:
    """Where the clients go, and what became of it."""

    user: str
    password: str
    port: Callable[[str], int]
    maildir: Path
    ended: threading.Event = field(default_factory=threading.Event)
    sessions: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self, kind: str, seed: int) -> None:
        """Sessions of one client, until the time is over."""
        session, chance = KINDS[kind], random.Random(seed)
        while not self.ended.is_set():
            try:
                session(self, chance)
            except Exception as error:  # whatever it is, the test tells
                if not _GONE.search(str(error)):
                    self.faults.append(f"{kind}: {error!r}")
            self.sessions[kind] += 1

    def pause(self, chance: random.Random, seconds: float) -> None:
        """A client's thinking, `seconds` at most."""
        self.ended.wait(chance.random() * seconds)


def context() -> ssl.SSLContext:
    """Trusts everybody."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    return found


def message(chance: random.Random) -> bytes:
    """Small and large ones."""
    lines = chance.choice((1, 20, 100, 1000, 20_000 if chance.random() < 0.1 else 10))
    body = b"".join(b"%08x the quick brown fox\r\n" % chance.getrandbits(32) for _ in range(min(lines, 50)))
    subject, identity = chance.randrange(100), chance.getrandbits(60)
    header = b"From: a@example.test\r\nSubject: number %d\r\nMessage-ID: <%d@example.test>\r\n\r\n"
    return header % (subject, identity) + body * (lines // 50 + 1)


def _smtp(account: Account, chance: random.Random) -> None:
    with smtplib.SMTP(HOST, account.port("smtp"), timeout=PATIENCE) as client:
        if chance.random() < 0.3:
            client.starttls(context=context())
        for _ in range(chance.randint(1, 20)):
            client.sendmail(chance.choice(["", "a@example.test"]), account.user, message(chance))
            account.pause(chance, 0.1)


def _submission(account: Account, chance: random.Random) -> None:
    with smtplib.SMTP_SSL(HOST, account.port("submissions"), timeout=PATIENCE, context=context()) as client:
        client.login(account.user, account.password)
        client.sendmail(account.user, [account.user, f"x@nowhere{chance.randrange(9)}.test"], message(chance))
    account.pause(chance, 2)


def _imap(account: Account, chance: random.Random) -> None:
    client = (
        imaplib.IMAP4_SSL(HOST, account.port("imaps"), ssl_context=context(), timeout=PATIENCE)
        if chance.random() < 0.4
        else imaplib.IMAP4(HOST, account.port("imap"), timeout=PATIENCE)
    )
    client.login(account.user, account.password)
    box = chance.choice(BOXES)
    client.create(box)
    client.select(box)
    for _ in range(chance.randint(3, 60)):
        client.noop()
        with contextlib.suppress(imaplib.IMAP4.readonly):
            _imap_command(client, chance, int(client.response("EXISTS")[1][-1] or 0))
        account.pause(chance, 0.05)
    if chance.random() < 0.8:
        client.logout()
    else:
        client.shutdown()


def _imap_command(client: imaplib.IMAP4, chance: random.Random, exists: int) -> None:
    """One command that makes sense in a mailbox of so many messages."""
    last = f"{max(1, exists - 5)}:{max(1, exists)}"
    some = str(chance.randint(1, max(1, exists)))
    flag = chance.choice(["\\Seen", "\\Flagged", "\\Deleted", "$Work", "Later"])
    temporary, other = (f"T{chance.randrange(4)}" for _ in range(2))
    target = chance.choice(BOXES)
    try:
        match chance.randrange(16):
            case 0:
                client.fetch("1:*", "(UID FLAGS)")
            case 1:
                client.fetch(last, "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
            case 2:
                client.fetch(some, "(BODY.PEEK[])")
            case 3:
                client.store(last, "+FLAGS", flag)
            case 4:
                client.store(some, "FLAGS.SILENT", f"({flag})")
            case 5:
                client.search(
                    None, chance.choice(["UNSEEN", 'SUBJECT "1"', 'BODY "fox"', "SINCE 1-Jan-2020"])
                )
            case 6 | 7:
                client.append(target, "", "", message(chance))
            case 8 | 9:
                client.copy(last, target)
            case 10:
                client.uid("MOVE", some, target)
            case 11:
                client.status(target, "(MESSAGES UNSEEN UIDNEXT)")
            case 12:
                if exists > KEPT:
                    client.store(f"1:{exists - KEPT}", "+FLAGS.SILENT", "\\Deleted")
                client.expunge()
            case 13:
                client.create(temporary)
                client.append(temporary, "", "", message(chance))
            case 14:
                client.rename(temporary, other)
            case _:
                client.delete(temporary)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        if not _GONE.search(str(error)):
            raise


def _idle(account: Account, chance: random.Random) -> None:
    client = imaplib.IMAP4(HOST, account.port("imap"), timeout=PATIENCE)
    client.login(account.user, account.password)
    client.select("INBOX")
    client.send(b"x IDLE\r\n")
    client.readline()
    account.pause(chance, 20)
    client.send(b"DONE\r\n")
    while not client.readline().startswith(b"x OK"):
        pass
    client.logout()


def _pop3(account: Account, chance: random.Random) -> None:
    client = poplib.POP3(HOST, account.port("pop3"), timeout=PATIENCE)
    client.user(account.user)
    client.pass_(account.password)
    count, _ = client.stat()
    client.uidl()
    for number in range(1, min(count, 20) + 1):
        with contextlib.suppress(poplib.error_proto):  # another client has taken it
            client.retr(number)
            if chance.random() < 0.5:
                client.dele(number)
    client.quit()
    account.pause(chance, 2)


def _rude(account: Account, chance: random.Random) -> None:
    """Somebody who begins and goes."""
    port = account.port(chance.choice(["smtp", "submission", "imap", "imaps", "pop3"]))
    with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
        sock.sendall(
            chance.choice(
                [
                    b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<%b>\r\nDATA\r\nhalf" % account.user.encode(),
                    b"a LOGIN x y\r\n",
                    b"\x00\xff" * 50 + b"\r\n",
                    b"USER x\r\nPASS y\r\n",
                    b"GET / HTTP/1.0\r\n\r\n",
                ]
            )
        )
        account.pause(chance, 0.5)
    account.pause(chance, 0.5)


def _others(account: Account, chance: random.Random) -> None:
    """Programs that work in the Maildir without asking."""
    with contextlib.suppress(FileNotFoundError):  # a client was faster
        do_strange_thing(account.maildir, chance.choice(STRANGE_ACTIONS), chance.randrange(10))
    account.pause(chance, 0.5)


KINDS: Final[dict[str, Callable[[Account, random.Random], None]]] = {
    "smtp": _smtp,
    "submission": _submission,
    "imap": _imap,
    "idle": _idle,
    "pop3": _pop3,
    "rude": _rude,
    "others": _others,
}
