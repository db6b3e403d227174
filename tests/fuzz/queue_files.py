"""Queue files: any octets are a message or a CorruptQueueFile."""

from fakes import postfix_queue_files as golden
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.recipient_log import read_entries
from pillarbox.queue.records import BytesSource, CorruptQueueFile

SEEDS = [golden.A_TWO_RECIPIENTS, golden.B_MAILDROP, golden.C_SMTPUTF8, golden.D_MILTER]
DICTIONARY = [
    b"p\x0f              0",
    b"M\x00",
    b"X\x00",
    b"E\x00",
    b"A\x0b",
    b"notify_flags=",
    b"dsn_orig_rcpt=",
]


def fuzz_one(data: bytes) -> None:
    """Read as a queue file and as a maildrop file, and the content of both."""
    source = BytesSource(data)
    for maildrop in (False, True):
        try:
            message = read_message(source, maildrop=maildrop)
            octets = sum(len(line) for line in read_content(source, message.data_offset))
        except CorruptQueueFile:
            continue
        assert octets >= 0
        assert all(recipient.offset < len(data) for recipient in message.recipients)
    for fields in read_entries(data):
        assert fields[b"recipient"] is not None
