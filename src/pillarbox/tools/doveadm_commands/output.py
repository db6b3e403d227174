"""What doveadm(1) prints, in the form that -f asks for.

flow    INBOX messages=3 vsize=915        (the first column without its name)
tab     columns separated by tabs, names first
table   columns in their widths, names first
pager   name: value lines, ^L between rows
json    one array of objects
server  each value escaped, with a tab behind it: to a client of the doveadm service, which is not asked for
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from pillarbox.tools.doveadm_commands.faults import Fatal

_ONE_LINE: Final = "table formatter doesn't support multi-line values"
FORMS = ("flow", "pager", "tab", "table", "json")


def no_columns(form: str) -> str:
    """What is printed in front of plain text, for a command that has no columns."""
    return {"json": "[]", "tab": "\n"}.get(form, "")


Cell = str | Iterator[str]
"""A value, or the pieces of one that is not to be held in memory."""


def pieces(cell: Cell) -> Iterator[str]:
    """The pieces of a cell."""
    return iter((cell,)) if isinstance(cell, str) else cell


def show(columns: Sequence[str], rows: Iterable[Sequence[Cell]], form: str, *, wide: str = "") -> None:
    """Print rows, as `RowWriter` says."""
    writer = RowWriter(columns, form, wide=wide)
    for row in rows:
        writer.add(row)
    writer.finish()


class RowWriter:
    """Prints one row after the other; only `table` has to know all of them first.

    `hidden`: columns whose name `flow` and `pager` leave out, and `table` if it has no others; `texts`: columns
    that `pager` puts on lines of their own, as they are; `titles`: what `flow`, `tab`, `table` and `pager` call the
    columns, if not by their names; `right`: columns of numbers; `wide`: that which gets what is left of the
    screen's width, if it is not the last.
    """

    def __init__(
        self,
        columns: Sequence[str],
        form: str,
        *,
        hidden: Sequence[str] = (),
        texts: Sequence[str] = (),
        titles: Sequence[str] = (),
        right: Sequence[str] = (),
        wide: str = "",
        write: Callable[[str], object] | None = None,
    ) -> None:
        self._wide = list(columns).index(wide) if wide else -1
        self._right = [at for at, name in enumerate(columns) if name in right]
        if titles and form != "json":
            hidden = [title for name, title in zip(columns, titles, strict=True) if name in hidden]
            columns = titles
        self._columns, self._hidden, self._texts = columns, hidden, texts
        self._form = form
        self._write = write or sys.stdout.write
        self._count = 0
        self._rows: list[Sequence[str]] = []
        self._add = {"tab": self._tab, "table": self._gather, "json": self._json, "pager": self._page}.get(
            form, self._flow
        )
        if form == "server":
            self._add = self._serve

    def add(self, row: Sequence[Cell]) -> None:
        """Print a row."""
        if not self._count:
            self._begin()
        self._add(row)
        self._count += 1

    def finish(self) -> None:
        """There are no more."""
        if not self._count:
            self._begin()
        if self._form == "json":
            self._write("]")
        elif self._form == "table":
            with_names = not set(self._columns) <= set(self._hidden)
            self._write(
                _table(self._columns, self._rows, with_names=with_names, right=self._right, wide=self._wide)
            )

    def _begin(self) -> None:
        if self._form == "json":
            self._write("[")
        elif self._form == "tab":
            self._tab(self._columns)

    def _tab(self, row: Sequence[Cell]) -> None:
        for at, cell in enumerate(row):
            self._write("\t" if at else "")
            for piece in pieces(cell):
                self._write(_escaped(piece))
        self._write("\n")

    def _serve(self, row: Sequence[Cell]) -> None:
        for cell in row:
            for piece in pieces(cell):
                self._write(_escaped(piece))
            self._write("\t")

    def _gather(self, row: Sequence[Cell]) -> None:
        if any(not isinstance(cell, str) for cell in row):
            raise Fatal(_ONE_LINE)
        self._rows.append([cell for cell in row if isinstance(cell, str)])

    def _json(self, row: Sequence[Cell]) -> None:
        self._write("," if self._count else "")
        for at, (name, cell) in enumerate(zip(self._columns, row, strict=True)):
            self._write(("," if at else "{") + json.dumps(name, ensure_ascii=False) + ':"')
            for piece in pieces(cell):
                self._write(json.dumps(piece, ensure_ascii=False)[1:-1])
            self._write('"')
        self._write("}")

    def _page(self, row: Sequence[Cell]) -> None:
        if self._count and self._columns[0] not in self._texts:  # a page begins with a field on a line
            self._write("\f\n")
        for name, cell in zip(self._columns, row, strict=True):
            if name in self._texts:
                self._write(f"{name}:\n")
            elif name not in self._hidden:
                self._write(f"{name}: ")
            for piece in pieces(cell):
                self._write(piece)
            if name not in self._texts:
                self._write("\n")

    def _flow(self, row: Sequence[Cell]) -> None:
        for at, (name, cell) in enumerate(zip(self._columns, row, strict=True)):
            self._write((" " if at else "") + ("" if name in self._hidden else f"{name}="))
            for piece in pieces(cell):
                self._write(piece)
        self._write("\n")


def _escaped(cell: str) -> str:
    return cell.replace("\x01", "\x011").replace("\t", "\x01t").replace("\n", "\x01n").replace("\r", "\x01r")


_SCREEN = 80


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    with_names: bool,
    right: Sequence[int],
    wide: int,
) -> str:
    """Each column as wide as its widest cell; `wide` gets half of what is then left of the screen's width, and is
    narrower than its cells where there is nothing left."""
    if any("\n" in cell for row in rows for cell in row):
        raise Fatal(_ONE_LINE)
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    left = _SCREEN - sum(widths) - len(widths) + 1
    widths[wide] = max(0, widths[wide] + (left // 2 if left > 0 else left))
    return "".join(
        " ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + "\n"
        for row in [*([columns] if with_names else []), *rows]
    )
