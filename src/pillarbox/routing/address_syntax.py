"""What an address has to look like for mail to be sent there, and where one leads that holds another.

DESCRIPTION
    resolve_null_domain, resolve_numeric_domain and allow_min_user make addresses valid that are refused otherwise:
    `user@`, `user@192.0.2.1`, `-user@site`.  Without smtputf8_enable a domain outside ASCII is none.

    In our own domains, `user%site`, `site!user` and `"user@site"` are routes.  Each step takes a site off, so that
    there is an end to them.

STANDARDS
    Postfix trivial-rewrite(8); RFC 5321 §2.3.5, §4.1.3
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.address_lists import external_form
from pillarbox.message.address_tokens import Kind, Token, internal_form, tokens_of
from pillarbox.routing.rewriting import AT, DOT, EMPTY, AddressRewriting, find_last
from pillarbox.vocabulary.address import Address
from pillarbox.wire.smtp.paths import is_address, is_address_literal, is_host_name

_NO_ROUTE: Final = re.compile(rb"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*")
_MOST_STEPS: Final = 100
"""Beside one for each octet of an address; there is no address that takes as many."""


class AddressSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it."""

    rewriting: AddressRewriting = AddressRewriting()
    host: bytes = b""  # myhostname
    empty_address: bytes = b"MAILER-DAEMON"  # empty_address_recipient
    looks_into_quotes: bool = True  # resolve_dequoted_address
    null_domain: bool = False  # resolve_null_domain
    numeric_domain: bool = False  # resolve_numeric_domain
    minus_user: bool = False  # allow_min_user
    utf8: bool = True  # smtputf8_enable

    def is_valid(self, address: Address) -> bool:
        """Whether mail can be sent there."""
        if address.local_part.startswith(b"-") and not self.minus_user:
            return False
        return self.has_domain(address)

    def has_domain(self, address: Address) -> bool:
        """Whether its domain can be one; an address without is none at all, whoever asks."""
        return (self.utf8 or address.domain.isascii()) and _is_domain(address.domain)

    def destination(self, address: Address, is_local: Callable[[str], bool]) -> Address:
        """Where an address leads when all sites of ours (`is_local`) have been taken off; it has a domain then."""
        if _NO_ROUTE.fullmatch(address.local_part) is not None and address.domain[-1:] not in (b"", b"."):
            return self._with_brackets(address)
        found = self._destination(tokens_of(external_form(address)), is_local, len(address.internal))
        text = internal_form(found).encode("utf-8", "surrogateescape")
        return self._with_brackets(Address.from_internal(text))

    def _destination(self, tokens: list[Token], is_local: Callable[[str], bool], length: int) -> list[Token]:
        ours = [AT, *tokens_of(self.host.decode())]
        for _ in range(length + _MOST_STEPS):
            at = find_last(tokens, "@")
            if at is not None and tokens[-1] == DOT and tokens[-2] not in (DOT, AT):
                tokens = tokens[:-1]
            if self.null_domain and tokens[-1:] == [AT]:
                tokens = tokens[:-1]
                at = find_last(tokens, "@")
            if at is not None:
                domain = tokens[at + 1 :]
                if domain and not is_local(internal_form(domain)):
                    return tokens
                tokens, ours = tokens[:at], tokens[at:]
            if (inner := self._inner(tokens)) is not None:
                tokens = self.rewriting.rewrite_tokens(inner)
            elif tokens in ([], [EMPTY]):
                tokens = tokens_of(self.empty_address.decode("utf-8", "surrogateescape")) or [EMPTY]
            else:
                break
        return tokens + ours

    def _inner(self, tokens: list[Token]) -> list[Token] | None:
        """The address that a local part is, if it is one."""
        rewriting = self.rewriting
        routes = {"@": True, "%": rewriting.allow_percent_hack, "!": rewriting.swap_bangpath}
        if any(routes.get(token.operator, False) for token in tokens):
            return tokens
        if not self.looks_into_quotes or len(tokens) != 1 or tokens[0].kind is not Kind.QUOTED:
            return None
        # Not as RFC 5321 has it, but others may take it for a route, and us for a relay.
        text = tokens[0].text
        for sign, counts in routes.items():
            if counts and sign in text:
                if sign == "!":
                    return tokens_of(text)
                user, _, site = text.rpartition(sign)
                octets = f"{user}@{site}".encode("utf-8", "surrogateescape")
                return tokens_of(external_form(Address.from_internal(octets)))
        return None

    def _with_brackets(self, address: Address) -> Address:
        if self.numeric_domain and address.domain[-1:].isdigit() and is_address(address.domain):
            return Address(address.local_part, b"[%s]" % address.domain)
        return address


@lru_cache(maxsize=4096)
def _is_domain(domain: bytes) -> bool:
    if domain.startswith(b"["):
        return is_address_literal(domain)
    return is_host_name(domain.removesuffix(b"."))
