"""The server's end of an IMAP connection: bytes in, commands out; answers in, bytes out.

DESCRIPTION
    `receive_data()` takes bytes, `next_command()` gives one command after the other, or `NEED_DATA`, or
    `CLOSED` when the client has gone.  A pull, not a push: while a session works on one command, the next
    ones wait unread, whatever the client has sent ahead.

    `reply()`, `untagged()`, `go_ahead()` and `send()` put answers behind each other; `data_to_send()` gives
    and forgets them.  A long answer may go in parts, between which others are at work: what they say is held back.

    Which commands there are depends on `state`, which the session moves.  Mistakes come out as `Refused`
    with the text of the answer: the session counts them and goes on.

    After `AppendOffer` the session MUST call `accept_literal()` or `refuse_literal()`; after `Idle`, and
    after each challenge of AUTHENTICATE, `expect_line()`.

STANDARDS
    RFC 3501 §2.2, §3 (states), §5.5 (commands in progress); RFC 7888 (LITERAL+)
"""

from typing import Final

import msgspec

from pillarbox.wire.imap import append_grammar
from pillarbox.wire.imap.command_order import (
    COMMANDS,
    OFFERS,
    REST_UNREAD,
    SELECTING,
    WITH_LITERAL8,
    Parser,
    State,
)
from pillarbox.wire.imap.commands import (
    Append,
    AppendData,
    AppendOffer,
    Command,
    Fetch,
    Line,
    Refused,
    Search,
)
from pillarbox.wire.imap.fragments import Announcement, Fragments, Overlong, Portion
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner, general_fault, is_tag
from pillarbox.wire.pause import Pause

MAX_LINE: Final = 65536
"""Octets of a line after login: Dovecot's imap_max_line_length."""
MAX_LINE_BEFORE_LOGIN: Final = 8192
"""Octets of a line before login, as Dovecot's login processes take them."""
MAX_LITERALS: Final = 65536
"""Octets of all literals of a command, messages not counted."""
MAX_UNASKED: Final = 4096
"""Octets of a literal that a client may send without being asked, with LITERAL- (RFC 7888 §5)."""
_COST: Final = 8
"""What a line with a literal behind it counts besides its octets, as it is kept for itself."""


_OFTEN: Final = frozenset((b"NOOP", b"STATUS", b"SELECT", b"EXAMINE", b"LIST", b"LSUB"))
"""Commands that clients say with the same words again and again; reading those words is half of answering.  All
may be said once a client has logged in, and belong to no plugin.  SEARCH, and FETCH of what has changed, are like
them once a mailbox is selected."""
MAX_READ: Final = 512
"""Commands that are remembered as they were read, for all connections of a process."""
MAX_KEPT: Final = 512
"""Octets of one, behind its tag."""
_READ: Final[dict[tuple[bool, bytes], Command]] = {}


def _is_said_often(name: bytes, command: Command) -> bool:
    return (
        name in _OFTEN
        or isinstance(command, Search)
        or (isinstance(command, Fetch) and command.changed_since is not None)
    )


class ImapServer:
    """One connection's commands and answers."""

    __slots__ = (
        "_absent",
        "_awaits_line",
        "_closed",
        "_fragments",
        "_held",
        "_in_parts",
        "_max_line",
        "_offer_tag",
        "_out",
        "_spent",
        "_spent_on_lines",
        "bytes_in",
        "bytes_out",
        "held",
        "literal_minus",
        "state",
        "unsent",
        "utf8_names",
    )

    def __init__(
        self, *, state: State, max_line: int = MAX_LINE, absent: frozenset[bytes] = frozenset()
    ) -> None:
        """`absent`: commands that are unknown here, as those of plugins that are not loaded."""
        self._absent = absent
        self.state = state
        self.bytes_in = 0
        self.bytes_out = 0
        self.literal_minus = False  # what comes without being asked for is small  RFC 7888 §5
        self.utf8_names = False  # the client has enabled UTF8=ACCEPT or IMAP4rev2
        self.unsent = 0  # octets that data_to_send() would give
        self.held = 0  # octets that wait for the end of an answer in parts
        self._in_parts = False
        self._held: list[bytes] = []
        self._fragments = Fragments(max_line=max_line)
        self._max_line = max_line
        self._out: list[bytes] = []
        self._closed = False
        self._awaits_line: bytes | None = None  # tag of the command whose lines are read
        self._spent = 0  # octets of literals in the command that is coming
        self._spent_on_lines = 0  # octets around them
        self._offer_tag = b""  # of the command whose messages come

    # From the client.

    def receive_data(self, data: bytes) -> None:
        """Take bytes; b"" means that the client has closed its side."""
        if data:
            self.bytes_in += len(data)
            self._fragments.receive(data)
        else:
            self._closed = True

    @property
    def between_commands(self) -> bool:
        """Whether nothing of another command has come."""
        return self._fragments.between_commands

    @property
    def is_resting(self) -> bool:
        """Whether the client has said nothing that waits, or is half said, and nothing waits to be sent."""
        return self._fragments.between_commands and not self._out and not self._closed

    def unread(self) -> bytes:
        """Take away what has come behind the last command: for another engine, or to be thrown away."""
        return self._fragments.unread()

    def next_command(self) -> Command | Pause:
        """The next command, if it has come as a whole."""
        if self._awaits_line is not None:
            return self._next_line(self._awaits_line)
        while True:
            match self._fragments.read():
                case None:
                    return Pause.CLOSED if self._closed else Pause.NEED_DATA
                case [bytes() as line]:  # as most commands are
                    self._spent = self._spent_on_lines = 0
                    return self._recall(line) or self._parse([line])
                case Announcement() as announcement:
                    command = self._consider(announcement)
                    if command is not None:
                        return command
                case Portion(data):
                    return AppendData(self._offer_tag, data)
                case Overlong(start):
                    self._spent = self._spent_on_lines = 0
                    return self._refuse_overlong(start)
                case parts:
                    self._spent = self._spent_on_lines = 0
                    return self._recall_append(parts) or self._parse(parts)

    def expect_line(self, tag: bytes) -> None:
        """The next line is no command: it comes as `Line` with this tag."""
        self._awaits_line = tag

    def accept_literal(self, *, streamed: bool = False) -> None:
        """Let the message that was offered come, `streamed` as AppendData, and tell a client that waits."""
        if self._fragments.accept(streamed=streamed):
            self.go_ahead(b"OK")

    def refuse_literal(self) -> None:
        """Do not take the message that was offered; the caller has answered the command."""
        self._spent = self._spent_on_lines = 0
        self._fragments.refuse()

    @property
    def awaited_line(self) -> bytes:
        """The tag of the command that a line is expected for, as `expect_line` was told; empty if there is none."""
        return self._awaits_line or b""

    # To the client.

    def send(self, data: bytes) -> None:
        """Put whole response lines behind what is to be sent; behind an answer in parts, if one has begun."""
        if self._in_parts:
            self._held.append(data)
            self.held += len(data)
            return
        self._out.append(data)
        self.unsent += len(data)

    def begin_parts(self) -> None:
        """What is sent by `send_part` from now on is one answer; whatever else is sent comes after it."""
        self._in_parts = True

    def send_part(self, data: bytes) -> None:
        """Some of the answer."""
        self._out.append(data)
        self.unsent += len(data)

    def end_parts(self) -> None:
        """The answer is whole."""
        self._in_parts = False
        held, self._held, self.held = self._held, [], 0
        for data in held:
            self.send(data)

    def untagged(self, text: bytes) -> None:
        """`* text`"""
        self.send(b"* %s\r\n" % text)

    def reply(self, tag: bytes, text: bytes) -> None:
        """`tag text`"""
        self.send(b"%s %s\r\n" % (tag, text))

    def go_ahead(self, text: bytes) -> None:
        """`+ text`: a command continuation request"""
        self.send(b"+ %s\r\n" % text)

    def data_to_send(self) -> bytes:
        """The bytes for the client; they are given once."""
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out = []
        self.unsent = 0
        self.bytes_out += len(data)
        return data

    # How.

    def _next_line(self, tag: bytes) -> Command | Pause:
        line = self._fragments.read_line()
        if line is None:
            return Pause.CLOSED if self._closed else Pause.NEED_DATA
        self._awaits_line = None
        return Line(tag, line if isinstance(line, bytes) else None)

    def _consider(self, announcement: Announcement) -> Command | None:
        """A literal is to come: take it, refuse it, or ask the session about a message."""
        if (coming := self._recall_offer(announcement)) is not None:
            self._offer_tag = coming.tag
            return coming
        scanner = Scanner(announcement.parts, utf8_names=self.utf8_names)
        head = self._read_head(scanner)
        if isinstance(head, Refused):
            return self._refuse(head)
        tag, name, _ = head
        unasked = self.literal_minus and not announcement.synchronizing
        if unasked and announcement.size > MAX_UNASKED:
            return self._refuse(self._bad(tag, name, "Non-synchronizing literal size too large"))
        if announcement.binary and name not in WITH_LITERAL8:
            return self._refuse(self._bad(tag, name, "literal8 not allowed here"))
        if name in OFFERS:
            offer = self._offer(tag, name, scanner, announcement)
            if offer is not None:
                self._offer_tag = tag
                return offer
        if self._spent + announcement.size > MAX_LITERALS:
            if name == b"SETMETADATA":  # RFC 5464 §4.3
                text = b"[METADATA MAXSIZE %d] Annotation is too large" % MAX_LITERALS
                return self._refuse(Refused(tag, b"NO", text))
            return self._refuse(self._bad(tag, name, "Literal size too large"))
        self._spent += announcement.size
        self._spent_on_lines += len(announcement.parts[-1]) + _COST
        if self._spent_on_lines > self._max_line:  # or empty literals without end would be kept
            return self._refuse(self._bad(tag, name, "IMAP command line too large"))
        self.accept_literal()
        return None

    def _offer(
        self, tag: bytes, name: bytes, scanner: Scanner, announcement: Announcement
    ) -> AppendOffer | Refused | None:
        try:
            return OFFERS[name](tag, scanner, announcement.size, synchronizing=announcement.synchronizing)
        except BadSyntax as problem:
            return self._refuse(self._bad(tag, name, str(problem)))
        except Refusal as problem:
            return self._refuse(Refused(tag, b"NO", str(problem).encode("utf-8")))

    def _refuse(self, refused: Refused) -> Refused:
        self.refuse_literal()
        return refused

    def _recall(self, line: bytes) -> Command | None:
        """A command that was read before, perhaps with another tag."""
        tag, _, rest = line.partition(b" ")
        read = _READ.get((self.utf8_names, rest))
        if read is None or self.state is State.NOT_AUTHENTICATED or not is_tag(tag):
            return None
        if self.state is not State.SELECTED and isinstance(read, Fetch | Search):
            return None
        return msgspec.structs.replace(read, tag=tag)

    def _recall_offer(self, announcement: Announcement) -> AppendOffer | None:
        """APPEND of a message as one was offered before, perhaps with another tag and size."""
        if len(announcement.parts) != 1 or self.literal_minus:
            return None
        tag, read = self._words_before_literal(announcement.parts[0])
        size = announcement.size
        return AppendOffer(tag, read.mailbox, size, size, announcement.synchronizing) if read else None

    def _recall_append(self, parts: list[bytes]) -> Append | None:
        """The same when the message is there."""
        if len(parts) != 3 or parts[2]:
            return None
        tag, read = self._words_before_literal(parts[0])
        if read is None:
            return None
        [message] = read.messages
        return Append(tag, read.mailbox, (msgspec.structs.replace(message, content=parts[1]),))

    def _words_before_literal(self, line: bytes) -> tuple[bytes, Append | None]:
        """A command's tag, and what it says if it is APPEND of one message."""
        tag, _, rest = line.partition(b" ")
        words = rest[: rest.rfind(b"{")]
        may_come = self.state is not State.NOT_AUTHENTICATED and b"APPEND" not in self._absent
        if not may_come or words[:7].upper() != b"APPEND " or len(words) > MAX_KEPT or not is_tag(tag):
            return tag, None
        return tag, append_grammar.read_before(words, utf8_names=self.utf8_names)

    def _parse(self, parts: list[bytes]) -> Command:
        scanner = Scanner(parts, utf8_names=self.utf8_names)
        head = self._read_head(scanner)
        if isinstance(head, Refused):
            return head
        tag, name, parser = head
        try:
            command = parser(tag, scanner)
        except BadSyntax as problem:
            fault = general_fault(parts[::2])
            refused = self._bad(tag, name, fault or str(problem))
            if fault is None and name in SELECTING:
                return msgspec.structs.replace(refused, leaves_mailbox=True)
            return refused
        except Refusal as problem:
            fault = general_fault(parts[::2])
            if fault is not None:
                return self._bad(tag, name, fault)
            text = str(problem).encode("utf-8")
            return Refused(tag, b"NO", text, forgets_result=problem.forgets_result)
        if not scanner.is_read and name not in REST_UNREAD:  # what is ignored has to be right nevertheless
            fault = general_fault(parts[::2])
            if fault is not None:
                return self._bad(tag, name, fault)
        if len(parts) == 1 and len(parts[0]) - len(tag) <= MAX_KEPT and _is_said_often(name, command):
            if len(_READ) >= MAX_READ:
                _READ.clear()
            _READ[self.utf8_names, parts[0][len(tag) + 1 :]] = command
        return command

    def _read_head(self, scanner: Scanner) -> tuple[bytes, bytes, Parser] | Refused:
        """`tag SP command-name`, with "UID" as part of the name"""
        try:
            tag = scanner.tag()
        except BadSyntax:
            return self._bad_head(b"*", "Error in IMAP tag: Invalid tag")
        try:
            scanner.expect(b" ")
            name = scanner.word()
            if name == b"UID":
                scanner.expect(b" ")
                name += b" " + scanner.word()
            if not scanner.at_word_end:
                raise BadSyntax("Invalid arguments")
        except BadSyntax:
            return self._bad_head(tag, "Error in IMAP command: Invalid command name")
        parser = COMMANDS[self.state].get(name)
        if parser is None or name in self._absent:
            is_known = name in COMMANDS[State.SELECTED] and name not in self._absent
            if is_known and self.state is State.AUTHENTICATED:
                return Refused(tag, b"BAD", b"No mailbox selected", counts=False)
            return self._bad(tag, name[:80], "Unknown command")
        return tag, name, parser

    def _bad(self, tag: bytes, name: bytes, reason: str) -> Refused:
        return self._bad_head(tag, f"Error in IMAP command {name.decode('ascii')}: {reason}")

    def _bad_head(self, tag: bytes, text: str) -> Refused:
        if self.state is State.NOT_AUTHENTICATED:  # nothing is explained to strangers
            text = "Error in IMAP command received by server."
        return Refused(tag, b"BAD", text.encode("utf-8"))

    def _refuse_overlong(self, start: bytes) -> Refused:
        try:
            tag = Scanner([start]).tag()
        except BadSyntax:
            tag = b"*"
        return self._bad_head(tag, "Error in IMAP command: Line is too long")
