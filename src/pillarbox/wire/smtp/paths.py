"""Words of an SMTP command, and the address in a path: as lenient as Postfix, and as little more than RFC 5321.

DESCRIPTION
    `words()` cuts a line as smtpd(8) does: at blanks, but not inside `<…>` and `"…"`; `FROM:` and `TO:` end a
    word.  `parse_path()` makes an address of the word behind them.

    Leniency, as Postfix has it: missing or doubled angle brackets, blanks around `@` and `.`, source routes
    (`<@a,@b:user@c>`, RFC 5321 §C: stripped), dots anywhere and more than one `@` in a local part.  What RFC
    822 has besides (comments, phrases, groups) is refused.

FAULTS
    ValueError  the word is no path

STANDARDS
    RFC 5321 §4.1.2, §4.1.3 (address literals), §2.3.5 (domains)
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

from pillarbox.vocabulary.address import MAX_DOMAIN, MAX_LOCAL_PART, NULL_ADDRESS, Address

BLANKS: Final = b" \t\n\v\f\r"

_ATEXT: Final = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-"
# Nearly every path: no quotes, no escapes, a domain of letters.
_PLAIN: Final = re.compile(
    rb"<([A-Za-z0-9!#$%%&'*+/=?^_`{|}~.][A-Za-z0-9!#$%%&'*+/=?^_`{|}~.-]*)"
    rb"@((?:%(label)s\.)*[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)>"
    % {b"label": rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"}
)
_LABEL: Final = re.compile(rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]{0,61}[A-Za-z0-9_\x80-\xff])?")
_UNQUOTED: Final = re.compile(rb"(?:[%s.@]|\\[ -~])*" % _ATEXT)
_QUOTED: Final = re.compile(rb'"((?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*)"')
_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_SOURCE_ROUTE: Final = re.compile(rb"(?:@[^:<>]*:)+")
_BLANK_AROUND: Final = re.compile(rb"[ \t]*([@.])[ \t]*")


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


class Leniency(msgspec.Struct, frozen=True):
    """Addresses that are taken only if main.cf says so."""

    null_domain: bool = False  # `user@`: resolve_null_domain
    numeric_domain: bool = False  # `user@192.0.2.1`: resolve_numeric_domain
    minus_user: bool = False  # `-user@site`: allow_min_user


_USUAL: Final = Leniency()


def parse_path(word: bytes, *, strict: bool = False, leniency: Leniency = _USUAL) -> tuple[Address, bytes]:
    """Address and text of `<path>` or of a bare address.  ValueError if it is neither."""
    plain = _PLAIN.fullmatch(word)
    if plain is not None and len(plain[1]) <= MAX_LOCAL_PART and len(plain[2]) <= MAX_DOMAIN:
        return Address(plain[1], plain[2]), word[1:-1]
    if strict and not word.startswith(b"<"):
        raise ValueError("no angle brackets")
    text = word.lstrip(b"<").rstrip(b">").strip(BLANKS)
    if not text:
        return NULL_ADDRESS, b""
    # RFC 5321 §4.1.2, A-d-l: "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored".
    bare = _SOURCE_ROUTE.sub(b"", text, count=1) if text.startswith(b"@") else text
    if strict and bare.startswith(b"@"):
        raise ValueError("no local part")
    if b'"' not in bare and b"\\" not in bare:
        bare = _BLANK_AROUND.sub(rb"\1", bare)
    return _address(bare, leniency), text


def _address(text: bytes, leniency: Leniency) -> Address:
    quoted = _QUOTED.match(text)
    if quoted is not None:
        local_part, rest = quoted[1], text[quoted.end() :].lstrip(b" \t")
        domain = rest[1:].lstrip(b" \t")
        if rest[:1] not in (b"", b"@") or (rest and not domain):
            raise ValueError("text behind a quoted local part")
    else:
        local_part, at, domain = text.rpartition(b"@")
        if not at:
            local_part, domain = text, b""
        elif not domain:
            if not leniency.null_domain:
                raise ValueError("no domain")
            local_part = text
        if local_part.endswith(b"\\") and at:  # `a\@b`: the at sign is escaped
            local_part, domain = text, b""
        if _UNQUOTED.fullmatch(local_part) is None:
            raise ValueError("bad local part")
    if domain and not (
        is_host_name(domain.removesuffix(b"."))
        or is_address_literal(domain)
        or (leniency.numeric_domain and is_address(domain))
    ):
        raise ValueError("bad domain")
    local_part = _PAIR.sub(rb"\1", local_part)
    # A command line could take it for an option.
    if len(local_part) > MAX_LOCAL_PART or (local_part.startswith(b"-") and not leniency.minus_user):
        raise ValueError("local part that is not taken")
    return Address(local_part, domain)


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
    return name.startswith(b"[") and name.endswith(b"]") and is_address(name[1:-1])


def address_of_literal(literal: str) -> str:
    """`192.0.2.1` of `[192.0.2.1]`, `2001:db8::1` of `[IPv6:2001:db8::1]`; "" if it is none."""
    text = literal.encode("utf-8", "surrogateescape")
    if not is_address_literal(text):
        return ""
    bare = literal[1:-1]
    return bare[5:] if bare[:5].upper() == "IPV6:" else bare


def is_address(text: bytes) -> bool:
    """An IPv4 address, or an IPv6 address behind `IPv6:`."""
    try:
        if text[:5].upper() == b"IPV6:":
            IPv6Address(text[5:].decode("ascii"))
            return True
        address = IPv4Address(text.decode("ascii"))
    except ValueError:
        return False
    return address.packed[0] > 0 or int(address) == 0  # 0.0.0.0/8 is "this network" (RFC 1122 §3.2.1.3)
