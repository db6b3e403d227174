"""Line ends of message content: LF in files, CRLF on the wire.

DESCRIPTION
    Whole chunks at a time, no loop over lines.  A CR that already stands before an LF is kept as part of
    CRLF; a lone CR is content and stays.  So `to_crlf` may be applied to content of either kind.

STANDARDS
    RFC 5322 §2.1; RFC 3501 §2.3.4: RFC822.SIZE counts CRLF
"""

from typing import Final

_PIECE: Final = 262144
"""Octets of which a copy may be made."""


def to_crlf(content: bytes) -> bytes:
    """The content with every line end as CRLF."""
    if b"\n" not in content:
        return content
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    return content.replace(b"\n", b"\r\n")


def to_lf(content: bytes) -> bytes:
    """The content with every CRLF as LF."""
    return content.replace(b"\r\n", b"\n") if b"\r" in content else content


def crlf_size(content: bytes) -> int:
    """`len(to_crlf(content))`, which is not made of more than a little at once.

    bytes.replace() finds line ends by memchr(3), bytes.count() looks at each octet: four times as long.
    """
    octets = len(content)
    pieces = [content] if octets <= _PIECE else [content[at : at + _PIECE] for at in range(0, octets, _PIECE)]
    size = octets + sum([len(piece) - len(piece.replace(b"\n", b"")) for piece in pieces])
    return size - content.count(b"\r\n") if b"\r" in content else size
