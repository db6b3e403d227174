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

from pillarbox.tools.doveadm_faults import Fatal

FORMS = ("flow", "pager", "tab", "table", "json")


def show(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    form: str,
    *,
    hidden: Sequence[str] = (),
    texts: Sequence[str] = (),
    titles: Sequence[str] = (),
    right: Sequence[str] = (),
) -> None:
    """Print rows.

    `hidden`: columns whose name `flow` and `pager` leave out, and `table` if it has no others; `texts`: columns
    that `pager` puts on lines of their own, as they are; `titles`: what `flow`, `tab`, `table` and `pager` call the
    columns, if not by their names; `right`: columns of numbers.
    """
    sys.stdout.write(text_of(columns, rows, form, hidden=hidden, texts=texts, titles=titles, right=right))


def text_of(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    form: str,
    *,
    hidden: Sequence[str] = (),
    texts: Sequence[str] = (),
    titles: Sequence[str] = (),
    right: Sequence[str] = (),
) -> str:
    """The text of the rows."""
    names = columns
    if titles and form != "json":
        columns = titles
        hidden = [title for name, title in zip(names, titles, strict=True) if name in hidden]
    match form:
        case "tab":
            return "".join("\t".join(_escaped(cell) for cell in row) + "\n" for row in [columns, *rows])
        case "table":
            return _table(
                columns,
                rows,
                with_names=not set(columns) <= set(hidden),
                right=[at for at, name in enumerate(names) if name in right],
            )
        case "json":
            found = [dict(zip(columns, row, strict=True)) for row in rows]
            return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        case "pager":
            pages = []
            for row in rows:
                lines = [
                    f"{name}:\n{cell}"
                    if name in texts
                    else f"{cell}\n"
                    if name in hidden
                    else f"{name}: {cell}\n"
                    for name, cell in zip(columns, row, strict=True)
                ]
                pages.append("".join(lines))
            return ("" if columns[0] in texts else "\f\n").join(pages)  # a page begins with a field on a line
    return "".join(
        " ".join(
            cell if name in hidden else f"{name}={cell}" for name, cell in zip(columns, row, strict=True)
        )
        + "\n"
        for row in rows
    )


def _escaped(cell: str) -> str:
    return cell.replace("\x01", "\x011").replace("\t", "\x01t").replace("\n", "\x01n").replace("\r", "\x01r")


_SCREEN = 80


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, with_names: bool, right: Sequence[int]
) -> str:
    """Each column as wide as its widest cell; the last gets half of what is then left of the screen's width."""
    if any("\n" in cell for row in rows for cell in row):
        raise Fatal("table formatter doesn't support multi-line values")
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    widths[-1] += max(0, _SCREEN - sum(widths) - len(widths) + 1) // 2
    return "".join(
        " ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + "\n"
        for row in [*([columns] if with_names else []), *rows]
    )
