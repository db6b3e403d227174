"""smtp(8) and lmtp(8) as the queue manager sees them: a channel to the smtp role.

FAULTS
    A role that is gone: the recipients of its jobs are deferred, and tried again.
"""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pillarbox.delivery.request import Attempt, Outcome
from pillarbox.delivery.smtp.request import DeliverBySmtp, Oddity, SmtpDone, SmtpProgress, SmtpRecipient
from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.observability.events import EventSink, Warned
from pillarbox.queue_manager.transport import Done, Job, Transport, pass_on
from pillarbox.vocabulary.address import external_form

_GONE = Outcome("deferred", "4.3.0", "mail transport unavailable")


class SmtpTransport:
    """All services that the role has."""

    tells_attempts = True

    def __init__(
        self, path: str, transports: Mapping[str, Transport], *, caches_failures: bool, tell: EventSink
    ) -> None:
        """`path` is the role's socket, `transports` are all there are, by service name.

        `caches_failures` is address_verify_negative_cache.
        """
        self._caches_failures = caches_failures
        self._transports = transports
        self._path = path
        self._tell = tell
        self._link: _Link | None = None
        self._jobs = itertools.count(1)
        self._listening: set[asyncio.Future[None]] = set()
        self.report: Callable[[Sequence[Oddity]], Awaitable[None]] = _tell_nobody

    async def deliver(self, job: Job) -> Done:
        """What became of each recipient."""
        message = job.message
        number = next(self._jobs)
        request = DeliverBySmtp(
            job=number,
            service=job.transport,
            nexthop=job.nexthop,
            queue_id=job.queue_id,
            sender=external_form(message.sender),
            recipients=[
                SmtpRecipient(
                    routed.resolution.recipient.external,
                    external_form(routed.recipient.original),
                    int(routed.recipient.notify),
                    routed.recipient.dsn_original,
                    0 if job.was_passed else routed.recipient.offset,  # it may stand for others, too
                    routed.recipient.offset in job.traced,
                )
                for routed in job.recipients
            ],
            data_offset=message.data_offset,
            size=message.content_size,
            arrival_time=message.arrival_time,
            active_time=job.active_time,
            attributes=message.attributes,
            send_options=message.send_options,
            more_follows=job.more_follows,
            may_pass=not job.was_passed,
            trace_only=message.is_trace_only,
            is_cached=self._caches_failures or not message.is_probe,
        )
        try:
            answered = asyncio.get_running_loop().create_future()
            link = self._open()
            link.channel.send(request, [job.descriptor])
            link.waiting[number] = (answered, job)
            done = await answered
            if done.oddities:
                await self.report(done.oddities)
            if done.passed:
                return await self._pass_on(job, done.passed)
            return Done(done.outcomes, done.site_fault)
        except (OSError, ChannelClosed) as error:
            self._tell(Warned(f"connect to transport private/{job.transport}: {error!r}"))
            return Done([_GONE] * len(job.recipients), transport_fault=("4.3.0", _GONE.text))

    async def _pass_on(self, job: Job, route: str) -> Done:
        """best_mx_transport has the mail whose best mail exchanger we are."""
        outcomes: list[Outcome] = []
        for routed in job.recipients:
            recipient = routed.resolution.recipient.external
            original = external_form(routed.recipient.original)
            attempt = Attempt(recipient, original, "passed", "", route)
            attempts = await pass_on(job, routed, attempt, transports=self._transports)
            waits = any(attempt.status == "deferred" for attempt in attempts)
            outcomes.append(Outcome("deferred" if waits else "sent", "2.0.0", "", attempts=attempts))
        return Done(outcomes, told=False)

    def close(self) -> None:
        """No more jobs."""
        if self._link is not None:
            self._link.channel.close()

    def _open(self) -> "_Link":
        if self._link is None or self._link.channel.closed:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(self._path)  # a Unix socket: at once, or not at all
            except OSError:
                sock.close()
                raise
            self._link = _Link(Channel(sock, SmtpDone | SmtpProgress))
            listening = asyncio.get_running_loop().create_task(self._link.listen())
            self._listening.add(listening)
            listening.add_done_callback(self._listening.discard)
        return self._link


async def _tell_nobody(_oddities: Sequence[Oddity]) -> None:
    pass


class _Link:
    """One connection to the role, and the jobs that went over it."""

    def __init__(self, channel: "Channel[SmtpDone | SmtpProgress]") -> None:
        self.channel = channel
        self.waiting: dict[int, tuple[asyncio.Future[SmtpDone], Job]] = {}

    async def listen(self) -> None:
        """Take outcomes until the role is gone."""
        while (received := await self.channel.receive()) is not None:
            said = received[0]
            if isinstance(said, SmtpProgress):
                _, job = self.waiting[said.job]
                if job.heard is not None:
                    job.heard(said.outcomes)
                continue
            answered, _ = self.waiting.pop(said.job)
            if not answered.done():
                answered.set_result(said)
        for answered, _ in self.waiting.values():
            if not answered.done():
                answered.set_exception(ChannelClosed("the smtp role is gone"))
