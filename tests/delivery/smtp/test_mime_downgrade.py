"""8-bit bodies in 7 bits."""

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.smtp.mime_downgrade import downgraded, quoted_printable

LINES = [
    (b"plain text", [b"plain text"]),
    (b"", [b""]),
    (b"a = b", [b"a =3D b"]),
    (b"ends in blank ", [b"ends in blank=20"]),
    (b"ends in tab\t", [b"ends in tab=09"]),
    (b"Gr\xc3\xbc\xc3\x9fe", [b"Gr=C3=BC=C3=9Fe"]),
    (b"x" * 72, [b"x" * 72]),
    (b"x" * 80, [b"x" * 73 + b"=", b"x" * 7]),
    (b"\xff" * 25, [b"=FF" * 25]),
    (b"\xff" * 26, [b"=FF" * 25 + b"=", b"=FF"]),
]


@pytest.mark.parametrize(("line", "encoded"), LINES)
def test_lines(line: bytes, encoded: list[bytes]) -> None:
    """RFC 2045 §6.7."""
    assert list(quoted_printable(line)) == encoded


@given(st.binary(max_size=300).filter(lambda line: b"\r" not in line and b"\n" not in line))
def test_nothing_is_lost(line: bytes) -> None:
    """Decoding gives the line back; encoded lines are short and of 7 bits."""
    encoded = list(quoted_printable(line))
    assert quopri.decodestring(b"\n".join(encoded)) == line
    assert all(len(piece) <= 76 and piece.isascii() and piece[-1:] not in (b" ", b"\t") for piece in encoded)


MESSAGES = [
    ("a text", [b"Content-Transfer-Encoding: 8bit", b"A: b", b"", b"\xe4"],
     [b"A: b", b"Content-Transfer-Encoding: quoted-printable", b"", b"=E4"]),
    ("with a comment, folded", [b"Content-Transfer-Encoding:", b" binary (x)", b"", b"\xe4"],
     [b"Content-Transfer-Encoding: quoted-printable", b"", b"=E4"]),
    ("of 7 bits", [b"Content-Transfer-Encoding: 7bit", b"", b"a=b"],
     [b"Content-Transfer-Encoding: 7bit", b"", b"a=b"]),
    ("without the field", [b"A: b", b"", b"\xe4="], [b"A: b", b"", b"\xe4="]),
    ("without a body", [b"Content-Transfer-Encoding: 8bit"], [b"Content-Transfer-Encoding: quoted-printable"]),
    ("two encodings", [b"Content-Transfer-Encoding: 8bit", b"Content-Transfer-Encoding: 7bit", b"", b"a="],
     [b"Content-Transfer-Encoding: 7bit", b"", b"a="]),
    ("an encoding in comments", [b"Content-Transfer-Encoding: (x) 8bit (y)", b"", b"\xe4"],
     [b"Content-Transfer-Encoding: quoted-printable", b"", b"=E4"]),
    ("a piece of a message", [b"Content-Type: message/partial", b"Content-Transfer-Encoding: 8bit", b"", b"\xe4"],
     [b"Content-Type: message/partial", b"Content-Transfer-Encoding: 7bit", b"", b"=E4"]),
    ("a message of addresses in UTF-8", [b"Content-Type: message/global", b"Content-Transfer-Encoding: 8bit", b"", b"A: \xe4", b"", b"b"],
     [b"Content-Type: message/global", b"Content-Transfer-Encoding: quoted-printable", b"", b"A: =E4", b"", b"b"]),
    ("no header", [b"", b"\xe4="], [b"", b"\xe4="]),
    ("an attached message", [b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: 8bit", b"",
      b"Content-Transfer-Encoding: 8bit", b"", b"\xe4"],
     [b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: 7bit", b"",
      b"Content-Transfer-Encoding: quoted-printable", b"", b"=E4"]),
    ("parts", [b"Content-Type: multipart/mixed; boundary=b", b"Content-Transfer-Encoding: 8bit", b"", b"--b",
      b"Content-Transfer-Encoding: 8bit", b"", b"\xe4", b"--b", b"", b"=", b"--b--", b"="],
     [b"Content-Type: multipart/mixed; boundary=b", b"Content-Transfer-Encoding: 7bit", b"", b"--b",
      b"Content-Transfer-Encoding: quoted-printable", b"", b"=E4", b"--b", b"", b"=", b"--b--", b"="]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "expected"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES]
)
def test_messages(lines: list[bytes], expected: list[bytes]) -> None:
    """What is converted, and what is said of it."""
    assert list(downgraded(lines)) == expected


@given(st.lists(st.sampled_from([line for _, lines, _ in MESSAGES for line in lines])))
def test_any_order_of_lines(lines: list[bytes]) -> None:
    """Nothing makes it stumble, and converting twice changes nothing."""
    once = list(downgraded(lines))
    assert list(downgraded(once)) == once
