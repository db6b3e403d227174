"""How many examples a property is tried with, how many histories by chance are played, and how many cases of many.

DESCRIPTION
    `make test` tries all of them (EXAMPLES=all); `make quick`, and pytest by itself, a third.  They are the same in
    every run: the third is a part of the whole.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def examples(whole: int) -> int:
    """Of so many examples, those for this run; one at least."""
    return whole if _all() else max(1, whole // 3)


def each_third(cases: Sequence[T], first: int = 0) -> Sequence[T]:
    """Of these cases, those for this run; three tests that begin with 0, 1 and 2 have all of them."""
    return cases if _all() else cases[first % 3 :: 3]


def _all() -> bool:
    return os.environ.get("EXAMPLES", "") == "all"
