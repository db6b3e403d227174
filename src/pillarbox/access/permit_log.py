"""smtpd_log_access_permit_actions: what permitted something stands in the log.

DESCRIPTION
    `permit: RCPT from host[address]: action=OK for Client host=host[address] from type:table; from=…`: the action
    is a restriction's name or a result of an access table, as it was written there.

STANDARDS
    postconf(5)
"""

from collections.abc import Awaitable, Sequence
from typing import Final

from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject
from pillarbox.tables.table import LookupFault, LookupTable

_ABOUT: Final = {
    "permit_auth_destination": Subject.RECIPIENT,
    "permit_mx_backup": Subject.RECIPIENT,
    "check_relay_domains": Subject.RECIPIENT,
    "permit_naked_ip_address": Subject.HELO,
}
"""What others than clients are permitted by."""


class PermitLog:
    """Which permissions are told."""

    def __init__(self, names: Sequence[str] = (), tables: Sequence[LookupTable] = ()) -> None:
        """`names` without `!`, and tables that hold names."""
        self._names = frozenset(name.lower() for name in names)
        self._tables = tables

    def wants(self, action: str) -> bool:
        """Whether the action is one of them."""
        if action.lower() in self._names:
            return True
        try:
            return any(table.query(action) is not None for table in self._tables)
        except LookupFault:
            return False

    def note(self, action: str, question: Question, *, name: bytes, about: Subject, source: str = "") -> None:
        """Tell of a permission, if it is one of them."""
        if self.wants(action):
            origin = f"from {source}" if source else ""
            text = b"action=%s for %s=%s %s" % (
                action.encode("utf-8", "surrogateescape"),
                about.value.encode(),
                name,
                origin.encode("utf-8", "surrogateescape"),
            )
            question.tell("permit", text)

    def told(self, action: str, restriction: Restriction) -> Restriction:
        """The restriction; when it permits, that is told."""
        if not self.wants(action):
            return restriction

        name = action.lower()

        async def check(question: Question, subject: Subject) -> Outcome:
            outcome = restriction(question, subject)
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            if outcome is PERMIT:
                about = _ABOUT.get(name, subject if name == "permit" else Subject.CLIENT)
                self.note(action, question, name=question.name_of(about), about=about)
            return outcome

        return check
