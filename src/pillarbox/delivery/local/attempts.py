"""What became of a recipient of local delivery, attempt by attempt.

STANDARDS
    RFC 3461 §5.2.7
"""

from typing import Final

import msgspec

from pillarbox.delivery.local.recipient_state import State
from pillarbox.delivery.request import Attempt
from pillarbox.vocabulary.address import external_form
from pillarbox.vocabulary.envelope import Notify, without_success

_SUCCESS: Final = int(Notify.SUCCESS)


class Attempts:
    """The attempts of one recipient, in their order."""

    def __init__(self, *, softly: bool = False) -> None:
        """`softly`: what would be returned waits, too (soft_bounce)."""
        self.made: list[Attempt] = []
        self._waiting = ("deferred", "bounced") if softly else ("deferred",)

    @property
    def has_to_wait(self) -> bool:
        """Whether something could not be done now."""
        return self.waiting > 0

    @property
    def waiting(self) -> int:
        """How many things could not be done now."""
        return sum(attempt.status in self._waiting for attempt in self.made)

    @property
    def are_passed(self) -> bool:
        """Whether something is left to other transports: nobody knows yet whether it has to wait."""
        return any(attempt.status == "passed" for attempt in self.made)

    def tell(
        self,
        state: State,
        status: str,
        dsn: str,
        text: str,
        *,
        to_owner: bool = False,
        action: str = "",
        diagnostic: str = "",
    ) -> None:
        """Add one."""
        report_to = state.sender if to_owner and state.owner_alias else None
        self.made.append(
            Attempt(
                external_form(state.address),
                external_form(state.original),
                status,
                dsn,
                text,
                report_to,
                diagnostic=diagnostic,
                action=action,
                tells_success=bool(state.notify & _SUCCESS),
            )
        )

    def expanded(self, state: State, action: str) -> State:
        """An alias or a .forward file reports success itself: those it stands for do not (RFC 3461 §5.2.7)."""
        if not state.notify & _SUCCESS:
            return state
        self.made.append(
            Attempt(
                external_form(state.address),
                external_form(state.original),
                "sent",
                "2.0.0",
                "alias expanded",
                told=True,
                action=action,
                only_success=True,
            )
        )
        return msgspec.structs.replace(state, notify=int(without_success(Notify(state.notify))))
