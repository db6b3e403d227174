"""`partial-range`: some of many results, counted from the first or from the last.

FAULTS
    BadSyntax  as `scanner` says.

STANDARDS
    RFC 5267 §4.4; RFC 9394 §4
"""

import re
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.number_set import MAX_NUMBER
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

_PARTIAL: Final = re.compile(rb"(-?)([0-9]{1,20}):(-?)([0-9]{1,20})")


def partial_range(scanner: Scanner) -> tuple[int, int]:
    """`SP nz-number ":" nz-number`, or both negative: -1 is the last one; what is nearer to the end comes first."""
    scanner.space_or("PARTIAL range missing")
    found = _PARTIAL.fullmatch(scanner.match(_PARTIAL) or b"")
    if found is None:
        raise BadSyntax("PARTIAL range broken")
    low, high = decimal(found[2]), decimal(found[4])
    if not low or not high or found[1] != found[3]:
        raise BadSyntax("PARTIAL range broken")
    low, high = min(low, high), max(low, high)
    if high > MAX_NUMBER:
        raise BadSyntax("PARTIAL range broken")
    return (-low, -high) if found[1] else (low, high)


def in_range(partial: tuple[int, int], count: int) -> slice:
    """Where in a list of so many results the range is."""
    low, high = partial
    return slice(low - 1, high) if low > 0 else slice(max(0, count + high), max(0, count + low + 1))
