"""Words of an SMTP command, and the address in a path: as lenient as Postfix, and as little more than RFC 5321.

DESCRIPTION
    `words()` cuts a line as smtpd(8) does: at blanks, but not inside `<…>` and `"…"`; `FROM:` and `TO:` end a
    word.  `parse_path()` makes an address of the word behind them.

    Senders have always written more than RFC 5321 allows.  As Postfix does it, what is in the brackets is read as a
    field of addresses is (message/address_lists.py), so that comments, names and groups go, and there may be one
    address or none.  `strict`, which is strict_rfc821_envelopes, allows nothing but an address in brackets.  A
    source route (`<@a,@b:user@c>`, RFC 5321 §C) goes in any case.

FAULTS
    ValueError  the word is no path

STANDARDS
    RFC 5321 §4.1.2, §4.1.3 (address literals), §2.3.5 (domains); RFC 822 §6
"""

import re
from ipaddress import IPv6Address
from typing import Final

from pillarbox.message.address_lists import ListedAddress, parse
from pillarbox.message.address_tokens import Token
from pillarbox.vocabulary.address import MAX_DOMAIN, Address

BLANKS: Final = b" \t\n\v\f\r"

# Nearly every path: nothing in it is more than itself.
_PLAIN: Final = re.compile(rb"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+>")
_DOTTED: Final = re.compile(rb"[0-9]{1,20}(?:\.[0-9]{1,20}){3}")
_LABEL: Final = re.compile(rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]{0,61}[A-Za-z0-9_\x80-\xff])?")


def words(line: bytes) -> list[tuple[bytes, bool]]:
    """The words of a line, and whether each is complete: a bracket or quote that is open makes one that is not."""
    found: list[tuple[bytes, bool]] = []
    at, end = 0, len(line)
    while at < end:
        if line[at] in BLANKS:
            at += 1
            continue
        start, complete = at, True
        while at < end and line[at] not in BLANKS:
            octet = line[at]
            if octet == 0x5C:
                at += 2
            elif octet in b'<"':
                at, complete = _closed(line, at)
            else:
                at += 1
                if octet == 0x3A and line[start:at].upper() in (b"FROM:", b"TO:"):
                    break
        found.append((line[start:at], complete))
    return found


def _closed(line: bytes, at: int) -> tuple[int, bool]:
    """Behind the bracket or quote that closes the one at `at`."""
    open_ones = [b">" if line[at : at + 1] == b"<" else b'"']
    at += 1
    while at < len(line):
        octet = line[at : at + 1]
        if octet == b"\\":
            at += 1
        elif octet == open_ones[-1]:
            open_ones.pop()
            if not open_ones:
                return at + 1, True
        elif open_ones[-1] != b'"' and octet in (b"<", b'"'):
            open_ones.append(b">" if octet == b"<" else b'"')
        at += 1
    return len(line), False


def parse_path(word: bytes, *, strict: bool = False) -> tuple[Address, bytes]:
    """Address and text of `<path>` or of a bare address.  ValueError if it is neither.

    Whether there can be such an address is not asked: it may be a route to another (routing/address_syntax.py).
    """
    if _PLAIN.fullmatch(word) is not None:
        text = word[1:-1]
        return Address.from_internal(text), text
    if b"\0" in word:
        raise ValueError("NUL")  # where other programs' strings end
    if strict and not word.startswith(b"<"):
        raise ValueError("no angle brackets")
    text = word[1:-1] if word.startswith(b"<") and word.endswith(b">") else word
    # RFC 5321 §4.1.2, A-d-l: "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored".
    route, colon, behind = text.partition(b":")
    bare = behind if colon and route.startswith(b"@") else text
    elements = parse(bare.decode("utf-8", "surrogateescape"))
    addresses = [element for element in elements if isinstance(element, ListedAddress)]
    others = [
        element for element in elements if isinstance(element, Token) and element.operator not in ("<", ">")
    ]
    if len(addresses) > 1 or (strict and others):
        raise ValueError("more than an address")
    internal = addresses[0].internal if addresses else b""
    if strict and internal.startswith(b"@"):
        raise ValueError("no local part")
    return Address.from_internal(internal), text


def is_host_name(name: bytes) -> bool:
    """Labels of 1 to 63 octets, not all of them numbers; underscores are tolerated."""
    if not name or len(name) > MAX_DOMAIN:
        return False
    labels = name.split(b".")
    if any(_LABEL.fullmatch(label) is None for label in labels):
        return False
    return not name.replace(b".", b"").isdigit()


def is_address_literal(name: bytes) -> bool:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    if not (name.startswith(b"[") and name.endswith(b"]")):
        return False
    bare = name[1:-1]
    return (
        _is_ipv6_address(bare[5:]) if bare[:5].upper() == b"IPV6:" else b":" not in bare and is_address(bare)
    )


def address_of_literal(literal: str) -> str:
    """`192.0.2.1` of `[192.0.002.001]`, `2001:db8::1` of `[IPv6:2001:db8::1]`; "" if it is none."""
    text = literal.encode("utf-8", "surrogateescape")
    if not is_address_literal(text):
        return ""
    bare = literal[1:-1]
    return bare[5:] if ":" in bare else ".".join([str(int(number)) for number in bare.split(".")])


def is_address(text: bytes) -> bool:
    """`192.0.2.1`, whose numbers may begin with zeros (RFC 5321 §4.1.3), or `2001:db8::1`."""
    if b":" in text:
        return _is_ipv6_address(text)
    if _DOTTED.fullmatch(text) is None:
        return False
    numbers = [int(number) for number in text.split(b".")]
    # 0.0.0.0/8 is "this network" (RFC 1122 §3.2.1.3).
    return max(numbers) < 256 and (numbers[0] > 0 or not any(numbers))


def _is_ipv6_address(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return b"%" not in text  # what follows it means something on this host only (RFC 4007 §11)
