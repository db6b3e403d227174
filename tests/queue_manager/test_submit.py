"""The submission socket."""

import asyncio
import socket
from pathlib import Path
from typing import cast

from pillarbox.config.value_types import MatchList, Pattern
from pillarbox.observability import events
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.records import END, EXTRACTED, LINE, MESSAGE, RECIPIENT, SENDER, encode_record
from pillarbox.queue.submission_protocol import CleanupStatus, encode_answer
from pillarbox.queue_manager.pickup import Pickup
from pillarbox.queue_manager.submit import SubmissionService
from pillarbox.tables.authorized_senders import AuthorizedSenders
from pillarbox.tables.authorized_users import AuthorizedUsers
from pillarbox.vocabulary.clock import ManualClock

MESSAGE_RECORDS = b"".join(
    encode_record(kind, payload)
    for kind, payload in (
        (SENDER, b"me"),
        (RECIPIENT, b"one@x.test"),
        (MESSAGE, b""),
        (LINE, b"Subject: x"),
        (EXTRACTED, b""),
        (END, b""),
    )
)


class OncePuzzled:
    """A pickup that makes a mistake over its first message."""

    def __init__(self) -> None:
        self.asked = 0

    async def take(self, source: FileSource, uid: int, *, modified: float) -> tuple[CleanupStatus, str]:
        """See `Pickup.take()`."""
        self.asked += 1
        if self.asked == 1:
            raise KeyError("odd")
        return CleanupStatus.OK, "A0000000002"


def test_a_mistake_of_ours_costs_one_message(tmp_path: Path) -> None:
    """The client is told to come again, and the next one is served."""
    told: list[events.Event] = []
    everybody = MatchList((Pattern("static:anyone", is_table=True),))
    service = SubmissionService(
        cast(Pickup, OncePuzzled()),
        directory=str(tmp_path),
        size_limit=0,
        authorized=AuthorizedUsers(everybody, where="", clock=ManualClock()),
        senders=AuthorizedSenders(None, null_sender="<>", delimiters=""),
        clock=ManualClock(),
        tell=told.append,
    )

    async def submit() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "submit"))
        writer.write(MESSAGE_RECORDS)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def both() -> list[bytes]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "submit"))
            listener.listen()
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(service.serve(listener))
                answers = [await submit(), await submit()]
                serving.cancel()
        return answers

    first, second = asyncio.run(both())
    assert first.endswith(encode_answer(CleanupStatus.WRITE))
    assert second.endswith(encode_answer(CleanupStatus.OK, queue_id="A0000000002"))
    (warned,) = [event.reason for event in told if isinstance(event, events.Warned)]
    assert "KeyError: 'odd' at " in warned
