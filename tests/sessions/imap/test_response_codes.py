"""Every response code of RFC 5530 and its neighbours: where ours tells it, or why it cannot happen.

A command that has a code is said to a session of an account in memory; what only a store or a second session
can provoke stands in `ELSEWHERE` with the test that does.
"""

import asyncio
import re
import ssl
from pathlib import Path
from typing import Final

import pytest

from fakes.imap_talk import Talk, new_account
from fakes.scripted_authenticator import ScriptedAuthenticator
from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.sessions.imap.login_session import ImapLoginSession
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.search_contexts import MAX_CONTEXTS
from pillarbox.sessions.mailbox_login import LoginPolicy
from pillarbox.vocabulary.clock import ManualClock

ROOT: Final = Path(__file__).resolve().parents[2]
MESSAGE: Final = b"Subject: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: frob\r\n\r\nbody\r\n"
PROVOKED: Final[dict[str, tuple[bytes, ...]]] = {
    "ALREADYEXISTS": (b"CREATE Sent",),
    "BADCHARSET": (b"SELECT INBOX", b"SEARCH CHARSET frob TEXT x"),
    "BADEVENT": (b"NOTIFY SET (selected (MessageNew MessageExpunge Frob))",),
    "BADURL": (b"APPEND INBOX CATENATE (URL imap://x/INBOX;UID=1)",),
    "CANNOT": (b"CREATE a//b",),
    "CLIENTBUG": (b"SELECT INBOX", b"STATUS INBOX (MESSAGES)"),
    "CLOSED": (b"SELECT INBOX", b"SELECT Sent"),
    "COPYUID": (b"SELECT INBOX", b"COPY 1 Sent"),
    "LIMIT": (b"APPEND INBOX {999}", b"x" * 999 + b" {2}"),
    "METADATA": (
        b"SETMETADATA INBOX (/private/comment long)",
        b"GETMETADATA INBOX (MAXSIZE 1) /private/comment",
    ),
    "MODIFIED": (b"SELECT INBOX", b"STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)"),
    "NONEXISTENT": (b"SELECT nope",),
    "NOUPDATE": (b"SELECT INBOX", *(b"SEARCH RETURN (UPDATE) ALL",) * (MAX_CONTEXTS + 1)),
    "READ-ONLY": (b"EXAMINE INBOX",),
    "TOOBIG": (b"APPEND INBOX {1001}",),
    "TRYCREATE": (b"SELECT INBOX", b"COPY 1 nope"),
    "UNKNOWN-CTE": (b"SELECT INBOX", b"FETCH 1 BINARY[1]"),
    "USEATTR": (b"CREATE x (USE (\\Frob))",),
}
"""Code → commands; the last answer has it."""
ELSEWHERE: Final = {
    "COMPRESSIONACTIVE": "sessions/imap/test_compression.py",
    "EXPUNGEISSUED": "sessions/imap/test_faults.py",
    "INUSE": "sessions/imap/test_faults.py",
    "NOPERM": "sessions/imap/test_faults.py",
    "NOTIFICATIONOVERFLOW": "sessions/imap/test_notify.py",
    "OVERQUOTA": "sessions/imap/test_faults.py",
    "SERVERBUG": "sessions/imap/test_faults.py",
}
"""Code → the test that provokes it."""
NEVER: Final = {
    "BADCOMPARATOR": "COMPARATOR (RFC 5255) is not offered",
    "CONTACTADMIN": "the auth server knows of no reason that an admin alone could mend",
    "HASCHILDREN": "a name that is only above others is no mailbox (NONEXISTENT, as with Dovecot); a mailbox with "
    "children goes, and they stay",
    "CORRUPTION": "a store that cannot be read is SERVERBUG: nobody knows that it will stay so",
    "NOPRIVATE": "there are private annotations wherever there are shared ones",
    "NOTSAVED": "a SEARCH with SAVE either is wrong in its grammar or saves what it finds, nothing included",
    "PARSE": "a header that cannot be parsed is told as far as it can",
    "UIDNOTSTICKY": "UIDs are written down for each mailbox",
}
"""Code → why it is not told."""
LOGINS: Final = {
    "ALERT": b"locked secret",
    "AUTHENTICATIONFAILED": b"me wrong",
    "AUTHORIZATIONFAILED": b"barred secret",
    "EXPIRED": b"expired secret",
    "PRIVACYREQUIRED": b"me secret",
    "UNAVAILABLE": b"broken secret",
}
"""Code → who tries to log in, and how."""


class _Client(ScriptedTransport):
    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Nobody asks for it."""
        raise AssertionError(context)


@pytest.mark.parametrize("code", LOGINS)
def test_logins(code: str) -> None:
    """What a login is refused with; without TLS nobody is asked for a password."""
    transport = _Client([b"a LOGIN " + LOGINS[code] + b"\r\n"])
    policy = LoginPolicy(cleartext_allowed=code != "PRIVACYREQUIRED")

    async def run() -> None:
        await ImapLoginSession(
            transport, ScriptedAuthenticator(), clock=ManualClock(), policy=policy, secured=False
        ).run()

    asyncio.run(run())
    assert b"\r\na NO [%b] " % code.encode() in bytes(transport.sent)


@pytest.mark.parametrize("code", PROVOKED)
def test_provoked(code: str) -> None:
    """The last command's answer has the code, in brackets and at the beginning of a line's text."""

    async def talk() -> list[bytes]:
        account = new_account()
        await (await account.open("INBOX")).append([NewMessage(MESSAGE)])
        said: list[bytes] = []
        async with asyncio.TaskGroup() as tasks:
            one = Talk(account, ImapOptions(message_size_limit=1000, metadata=True))
            await one.begin(tasks)
            for number, line in enumerate(PROVOKED[code]):
                tag = b"" if line.startswith(b"xxx") else b"a%d " % number
                said = await one.say(tag + line)
            one.client.end()
        return said

    said = asyncio.run(talk())
    assert any(re.match(rb"\S+ (?:OK|NO|BAD) \[%b[\] ]" % code.encode(), line) for line in said), said


@pytest.mark.parametrize("code", ELSEWHERE)
def test_provoked_elsewhere(code: str) -> None:
    """The other test is there and looks for the code."""
    assert re.search(rf"\b{code}\b", (ROOT / ELSEWHERE[code]).read_text())


def test_what_is_never_told_is_nowhere() -> None:
    """No code that cannot happen is in the sources of sessions, and none has two entries."""
    sources = "".join(path.read_text() for path in (ROOT.parent / "src/pillarbox/sessions").rglob("*.py"))
    assert [code for code in NEVER if re.search(rf"\[{code}\b", sources)] == []
    assert not PROVOKED.keys() & ELSEWHERE.keys()
    assert not LOGINS.keys() & (PROVOKED.keys() | ELSEWHERE.keys())
    assert not NEVER.keys() & (PROVOKED.keys() | ELSEWHERE.keys() | LOGINS.keys())
