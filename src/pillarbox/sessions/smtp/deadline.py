"""Time for a whole request, and not for each octet of it (smtpd_per_request_deadline).

DESCRIPTION
    A client that sends an octet now and then keeps a session for as long as it likes where smtpd_timeout bounds
    each wait.  A `Deadline` bounds all waits for one command line together; content earns time again, an octet
    1/smtpd_min_data_rate seconds, up to the whole limit.

STANDARDS
    postconf(5)
"""

from pillarbox.vocabulary.clock import Clock


class Deadline:
    """Of the request that is being received."""

    def __init__(self, limit: float, *, least_rate: int, clock: Clock) -> None:
        """`limit` in seconds, `least_rate` in octets of content per second."""
        self._limit = limit
        self._rate = least_rate
        self._clock = clock
        self._left = limit
        self._since = 0.0

    def restart(self) -> None:
        """The next request."""
        self._left = self._limit

    def begin_wait(self) -> float:
        """How long the client may be silent now, seconds; not above zero: its time is over."""
        self._since = self._clock.monotonic()
        return self._left

    def end_wait(self, *, content: int) -> None:
        """Something came, `content` octets of it if a message is being sent."""
        self._left -= self._clock.monotonic() - self._since
        if content:
            self._left = min(self._limit, self._left + content / self._rate)
