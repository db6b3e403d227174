"""The queue as `postqueue -p` and `postqueue -j` print it.

STANDARDS
    postqueue(1): the traditional form of sendmail's mailq, and JSON, one object per line
"""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from pillarbox.queue.listed_message import ListedMessage

    Write = Callable[[bytes], object]

_REASON_WIDTH: "Final" = 76
_MARKS: "Final" = {"active": "*", "hold": "!"}


def print_traditional(messages: "Iterator[ListedMessage]", *, long_ids: bool, write: "Write") -> None:
    """For people, and for the scripts that read it."""
    octets = count = 0
    report = _Traditional(long_ids=long_ids)
    for message in messages:
        write(b"\n%s" % report.entry(message) if count else _heading(long_ids) + report.entry(message))
        octets += message.size
        count += 1
    if count:
        requests = "Request" if count == 1 else "Requests"
        write(b"\n-- %d Kbytes in %d %s.\n" % (octets // 1024, count, requests.encode()))
    else:
        write(b"Mail queue is empty\n")


def _heading(long_ids: bool) -> bytes:
    if long_ids:
        return _row(True, "----Queue ID-----", "--Size--", "---Arrival Time---", "--Sender/Recipient------")
    return _row(False, "-Queue ID-", "--Size--", "----Arrival Time----", "-Sender/Recipient-------")


def _row(long_ids: bool, queue_id: str, size: str, date: str, rest: str) -> bytes:
    text = f"{queue_id:<17} {size:>8} {date:<19} " if long_ids else f"{queue_id:<11} {size:>7} {date:<20} "
    return (text + rest + "\n").encode()


class _Traditional:
    """Entries in the traditional form.  Messages of the same second share the text of their time."""

    def __init__(self, *, long_ids: bool) -> None:
        self._form = b"%-17b %8d %b %b\n" if long_ids else b"%-11b %7d %b %b\n"
        self._date_width = 19 if long_ids else 20
        self._indent = _row(long_ids, "", "", "", "")[:-1]
        self._second = -1
        self._date = b""

    def entry(self, message: "ListedMessage") -> bytes:
        """A message with its recipients."""
        if message.time != self._second:
            self._second = message.time
            date = time.asctime(time.localtime(message.time))[: self._date_width]
            self._date = date.ljust(self._date_width).encode()
        queue_id = message.queue_id + _MARKS.get(message.queue, "") + ("#" if message.forced_expire else "")
        text = self._form % (queue_id.encode(), message.size, self._date, message.sender)
        said = b""
        for recipient in message.recipients:
            if recipient.reason != said:
                said = recipient.reason
                text += b"%*b\n" % (_REASON_WIDTH + 2, b"(%b)" % (said or b"reason unavailable"))
            text += b"%b%b\n" % (self._indent, recipient.address)
        return text


def print_json(messages: "Iterator[ListedMessage]", *, write: "Write") -> None:
    """For programs: one object per line."""
    try:
        from _json import encode_basestring  # without re, which json loads
    except ImportError:
        from json.encoder import encode_basestring

    def quoted(text: bytes) -> str:
        return encode_basestring(text.decode("utf-8", "replace"))

    for message in messages:
        recipients = ", ".join(
            '{"address": '
            + quoted(recipient.address)
            + (f', "delay_reason": {quoted(recipient.reason)}' if recipient.reason else "")
            + "}"
            for recipient in message.recipients
        )
        text = (
            f'{{"queue_name": "{message.queue}", "queue_id": "{message.queue_id}", '
            f'"arrival_time": {message.time}, "message_size": {message.size}, '
            f'"forced_expire": {"true" if message.forced_expire else "false"}, '
            f'"sender": {quoted(message.sender)}, "recipients": [{recipients}]}}\n'
        )
        write(text.encode())
