"""What is said and heard in one run of dsync, item by item.

FAULTS
    DsyncFault   the other side says what it may not, or has given up
    StreamEnded  it is gone
"""

from collections.abc import Iterable, Iterator, Mapping

from pillarbox.net.duplex_stream import DuplexStream
from pillarbox.wire.dsync.fields import DsyncFault, Kind
from pillarbox.wire.dsync.kinds import DONE, END_OF_LIST, FINISH, greeting
from pillarbox.wire.dsync.stream import DotWriter, Event, Incoming, Item, Mark, Piece

Values = dict[str, bytes]


class GivenUp(DsyncFault):
    """The other side has ended, and has said why where it logs."""


class Conversation:
    """Both sides have sent their greetings."""

    def __init__(self, stream: DuplexStream) -> None:
        self._stream = stream
        self._incoming = Incoming()
        self._has_ended = False
        stream.send(greeting())

    def say(self, kind: Kind, values: Mapping[str, bytes]) -> None:
        """An item."""
        self._stream.send(kind.line(values))

    def say_with_stream(self, kind: Kind, values: Mapping[str, bytes], content: Iterable[bytes]) -> None:
        """An item with a content that need not fit into memory."""
        self.say(kind, {**values, "stream": b""})
        writer = DotWriter()
        for octets in content:
            self._stream.send(writer.add(octets))
        self._stream.send(writer.end())

    def end_list(self) -> None:
        """No more items of the kind."""
        self._stream.send(END_OF_LIST)

    def hear(self, kind: Kind) -> Values | None:
        """The next item, which must be of that kind; None at the end of its list."""
        event = self._event()
        if event is Mark.END_OF_LIST:
            return None
        if isinstance(event, Item) and event.kind is kind:
            self._has_ended = kind is FINISH
            return event.values
        what = event.kind.letter.decode("ascii") if isinstance(event, Item) else "a stream"
        raise DsyncFault(f"Received unexpected input {what} != {kind.letter.decode('ascii')}")

    def hear_one(self, kind: Kind) -> Values:
        """The same of a kind that has no list."""
        values = self.hear(kind)
        if values is None:
            raise DsyncFault(f"Remote sent end-of-list instead of a {kind.name}")
        return values

    def hear_all(self, kind: Kind) -> Iterator[Values]:
        """The items of a list; streams are to be read with `hear_stream` before the next."""
        while (values := self.hear(kind)) is not None:
            yield values

    def hear_stream(self) -> Iterator[bytes]:
        """The content that follows an item with `stream`."""
        while True:
            event = self._event()
            if isinstance(event, Piece):
                yield event.octets
            elif event is Mark.END_OF_VALUE:
                return

    def give_up(self) -> None:
        """The other side is told that nothing more comes, unless it has ended itself."""
        if not self._has_ended:
            self._stream.send(DONE + b"\n")
        self._stream.flush()

    def _event(self) -> Event:
        while (event := self._incoming.next_event()) is Mark.NEED_DATA:
            self._incoming.feed(self._stream.receive())
        if event is Mark.DONE:
            self._has_ended = True
            raise GivenUp("Remote has ended")
        return event
