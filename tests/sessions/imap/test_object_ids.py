"""OBJECTID over the store in files: ids outlive moves, renames, restarts and the cache."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.imap_talk import Talk, new_account
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
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


@pytest.mark.parametrize(
    "item", [b"EMAILID", b"THREADID", b"X-GUID", b"UID EMAILID FLAGS", b"EMAILID RFC822.SIZE"]
)
def test_what_is_going_has_no_ids(item: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8474 §5.1: an EMAILID never changes; a message whose file another session just removed is left out."""
    original = MemoryMailbox.identities

    async def without_the_second(mailbox: MemoryMailbox, uids: Sequence[int]) -> list[tuple[bytes, bytes]]:
        names = await original(mailbox, uids)
        return [name if uid != 2 else (b"", b"") for uid, name in zip(uids, names, strict=True)]

    monkeypatch.setattr(MemoryMailbox, "identities", without_the_second)

    async def run() -> list[bytes]:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(content) for content in (b"a", b"bb", b"ccc")])
        talk = Talk(account)
        async with asyncio.TaskGroup() as tasks:
            await talk.begin(tasks, b"x SELECT INBOX")
            said = await talk.say(b"x FETCH 1:3 (%b)" % item)
            talk.client.end()
        inbox.close()
        await account.close()
        return said

    said = asyncio.run(run())
    assert [b"* 1 FETCH", b"* 3 FETCH", b"x OK [EXPUNGEISSUED]"] == [
        b" ".join(line.split(b" ")[:3]) for line in said
    ]
