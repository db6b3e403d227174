"""Addresses of one recipient that get messages of their own, until it is known that nothing has to wait."""

from pillarbox.delivery.local.recipient_state import State
from pillarbox.delivery.request import Forwarding, JobRecipient


class PendingForwards:
    """Addresses with the same sender and Delivered-To: share a message."""

    def __init__(self) -> None:
        self._groups: dict[tuple[bytes, bytes], list[State]] = {}

    def add(self, state: State) -> None:
        """One more address."""
        delivered = state.delivered if state.delivered is not None else state.address
        self._groups.setdefault((delivered, state.sender), []).append(state)

    def messages(self) -> list[Forwarding]:
        """What is to be queued, in the order of the first addresses."""
        return [
            Forwarding(
                sender,
                delivered,
                [JobRecipient(one.address, one.original, one.notify, one.dsn_original) for one in states],
                any(one.owner_alias for one in states),
            )
            for (delivered, sender), states in self._groups.items()
        ]
