"""What went wrong in a session, for postmaster: notify_classes.

DESCRIPTION
    Each refusal has a class:

        policy     the client, the sender, a recipient or the content is not wanted
        protocol   the client does not speak SMTP, or speaks out of turn
        resource   there is no room for mail
        data       a table did not answer
        software   a server that we ask, or our own configuration, is at fault
        bounce     a recipient does not exist, or a message is too big or goes in circles

    When the session ends, or a transaction of one that goes on for long (smtpd_history_flush_threshold), and a
    class is among those of main.cf, postmaster gets the transcript.  A message that is taken makes up for what
    was before it.

STANDARDS
    Postfix smtpd(8), notify_classes
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Auth, Refused
from pillarbox.wire.smtp.server import AuthResponse, EndOfContent
from pillarbox.wire.smtp.transcript import Transcript

CLASSES: Final = frozenset(("bounce", "data", "policy", "protocol", "resource", "software"))


class Report(msgspec.Struct, frozen=True):
    """What postmaster is to read."""

    client: str  # name[address]
    transcript: list[bytes]
    to_bounce_recipient: bool  # bounce_notice_recipient, else error_notice_recipient
    reason: str = ""  # why the session was ended


ReportTo = Callable[[Report], Awaitable[None]]


class Trouble:
    """Of one session."""

    __slots__ = (
        "_found",
        "_report",
        "_threshold",
        "_wanted",
        "is_refusal",
        "next_class",
        "reason",
        "transcript",
    )

    def __init__(self, report: ReportTo, *, wanted: frozenset[str], threshold: int) -> None:
        """`wanted` is notify_classes, `threshold` smtpd_history_flush_threshold."""
        self._report = report
        self._wanted = wanted
        self._threshold = threshold
        self._found: set[str] = set()
        self.is_refusal = False  # the log has been told of a refusal that a restriction made
        self.next_class = ""  # of the next answer, where its text does not say it
        self.reason = ""
        self.transcript = Transcript()

    def answered(self, command: object, reply: Reply) -> None:
        """A command and its reply."""
        is_refusal, self.is_refusal = self.is_refusal, False
        told, self.next_class = self.next_class, ""
        if reply.code >= 400:
            self._found.add(told or _class_of(command, reply, is_refusal=is_refusal))
        elif type(command) is EndOfContent and command.last:
            self._found.clear()

    def add(self, kind: str) -> None:
        """Something of a class happened."""
        self._found.add(kind)

    async def transaction_ended(self, client: str) -> None:
        """A message is done with, or given up."""
        if len(self.transcript) > self._threshold:
            await self.ended(client)

    async def ended(self, client: str) -> None:
        """The session is over; what happens from now on is of another."""
        found, self._found = self._found, set()
        lines = self.transcript.lines if found & self._wanted else []
        self.transcript.clear()
        if lines:  # whose it is does not depend on what is wanted
            await self._report(Report(client, lines, "bounce" in found, self.reason))


def _class_of(command: object, reply: Reply, *, is_refusal: bool) -> str:
    text = reply.text[0]
    status = text.partition(b" ")[0]
    if status == b"4.3.1" or b"queue file write error" in text:
        return "resource"
    if b"Temporary lookup failure" in text:
        return "data"
    if status == b"4.3.5" and b"Server configuration error" in text:  # no policy service's own words
        return "software"
    if status == b"5.5.1" and b"no valid recipients" in text:
        return ""  # a client may send DATA before it hears that all are refused (RFC 2920 §3.1)
    if isinstance(command, EndOfContent) and status in (b"5.3.4", b"5.4.0"):
        return "bounce"
    if is_refusal or isinstance(command, EndOfContent) or status in (b"4.7.1", b"4.5.3"):
        return "policy"
    if (
        isinstance(command, Auth | AuthResponse)
        and not isinstance(command, Refused)
        and reply.code in (535, 454)
    ):
        return ""  # a wrong password is nobody's mistake that postmaster could mend
    return "protocol"
