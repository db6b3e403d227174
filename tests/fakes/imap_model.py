"""A client that keeps a list of messages by number, and what it may conclude from each answer.

DESCRIPTION
    `ModelClient` believes what RFC 3501 says a client may believe: numbers change their meaning by EXPUNGE alone,
    flags by FETCH alone, results that are kept up to date (RFC 5267) by ADDTO and REMOVEFROM alone.  Whatever it
    is told is checked against what it knows; where the server is, in this process or behind a socket, is a
    matter of `ask`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

RESULTS: Final = {b"seen": b"UNSEEN", b"marked": b"OR DELETED FLAGGED", b"body": b"NOT DELETED TEXT x"}
"""What each client has the server keep up to date (RFC 5267 §4.3)."""
ACTIONS: Final = (
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
)
"""What clients do at random; `%d` is the number of a message."""

_FETCH = re.compile(
    rb"\* (\d+) FETCH \((?:UID (\d+) ?)?(?:MODSEQ \(\d+\) ?)?(?:FLAGS \(([^)]*)\))?(?: MODSEQ \(\d+\))?\)"
)
_BODY = re.compile(rb"\* (\d+) FETCH \(UID (\d+) BODY\[\] \{1\}")
_RESULT = re.compile(
    rb'\* ESEARCH \(TAG "(\w+)"\) UID(?: ALL ([0-9:,]+))?'
    rb"(?: REMOVEFROM \(0 ([0-9:,]+)\))?(?: ADDTO \(0 ([0-9:,]+)\))?"
)
_VANISHED = re.compile(rb"\* VANISHED ([0-9:,]+)")
_COUNT = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE)")


class ModelClient:
    """What a client knows that keeps a list of messages by number: UID and flags, once told."""

    def __init__(self, ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        """`ask(line)`: say a command, get all of the answer."""
        self._ask = ask
        self.messages: list[list[bytes | None]] = []
        self.recent = 0
        self.qresync = False
        self.results: dict[bytes, set[int]] = {}  # by tag: those that the server keeps up to date

    async def enable_qresync(self) -> None:
        """From now on, VANISHED instead of EXPUNGE: this client has to know the UID of each message."""
        await self.say(b"ENABLE QRESYNC")
        self.qresync = True

    async def begin(self) -> None:
        """Select INBOX, and have results kept up to date."""
        await self.say(b"SELECT INBOX")
        for tag, key in RESULTS.items():
            await self.say(b"UID SEARCH RETURN (UPDATE ALL) " + key, tag)

    async def act(self, action: bytes, choice: int) -> None:
        """One of `ACTIONS`; `choice` says on which message, if there is one."""
        if not self.messages and (b"%d" in action or b"FETCH 1:*" in action):
            return
        await self.say(action % (choice % len(self.messages) + 1) if b"%d" in action else action)
        if b".SILENT" in action:
            # Who asks for silence knows what it did, unless the message is gone.
            for message in self.messages:
                message[1] = None

    async def check(self) -> None:
        """What it knows is what it is told when it asks for everything.  When nothing happens any more."""
        await self.say(b"NOOP")
        await self.say(b"NOOP")  # what was told meanwhile may have been asked for since
        expected = [message[:] for message in self.messages]
        if self.messages:
            await self.say(b"FETCH 1:* (UID FLAGS)")
        for before, after in zip(expected, self.messages, strict=True):
            assert before[1] in (None, after[1]), "a change of flags was not told"
        assert self.recent == sum(b"\\Recent" in (flags or b"") for _, flags in self.messages)
        for tag, key in RESULTS.items():
            if tag not in self.results:
                continue
            await self.say(b"UID SEARCH RETURN (ALL) " + key, b"again" + tag)
            again, kept = self.results[b"again" + tag], self.results[tag]
            assert again == kept, f"{key!r} was not kept up to date: now {again}, told {kept}"

    @property
    def uids(self) -> list[int]:
        """UIDs of all messages, once they were told."""
        return [int(uid or b"0") for uid, _ in self.messages]

    @property
    def flags(self) -> list[frozenset[bytes]]:
        """Their flags, but \\Recent, which is one session's."""
        return [frozenset((flags or b"").split()) - {b"\\Recent"} for _, flags in self.messages]

    async def say(self, line: bytes, tag: bytes = b"t") -> None:
        """Say a command and learn from the answer."""
        for answer in (await self._ask(tag + b" " + line + b"\r\n")).split(b"\r\n"):
            refused = answer.startswith((tag + b" BAD", tag + b" NO"))
            assert not refused or b"[EXPUNGEISSUED]" in answer, (line, answer)
            self._learn(answer, may_expunge=not line.startswith((b"FETCH", b"STORE", b"SEARCH")))
        if self.qresync and not line.startswith((b"FETCH", b"ENABLE")):
            unknown = [number for number, (uid, _) in enumerate(self.messages, 1) if uid is None]
            if unknown:
                await self.say(b"FETCH %d:* (UID FLAGS)" % unknown[0])

    def learn(self, said: bytes) -> None:
        """From the answers to several commands that were sent at once."""
        for answer in said.split(b"\r\n"):
            assert not re.match(rb"t\d+ BAD ", answer) or b"Invalid messageset" in answer, answer
            self._learn(answer, may_expunge=True)

    def _learn(self, answer: bytes, *, may_expunge: bool) -> None:
        if (fetched := _FETCH.fullmatch(answer)) is not None:
            message = self.messages[int(fetched[1]) - 1]
            if fetched[2] is not None:
                assert message[0] in (None, fetched[2]), "a number has changed its message"
                message[0] = fetched[2]
            if fetched[3] is not None:
                message[1] = fetched[3]
        elif (begun := _BODY.fullmatch(answer)) is not None:
            message = self.messages[int(begun[1]) - 1]
            assert message[0] in (None, begun[2]), "a number has changed its message"
            message[0] = begun[2]
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
