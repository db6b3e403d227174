"""What a server offers in its answer to EHLO or LHLO.

STANDARDS
    RFC 5321 §4.1.1.1; RFC 1870 (SIZE); RFC 6152 (8BITMIME); RFC 2920 (PIPELINING); RFC 3461 (DSN);
    RFC 3207 (STARTTLS); RFC 4954 (AUTH); RFC 6531 (SMTPUTF8);
    RFC 8689 (REQUIRETLS)
"""

from collections.abc import Collection

import msgspec

from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.smtp.replies import ServerReply


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Keywords that matter to a client."""

    name: bytes = b""  # what the server calls itself
    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    requiretls: bool = False
    xforward: tuple[bytes, ...] = ()
    mechanisms: tuple[bytes, ...] = ()
    has_auth: bool = False
    has_size: bool = False
    size: int = 0  # 0: no limit is known
    odd_size: bytes = b""  # a limit that is no number


def read_capabilities(reply: ServerReply, *, discarded: Collection[str] = ()) -> Capabilities:
    """The keywords of a 250 reply, without those that are `discarded` (upper case)."""
    words: dict[bytes, list[bytes]] = {}
    for line in reply.lines[1:]:
        # `AUTH=PLAIN` was said by servers before RFC 2554 was done, and is still understood.
        keyword, *arguments = line[4:].upper().replace(b"AUTH=", b"AUTH ").split() or [b""]
        if keyword == b"SIZE":
            arguments = line[4:].split()[1:]
        if keyword.decode("ascii", "replace") not in discarded:
            words.setdefault(keyword, []).extend(arguments)
    sizes = words.get(b"SIZE", [])
    return Capabilities(
        name=(reply.lines[0][4:].split() or [b""])[0],
        pipelining=b"PIPELINING" in words,
        eight_bit=b"8BITMIME" in words or b"SMTPUTF8" in words,  # RFC 6531 §3.1: both, though not all say so
        smtputf8=b"SMTPUTF8" in words,
        dsn=b"DSN" in words,
        starttls=b"STARTTLS" in words,
        requiretls=b"REQUIRETLS" in words,
        xforward=tuple(words.get(b"XFORWARD", ())),
        mechanisms=tuple(dict.fromkeys(words.get(b"AUTH", ()))),
        has_auth=b"AUTH" in words,
        has_size=b"SIZE" in words,
        size=int(sizes[0]) if sizes and is_decimal(sizes[0]) else 0,
        odd_size=sizes[0] if sizes and not is_decimal(sizes[0]) else b"",
    )
