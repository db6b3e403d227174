"""pipe(8): a service of master.cf that hands mail to a command.

DESCRIPTION
    `PipeService.parse()` reads what follows `pipe` on the service's line:

        flags=DRhu user=vmail:vmail directory=/x size=100000 eol=\\r\\n null_sender= argv=/usr/bin/x ${recipient} …

    `arguments()` makes the command for some recipients: an argument that names something of a recipient
    (${recipient}, ${user}, ${extension}, ${mailbox}, ${domain}, ${original_recipient}) is given once for each of
    them, the others once.  No shell is used.

    Flags: B an empty line after the message; D, O, R, F the headers Delivered-To:, X-Original-To:, Return-Path: and
    a From line in front; X the delivery is final; h, u domain or local part in lower case; q addresses quoted;
    `.` dots doubled at the beginning of lines; `>` From quoted.  D and O are about one
    recipient: the command runs once for each.

    `chroot=` is for the agent that runs the command: it goes there while it is still root (daemons/delivery.py).

FAULTS
    ConfigurationFault  an attribute or macro that does not exist, no user or root as the user

STANDARDS
    pipe(8)
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from pillarbox.config.expansion_syntax import ExpansionError, Reference, references
from pillarbox.config.value_types import unescaped
from pillarbox.delivery.local.frames import PipeContent
from pillarbox.delivery.local.message_copy import from_line
from pillarbox.delivery.local.recipient_state import split_extension
from pillarbox.delivery.request import DeliverRecipients, JobRecipient
from pillarbox.delivery.service_command import PIPE_ATTRIBUTES, account, attributes
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.faults import ConfigurationFault

_FLAGS: Final = frozenset("BDFORXhqu.>")
_OF_RECIPIENT: Final = frozenset(
    ("recipient", "user", "extension", "mailbox", "domain", "original_recipient")
)
_OF_MESSAGE: Final = {
    "client_address": b"log_client_address",
    "client_helo": b"log_helo_name",
    "client_hostname": b"log_client_name",
    "client_port": b"log_client_port",
    "client_protocol": b"log_protocol_name",
    "envid": b"envelope_id",
    "sasl_method": b"sasl_method",
    "sasl_sender": b"sasl_sender",
    "sasl_username": b"sasl_username",
}
_NAMES: Final = _OF_RECIPIENT | _OF_MESSAGE.keys() | {"nexthop", "sender", "size", "queue_id"}


class Template(msgspec.Struct, frozen=True):
    """One argument: text, and names in it."""

    pieces: tuple[str | Reference, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """ValueError for a name that does not exist, or bad syntax."""
        pieces = tuple(references(text))
        for piece in pieces:
            if isinstance(piece, Reference) and (
                piece.subject not in _NAMES or piece.if_set is not None or piece.if_unset is not None
            ):
                raise ValueError(f"unknown macro name: {text}")
        return cls(pieces)

    @property
    def is_of_recipient(self) -> bool:
        """Whether it is given once for each recipient."""
        return any(isinstance(piece, Reference) and piece.subject in _OF_RECIPIENT for piece in self.pieces)

    def expand(self, value: Callable[[str], bytes]) -> bytes:
        """The argument, with values for its names."""
        return b"".join(
            os.fsencode(piece) if isinstance(piece, str) else value(str(piece.subject))
            for piece in self.pieces
        )


class PipeService(msgspec.Struct, frozen=True, kw_only=True):
    """One service."""

    name: str
    templates: tuple[Template, ...]
    user: str
    uid: int
    gid: int
    flags: frozenset[str] = frozenset()
    directory: bytes = b""
    size_limit: int = 0  # octets; 0: none
    line_end: bytes = b"\n"
    null_sender: bytes = b"MAILER-DAEMON"
    time_limit: float = 1000.0
    delimiters: bytes = b""
    owner_request_special: bool = True
    writes_original: bool = True

    @classmethod
    def parse(
        cls,
        name: str,
        arguments: Sequence[str],
        *,
        where: str,
        mail_owner: str,
        time_limit: float = 1000.0,
        delimiters: str = "",
        owner_request_special: bool = True,
        writes_original: bool = True,
    ) -> "PipeService":
        """The service that these words of master.cf describe.

        `where` is file and line; `writes_original` is enable_original_recipient, without which flag O adds nothing.
        """
        try:
            given, command = attributes(arguments, PIPE_ATTRIBUTES)
            user, uid, gid = account(given.pop("user", ""), mail_owner)
            flags = frozenset(given.pop("flags", ""))
            if flags - _FLAGS:
                raise ValueError(f"unknown flag: {''.join(sorted(flags - _FLAGS))}")
            size = given.pop("size", "0")
            if not is_decimal(size.encode(), max_digits=15):
                raise ValueError(f"bad size limit: {size}")
            return cls(
                name=name,
                templates=tuple(Template.parse(text) for text in command),
                user=user,
                uid=uid,
                gid=gid,
                flags=flags,
                directory=os.fsencode(given.pop("directory", "/" if given.get("chroot") else "")),
                size_limit=decimal(size.encode()),
                line_end=os.fsencode(unescaped(given.pop("eol", "\\n"))),
                null_sender=os.fsencode(given.pop("null_sender", "MAILER-DAEMON")),
                time_limit=time_limit,
                delimiters=delimiters.encode(),
                owner_request_special=owner_request_special,
                writes_original=writes_original,
            )
        except (ValueError, ExpansionError) as error:
            raise ConfigurationFault(where, f"pipe service {name}: {error}") from error

    @property
    def program(self) -> str:
        """The command's name as master.cf has it."""
        first = self.templates[0].pieces
        return "".join(piece if isinstance(piece, str) else f"${{{piece.subject}}}" for piece in first)

    @property
    def one_by_one(self) -> bool:
        """Whether the command runs once for each recipient."""
        return bool(self.flags & {"D", "O"})

    def arguments(self, request: DeliverRecipients, recipients: Sequence[JobRecipient]) -> list[bytes]:
        """The command for these recipients."""
        found: list[bytes] = []
        for template in self.templates:
            if template.is_of_recipient:
                found += [template.expand(partial(self._value, request, each)) for each in recipients]
            else:
                found.append(template.expand(partial(self._value, request, None)))
        return found

    def content(self, request: DeliverRecipients, recipient: JobRecipient, *, now: float) -> PipeContent:
        """What is put in front of the message, and how its lines are written."""
        flags, sender = self.flags, request.sender or self.null_sender
        prefix = from_line(sender, now=now) if "F" in flags else b""
        if "R" in flags:
            prefix += b"Return-Path: <%s>\n" % Address.from_internal(sender).external
        if "O" in flags and self.writes_original:
            prefix += b"X-Original-To: %s\n" % Address.from_internal(recipient.original).external
        if "D" in flags:
            prefix += b"Delivered-To: %s\n" % Address.from_internal(recipient.address).external
        return PipeContent(
            prefix,
            self.line_end,
            escape_from=">" in flags,
            dot_stuffing="." in flags,
            blank_line="B" in flags,
        )

    def _value(self, request: DeliverRecipients, recipient: JobRecipient | None, name: str) -> bytes:
        if recipient is not None and name in _OF_RECIPIENT:
            return self._of_recipient(name, recipient)
        if name == "nexthop":
            nexthop = os.fsencode(request.nexthop)
            return nexthop.lower() if "h" in self.flags else nexthop
        if name == "sender":
            sender = request.sender or self.null_sender
            return self._shown(Address.from_internal(sender)) if sender else b""
        if name == "size":
            return b"%d" % request.size
        if name == "queue_id":
            return request.queue_id.encode()
        return request.attributes.get(_OF_MESSAGE[name], b"")

    def _of_recipient(self, name: str, recipient: JobRecipient) -> bytes:
        address = self._folded(Address.from_internal(recipient.address))
        if name == "recipient":
            return self._shown(address)
        if name == "original_recipient":
            return self._shown(self._folded(Address.from_internal(recipient.original)))
        if name == "domain":
            return address.domain
        if name == "mailbox":
            return address.local_part
        user, _, extension = split_extension(
            address.local_part, self.delimiters, owner_request_special=self.owner_request_special
        )
        return user if name == "user" else extension or b""

    def _folded(self, address: Address) -> Address:
        local_part, domain = address.local_part, address.domain
        return Address(
            local_part.lower() if "u" in self.flags else local_part,
            domain.lower() if "h" in self.flags else domain,
        )

    def _shown(self, address: Address) -> bytes:
        return address.external if "q" in self.flags else address.internal
