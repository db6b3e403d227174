"""The socket of verify(8), and the outcomes of probes on their way to its cache.

DESCRIPTION
    `serve_verify()` answers private/verify: requests of smtpd, one after the other on each connection.
    `ProbeResults` puts what became of a probe's recipient under the address that was asked for, and under the one
    that this was mapped to.

FAULTS
    A client that does not speak the protocol, or says nothing for a while, is left.

STANDARDS
    Postfix verify(8), verify_append(3)
"""

import asyncio
import socket
from contextlib import suppress
from typing import Final

from pillarbox.delivery.request import Outcome
from pillarbox.net.accepting import serve_clients
from pillarbox.observability import events
from pillarbox.queue.queue_file import QueueRecipient
from pillarbox.queue.verification import (
    GREETING,
    AddressStatus,
    ServiceStatus,
    encode_answer,
    encode_status,
)
from pillarbox.queue_manager.results import attempts_of
from pillarbox.queue_manager.verification.cache import VerifyCache
from pillarbox.vocabulary.address import internal_of
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.wire.attributes import AttributeFault, AttributeReader

_IDLE: Final = 100.0  # max_idle
_CLIENTS: Final = 1000
_ATTRIBUTES: Final = 20
"""Attributes of a request at most; there are four."""
_LONGEST: Final = 300.0
"""Seconds for which an answer may be waited for."""
_STATUS: Final = {
    "sent": AddressStatus.OK,
    "deferred": AddressStatus.DEFER,
    "bounced": AddressStatus.BOUNCE,
}


class ProbeResults:
    """What became of probes."""

    def __init__(self, cache: VerifyCache, *, negative: bool) -> None:
        """`negative` is address_verify_negative_cache."""
        self._cache = cache
        self._negative = negative

    async def take(self, recipient: QueueRecipient, outcome: Outcome) -> None:
        """One recipient's outcome."""
        for attempt in attempts_of(recipient, outcome):
            status = _STATUS.get(attempt.status, AddressStatus.DEFER)
            for address in dict.fromkeys((recipient.original, internal_of(attempt.recipient))):
                if not address:
                    continue
                if self._negative or status is AddressStatus.OK:
                    await self._cache.update(address, status, attempt.text.encode("utf-8", "replace"))
                else:
                    self._cache.came_back(address)


async def serve_verify(listener: socket.socket, cache: VerifyCache, *, tell: events.EventSink) -> None:
    """Answer until cancelled."""

    async def answer(client: socket.socket) -> None:
        with suppress(AttributeFault):  # it never was one of ours
            await _converse(client, cache, tell)

    await serve_clients(listener, answer, at_once=_CLIENTS, tell=lambda text: tell(events.Warned(text)))


async def _converse(client: socket.socket, cache: VerifyCache, tell: events.EventSink) -> None:
    loop = asyncio.get_running_loop()
    reader = AttributeReader()
    await loop.sock_sendall(client, GREETING)
    while True:
        request: dict[bytes, bytes] = {}
        async with asyncio.timeout(_IDLE):
            while (attribute := reader.next()) != (b"", b""):
                if attribute is not None:
                    if len(request) >= _ATTRIBUTES:
                        raise AttributeFault("a request with too many attributes")
                    request[attribute[0]] = attribute[1]
                    continue
                data = await loop.sock_recv(client, 4096)
                if not data:
                    return
                reader.feed(data)
        await loop.sock_sendall(client, await _answer(request, cache, tell))


async def _answer(request: dict[bytes, bytes], cache: VerifyCache, tell: events.EventSink) -> bytes:
    address = request.get(b"address", b"")
    match request.get(b"request"):
        case b"query":
            wanted = request.get(b"patience", b"0")
            patience = decimal(wanted) / 1000 if is_decimal(wanted, max_digits=6) else 0.0
            return encode_answer(await cache.query(address, patience=min(patience, _LONGEST)))
        case b"update":
            status = request.get(b"recipient_status", b"")
            if status not in (b"0", b"1", b"2"):
                shown = address.decode("utf-8", "replace")
                tell(events.Warned(f"bad recipient status {status.decode(errors='replace')} for {shown}"))
                return encode_status(ServiceStatus.BAD)
            await cache.update(address, AddressStatus(int(status)), request.get(b"reason", b""))
            return encode_status(ServiceStatus.OK)
        case other:
            shown = (other or b"").decode("utf-8", "replace")
            tell(events.Warned(f'unrecognized request: "{shown}", ignored'))
            return encode_status(ServiceStatus.BAD)
