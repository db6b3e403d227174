"""When the statistics of clients are logged: as by an anvil(8) that comes with a client and goes after it.

DESCRIPTION
    anvil(8) logs its statistics every anvil_status_update_time of its life, and at its end: when no smtpd(8) has
    been connected to it for max_idle, or anvil_rate_time_unit if that is longer, and those end max_idle after their
    clients.  A reload ends it at once.

STANDARDS
    anvil(8), "LOGGING"; max_idle of postconf(5)
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pillarbox.access.client_peaks import ClientPeaks
from pillarbox.config.parameters.processes import Processes
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.events import EventSink, Noted


class ClientStatistics:
    """Those of one process."""

    def __init__(self, peaks: ClientPeaks, snapshot: Snapshot, tell: EventSink) -> None:
        """`snapshot`: what anvil(8) has of main.cf."""
        idle = snapshot.group(Processes).max_idle
        server = snapshot.group(SmtpServer)
        self._peaks = peaks
        self._tell = tell
        self._every = server.anvil_status_update_time
        self._quiet = idle + max(idle, server.anvil_rate_time_unit)
        self._clients = 0
        self._next: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    @contextmanager
    def client(self) -> Iterator[None]:
        """While somebody is connected who is counted."""
        loop = asyncio.get_running_loop()
        self._clients += 1
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._next is None:
            self._next = loop.call_later(self._every, self._update)
        try:
            yield
        finally:
            self._clients -= 1
            if not self._clients:
                self._end = loop.call_later(self._quiet, self.report)

    def report(self) -> None:
        """The last statistics of this life: the next begins with the next client."""
        for timer in (self._next, self._end):
            if timer is not None:
                timer.cancel()
        self._next = self._end = None
        self._log()

    def _update(self) -> None:
        self._log()
        self._next = asyncio.get_running_loop().call_later(self._every, self._update)

    def _log(self) -> None:
        for line in self._peaks.lines():
            self._tell(Noted(line, "anvil"))
