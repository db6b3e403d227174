"""What a local user feeds to postdrop: records are passed on, or refused; the rest is given up."""

import io

from fakes import postfix_queue_files as golden
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.records import BytesSource, CorruptQueueFile
from pillarbox.tools.command_settings import Stop
from pillarbox.tools.postdrop import GivenUp, copy_records

SEEDS = [golden.B_MAILDROP[19:], b"A\x15rewrite_context=localS\x01aR\x01bM\0N\x01xX\0E\0"]
DICTIONARY = [b"A\x0e", b"notify_flags=8", b"S\0", b"R\x01", b"M\0", b"X\0", b"E\0", b"\n"]


class Door:
    """Keeps what is passed on."""

    queue_id = ""

    def __init__(self) -> None:
        self.passed = b""

    def identify(self) -> str:
        """It is called nothing."""
        return ""

    def write(self, records: bytes) -> None:
        self.passed += records

    def commit(self) -> None:
        """Nothing to do."""

    def abort(self) -> None:
        """Nothing to do."""


def fuzz_one(data: bytes) -> None:
    """What is passed on whole has no line break in its envelope."""
    door = Door()
    try:
        copy_records(io.BytesIO(data), door, 1000)
        message = read_message(BytesSource(door.passed), maildrop=True)
    except (Stop, GivenUp, CorruptQueueFile):
        return
    for text in (message.sender, message.full_name, *(recipient.address for recipient in message.recipients)):
        assert not set(text) & {0, 10, 13}
