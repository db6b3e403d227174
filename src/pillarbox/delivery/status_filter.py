"""local_delivery_status_filter and its relatives: what is said of a delivery, rewritten by a table.

DESCRIPTION
    The key is the code and the text of an outcome, `4.2.2 mailbox is full`; a value of the same form takes its
    place.  A failure may be made final or temporary by it; success stays success, and failure failure.

FAULTS
    A table that cannot answer, or answers with what is no status, changes nothing; it is warned of.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pillarbox.delivery.request import Attempt, Outcome
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.table import LookupFault, LookupTable

_STATUS: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})\s+(.+)", re.ASCII | re.DOTALL)


class StatusFilter:
    """One filter; without tables it changes nothing."""

    def __init__(self, tables: Sequence[LookupTable], *, parameter: str, warn: Callable[[str], None]) -> None:
        """`parameter` is the name of the setting, for warnings."""
        self._parameter = parameter
        self._tables = tables
        self._warn = warn

    def outcome(self, outcome: Outcome) -> Outcome:
        """An outcome of one recipient, and all that was done for it."""
        if not self._tables:
            return outcome
        if outcome.attempts is None:
            status, dsn, text = self._filtered(outcome.status, outcome.dsn, outcome.text)
            return msgspec.structs.replace(outcome, status=status, dsn=dsn, text=text)
        attempts = [self._attempt(attempt) for attempt in outcome.attempts]
        waits = any(attempt.status == "deferred" for attempt in attempts)
        return msgspec.structs.replace(outcome, status="deferred" if waits else "sent", attempts=attempts)

    def _attempt(self, attempt: Attempt) -> Attempt:
        if attempt.status == "passed":
            return attempt
        status, dsn, text = self._filtered(attempt.status, attempt.dsn, attempt.text)
        return msgspec.structs.replace(attempt, status=status, dsn=dsn, text=text)

    def _filtered(self, status: str, dsn: str, text: str) -> tuple[str, str, str]:
        try:
            found = find_first(self._tables, f"{dsn} {text}")
        except LookupFault as fault:
            self._warn(fault.reason)
            return status, dsn, text
        if found is None:
            return status, dsn, text
        match = _STATUS.fullmatch(found)
        if match is None or (match[1][0] == "2") != (status == "sent"):
            self._warn(f"{self._parameter}: bad status code: {found}")
            return status, dsn, text
        return {"2": "sent", "4": "deferred", "5": "bounced"}[match[1][0]], match[1], match[2]
