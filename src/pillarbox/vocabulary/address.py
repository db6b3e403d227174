"""Mail addresses in their two forms: external (quoted, as on the wire) and internal (as in queue files).

DESCRIPTION
    The external form is RFC 5321's Mailbox: `"a b"@example.org`.  The internal form has the quoting taken
    off (`a b@example.org`), as Postfix keeps addresses in queue files and looks them up in tables.  The
    domain of an address is whatever follows the last `@` of the internal form.  Both forms are bytes: with
    SMTPUTF8 they are UTF-8, otherwise ASCII.

    The null sender, `<>`, is an empty address.

FAULTS
    ValueError  the text is not an address.

STANDARDS
    RFC 5321 §4.1.2 (Mailbox, Local-part, Quoted-string, address-literal); RFC 6531 §3.3 (UTF-8)
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

_ATEXT: Final = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]"
_DOT_STRING: Final = re.compile(rb"%s+(?:\.%s+)*" % (_ATEXT, _ATEXT))
# Postfix takes dots anywhere in a local part unless strict_rfc821_envelopes is set: `a..b@`, `a.@`.
_LOOSE_DOT_STRING: Final = re.compile(rb"(?:%s|\.)+" % _ATEXT)
_QUOTED_STRING: Final = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*)"')
_DOMAIN: Final = re.compile(
    rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?"
    rb"(?:\.[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?)*\.?"
)
_LITERAL: Final = re.compile(rb"\[[\x21-\x5a\x5e-\x7e]+\]")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_NEEDS_BACKSLASH: Final = re.compile(rb'(["\\])')

MAX_DOMAIN: Final = 255
"""Octets of a domain (RFC 5321 §4.5.3.1.2)."""


class Address(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A local part without quoting, and a domain as written (empty if there is none)."""

    local_part: bytes
    domain: bytes

    @classmethod
    def parse(cls, text: bytes) -> "Address":
        """An external-form address, `local@domain` or a bare local part; `b""` is the null sender."""
        if not text:
            return NULL_ADDRESS
        if text[:1] == b'"':
            quoted = _QUOTED_STRING.match(text)
            if quoted is None:
                raise ValueError(f"unbalanced quote in address: {text[:80]!r}")
            local_part = _QUOTED_PAIR.sub(rb"\1", quoted[1])
            rest = text[quoted.end() :]
        else:
            dotted = _LOOSE_DOT_STRING.match(text)
            if dotted is None:
                raise ValueError(f"no local part in address: {text[:80]!r}")
            local_part = dotted[0]
            rest = text[dotted.end() :]
        if not rest:
            return cls(local_part, b"")
        domain = rest[1:]
        if rest[:1] != b"@" or not _is_domain(domain):
            raise ValueError(f"bad domain in address: {text[:80]!r}")
        return cls(local_part, domain)

    @classmethod
    def from_internal(cls, text: bytes) -> "Address":
        """An address in internal form, as queue files and tables hold it.

        An `@` that nothing follows belongs to the local part: `user@` is not `user`.
        """
        local_part, at, domain = text.rpartition(b"@")
        return cls(local_part, domain) if at and domain else cls(text, b"")

    @property
    def has_null_domain(self) -> bool:
        """`user@`: a domain is there, and empty."""
        return not self.domain and self.local_part.endswith(b"@")

    @property
    def is_null(self) -> bool:
        """Whether this is the null sender, `<>`."""
        return not self.local_part and not self.domain

    @property
    def internal(self) -> bytes:
        """The unquoted form, `a b@example.org`."""
        return b"%s@%s" % (self.local_part, self.domain) if self.domain else self.local_part

    @property
    def external(self) -> bytes:
        """The quoted form, `"a b"@example.org`; empty for the null sender."""
        if self.is_null:
            return b""
        local_part = self.local_part
        if local_part[:1] in (b"@", b"") and b":" in (internal := self.internal):
            # What looks like a route (RFC 5321 appendix C) stays as it is.
            route, colon, rest = internal.partition(b":")
            return route + colon + (Address.from_internal(rest).external or b'""')
        domain = b"@" + self.domain if self.domain else b""
        if self.has_null_domain:
            local_part, domain = local_part[:-1], b"@"
        if _DOT_STRING.fullmatch(local_part) is None:
            local_part = b'"%s"' % _NEEDS_BACKSLASH.sub(rb"\\\1", local_part)
        return local_part + domain

    @property
    def folded(self) -> bytes:
        """The internal form in lower case (ASCII letters), the key of lookup tables."""
        return self.internal.lower()

    @property
    def is_ascii(self) -> bool:
        """Whether the address can be sent without SMTPUTF8 (RFC 6531)."""
        return self.local_part.isascii() and self.domain.isascii()


NULL_ADDRESS: Final = Address(b"", b"")
"""`<>`, the sender of bounces (RFC 5321 §4.5.5)."""


@lru_cache(maxsize=1024)
def internal_of(external: bytes) -> bytes:
    """An address without quotes, or what there is if it is none."""
    try:
        return Address.parse(external).internal
    except ValueError:
        return external


@lru_cache(maxsize=1024)
def external_form(internal: bytes) -> bytes:
    """The external form of an address in internal form; agents, log lines and reports of a message ask for it."""
    return Address.from_internal(internal).external


def _is_domain(text: bytes) -> bool:
    if len(text) > MAX_DOMAIN:
        return False
    if text[:1] == b"[":
        return _LITERAL.fullmatch(text) is not None
    return _DOMAIN.fullmatch(text) is not None
