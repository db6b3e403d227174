"""What doveadm(1) prints, in the form that -f asks for.

flow    INBOX messages=3 vsize=915        (the first column without its name)
tab     columns separated by tabs, names first
table   columns in their widths, names first
pager   name: value lines, ^L between rows
json    one array of objects
"""

import json
import sys
from collections.abc import Sequence

FORMS = ("flow", "pager", "tab", "table", "json")


def show(
    columns: Sequence[str], rows: Sequence[Sequence[str]], form: str, *, hidden: Sequence[str] = ()
) -> None:
    """Print rows.  `hidden`: columns whose name `flow` and `pager` leave out."""
    sys.stdout.write(text_of(columns, rows, form, hidden=hidden))


def text_of(
    columns: Sequence[str], rows: Sequence[Sequence[str]], form: str, *, hidden: Sequence[str] = ()
) -> str:
    """The text of the rows."""
    match form:
        case "tab":
            return "".join("\t".join(_escaped(cell) for cell in row) + "\n" for row in [columns, *rows])
        case "table":
            return _table(columns, rows)
        case "json":
            found = [dict(zip(columns, row, strict=True)) for row in rows]
            return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        case "pager":
            pages = []
            for row in rows:
                lines = [
                    cell if name in hidden else f"{name}: {cell}"
                    for name, cell in zip(columns, row, strict=True)
                ]
                pages.append("".join(f"{line}\n" for line in lines))
            return "\f\n".join(pages)
    return "".join(
        " ".join(
            cell if name in hidden else f"{name}={cell}" for name, cell in zip(columns, row, strict=True)
        )
        + "\n"
        for row in rows
    )


def _escaped(cell: str) -> str:
    return cell.replace("\x01", "\x011").replace("\t", "\x01t").replace("\n", "\x01n").replace("\r", "\x01r")


_WIDTH = 56


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Each column as wide as its widest cell; the last is filled up to the width of the first line."""
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    widths[-1] = max(widths[-1], _WIDTH - sum(widths[:-1]) - len(widths) + 1)
    return "".join(
        " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n"
        for row in [columns, *rows]
    )
