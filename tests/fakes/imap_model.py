"""A client that keeps a list of messages by number, and what it may conclude from each answer.

DESCRIPTION
    `ModelClient` believes what RFC 3501 says a client may believe: numbers change their meaning by EXPUNGE alone,
    flags by FETCH alone, results that are kept up to date (RFC 5267) by ADDTO and REMOVEFROM alone; UIDs rise, size,
    date and EMAILID of a message stay, a keyword is in FLAGS before a message has it.  A client of QRESYNC that comes
    back asks for what has changed (RFC 7162 §3.2.5), and believes that nothing else has.  Whatever it is told is
    checked against what it knows; where the server is, in this process or behind a socket, is a matter of `ask`.
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
    b"STORE %d +FLAGS ($Work)",
    b"STORE %d -FLAGS ($Work \\Flagged)",
    b"FETCH 1:* (UID RFC822.SIZE EMAILID INTERNALDATE)",
    b"UNSELECT",
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
_EARLIER = re.compile(rb"\* VANISHED \(EARLIER\) ([0-9:,]+)")
_CONSTANT = re.compile(
    rb"\* (\d+) FETCH \(UID (\d+) (RFC822\.SIZE \d+ EMAILID \(\w+\) INTERNALDATE \"[^\"]*\")\)"
)
_DEFINED = re.compile(rb"\* FLAGS \(([^)]*)\)")
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_HIGHEST = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")
_MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
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
        self.modseq = 0
        """Up to which it knows everything."""
        self._validity = b""
        self._defined: set[bytes] = set()
        self._constants: dict[int, bytes] = {}

    async def enable_qresync(self) -> None:
        """From now on, VANISHED instead of EXPUNGE: this client has to know the UID of each message."""
        await self.say(b"ENABLE QRESYNC")
        self.qresync = True

    async def begin(self) -> None:
        """Select INBOX, and have results kept up to date."""
        await self.say(b"SELECT INBOX")
        await self._have_results()

    async def come_back(self) -> None:
        """Leave the mailbox and enter it again; with QRESYNC, go on with what is known."""
        await self.say(b"UNSELECT")
        self.results.clear()
        if not self.qresync or any(None in message for message in self.messages) or not self.modseq:
            self.messages.clear()
            await self.begin()
            return
        for message in self.messages:
            message[1] = b" ".join(flag for flag in (message[1] or b"").split() if flag != b"\\Recent")
        line = b"t SELECT INBOX (QRESYNC (%b %d))\r\n" % (self._validity, self.modseq)
        self._catch_up((await self._ask(line)).split(b"\r\n"))
        untold = [message for message in self.messages if None in message]
        if untold:  # counted, and gone before it could be told: what comes next says so
            await self.say(b"NOOP")
            left = [message for message in self.messages if any(message is one for one in untold)]
            assert not left, "a new message was not told"
        await self._have_results()

    def _catch_up(self, answers: list[bytes]) -> None:
        """What EXISTS counts is what is left of the messages and what is new: that is told, unless it is gone by then."""
        count = 0
        for answer in answers:
            assert not answer.startswith((b"t BAD", b"t NO")), answer
            if (counted := _COUNT.fullmatch(answer)) is not None and counted[2] == b"EXISTS":
                count = int(counted[1])
            elif (vanished := _EARLIER.fullmatch(answer)) is not None:
                gone = _members(vanished[1])
                self.messages = [message for message in self.messages if int(message[0] or b"0") not in gone]
        assert len(self.messages) <= count, "a message that is gone was not told"
        self.messages += [[None, None] for _ in range(count - len(self.messages))]
        for answer in answers:
            if b" EXISTS" not in answer and b"(EARLIER)" not in answer:
                self._learn(answer, may_expunge=True)
        self._believe(answers)

    async def _have_results(self) -> None:
        for tag, key in RESULTS.items():
            await self.say(b"UID SEARCH RETURN (UPDATE ALL) " + key, tag)

    async def act(self, action: bytes, choice: int) -> None:
        """One of `ACTIONS`; `choice` says on which message, if there is one."""
        if not self.messages and (b"%d" in action or b"FETCH 1:*" in action):
            return
        if action == b"UNSELECT":
            await self.come_back()
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
        answers = (await self._ask(tag + b" " + line + b"\r\n")).split(b"\r\n")
        for answer in answers:
            refused = answer.startswith((tag + b" BAD", tag + b" NO"))
            assert not refused or b"[EXPUNGEISSUED]" in answer, (line, answer)
            self._learn(answer, may_expunge=not line.startswith((b"FETCH", b"STORE", b"SEARCH")))
        self._believe(answers)
        if self.qresync and not line.startswith((b"FETCH", b"ENABLE", b"UNSELECT")):
            unknown = [number for number, (uid, _) in enumerate(self.messages, 1) if uid is None]
            if unknown:
                await self.say(b"FETCH %d:* (UID FLAGS)" % unknown[0])

    def learn(self, said: bytes) -> None:
        """From the answers to several commands that were sent at once."""
        for answer in said.split(b"\r\n"):
            assert not re.match(rb"t\d+ BAD ", answer) or b"Invalid messageset" in answer, answer
            self._learn(answer, may_expunge=True)

    def _believe(self, answers: list[bytes]) -> None:
        """Mod-sequences, at the end of a command: the highest, or what the server says (RFC 7162 §3.2, §6)."""
        highest = 0
        for answer in answers:
            if (told := _HIGHEST.search(answer)) is not None:
                self.modseq, highest = int(told[1]), 0
            if (validity := _VALIDITY.search(answer)) is not None:
                self._validity = validity[1]
            highest = max([highest, *map(int, _MODSEQ.findall(answer))])
        self.modseq = max(self.modseq, highest)

    def _name(self, message: list[bytes | None], uid: bytes) -> None:
        assert message[0] in (None, uid), "a number has changed its message"
        message[0] = uid
        known = [int(other[0]) for other in self.messages if other[0] is not None]
        assert known == sorted(set(known)), "UIDs do not rise"

    def _learn(self, answer: bytes, *, may_expunge: bool) -> None:
        if (fetched := _FETCH.fullmatch(answer)) is not None:
            message = self.messages[int(fetched[1]) - 1]
            if fetched[2] is not None:
                self._name(message, fetched[2])
            if fetched[3] is not None:
                message[1] = fetched[3]
                unknown = set(fetched[3].split()) - self._defined - {b"\\Recent"}
                assert not unknown, f"FLAGS had no {unknown}"
        elif (begun := _BODY.fullmatch(answer)) is not None:
            self._name(self.messages[int(begun[1]) - 1], begun[2])
        elif (constant := _CONSTANT.fullmatch(answer)) is not None:
            self._name(self.messages[int(constant[1]) - 1], constant[2])
            known_as = self._constants.setdefault(int(constant[2]), constant[3])
            assert known_as == constant[3], f"{known_as!r} has become {constant[3]!r}"
        elif (defined := _DEFINED.fullmatch(answer)) is not None:
            self._defined = set(defined[1].split())
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
