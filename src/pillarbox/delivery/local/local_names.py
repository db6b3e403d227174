"""What `$name` stands for in forward_path, luser_relay, mailbox_command and command_execution_directory."""

import os

from pillarbox.delivery.local.frames import DeliverLocally


def local_names(request: DeliverLocally) -> dict[str, str | None]:
    """What `$name` stands for in local delivery's parameters; None: no value."""
    who, account = request.recipient, request.account

    def text(value: bytes | None) -> str | None:
        return os.fsdecode(value) if value else None

    return {
        "user": text(who.user),
        "home": text(account.home),
        "shell": text(account.shell),
        "domain": text(who.domain),
        "local": text(who.local),
        "mailbox": text(who.local),
        "recipient": text(who.address),
        "extension": text(who.extension),
        "recipient_delimiter": text(who.delimiter),
        **{name.decode().lower(): text(value) for name, value in request.client},
    }
