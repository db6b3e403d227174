"""OBJECTID over the store in files: ids outlive moves, renames, restarts and the cache."""

import asyncio
import re
from pathlib import Path

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

_MAILBOXID = re.compile(rb"MAILBOXID \((F[0-9a-f]{32})\)")
_MESSAGE = re.compile(rb"FETCH \(UID [0-9]+ EMAILID \((M[0-9a-f]{32})\) THREADID \((T[0-9a-f]{32})\)\)")


def say(root: Path, *lines: bytes) -> bytes:
    """A session of its own, over an account that is opened for it and closed."""

    async def talk() -> bytes:
        account = MaildirAccount(str(root))
        client = ScriptedTransport([b"".join(b"x " + line + b"\r\n" for line in lines)])
        await ImapSession(client, account, clock=ManualClock(), sink=lambda event: None, login_tag=b"L").run()
        await account.close()
        return client.take_sent()

    return asyncio.run(talk())


def test_ids_stay(tmp_path: Path) -> None:
    """RFC 8474 §4, §5: of the mailbox by rename, of the message by COPY and MOVE, of the thread by all of them."""
    root = tmp_path / "Maildir"
    made = say(root, b"CREATE Lists", b"CREATE Other")
    lists, other = _MAILBOXID.findall(made)
    assert lists != other
    appended = b"Message-ID: <%d@x>\r\nReferences: <1@x>\r\n\r\n"
    for number in (2, 3):
        content = appended % number
        say(root, b"APPEND Lists {%d+}\r\n%b" % (len(content), content))
    said = say(root, b"SELECT Lists", b"UID FETCH 1:* (EMAILID THREADID)")
    assert _MAILBOXID.findall(said) == [lists]
    first, second = _MESSAGE.findall(said)
    assert first[0] != second[0]
    assert first[1] == second[1]

    say(root, b"RENAME Lists Archive/Lists")
    assert _MAILBOXID.findall(say(root, b"STATUS Archive/Lists (MAILBOXID)")) == [lists]
    say(root, b"SELECT Archive/Lists", b"MOVE 1 Other", b"COPY 1 Other")
    for file in root.rglob("*"):
        if file.is_file() and ("cache" in file.name or "pillarbox" in file.name):
            file.unlink()
    said = say(root, b"SELECT Other", b"UID FETCH 1:* (EMAILID THREADID)", b"SEARCH EMAILID " + second[0])
    assert _MESSAGE.findall(said) == [first, second]
    assert b"* SEARCH 2\r\n" in said
