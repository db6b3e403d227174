"""What a server offers in its answer to EHLO or LHLO.

STANDARDS
    RFC 5321 §4.1.1.1; RFC 1870 (SIZE); RFC 6152 (8BITMIME); RFC 2920 (PIPELINING); RFC 3461 (DSN);
    RFC 3207 (STARTTLS); RFC 4954 (AUTH); RFC 6531 (SMTPUTF8);
    RFC 8689 (REQUIRETLS)
"""

import re
from collections.abc import Collection
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.smtp.replies import ServerReply

_OFFER: Final = re.compile(rb"[- ]*[^- ]+[- ][ \t=]*([^ \t=]+)(?:[ \t=](.*))?")
"""Code, keyword, arguments.  `AUTH=PLAIN` was said by servers before RFC 2554 was done, and is still understood."""


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
    logins: tuple[bytes, ...] = ()  # what stands behind each AUTH, as written
    has_size: bool = False
    size: int = 0  # 0: no limit is known
    odd_sizes: tuple[bytes, ...] = ()  # limits that are no numbers


def read_capabilities(reply: ServerReply, *, discarded: Collection[str] = ()) -> Capabilities:
    """The keywords of a 250 reply, without those that are `discarded` (upper case).

    What is said twice counts twice; of two sizes the last that is a number.
    """
    offers: dict[bytes, list[bytes]] = {}
    said = [match.groups(b"") for line in reply.lines if (match := _OFFER.match(line)) is not None]
    for word, arguments in said[1:]:
        if word.upper().decode("ascii", "replace") not in discarded:
            offers.setdefault(word.upper(), []).append(arguments)
    sizes = [words[0] for arguments in offers.get(b"SIZE", ()) if (words := arguments.split())]
    return Capabilities(
        name=said[0][0] if said else b"",
        pipelining=b"PIPELINING" in offers,
        eight_bit=b"8BITMIME" in offers,
        smtputf8=b"SMTPUTF8" in offers,
        dsn=b"DSN" in offers,
        starttls=b"STARTTLS" in offers,
        requiretls=b"REQUIRETLS" in offers,
        xforward=tuple(
            word.upper() for arguments in offers.get(b"XFORWARD", ()) for word in arguments.split()
        ),
        logins=tuple(offers.get(b"AUTH", ())),
        has_size=b"SIZE" in offers,
        size=next((int(size) for size in reversed(sizes) if is_decimal(size)), 0),
        odd_sizes=tuple(size for size in sizes if not is_decimal(size)),
    )
