"""Bytes from an IMAP client after login, through a whole session over a store in memory.

Whatever is said, nothing is raised, every answer is whole, and the session ends when the client does.
"""

import asyncio
import re
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from fakes.scripted_transport import ScriptedTransport, read_transcript
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.imap import append, catenation
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag

_TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts" / "imap").glob("*.txt"))
_MESSAGES = (
    b"Subject: one\r\nMessage-ID: <1@x>\r\nFrom: a@b\r\n\r\nplain\r\n",
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n',
    b"",
)
SEEDS: list[bytes] = [read_transcript(path)[0][:3000] for path in _TRANSCRIPTS]
WORDS = (
    rb"x |ENABLE IMAP4rev2|SELECT INBOX|UID |FETCH 1:* |STORE 1 +FLAGS |SEARCH RETURN (UPDATE ALL) |NOTIFY SET |COPY 1 Sent"
    rb"|MOVE 1:2 INBOX|EXPUNGE|IDLE|DONE|SORT (DATE) UTF-8 ALL|THREAD REFS UTF-8 ALL|(QRESYNC (1 1))|BODY[1.MIME]<0.5>|$|*"
    rb"|REPLACE 1 INBOX {1+}|GETMETADATA |SETMETADATA |CREATE a|DELETE a|RENAME a b|LIST (SUBSCRIBED) |CATENATE (URL "
)
DICTIONARY: list[bytes] = [*WORDS.split(b"|"), b"\r\n", b'"', b"(", b")", b"{3+}\r\n"]
LIMITS = ((append, "SPOOL_AT"), (append, "KEPT_AT"), (catenation, "SPOOL_AT"))
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def fuzz_one(data: bytes) -> None:
    """The session and its end; every other time, messages of a few octets come through files."""
    with ExitStack() as stack:
        for module, name in LIMITS if len(data) % 2 else ():
            stack.enter_context(patch.object(module, name, 4))
        answers = asyncio.run(_converse(data))
    position = 0
    while position < len(answers):  # lines with literals between them, and nothing left over
        end = answers.index(b"\r\n", position) + 2
        literal = _LITERAL.search(answers, position, end)
        position = end
        if literal is not None and literal.end() == end:
            position += int(literal[1])
            assert position < len(answers), "a literal is cut"


async def _converse(data: bytes) -> bytes:
    account = MemoryAccount(clock=ManualClock(), special_use={"Sent": b"\\Sent"})
    inbox = await account.open("INBOX")
    await inbox.append([NewMessage(content, Flag.SEEN, (b"k",)) for content in _MESSAGES])
    transport = ScriptedTransport([data[:100], data[100:]] if len(data) > 100 else [data])
    options = ImapOptions(metadata=True, message_size_limit=10000)
    session = ImapSession(
        transport, account, clock=ManualClock(), sink=lambda event: None, login_tag=b"L", options=options
    )
    async with asyncio.timeout(20):
        await session.run()
    assert transport.closed
    return bytes(transport.sent)
