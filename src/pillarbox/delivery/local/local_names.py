"""What `$name` stands for in forward_path, luser_relay, mailbox_command and command_execution_directory."""

import os
from typing import Final

from pillarbox.delivery.local.frames import DeliverLocally

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

    __slots__ = ("_request",)

    def __init__(self, request: DeliverLocally) -> None:
        self._request = request

    def get(self, name: str, default: str, /) -> str | None:
        """The value; None if it is empty, the default if this is no name."""
        request = self._request
        value: bytes | None
        if (field := _OF_RECIPIENT.get(name)) is not None:
            value = getattr(request.recipient, field)
        elif (field := _OF_ACCOUNT.get(name)) is not None:
            value = getattr(request.account, field)
        else:
            known = {key.decode().lower(): value for key, value in request.client}
            if name not in known:
                return default
            value = known[name]
        return os.fsdecode(value) if value else None
