"""What `$name` stands for in forward_path, luser_relay and command_execution_directory.

Nothing of the client: what a command learns of that stands in its environment alone (local(8)).
"""

import os
from typing import Final, Self

from pillarbox.delivery.local.frames import Account, DeliverLocally, Recipient

_OF_RECIPIENT: Final = {
    "user": "user",
    "domain": "domain",
    "local": "local",
    "mailbox": "local",
    "recipient": "address",
    "extension": "extension",
    "recipient_delimiter": "delimiter",
}
_OF_ACCOUNT: Final = {"home": "home", "shell": "shell"}


class LocalNames:
    """The names of one job (config/name_expansion.py); a value is made up when it is asked for."""

    __slots__ = ("_account", "_recipient")

    def __init__(self, recipient: Recipient, account: Account) -> None:
        self._recipient = recipient
        self._account = account

    @classmethod
    def of(cls, request: DeliverLocally) -> Self:
        """Those of a job."""
        return cls(request.recipient, request.account)

    def get(self, name: str, default: str, /) -> str | None:
        """The value; None if it is empty, the default if this is no name."""
        value: bytes | None
        if (field := _OF_RECIPIENT.get(name)) is not None:
            value = getattr(self._recipient, field)
        elif (field := _OF_ACCOUNT.get(name)) is not None:
            value = getattr(self._account, field)
        else:
            return default
        return os.fsdecode(value) if value else None
