"""Whether the comparison of `${{left} operator {right} ? …}` holds, once both sides are expanded.

FAULTS
    ExpansionError  a side that is no level, or a number that is too large
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from pillarbox.config.expansion_syntax import Comparison, ExpansionError
from pillarbox.vocabulary.digits import decimal

_LEVEL: Final = re.compile(rb"([0-9]{1,9})(?:\.([0-9]{1,9})(?:\.([0-9]{1,9}))?)?")
_LARGEST_NUMBER: Final = 2**63 - 1


def holds(comparison: Comparison, left: str, right: str) -> bool:
    """Numeric if both sides are all digits, else by octets, or by level if it says so."""
    first, second = (side.encode(errors="surrogateescape") for side in (left, right))
    if comparison.by_level:
        order = _order(_level(first), _level(second))
    elif first.isdigit() and second.isdigit():
        order = _order(_number(first), _number(second))
    else:
        order = _order(first, second)
    return _OUTCOMES[comparison.operator](order)


@lru_cache(maxsize=64)
def _level(text: bytes) -> tuple[int, int, int]:
    match = _LEVEL.fullmatch(text)
    if match is None:
        raise ExpansionError(f'malformed compatibility level syntax: "{text.decode(errors="replace")}"')
    major, minor, patch = (decimal(part or b"0") for part in match.groups())
    return major, minor, patch


def _number(digits: bytes) -> int:
    try:
        number = decimal(digits, max_digits=40)
    except ValueError:
        number = _LARGEST_NUMBER + 1
    if number > _LARGEST_NUMBER:
        raise ExpansionError(f"bad conversion: {digits.decode()[:60]}")
    return number


def _order(left: object, right: object) -> int:
    """-1, 0 or 1; both sides are of one type that has an order."""
    if left == right:
        return 0
    return -1 if left < right else 1  # type: ignore[operator]  # two levels, numbers or texts


_OUTCOMES: Final[dict[str, Callable[[int], bool]]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
