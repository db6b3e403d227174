"""DATA and BDAT content: cut anywhere, the same content; never a smuggled end."""

from pillarbox.wire.smtp.dot_stream import BareNewline, DataReader, LineEndReader

SEEDS = [
    b"\x05Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
    b"\x02a\n.\r\nb\r\n.\nc\r\n.\r\n",
    b"\x01\r\r\n.\r\n.\r\n",
]
DICTIONARY = [b"\r\n.\r\n", b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n..", b"\r\n"]


def fuzz_one(data: bytes) -> None:
    """Whole and in pieces give the same content, rest and verdict."""
    if not data:
        return
    mode = tuple(BareNewline)[data[0] % 4]
    data = data[1:]
    assert _read(data, len(data) or 1, mode) == _read(data, data[:1][0] % 7 + 1 if data else 1, mode)
    whole, cut = LineEndReader(), LineEndReader()
    pieces = b"".join(cut.feed(data[at : at + 3]) for at in range(0, len(data), 3)) + cut.feed(
        b"", final=True
    )
    assert whole.feed(data, final=True) == pieces
    assert pieces.count(b"\n") == pieces.count(b"\r\n")


def _read(data: bytes, step: int, mode: BareNewline) -> tuple[bytes, bytes, bool]:
    reader = DataReader(mode)
    content = b""
    for at in range(0, len(data), step):
        content += reader.feed(data[at : at + step])
        if reader.ended:
            return content, reader.take_unread() + data[at + step :], True
    return content, b"", False
