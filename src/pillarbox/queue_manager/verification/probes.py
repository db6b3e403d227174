"""Probes: messages that go the way of any mail, and are not delivered at its end.

DESCRIPTION
    A probe has no body and the sender address_verify_sender.  Its recipient is mapped as any other; one that
    virtual_alias_maps has several addresses for exists, and no message is needed to know that.

    address_verify_sender_ttl changes the sender from time to time (routing/probe_sender.py).

FAULTS
    OSError  the probe cannot be queued; a table that cannot answer is EAGAIN

STANDARDS
    Postfix verify(8), cleanup(8)
"""

import errno
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.observability import events
from pillarbox.queue.incoming import IncomingQueue, QueueFileFault
from pillarbox.queue.mail_date import mail_date
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.submission import Rules, Submission
from pillarbox.queue.verification import AddressStatus
from pillarbox.routing.address_maps import ExpansionFault
from pillarbox.routing.mappings import Mappings
from pillarbox.routing.probe_sender import probe_sender
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.envelope import Trace
from pillarbox.vocabulary.identifiers import QueueId

_SEVERAL: Final = "aliased to multiple recipients"


class Probes:
    """Sends probes."""

    def __init__(
        self,
        queue: IncomingQueue,
        *,
        settings: AddressVerification,
        rules: Rules,
        mail_name: bytes,
        mappings: Mappings,
        clock: Clock,
        queued: Callable[[list[QueueId]], None],
        learnt: Callable[[bytes, AddressStatus, bytes], Awaitable[None]],
        tell: events.EventSink,
    ) -> None:
        """`queued` is told of messages, `learnt` of what is known without one."""
        self._queue = queue
        self._settings = settings
        self._rules = msgspec.structs.replace(rules, message_size_limit=0, hopcount_limit=1 << 30)
        self._mail_name = mail_name
        self._mappings = mappings
        self._clock = clock
        self._queued = queued
        self._learnt = learnt
        self._tell = tell

    async def send(self, address: bytes) -> None:
        """Probe an address in internal form.  OSError."""
        now = self._clock.now()
        try:
            submission = Submission(self._queue, self._rules)
        except QueueFileFault as fault:
            raise OSError(errno.EAGAIN, str(fault)) from fault
        queue_id = submission.queue_id

        def warn(text: str) -> None:
            self._tell(events.Warned(f"{queue_id}: {text}"))

        try:
            bare = probe_sender(
                self._settings.address_verify_sender, ttl=self._settings.address_verify_sender_ttl, now=now
            )
            sender = self._mappings.sender(Address.from_internal(bare), warn=warn)
            recipients = self._mappings.recipients(
                [NewRecipient(address, address)], sender=sender, warn=warn, copies=False
            )
            if len(recipients) > 1:
                submission.abort()
                self._tell_several(queue_id, address)
                await self._learnt(address, AddressStatus.OK, _SEVERAL.encode())
                return
            submission.begin(
                NewEnvelope(
                    arrival_time=now,
                    sender=sender.internal,
                    recipients=recipients,
                    attributes=[
                        (b"log_ident", queue_id.encode()),
                        (b"rewrite_context", b"local"),
                        (b"trace_flags", b"%d" % Trace.PROBE),
                    ],
                ),
                trace=[
                    b"Received: by %s (%s)" % (self._rules.myhostname, self._mail_name),
                    b"\tid %s; %s" % (queue_id.encode(), mail_date(now)),
                ],
                add_missing=True,
                source="verify",
            )
            await submission.commit()
        except (LookupFault, ExpansionFault, QueueFileFault) as fault:
            submission.abort()
            raise OSError(errno.EAGAIN, str(fault)) from fault
        except BaseException:
            submission.abort()
            raise
        for found, resent in submission.message_ids:
            self._tell(events.MessageIdSeen(queue_id, found, resent))
        self._queued([queue_id])

    def _tell_several(self, queue_id: QueueId, address: bytes) -> None:
        shown = Address.from_internal(address).external
        self._tell(
            events.AttemptMade(
                "cleanup", queue_id, shown, shown, "none", (0.0,) * 4, "2.0.0", "deliverable", _SEVERAL
            )
        )
