"""One output for many users: one table, one array, one line of names.

DESCRIPTION
    Each user's mailboxes are worked on in a child with his rights, which sends its rows over a pipe; the parent
    prints them all.  A cell that is not to be held in memory comes in pieces.  A message of the pipe is its length
    in four octets, the most significant first, and msgpack.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import msgspec

from pillarbox.tools.doveadm_commands.output import Cell, RowWriter, pieces

_LENGTH: Final = 4


class Columns(msgspec.Struct, frozen=True, tag=True):
    """How rows are to be printed (`RowWriter`), in `form` if nothing else is asked for; child → parent, too."""

    names: Sequence[str]
    form: str = "flow"
    hidden: Sequence[str] = ()
    texts: Sequence[str] = ()
    titles: Sequence[str] = ()
    right: Sequence[str] = ()

    def with_users(self) -> "Columns":
        """The same with the user in front."""
        return Columns(
            ("username", *self.names),
            self.form,
            ("username", *self.hidden),
            self.texts,
            ("Username", *(self.titles or self.names)),
            self.right,
        )

    def writer(self) -> RowWriter:
        """What prints them."""
        return RowWriter(
            self.names,
            self.form,
            hidden=self.hidden,
            texts=self.texts,
            titles=self.titles,
            right=self.right,
        )


class Row(msgspec.Struct, frozen=True, tag=True):
    """child → parent.  None: the cell follows as pieces, when those before it are through."""

    cells: Sequence[bytes | None]


class Piece(msgspec.Struct, frozen=True, tag=True):
    """child → parent: a part of a cell; an empty one is its end."""

    text: bytes


class RowSender:
    """The child's end."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def begin(self, columns: Columns) -> None:
        """What the rows are; the first child that says it has said it for all."""
        self._send(columns)

    def add(self, row: Sequence[Cell]) -> None:
        """Send a row."""
        self._send(Row([_octets(cell) if isinstance(cell, str) else None for cell in row]))
        for cell in row:
            if not isinstance(cell, str):
                for piece in filter(None, pieces(cell)):
                    self._send(Piece(_octets(piece)))
                self._send(Piece(b""))

    def close(self) -> None:
        """There are no more rows."""
        self._pipe.close()

    def _send(self, message: Columns | Row | Piece) -> None:
        encoded = msgspec.msgpack.encode(message)
        self._pipe.write(len(encoded).to_bytes(_LENGTH) + encoded)


class CommonOutput:
    """The parent's end, of one child after the other."""

    def __init__(self) -> None:
        self._decoder: msgspec.msgpack.Decoder[Columns | Row | Piece] = msgspec.msgpack.Decoder(
            Columns | Row | Piece
        )
        self._writer: RowWriter | None = None

    def take(self, pipe: BinaryIO) -> None:
        """Print what comes until the child has no more to say."""
        while (message := self._next(pipe)) is not None:
            match message:
                case Columns() if self._writer is None:
                    self._writer = message.writer()
                case Row() if self._writer is not None:
                    row = [
                        self._rest_of_cell(pipe) if cell is None else _text(cell) for cell in message.cells
                    ]
                    self._writer.add(row)

    def finish(self, columns: Columns | None) -> None:
        """There are no more users; `columns` as they would have been, if there was none."""
        if self._writer is None and columns is not None:
            self._writer = columns.writer()
        if self._writer is not None:
            self._writer.finish()

    def _rest_of_cell(self, pipe: BinaryIO) -> Iterator[str]:
        while isinstance(message := self._next(pipe), Piece) and message.text:
            yield _text(message.text)

    def _next(self, pipe: BinaryIO) -> Columns | Row | Piece | None:
        length = int.from_bytes(pipe.read(_LENGTH))
        encoded = pipe.read(length)
        return self._decoder.decode(encoded) if encoded and len(encoded) == length else None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")
