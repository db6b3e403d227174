"""Several sessions on one mailbox: whatever they do, each client's picture of it stays right."""

import asyncio
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

_FETCH = re.compile(
    rb"\* (\d+) FETCH \((?:UID (\d+) ?)?(?:MODSEQ \(\d+\) ?)?(?:FLAGS \(([^)]*)\))?(?: MODSEQ \(\d+\))?\)"
)
_RESULT = re.compile(
    rb'\* ESEARCH \(TAG "(\w+)"\) UID(?: ALL ([0-9:,]+))?'
    rb"(?: REMOVEFROM \(0 ([0-9:,]+)\))?(?: ADDTO \(0 ([0-9:,]+)\))?"
)
_VANISHED = re.compile(rb"\* VANISHED ([0-9:,]+)")
_COUNT = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE)")


class Client:
    """What a client knows that keeps a list of messages by number: UID and flags, once told."""

    def __init__(self, account: MemoryAccount) -> None:
        self.transport = ScriptedTransport(ends=False)
        self.session = ImapSession(self.transport, account, clock=ManualClock(), sink=_ignore, login_tag=b"L")
        self.messages: list[list[bytes | None]] = []
        self.recent = 0
        self.qresync = False
        self.results: dict[bytes, set[int]] = {}  # by tag: those that the server keeps up to date

    async def enable_qresync(self) -> None:
        """From now on, VANISHED instead of EXPUNGE: this client has to know the UID of each message."""
        await self.say(b"ENABLE QRESYNC")
        self.qresync = True

    async def say(self, line: bytes, tag: bytes = b"t") -> None:
        """Say a command and learn from the answer."""
        for answer in (await self.transport.ask(tag + b" " + line + b"\r\n")).split(b"\r\n"):
            assert not answer.startswith((tag + b" BAD", tag + b" NO")), (line, answer)
            self._learn(answer, may_expunge=not line.startswith((b"FETCH", b"STORE", b"SEARCH")))
        if self.qresync and not line.startswith((b"FETCH", b"ENABLE")):
            unknown = [number for number, (uid, _) in enumerate(self.messages, 1) if uid is None]
            if unknown:
                await self.say(b"FETCH %d:* (UID FLAGS)" % unknown[0])

    def _learn(self, answer: bytes, *, may_expunge: bool) -> None:
        if (fetched := _FETCH.fullmatch(answer)) is not None:
            message = self.messages[int(fetched[1]) - 1]
            if fetched[2] is not None:
                assert message[0] in (None, fetched[2]), "a number has changed its message"
                message[0] = fetched[2]
            if fetched[3] is not None:
                message[1] = fetched[3]
        elif (result := _RESULT.fullmatch(answer)) is not None:
            known = self.results.setdefault(result[1], set())
            for name, members in ((b"ALL", result[2]), (b"REMOVEFROM", result[3]), (b"ADDTO", result[4])):
                uids = _members(members or b"")
                assert known & uids == (uids if name == b"REMOVEFROM" else set()), "told twice"
                known ^= uids
        elif (vanished := _VANISHED.fullmatch(answer)) is not None:
            assert self.qresync
            assert may_expunge, "VANISHED during FETCH, STORE or SEARCH"
            for part in vanished[1].split(b","):
                low, _, high = part.partition(b":")
                for uid in range(int(low), int(high or low) + 1):
                    del self.messages[self._row_of(uid)]
        elif (counted := _COUNT.fullmatch(answer)) is not None:
            number = int(counted[1])
            match counted[2]:
                case b"EXISTS":
                    assert number >= len(self.messages), "EXISTS took messages away"
                    self.messages += [[None, None] for _ in range(number - len(self.messages))]
                case b"EXPUNGE":
                    assert not self.qresync
                    assert may_expunge, "EXPUNGE during FETCH, STORE or SEARCH"
                    del self.messages[number - 1]
                case _:
                    self.recent = number

    def _row_of(self, uid: int) -> int:
        """Where a UID is, or must be: that of a message which was gone before it could be asked for is not known."""
        for row, message in enumerate(self.messages):
            if message[0] == b"%d" % uid:
                return row
        known = [row for row, message in enumerate(self.messages) if message[0] is not None]
        below = max((row for row in known if int(self.messages[row][0] or 0) < uid), default=-1)
        assert self.messages[below + 1][0] is None, f"VANISHED {uid}, which never was"
        return below + 1


def _members(uid_set: bytes) -> set[int]:
    parts = (part.partition(b":") for part in uid_set.split(b",") if part)
    return {uid for low, _, high in parts for uid in range(int(low), int(high or low) + 1)}


def _ignore(event: Event) -> None:
    """Nothing is expected to be told."""


RESULTS = {b"seen": b"UNSEEN", b"marked": b"OR DELETED FLAGGED", b"body": b"NOT DELETED TEXT x"}
"""What each client has the server keep up to date (RFC 5267 §4.3)."""
ACTIONS = st.sampled_from(
    [
        b"NOOP",
        b"EXPUNGE",
        b"EXPUNGE",
        b"CHECK",
        b"APPEND INBOX {1+}\r\nx",
        b"STORE %d +FLAGS (\\Deleted)",
        b"STORE %d +FLAGS (\\Seen)",
        b"STORE %d -FLAGS (\\Seen)",
        b"STORE %d FLAGS.SILENT (\\Flagged)",
        b"FETCH %d (UID FLAGS)",
        b"FETCH 1:* (UID FLAGS)",
        b"UID FETCH 1:* (FLAGS)",
        b"UID STORE 1:4 +FLAGS (\\Deleted)",
        b"SEARCH ALL",
        b"MOVE %d INBOX",
        b"COPY %d INBOX",
        b"MOVE %d Trash",
        b"IDLE\r\nDONE",
    ]
)


async def _play(steps: list[tuple[int, bytes, int]]) -> None:
    account = MemoryAccount(clock=ManualClock(), special_use={"Trash": b"\\Trash"})
    inbox = await account.open("INBOX")
    await inbox.append([NewMessage(b"x")] * 4)
    clients = [Client(account) for _ in range(3)]
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.session.run())
            await client.transport.rest()
            if client is clients[2]:
                await client.enable_qresync()
            await client.say(b"SELECT INBOX")
            for tag, key in RESULTS.items():
                await client.say(b"UID SEARCH RETURN (UPDATE ALL) " + key, tag)
        for who, action, choice in steps:
            client = clients[who]
            if b"%d" in action:
                if not client.messages:
                    continue
                action = action % (choice % len(client.messages) + 1)
            if b"1:*" in action and not client.messages:
                continue
            silent = b".SILENT" in action
            await client.say(action)
            if silent:  # the client that asked for silence knows what it did, unless the message is gone
                for message in client.messages:
                    message[1] = None
        for client in clients:
            await client.say(b"NOOP")
        for client in clients:
            await client.say(b"NOOP")  # what was told meanwhile may have been asked for since
            expected = [message[:] for message in client.messages]
            if client.messages:
                await client.say(b"FETCH 1:* (UID FLAGS)")
            assert len(inbox.messages) == len(client.messages)
            assert [b"%d" % uid for uid in inbox.messages.uids] == [uid for uid, _ in client.messages]
            for before, after in zip(expected, client.messages, strict=True):
                assert before[1] in (None, after[1]), "a change of flags was not told"
            assert client.recent == sum(b"\\Recent" in (flags or b"") for _, flags in client.messages)
            for tag, key in RESULTS.items():
                await client.say(b"UID SEARCH RETURN (ALL) " + key, b"again" + tag)
                assert client.results[b"again" + tag] == client.results[tag], (
                    "a result was not kept up to date"
                )
            client.transport.end()


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 2), ACTIONS, st.integers(0, 9)), min_size=5, max_size=30))
def test_every_client_ends_up_with_the_same_mailbox(steps: list[tuple[int, bytes, int]]) -> None:
    """RFC 3501 §5.2, §7.4.1: numbers mean the same on both sides, no change goes untold, results are kept."""
    asyncio.run(_play(steps))
