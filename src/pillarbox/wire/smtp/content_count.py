"""How much content there is, as smtpd(8) counts it and tells a client that sends chunks.

DESCRIPTION
    Each record of the queue file counts, with two octets for its end, whatever that was; a line that is longer than
    line_length_limit is several records.
"""


class ContentCount:
    """Of one message."""

    __slots__ = ("_limit", "_open", "octets")

    def __init__(self, limit: int) -> None:
        """`limit` is line_length_limit."""
        self._limit = limit
        self._open = 0  # octets of the record under way
        self.octets = 0

    def add(self, content: bytes) -> None:
        """More of it, with CRLF line ends that are in one piece."""
        *lines, rest = content.split(b"\r\n")
        for line in lines:
            self._add(len(line))
            self._end_line()
        self._add(len(rest))

    def end(self) -> None:
        """There is no more; the last line may have no end."""
        if self._open:
            self._end_line()

    def _add(self, octets: int) -> None:
        full, self._open = divmod(self._open + octets, self._limit)
        self.octets += full * (self._limit + 2)

    def _end_line(self) -> None:
        self.octets += self._open + 2
        self._open = 0
