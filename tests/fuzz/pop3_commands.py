"""Bytes from a POP3 client: every line is a command or refused, none raises, wherever it is cut."""

from pillarbox.wire.pop3 import Command, Pop3Server, State, stuffed, top_lines

SEEDS: list[bytes] = [
    b"\x00USER me@x\r\nPASS a b \r\nAUTH PLAIN =\r\nCAPA\r\nSTLS\r\n",
    b"\x01LIST\r\nUIDL 2\r\nTOP 1 10\r\nRETR 1\r\nDELE 99\r\nRSET\r\nSTAT\r\nQUIT\r\n",
    b"\x80RETR 1 2\nTOP 1 x\nDELE\n" + b"x" * 9000 + b"\nNOOP\n",
    b"\xff.\r\n..a\r\n\r\nb",
]
WORDS = b"LIST |UIDL |TOP |RETR |DELE |AUTH |USER |PASS "
DICTIONARY: list[bytes] = [*WORDS.split(b"|"), b"\r\n", b"\r\n."]


def fuzz_one(data: bytes) -> None:
    """The first octet chooses the state and where the rest is cut; the rest is also a message."""
    if not data:
        return
    state = list(State)[data[0] % 2]
    sent = data[1:]
    cut = len(sent) * data[0] // 256
    assert _commands(state, [sent]) == _commands(state, [sent[:cut], sent[cut:]])
    out = stuffed(sent)
    assert out.endswith(b".\r\n")
    assert b"\r\n.\r\n" not in out[:-3] or out.index(b"\r\n.\r\n") == len(out) - 5
    assert sent.startswith(top_lines(sent, 0, data[0]))


def _commands(state: State, chunks: list[bytes]) -> list[str]:
    engine = Pop3Server(state=state)
    found: list[str] = []
    for chunk in chunks:
        if not chunk:
            continue
        engine.receive_data(chunk)
        while isinstance(command := engine.next_command(), Command):
            found.append(repr(command))
    return found
