"""The queue as `postqueue -p` and `postqueue -j` print it.

STANDARDS
    postqueue(1): the traditional form of sendmail's mailq, and JSON, one object per line
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Final

from pillarbox.queue.queue_listing import ListedMessage

Write = Callable[[bytes], object]

_REASON_WIDTH: Final = 76
_MARKS: Final = {"active": "*", "hold": "!"}


def print_traditional(messages: Iterator[ListedMessage], *, long_ids: bool, write: Write) -> None:
    """For people, and for the scripts that read it."""
    octets = count = 0
    for message in messages:
        write(b"\n" if count else _heading(long_ids))
        write(_traditional(message, long_ids=long_ids))
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


def _traditional(message: ListedMessage, *, long_ids: bool) -> bytes:
    queue_id = message.queue_id + _MARKS.get(message.queue, "") + ("#" if message.forced_expire else "")
    date = time.asctime(time.localtime(message.time))[: 19 if long_ids else 20]
    parts = [_row(long_ids, queue_id, str(message.size), date, "")[:-1], message.sender, b"\n"]
    indent = _row(long_ids, "", "", "", "")[:-1]
    said = b""
    for recipient in message.recipients:
        if recipient.reason != said:
            said = recipient.reason
            shown = said or b"reason unavailable"
            parts.append(b"%s(%s)\n" % (b" " * (_REASON_WIDTH - len(shown)), shown))
        parts += (indent, recipient.address, b"\n")
    return b"".join(parts)


def print_json(messages: Iterator[ListedMessage], *, write: Write) -> None:
    """For programs: one object per line."""
    for message in messages:
        recipients = ", ".join(
            '{"address": '
            + _quoted(recipient.address)
            + (f', "delay_reason": {_quoted(recipient.reason)}' if recipient.reason else "")
            + "}"
            for recipient in message.recipients
        )
        text = (
            f'{{"queue_name": "{message.queue}", "queue_id": "{message.queue_id}", '
            f'"arrival_time": {message.time}, "message_size": {message.size}, '
            f'"forced_expire": {"true" if message.forced_expire else "false"}, '
            f'"sender": {_quoted(message.sender)}, "recipients": [{recipients}]}}\n'
        )
        write(text.encode())


def _quoted(text: bytes) -> str:
    return json.dumps(text.decode("utf-8", "replace"), ensure_ascii=False)
