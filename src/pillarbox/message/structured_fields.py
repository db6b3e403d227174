"""What structured header fields say: address lists and dates.

DESCRIPTION
    `parse_addresses` gives the list that ENVELOPE shows.  A group is a `GroupStart`, its members, a
    `GroupEnd` (RFC 3501 §7.4.2).  Broken input never raises: what is missing is filled in with Dovecot's
    words (MISSING_MAILBOX, MISSING_DOMAIN, SYNTAX_ERROR, INVALID_ROUTE), so that a client sees the same
    after a change of server.

    `parse_date` gives seconds since 1970 and the zone in minutes, or None.

STANDARDS
    RFC 5322 §3.4 (address), §4.4 (obsolete addressing: routes), §3.3 and §4.3 (date-time, obsolete zones)
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.field_scanner import BROKEN, END, MORE, FieldScanner, Found
from pillarbox.vocabulary.digits import decimal


class MailAddress(msgspec.Struct, array_like=True):
    """One address: display name, route, local part, domain; None where there is none.

    A group starts with one that has only a mailbox (the group's name) and ends with one that has nothing.
    """

    name: bytes | None = None
    route: bytes | None = None
    mailbox: bytes | None = None
    domain: bytes | None = None


# The three forms that nearly all mail has: one address, nothing obsolete, nothing to unescape.
_WORDS: Final = rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff.]+"
_LOCAL: Final = rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+)*"
_ONE: Final = re.compile(
    rb'[ \t]*+(?:(?:"([^"\\\r\n]*+)"|([A-Za-z0-9!#$%%&\'*+\-/=?^_`{|}~\x80-\xff]%s*+(?>(?: %s)*)))[ \t]*+)?'
    rb"<(%s)@(%s)>[ \t\r\n]*+" % (_WORDS.removesuffix(b"+"), _WORDS, _LOCAL, _LOCAL)
)
_BARE: Final = re.compile(rb"[ \t]*+(%s)@(%s)[ \t\r\n]*+" % (_LOCAL, _LOCAL))


def parse_addresses(value: bytes) -> list[MailAddress]:
    """`address-list` of RFC 5322 §3.4; empty for an empty field."""
    if (one := _ONE.fullmatch(value)) is not None:
        quoted, words, mailbox, domain = one.groups()
        return [MailAddress(quoted or words or None, None, mailbox, domain)]
    if (bare := _BARE.fullmatch(value)) is not None:
        return [MailAddress(None, None, bare[1], bare[2])]
    return _AddressParser(value).parse()


class _AddressParser:
    """Address lists with everything that RFC 5322 and its forerunners allow, and what they do not."""

    def __init__(self, value: bytes) -> None:
        self.scanner = FieldScanner(value)
        self.addresses: list[MailAddress] = []
        self.address = MailAddress()

    def parse(self) -> list[MailAddress]:
        """All addresses of the field."""
        if self.scanner.skip() is not MORE:
            return []
        while True:
            if self._address() is END:
                break
            if self.scanner.here != b",":
                break
            self.scanner.position += 1
            found = self.scanner.skip()
            if found is not MORE:
                if found is BROKEN:
                    self._add_filled()  # ends in an unclosed comment
                break
        return self.addresses

    def _address(self) -> Found:
        """`address = mailbox / group`"""
        start = self.scanner.position
        found = self._group()
        if found is BROKEN:
            self.scanner.position = start
            found = self._mailbox()
        return found

    def _group(self) -> Found:
        """`group = display-name ":" [group-list] ";" [CFWS]`; BROKEN means that it is no group."""
        scanner = self.scanner
        name: list[bytes] = []
        if scanner.take_phrase(name) is not MORE or scanner.here != b":":
            return BROKEN
        scanner.position += 1
        found = scanner.skip()
        self.address.mailbox = b"".join(name)
        self._add()
        if found is MORE and scanner.here != b";":
            found = self._group_members()
        if found is not BROKEN:
            if scanner.here == b";":
                scanner.position += 1
                found = scanner.skip()
            else:
                found = BROKEN
        self._add()
        return END if found is END else MORE

    def _group_members(self) -> Found:
        """`mailbox-list / obs-mbox-list`; a broken one is no reason not to read those behind it."""
        scanner = self.scanner
        while True:
            self._mailbox()
            if scanner.here != b",":
                return MORE
            scanner.position += 1
            if scanner.skip() is not MORE:
                return BROKEN

    def _mailbox(self) -> Found:
        """`mailbox = name-addr / addr-spec`"""
        start = self.scanner.position
        found = self._name_address()
        if found is BROKEN:
            self.scanner.position = start
            found = self._address_spec()
        self._add_filled()
        return found

    def _name_address(self) -> Found:
        """`name-addr = [display-name] angle-addr`; BROKEN means that it is none."""
        scanner = self.scanner
        name: list[bytes] = []
        if scanner.take_phrase(name) is not MORE or scanner.here != b"<":
            return BROKEN
        self.address.name = b"".join(name) or None
        if self._angle_address() is BROKEN:
            self.address.domain = b"SYNTAX_ERROR"
        return MORE if scanner.position < scanner.end else END

    def _angle_address(self) -> Found:
        """`"<" [route ":"] addr-spec ">"`; BROKEN if it does not end with `>`."""
        scanner = self.scanner
        scanner.position += 1
        if scanner.skip() is not MORE:
            return BROKEN
        if scanner.here == b"@":
            if self._route() is MORE and scanner.here == b":":
                scanner.position += 1
            else:
                self.address.route = b"INVALID_ROUTE"
            if scanner.skip() is not MORE:
                return BROKEN
        if scanner.here != b">":  # `<>` is the null address
            if self._local_part([]) is not MORE:
                return BROKEN
            if scanner.here == b"@" and self._domain() is not MORE:
                return BROKEN
        if scanner.here != b">":
            return BROKEN
        scanner.position += 1
        return scanner.skip()

    def _route(self) -> Found:
        """`obs-domain-list = "@" domain *(*(CFWS / ",") [CFWS] "@" domain)`"""
        scanner = self.scanner
        route: list[bytes] = []
        while True:
            if scanner.position >= scanner.end:
                return END
            if scanner.here != b"@":
                break
            route.append(b",@" if route else b"@")
            if (found := scanner.take_domain(route)) is not MORE:
                return found
            while scanner.skip() is MORE and scanner.here == b",":
                scanner.position += 1
        self.address.route = b"".join(route)
        return MORE

    def _address_spec(self) -> Found:
        """`addr-spec = local-part "@" domain`, perhaps with the name as a comment behind it."""
        scanner = self.scanner
        scanner.comment = b""
        quoted = scanner.here == b'"'
        parts: list[bytes] = []
        found = self._local_part(parts)
        has_domain = False
        if found is not END and scanner.here == b"@":
            has_domain = True
            domain_found = self._domain()
            if domain_found is not MORE:
                found = domain_found
        if scanner.comment:
            self.address.name = scanner.comment
        elif not has_domain:
            self._only_words(b"".join(parts), quoted=quoted)
            return BROKEN
        return found

    def _only_words(self, word: bytes, *, quoted: bool) -> None:
        """A single word is a mailbox without domain; a quoted one or several are a name without address.

        `word` is what was read as a local part, good or broken.
        """
        words = [word, b" "]
        if self.scanner.position < self.scanner.end:
            self.scanner.take_phrase(words)
        if any(words[2:]):
            self.address.name = b"".join(words)
            self.address.mailbox = None
        elif quoted and self.address.mailbox is not None:
            self.address.name, self.address.mailbox = self.address.mailbox, None

    def _local_part(self, parts: list[bytes]) -> Found:
        scanner = self.scanner
        found = scanner.take_quoted(parts) if scanner.here == b'"' else scanner.take_local_part(parts)
        if found is not BROKEN:
            self.address.mailbox = b"".join(parts)
        return found

    def _domain(self) -> Found:
        parts: list[bytes] = []
        found = self.scanner.take_domain(parts)
        if found is not BROKEN:
            self.address.domain = b"".join(parts)
        return found

    def _add_filled(self) -> None:
        if self.address.mailbox is None:
            self.address.mailbox = b"MISSING_MAILBOX"
        if self.address.domain is None:
            self.address.domain = b"MISSING_DOMAIN"
        self._add()

    def _add(self) -> None:
        self.addresses.append(self.address)
        self.address = MailAddress()


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """A date-time: seconds since 1970 UTC, and the zone it was written in, in minutes east."""

    seconds: int
    zone: int


_MONTHS: Final = {
    name: number
    for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
# RFC 5322 §4.3: the named zones; military letters say nothing and count as -0000.
_ZONES: Final = {b"edt": -240, b"est": -300, b"cdt": -300, b"cst": -360, b"mdt": -360, b"mst": -420} | {
    b"pdt": -420,
    b"pst": -480,
    b"ut": 0,
    b"gmt": 0,
}
_DATE: Final = re.compile(
    rb"\s*(?:[A-Za-z]+\s*,\s*)?(\d{1,2})\s+([A-Za-z]{3})[A-Za-z]*\s+(\d{2,4})"
    rb"\s+(\d{1,2})\s*[:.]\s*(\d{2})(?:\s*[:.]\s*(\d{2}))?(?:\s*([+-]\d{4}|[A-Za-z]+))?.*",
    re.DOTALL,
)
_COMMENT: Final = re.compile(rb"\([^()]*\)")
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()


def parse_date(value: bytes) -> Moment | None:
    """`date-time` of RFC 5322 §3.3 with §4.3's obsolete years and zones; None if it is none."""
    match = _DATE.fullmatch(_COMMENT.sub(b" ", value) if b"(" in value else value)
    if match is None:
        return None
    day, month_name, year, hour_text, minute_text, second_text, zone_text = match.groups()
    midnight = _midnight(day, month_name, year)
    hour, minute, second = decimal(hour_text), decimal(minute_text), decimal(second_text or b"0")
    if midnight is None or hour > 23 or minute > 59 or second > 60:
        return None
    zone = _zone(zone_text or b"")
    # A leap second is told with the second before it: SENTON would have it on the next day.
    return Moment(midnight + hour * 3600 + (minute - zone) * 60 + min(second, 59), zone)


@lru_cache(maxsize=4096)
def _midnight(day: bytes, month_name: bytes, year_text: bytes) -> int | None:
    """When a day begins, in seconds since 1970; None for no day.  Most mail is of the same few thousand."""
    month, year = _MONTHS.get(month_name.lower(), 0), _year(year_text)
    if year < 1900:
        return None
    try:
        return (date(year, month, decimal(day)).toordinal() - _FIRST_DAY) * 86400
    except ValueError:
        return None


def _year(text: bytes) -> int:
    """RFC 5322 §4.3: two digits below 50 are 20xx, other two and all three digits count from 1900."""
    year = decimal(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


@lru_cache(maxsize=256)
def _zone(text: bytes) -> int:
    if text[:1] in {b"+", b"-"}:
        minutes = decimal(text[1:3]) * 60 + decimal(text[3:5])
        return -minutes if text[:1] == b"-" else minutes
    return _ZONES.get(text.lower(), 0)
