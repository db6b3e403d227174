"""A mistake of ours in one line: what went wrong, and where.

Standard error goes nowhere in a daemon, and a traceback of many lines is no line of a mail log.
"""

import traceback
from collections.abc import Iterator


def mistakes(error: BaseException) -> Iterator[str]:
    """`KeyError: 3 at /usr/lib/…/search.py:170, in _written`, for each exception of a group."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from mistakes(one)
        return
    place = next(iter(reversed(traceback.extract_tb(error.__traceback__))), None)
    where = f" at {place.filename}:{place.lineno}, in {place.name}" if place is not None else ""
    yield f"{type(error).__name__}: {error}{where}"
