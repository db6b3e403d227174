"""Notices that came back to a sender, read as RFC 3464 has them."""

import email
import email.policy
from email.message import EmailMessage
from typing import Literal, cast

import msgspec


class Notice(msgspec.Struct, frozen=True):
    """What a notice says of one recipient."""

    recipient: str
    action: Literal["failed", "delayed", "delivered", "relayed", "expanded"]
    status: str
    diagnostic: str
    remote: str = ""  # Remote-MTA
    copy: bool = False  # for the postmaster, not for the sender


def read_notices(content: bytes) -> list[Notice]:
    """One for each recipient of a notice; none if the message is something else."""
    # The standard library knows the structure of RFC 3464's reports only, and RFC 6533 has the same.
    text = content.decode("utf-8", "replace").replace(
        "message/global-delivery-status", "message/delivery-status"
    )
    message = email.message_from_string(text, policy=email.policy.SMTPUTF8)
    if message.get_content_type() != "multipart/report":
        return []
    found: list[Notice] = []
    for part in message.iter_parts():
        if part.get_content_type() == "message/delivery-status":
            blocks = cast("list[EmailMessage]", part.get_payload())
            found += [_notice(block) for block in blocks if block["Final-Recipient"]]
    return found


def _notice(block: EmailMessage) -> Notice:
    return Notice(
        recipient=_value(block["Final-Recipient"]),
        action=cast("Literal['failed']", str(block["Action"]).strip().lower()),
        status=str(block["Status"]).strip(),
        diagnostic=" ".join(_value(block["Diagnostic-Code"] or ";").split()),
        remote=_value(block["Remote-MTA"] or ";"),
    )


def _value(field: object) -> str:
    """Without the type in front."""
    return str(field).partition(";")[2].strip()
