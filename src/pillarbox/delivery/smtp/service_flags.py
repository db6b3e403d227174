"""flags= of an smtp or lmtp service in master.cf: fields that a message gets for its last hop.

DESCRIPTION
    D  Delivered-To: the recipient.  Who is named so already is in a loop.
    O  X-Original-To: the recipient as it was when the message came.
    R  Return-Path: the sender.
    X  delivery to the server is final, for delivery status notifications (lmtp).

    D and O are for one recipient at a time.

FAULTS
    ConfigurationFault  at open: an attribute or a flag that is none

STANDARDS
    smtp(8)
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.delivery.smtp.request import DeliverBySmtp
from pillarbox.routing.address_maps import AddressMaps
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.faults import ConfigurationFault

_KNOWN: Final = "DORX"
_NAME: Final = "flags="


class ServiceFlags(msgspec.Struct, frozen=True):
    """Of one service."""

    letters: frozenset[str] = frozenset()
    written: str = _NAME  # as master.cf has them

    def __contains__(self, letter: str) -> bool:
        return letter in self.letters

    def too_many_for(self, job: DeliverBySmtp) -> str:
        """The flag that is not for so many recipients; empty if there is none."""
        return next((flag for flag in "DO" if flag in self.letters), "") if len(job.recipients) > 1 else ""

    def fields(self, job: DeliverBySmtp, generic: AddressMaps) -> Iterator[bytes]:
        """Lines that go before the message.  LookupFault."""
        if "R" in self.letters:
            yield b"Return-Path: <%s>" % shown(job.sender, generic)
        if "O" in self.letters:
            yield b"X-Original-To: " + shown(job.recipients[0].original, generic)
        if "D" in self.letters:
            yield b"Delivered-To: " + shown(job.recipients[0].address, generic)


NO_FLAGS: Final = ServiceFlags()


def service_flags(arguments: Sequence[str], *, where: str) -> ServiceFlags:
    """What a service's arguments say.  ConfigurationFault."""
    written = _NAME
    for argument in arguments:
        if not argument.lower().startswith(_NAME):
            raise ConfigurationFault(
                where, f"unknown attribute name: {argument}", mend="it may have flags=DORX"
            )
        written = argument
    letters = written[len(_NAME) :]
    for letter in letters:
        if letter not in _KNOWN:
            raise ConfigurationFault(
                where, f'unknown flag "{letter}" in "{written}"', mend="there are D, O, R and X"
            )
    return ServiceFlags(frozenset(letters), written)


def shown(address: bytes, generic: AddressMaps) -> bytes:
    """An address as the server is told of it (smtp_generic_maps).  LookupFault."""
    if not address or not generic:
        return address
    try:
        return generic.map_first(Address.parse(address)).external
    except ValueError:
        return address
