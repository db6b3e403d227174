"""reject_unverified_sender, reject_unverified_recipient: whether a probe finds that an address exists.

DESCRIPTION
    verify(8)'s cache is asked, which probes what it does not know.  The answer is waited for as long as Postfix
    would look for it: address_verify_poll_count times with address_verify_poll_delay between.

    A probe that failed is a refusal; one that is not back, or found out nothing, defers.  A code of 2xx accepts.

FAULTS
    A cache that cannot be asked: `450 4.1.1 <x>: Recipient address rejected: address verification problem`

STANDARDS
    ADDRESS_VERIFICATION_README; postconf(5), reject_unverified_sender
"""

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

import msgspec

from pillarbox.access.question import Outcome, Question, Restriction, Subject, TempfailAction, rejected
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.net.unix_client import connect_below
from pillarbox.queue.verification import PROTOCOL, AddressStatus, answer_from, encode_query
from pillarbox.vocabulary.address import Address
from pillarbox.wire.attributes import AttributeFault, AttributeReader

_MORE: Final = 30.0
"""Seconds that the service may take longer than it was asked to."""
_TEXT: Final = 250


class VerificationFault(Exception):
    """verify(8) does not answer."""


class Asker(Protocol):
    """Knows, or finds out, whether addresses exist."""

    async def ask(self, address: bytes) -> tuple[AddressStatus, bytes]:
        """What is known of an address in internal form, and why.  VerificationFault."""
        ...


class VerifyClient:
    """By verify(8)'s socket."""

    def __init__(self, queue_directory: str, service: str, *, patience: float) -> None:
        """`patience` is how many seconds a probe may take."""
        self._directory = queue_directory
        self._service = service
        self._patience = patience

    async def ask(self, address: bytes) -> tuple[AddressStatus, bytes]:
        """One question over a connection of its own."""
        loop = asyncio.get_running_loop()
        try:
            with connect_below(self._directory, f"private/{self._service}") as server:
                server.setblocking(False)
                reader = AttributeReader()

                async def read_list() -> dict[bytes, bytes]:
                    found: dict[bytes, bytes] = {}
                    while (attribute := reader.next()) != (b"", b""):
                        if attribute is not None:
                            found[attribute[0]] = attribute[1]
                            continue
                        data = await loop.sock_recv(server, 4096)
                        if not data:
                            raise VerificationFault("the service has gone")
                        reader.feed(data)
                    return found

                async with asyncio.timeout(self._patience + _MORE):
                    if (await read_list()).get(b"protocol") != PROTOCOL:
                        raise VerificationFault("the service speaks another protocol")
                    await loop.sock_sendall(server, encode_query(address, patience=self._patience))
                    return answer_from(await read_list())
        except (OSError, TimeoutError, ValueError, AttributeFault) as error:
            raise VerificationFault(str(error) or type(error).__name__) from error


class VerificationRules(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of senders, or of recipients."""

    reject_code: int
    defer_code: int
    reason: str
    tempfail_action: TempfailAction


def verification_checks(settings: AddressVerification, asker: Asker) -> dict[str, Restriction]:
    """The restrictions by their names."""
    of_sender = VerificationRules(
        reject_code=settings.unverified_sender_reject_code,
        defer_code=settings.unverified_sender_defer_code,
        reason=settings.unverified_sender_reject_reason,
        tempfail_action=settings.unverified_sender_tempfail_action,
    )
    of_recipient = VerificationRules(
        reject_code=settings.unverified_recipient_reject_code,
        defer_code=settings.unverified_recipient_defer_code,
        reason=settings.unverified_recipient_reject_reason,
        tempfail_action=settings.unverified_recipient_tempfail_action,
    )

    def check_sender(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
        sender = question.client.sender
        if sender is None or sender.is_null:
            return None
        return _check(question, sender, Subject.SENDER, "4.1.7", of_sender, asker)

    def check_recipient(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
        recipient = question.recipient
        if recipient is None:
            return None
        return _check(question, recipient, Subject.RECIPIENT, "4.1.1", of_recipient, asker)

    return {"reject_unverified_sender": check_sender, "reject_unverified_recipient": check_recipient}


async def _check(
    question: Question, address: Address, subject: Subject, dsn: str, rules: VerificationRules, asker: Asker
) -> Outcome:
    name = question.name_of(subject)
    try:
        status, text = await asker.ask(address.internal)
    except VerificationFault as fault:
        question.tell_warning(f"verify service failure: {fault}")
        problem = rejected(450, dsn, name, subject, b"address verification problem")
        return question.tempfail(problem, rules.tempfail_action)
    if status is AddressStatus.OK:
        return None
    code = rules.reject_code if status is AddressStatus.BOUNCE else rules.defer_code
    text = rules.reason.encode() or text
    if code < 400:
        return None
    if code < 500:
        said = rejected(code, dsn, name, subject, b"unverified address: " + text[:_TEXT])
        return question.tempfail(said, rules.tempfail_action)
    return rejected(code, dsn, name, subject, b"undeliverable address: " + text)
