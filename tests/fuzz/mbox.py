"""mbox files: any bytes are messages or no mbox, and no octet of a body gets lost but quoting."""

from pillarbox.message.mbox import NotAnMbox, messages

SEEDS = [
    b"From a@b Wed Nov 25 17:52:55 2026\nStatus: RO\nX-Keywords: a\n\nx\n>From y\n\nFrom c Tue Jan  3 07:08:09 2023\n\n",
    b"From x\nSubject: a\n b\n\n",
]
DICTIONARY = [b"From ", b"\n\nFrom ", b"Status: ", b"X-Status: ", b">From ", b"Wed Nov 25 17:52:55 2026\n"]


def fuzz_one(data: bytes) -> None:
    """Together they are not longer than the file."""
    try:
        found = list(messages(data.splitlines(keepends=True) if b"\r" not in data else [data]))
    except NotAnMbox:
        return
    assert sum(len(message.content) for message in found) <= len(data)
