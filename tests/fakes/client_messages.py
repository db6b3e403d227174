"""Messages for tests of clients, and looking at what has become of them."""

import imaplib
import re

from fakes.mail_system import PASSWORD, PATIENCE, MailSystem, until

MESSAGE = (
    b"From: Sender <sender@example.test>\r\n"
    b"To: %s\r\n"
    b"Subject: %s\r\n"
    b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <%s@example.test>\r\n"
    b"\r\n"
    b"First line.\r\n"
    b".\r\n"
    b"..two dots\r\n"
    b"Last line.\r\n"
)


def message(subject: str, to: str) -> bytes:
    """A message with lines that need transparency."""
    return MESSAGE % (to.encode(), subject.encode(), subject.encode())


def inbox(system: MailSystem, user: str, *, count: int) -> list[bytes]:
    """The messages of INBOX over IMAP, when there are `count`."""
    with imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE) as client:
        client.login(user, PASSWORD)

        def has_come() -> bool:
            return int(client.select()[1][0] or b"0") >= count

        until(has_come, what=f"{count} messages in the mailbox of {user}")
        return [entry[1] for entry in client.fetch("1:*", "BODY.PEEK[]")[1] if isinstance(entry, tuple)]


def body_of(content: bytes) -> bytes:
    """What follows the header."""
    return content.partition(b"\r\n\r\n")[2]


def field(content: bytes, name: bytes) -> bytes:
    """The text of a header field."""
    match = re.search(rb"(?mi)^" + re.escape(name) + rb": (.*(?:\r\n[ \t].*)*)\r$", content)
    assert match is not None, (name, content)
    return match[1]
