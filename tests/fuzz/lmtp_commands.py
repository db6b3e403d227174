"""LMTP: any bytes are commands, content, or refused; memory stays bounded by what was sent."""

from pillarbox.wire.lmtp import Bdat, Content, Data, LmtpServer, Refused
from pillarbox.wire.pause import Pause

SEEDS = [
    b"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c+d@e>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
    b'BDAT 3\r\nabcBDAT 0 LAST\r\nRSET\r\nMAIL FROM:<"a b"@c> BODY=8BITMIME\r\n',
]
DICTIONARY = [
    b"\r\n",
    b"LHLO ",
    b"MAIL FROM:<",
    b"RCPT TO:<",
    b"DATA\r\n",
    b".\r\n",
    b"BDAT ",
    b" LAST\r\n",
    b" LOST\r\n",
    b"BODY=",
]


def fuzz_one(data: bytes) -> None:
    """Whole and in two pieces: the same content."""
    assert _content([data]) == _content([data[: len(data) // 2], data[len(data) // 2 :]])


def _content(pieces: list[bytes]) -> bytes:
    engine = LmtpServer()
    found = bytearray()
    for piece in pieces:
        engine.receive_data(piece)
        while not isinstance(command := engine.next_command(), Pause):
            if isinstance(command, Data):
                engine.begin_data()
            elif isinstance(command, Bdat):
                engine.begin_chunk(command)
            elif isinstance(command, Refused):
                engine.skip_chunk(command.size)
            elif isinstance(command, Content):
                found += command.data
    return bytes(found)
