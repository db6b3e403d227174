"""The header of a message on its way out: addresses by smtp_generic_maps.

DESCRIPTION
    `rewritten()` takes the lines of a message as the queue has them, and gives them with the addresses in the
    fields of the primary header rewritten.  Behind the header, lines go by untouched.

STANDARDS
    generic(5)
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.message.address_rewriting import RECIPIENTS, SENDERS, HeaderRewriting

_NAME: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")


def rewritten(lines: Iterable[bytes], rewriting: HeaderRewriting) -> Iterator[bytes]:
    """The lines, without line ends, with addresses rewritten."""
    rest = iter(lines)
    field: list[bytes] = []
    for line in rest:
        if field and line[:1] in (b" ", b"\t"):
            field.append(line)
            continue
        yield from _field(field, rewriting)
        if _NAME.match(line) is None:  # the empty line, or text that no header has
            yield line
            yield from rest
            return
        field = [line]
    yield from _field(field, rewriting)


def _field(lines: list[bytes], rewriting: HeaderRewriting) -> list[bytes]:
    match = _NAME.match(lines[0]) if lines else None
    name = match[1].lower() if match is not None else b""
    if match is None or (name not in SENDERS and name not in RECIPIENTS):
        return lines
    value = b"\n".join(lines)[match.end() :]
    return (lines[0][: match.end()] + rewriting.field(name, value, line_end=b"\n")).split(b"\n")
