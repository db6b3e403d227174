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
    size = len(content)
    for start in range(0, size, _PIECE):
        piece = content[start : start + _PIECE]
        size += len(piece) - len(piece.replace(b"\n", b""))
    return size - content.count(b"\r\n") if b"\r" in content else size
