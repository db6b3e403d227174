"""Paths of MAIL and RCPT, as Dovecot's LMTP server reads them: what is wrong with one is told in its words.

DESCRIPTION
    `forward_path` wants an address: `<local-part>`, `<local-part@domain>`, perhaps with a source route.  Dots may
    stand anywhere in a local part, hyphens and underscores in a domain.  `reverse_path` takes whatever stands
    between brackets in one piece: what another server has taken is no address for us to judge.

FAULTS
    ValueError  the path is none; `str()` is the end of the reply

STANDARDS
    RFC 5321 §4.1.2 (Path, Mailbox, A-d-l), §4.1.3 (address literals)
"""

import ipaddress
import re
from typing import Final, NamedTuple

_DOT_STRING: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+")
_QUOTED: Final = re.compile(rb'"((?:[ !#-\[\]-~]|\\[ -~])*)("?)')
_ESCAPED: Final = re.compile(rb"\\(.)")
_LABELS: Final = re.compile(rb"[A-Za-z0-9_-]+")
_DIGITS_AND_DOTS: Final = re.compile(rb"[0-9.]+")
_TAG: Final = re.compile(rb"[A-Za-z0-9-]*[A-Za-z0-9]:")
_LITERAL_TEXT: Final = re.compile(rb"[!-Z^-~]*")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_QUOTED_WORD: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class ForwardPath(NamedTuple):
    """Where a message is to go."""

    path: bytes
    """What stands between the brackets."""
    local_part: bytes
    """Without quotes."""
    domain: bytes
    """Empty if there is none."""
    end: int
    """Where the text goes on behind the path."""


def forward_path(text: bytes) -> ForwardPath:
    """The path at the beginning of the text, which begins with `<`."""
    return _Reader(text).read()


def reverse_path(text: bytes) -> tuple[bytes, int]:
    """What stands between the brackets at the beginning of the text, and where it goes on."""
    end = _end_of(text)
    path = text[1:end]
    if _CONTROL.search(path) is not None or b" " in _QUOTED_WORD.sub(b"", path):
        raise ValueError("Invalid character in localpart")
    return path, end + 1


def _end_of(text: bytes) -> int:
    """Where the closing bracket is; brackets in quotes are none if the path begins with a quote."""
    quoted = _QUOTED.match(text, 1)
    if quoted is not None and not quoted[2]:
        raise ValueError("Premature end of quoted string")
    end = text.find(b">", 1 if quoted is None else quoted.end())
    if end < 0:
        raise ValueError("Missing '>' at end of path")
    return end


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 1

    def read(self) -> ForwardPath:
        routed = self._take_route()
        local_part = self._take_local_part()
        if local_part is None:
            if self._here != b">":
                raise ValueError("Invalid character in localpart")
            raise ValueError("Path only consists of source route" if routed else "Null path not allowed")
        domain = b""
        if self._here == b"@":
            self._at += 1
            domain = self._take_domain() or self._take_literal()
            if not domain:
                raise ValueError(
                    "Missing domain after '@'" if self._here in (b"", b">") else "Invalid domain"
                )
        if self._here != b">":
            raise ValueError("Missing '>' at end of path")
        return ForwardPath(self._text[1 : self._at], local_part, domain, self._at + 1)

    @property
    def _here(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._text, self._at)
        if match is None:
            return b""
        self._at = match.end()
        return match[0]

    def _take_route(self) -> bool:
        """`@one,@two:`"""
        if self._here != b"@":
            return False
        while True:
            self._at += 1
            if not self._take_domain():
                raise ValueError("Missing domain after '@' in source route")
            if self._here != b",":
                break
            self._at += 1
            if self._here != b"@":
                raise ValueError("Missing '@' after ',' in source route")
        if self._here != b":":
            raise ValueError("Missing ':' at end of source route")
        self._at += 1
        return True

    def _take_local_part(self) -> bytes | None:
        if self._here != b'"':
            return self._take(_DOT_STRING) or None
        quoted = _QUOTED.match(self._text, self._at)
        assert quoted is not None  # it begins with a quote
        if not quoted[2]:
            at_end = quoted.end() >= len(self._text)
            raise ValueError(
                "Premature end of quoted string" if at_end else "Invalid character in quoted string"
            )
        self._at = quoted.end()
        return _ESCAPED.sub(rb"\1", quoted[1])

    def _take_domain(self) -> bytes:
        labels = [self._take(_LABELS)]
        if not labels[0]:
            return b""
        while self._here == b".":
            self._at += 1
            label = self._take(_LABELS)
            if not label:
                is_empty = self._here in (b"", b".")
                raise ValueError("Empty sub-domain" if is_empty else "Invalid character in domain")
            labels.append(label)
        return b".".join(labels)

    def _take_literal(self) -> bytes:
        """`[192.0.2.1]`, `[IPv6:2001:db8::1]`, or what another standard may bring."""
        start = self._at
        if self._here != b"[":
            return b""
        self._at += 1
        if self._here.isdigit():
            if not _is_ipv4(self._take(_DIGITS_AND_DOTS)):
                raise ValueError("Invalid IPv4 address literal")
        else:
            tag = self._take(_TAG)
            if not tag:
                raise ValueError("Invalid address literal")
            text = self._take(_LITERAL_TEXT)
            if not text:
                raise ValueError("Empty address literal")
            if tag.upper() == b"IPV6:" and not _is_ipv6(text):
                raise ValueError("Invalid IPv6 address literal")
        if not self._here:
            raise ValueError("Missing ']' at end of address literal")
        if self._here != b"]":
            raise ValueError("Invalid character in address literal")
        self._at += 1
        return self._text[start : self._at]


def _is_ipv4(text: bytes) -> bool:
    try:
        ipaddress.IPv4Address(text.decode("ascii"))
    except ValueError:
        return False
    return True


def _is_ipv6(text: bytes) -> bool:
    try:
        ipaddress.IPv6Address(text.decode("ascii"))
    except ValueError:
        return False
    return b"%" not in text
