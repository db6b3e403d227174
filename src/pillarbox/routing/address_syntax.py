"""What an address has to look like for mail to be sent there, and where one leads that holds another.

DESCRIPTION
    resolve_null_domain, resolve_numeric_domain and allow_min_user make addresses valid that are refused otherwise:
    `user@`, `user@192.0.2.1`, `-user@site`.

    In our own domains, `user%site`, `site!user` and `"user@site"` are routes.  Each step takes a site off, so that
    there is an end to them.

STANDARDS
    Postfix trivial-rewrite(8); RFC 5321 §2.3.5, §4.1.3
"""

from functools import lru_cache

import msgspec

from pillarbox.routing.rewriting import AddressRewriting
from pillarbox.vocabulary.address import Address
from pillarbox.wire.smtp.paths import is_address, is_address_literal, is_host_name


class AddressSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it."""

    rewriting: AddressRewriting = AddressRewriting()
    host: bytes = b""  # myhostname
    looks_into_quotes: bool = True  # resolve_dequoted_address
    null_domain: bool = False  # resolve_null_domain
    numeric_domain: bool = False  # resolve_numeric_domain
    minus_user: bool = False  # allow_min_user

    def repaired(self, address: Address) -> Address:
        """With this host for the empty domain, and an address in brackets, where that is allowed."""
        if self.null_domain and address.has_null_domain:
            return Address(address.local_part.rstrip(b"@"), self.host)
        if self.numeric_domain and address.domain[-1:].isdigit() and is_address(address.domain):
            return Address(address.local_part, b"[%s]" % address.domain)
        return address

    def is_valid(self, address: Address) -> bool:
        """Whether mail can be sent there."""
        if address.local_part.startswith(b"-") and not self.minus_user:
            return False
        return _is_domain(address.domain)

    def route(self, address: Address) -> Address | None:
        """Where an address of ours leads; None if it leads nowhere else."""
        local_part, rewriting = address.local_part, self.rewriting
        is_route = (
            b"@" in local_part
            or (b"%" in local_part and rewriting.allow_percent_hack)
            or (b"!" in local_part and rewriting.swap_bangpath)
        )
        if not is_route or (not self.looks_into_quotes and address.external.startswith(b'"')):
            return None
        inner = rewriting.rewrite(Address.from_internal(local_part))
        return inner if inner.local_part != local_part else None


@lru_cache(maxsize=4096)
def _is_domain(domain: bytes) -> bool:
    if domain.startswith(b"["):
        return is_address_literal(domain)
    return is_host_name(domain.removesuffix(b"."))
