"""A few hundred messages as real mail has them, and worse; the same in every run.

Each is what a client has before it doubles dots: line ends CRLF unless the message is about other ones.
"""

import base64
import importlib.util
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_WORDS: Final = (
    "the quick brown fox jumps over . .. ... a lazy dog From >From =20 =\xe9 grüße 日本語 ελληνικά \t".split(
        " "
    )
)


def varied_messages(count: int, *, seed: int = 7) -> list[bytes]:
    """The collection: special cases first, then `count` that chance has put together."""
    composed, chance = _begun(seed)
    composed.extend(_composed(chance, number) for number in range(len(composed), count))
    return [*special_cases(), *composed[:count], *_from_pythons_tests()]


@cache
def _begun(seed: int) -> tuple[list[bytes], random.Random]:
    """What chance has put together so far: fewer messages are the first of more."""
    return [], random.Random(seed)


def special_cases() -> Iterator[bytes]:
    """By hand, one oddity each."""
    header = b"From: a@example.test\r\nSubject: special\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <s@example.test>\r\n"
    yield b"\r\n"
    yield b"\r\nonly a body\r\n"
    yield b"no header at all\r\nsecond line\r\n"
    yield b"Subject: header only\r\n"
    yield header
    yield header + b"\r\n"
    yield header + b"\r\n\r\n\r\n"
    yield header + b"\r\n.\r\n..\r\n...\r\n.a\r\n. \r\n"
    yield header + b"\r\nFrom here\r\n>From there\r\n"
    yield b"From someone@example.test Mon Nov  2 10:00:00 2026\r\n" + header + b"\r\nan mbox line\r\n"
    yield b">From someone@example.test Mon Nov  2 10:00:00 2026\r\n" + header + b"\r\nan mbox line\r\n"
    yield (
        header
        + b"Bcc: secret@example.test,\r\n\tother@example.test\r\nReturn-Path: <x@y>\r\nContent-Length: 5\r\nX-Kept: 1\r\n\r\nbody\r\n"
    )
    yield header + b"this is no field\r\nX-Late: field\r\n\r\nbody\r\n"
    yield header + b" folded \r\n\tagain\r\nX-Empty:\r\nX-Blank: \r\nX-Space : before colon\r\n\r\nbody\r\n"
    yield header + b"X-8bit: gr\xfc\xdfe\r\nX-Utf8: " + "grüße 日本語".encode() + b"\r\n\r\nbody \xff\xfe\r\n"
    yield header + b"\r\nnul \0 in the middle\r\n\0\r\n"
    yield header + b"\r\nstray \r in the middle\rand more\r\nthen\r\r\n"
    yield header + b"X-Stray: a\rb\r\n\r\nbody\r\n"
    yield header + b"\r\n" + b"x" * 100_000 + b"\r\nshort\r\n"
    yield (
        header
        + b"\r\n"
        + b"y" * 998
        + b"\r\n"
        + b"z" * 2047
        + b"\r\n"
        + b"w" * 2048
        + b"\r\n"
        + b"v" * 2049
        + b"\r\n"
    )
    yield header + b"X-Long: " + b"h" * 200_000 + b"\r\n\r\nheader of 200 kB in one line\r\n"
    yield (
        header
        + b"".join(b"X-Field-%d: %s\r\n" % (n, b"v" * 90) for n in range(2000))
        + b"\r\nheader of 200 kB\r\n"
    )
    yield header + b"X-Folded: a\r\n" + b"\tcontinued\r\n" * 5000 + b"\r\nbody\r\n"
    yield header + b"\r\n" + b"trailing blanks   \r\n\t\r\n  \r\n"
    yield _deep(60)
    yield _nested_messages(30)
    yield header + b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\nempty boundary\r\n----\r\n"
    yield header + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nno end\r\n"
    yield (
        header + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\n\r\nanother boundary\r\n--y--\r\n"
    )
    yield header + b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nno boundary parameter\r\n--x--\r\n"
    yield header + b'Content-Type: text/plain; charset="open\r\n\r\nopen quote\r\n'


def _deep(depth: int) -> bytes:
    out = b"From: a@example.test\r\nSubject: deep\r\n"
    for level in range(depth):
        out += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\npreamble\r\n--b%d\r\n" % (level, level)
    out += b"Content-Type: text/plain\r\n\r\ninnermost\r\n"
    return out + b"".join(b"--b%d--\r\nepilogue\r\n" % level for level in reversed(range(depth)))


def _nested_messages(depth: int) -> bytes:
    out = b"".join(
        b"Subject: level %d\r\nContent-Type: message/rfc822\r\n\r\n" % level for level in range(depth)
    )
    return out + b"Subject: innermost\r\n\r\nbody\r\n"


def _composed(chance: random.Random, number: int) -> bytes:
    fields = [
        b"From: sender-%d@example.test" % number,
        b"To: me@pillarbox.test",
        b"Subject: " + _text(chance, 12),
        b"MIME-Version: 1.0",
    ]
    if chance.random() < 0.8:
        fields.append(b"Message-ID: <%d.%d@example.test>" % (number, chance.randrange(10**9)))
    if chance.random() < 0.8:
        fields.append(
            b"Date: Tue, 3 Nov 2026 %02d:%02d:00 +0100" % (chance.randrange(24), chance.randrange(60))
        )
    if chance.random() < 0.3:
        fields.append(
            b"References: " + b"\r\n ".join(b"<%d@example.test>" % n for n in range(chance.randrange(1, 30)))
        )
    if chance.random() < 0.1:
        fields.append(b"Bcc: hidden@example.test")
    chance.shuffle(fields)
    return b"\r\n".join(fields) + b"\r\n" + _part(chance, depth=0)


def _part(chance: random.Random, *, depth: int) -> bytes:
    kind = chance.choice(("text", "text", "binary", "quoted", "multipart", "multipart", "message", "raw"))
    if depth > 4 and kind in ("multipart", "message"):
        kind = "text"
    if kind == "text":
        charset = chance.choice((b"utf-8", b"iso-8859-1", b"koi8-r", b"us-ascii", b"x-unknown"))
        return b"Content-Type: text/plain; charset=%s\r\n\r\n" % charset + _lines(chance)
    if kind == "binary":
        encoded = base64.encodebytes(chance.randbytes(chance.randrange(1, 5000))).replace(b"\n", b"\r\n")
        name = _text(chance, 2).replace(b'"', b"").replace(b"\\", b"")
        return (
            b'Content-Type: application/octet-stream; name="%s"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            % name
            + encoded
        )
    if kind == "quoted":
        return b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=\r\n=3D</p>\r\n"
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n" + _part(chance, depth=depth + 1)
    if kind == "raw":
        octets = chance.randbytes(3000).translate(None, b"\0\n\r")
        return b"Content-Transfer-Encoding: 8bit\r\n\r\n" + octets + b"\r\n"
    boundary = b"=_%d" % chance.randrange(10**6)
    inner = b"".join(
        b"--%s\r\n%s\r\n" % (boundary, _part(chance, depth=depth + 1)) for _ in range(chance.randrange(1, 4))
    )
    end = b"--%s--\r\n" % boundary if chance.random() < 0.9 else b""
    subtype = chance.choice((b"mixed", b"alternative", b"related", b"x-odd"))
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n%s%s' % (subtype, boundary, inner, end)


def _lines(chance: random.Random) -> bytes:
    return b"".join(_text(chance, chance.randrange(0, 20)) + b"\r\n" for _ in range(chance.randrange(0, 40)))


def _text(chance: random.Random, words: int) -> bytes:
    text = " ".join(chance.choice(_WORDS) for _ in range(words))
    return text.encode("utf-8" if chance.random() < 0.7 else "latin-1", "replace")


def _from_pythons_tests() -> Iterator[bytes]:
    """The messages of Python's own test suite, where it is installed."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_email") is None:
        return
    found = importlib.util.find_spec("test.test_email")
    assert found is not None
    assert found.origin is not None
    for path in sorted((Path(found.origin).parent / "data").glob("msg_*.txt")):
        lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
        yield b"\r\n".join(lines) + b"\r\n"
