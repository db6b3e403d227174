"""A destination that takes up more and more of the active queue: qmgr_clog_warn_time.

DESCRIPTION
    Mail for one destination that is more than a fifth of what the active queue may hold keeps other mail waiting.
    The log says so when it comes to that, and what might help; then again after qmgr_clog_warn_time, if it is still
    so when more comes, or at once if all of it had gone meanwhile.

STANDARDS
    postconf(5): qmgr_clog_warn_time; the texts are Postfix's, for those who look for them
"""

from pillarbox.config.parameters.queue_manager import QueueManager as QueueSettings
from pillarbox.observability.events import EventSink, Warned
from pillarbox.scheduling.transport_queue import Crowd
from pillarbox.vocabulary.clock import Clock


class CloggedDestinations:
    """Of one queue manager."""

    def __init__(self, settings: QueueSettings, *, clock: Clock, tell: EventSink) -> None:
        self._every = settings.qmgr_clog_warn_time
        self._limit = settings.qmgr_message_active_limit
        self.bearable = self._limit // 5
        """Entries of a destination that nothing is said of."""
        self._clock = clock
        self._tell = tell
        self._silent_until: dict[tuple[str, str], float] = {}

    def look(self, transport: str, nexthop: str, crowd: Crowd, *, added: int, active: int) -> None:
        """So many entries were `added` to a destination; `active` messages are active."""
        if not self._every or crowd.entries <= self.bearable:
            return
        key, now = (transport, nexthop), self._clock.now()
        is_new = crowd.entries == added
        if not is_new and self._silent_until.get(key, 0.0) > now:
            return
        self._silent_until[key] = now + self._every
        entries = max(self.bearable, crowd.entries - added) + 1  # when it came to that
        for line in self._lines(transport, nexthop, crowd, entries, active):
            self._tell(Warned(line))

    def _lines(self, transport: str, nexthop: str, crowd: Crowd, entries: int, active: int) -> list[str]:
        share = entries / active
        lines = [f"mail for {nexthop} is using up {entries} of {active} active queue entries"]
        if share < 0.9:
            lines.append("this may slow down other mail deliveries")
        if 0 < crowd.limit <= crowd.busy + 1:
            limit = f"{transport}_destination_concurrency_limit from {crowd.limit}"
            lines.append(f"you may need to increase the main.cf {limit}")
        elif crowd.window > self._limit * share:
            lines.append(f"you may need to increase the main.cf qmgr_message_active_limit from {self._limit}")
        elif crowd.has_peers:
            lines.append(f"you may need a separate master.cf transport for {nexthop}")
        else:
            lines += (
                f"you may need to reduce {transport} connect and helo timeouts",
                "so that Postfix quickly skips unavailable hosts",
                "you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time",
                "so that Postfix wastes less time on undeliverable mail",
                f"you may need to increase the master.cf {transport} process limit",
            )
        return [
            *lines,
            "please avoid flushing the whole queue when you have",
            "lots of deferred mail, that is bad for performance",
            "to turn off these warnings specify: qmgr_clog_warn_time = 0",
        ]
