"""Any octets as a queue file's listing, and as what public/showq or public/flush sends."""

import os
import tempfile
from pathlib import Path

from fakes import postfix_queue_files as golden
from pillarbox.queue.flush_protocol import read_list, request_from
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_listing import list_queue
from pillarbox.queue.queue_listing_protocol import GREETING, encode_message, read_messages
from pillarbox.wire.attributes import END, AttributeFault, AttributeReader

SEEDS = [
    golden.A_TWO_RECIPIENTS,
    golden.B_MAILDROP,
    golden.D_MILTER,
    GREETING + b"queue_name\0hold\0queue_id\0A0\0time\x001\0size\x002\0forced_expire\x000\0sender\0a\0\0\0",
    b"request\0send_file\0queue_id\0A0\0\0",
]
DICTIONARY = [b"\0", b"recipient\0", b"reason\0", b"\0\0", b"p\x0f", b"S\x02", b"R\x02", b"C\x5f"]
_ROOT = Path(tempfile.mkdtemp(prefix="pillarbox-fuzz-"))
(_ROOT / "hold").mkdir()


def fuzz_one(data: bytes) -> None:
    """A listing that can be sent is read again as it was."""
    path = _ROOT / "hold" / "A0000000001"
    path.write_bytes(data)
    os.chmod(path, 0o700)
    for message in list_queue(QueueDirectories(str(_ROOT)), empty_address=b"x"):
        assert b"\n" not in message.sender
        if b"\0" not in message.sender + b"".join(r.address + r.reason for r in message.recipients):
            sent = [GREETING + encode_message(message) + END]
            assert list(read_messages(lambda: sent.pop() if sent else b"")) == [message]  # noqa: B023
    pieces = [data[at : at + 50] for at in range(0, len(data), 50)][::-1]
    try:
        list(read_messages(lambda: pieces.pop() if pieces else b""))
    except AttributeFault:
        pass
    left = [data]
    try:
        request_from(read_list(AttributeReader(), lambda: left.pop() if left else b""))
    except AttributeFault:
        pass
