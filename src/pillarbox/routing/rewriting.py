"""Addresses brought to standard form, as trivial-rewrite(8) does it for the local context.

DESCRIPTION
    An address without `@` is completed: `site!user` becomes user@site (swap_bangpath), `user%domain` becomes
    user@domain (allow_percent_hack), anything else is given $myorigin (append_at_myorigin).  A domain without a
    dot is given $mydomain (append_dot_mydomain), and a final dot goes.

    Envelope addresses of all mail are brought to this form; those in headers only if the client is local.

STANDARDS
    ADDRESS_REWRITING_README
"""

import msgspec

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.vocabulary.address import Address
from pillarbox.wire.smtp.paths import is_host_name


class AddressRewriting(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it."""

    myorigin: bytes = b""
    mydomain: bytes = b""
    append_at_myorigin: bool = True
    append_dot_mydomain: bool = False
    swap_bangpath: bool = True
    allow_percent_hack: bool = True

    def rewrite(self, address: Address) -> Address:
        """The standard form; the null sender stays."""
        if address.has_null_domain:
            return address
        if address.local_part.startswith(b"@") and b":" in address.local_part:
            # A route (RFC 5321 appendix C).
            address = Address(address.local_part.partition(b":")[2], address.domain)
        if not address.domain and not address.is_null:
            address = self._completed(address)
        domain = address.domain
        if not domain or domain.startswith(b"["):
            return address
        bare = domain if domain.endswith(b"..") else domain.removesuffix(b".")
        if self.append_dot_mydomain and b"." not in domain and self.mydomain:
            bare = b"%s.%s" % (bare, self.mydomain)
        return address if bare == domain or not bare else Address(address.local_part, bare)

    def _completed(self, address: Address) -> Address:
        text = address.local_part
        if self.swap_bangpath:
            site, bang, user = text.partition(b"!")
            if bang and user and is_host_name(site.rstrip(b".")):
                return Address(user, site)
        if self.allow_percent_hack:
            user, percent, domain = text.rpartition(b"%")
            if percent and user and is_host_name(domain.rstrip(b".")):
                return Address(user, domain)
        return Address(text, self.myorigin) if self.append_at_myorigin else address


def configured_rewriting(snapshot: Snapshot) -> AddressRewriting:
    """The rewriting of one configuration."""
    identity = snapshot.group(Identity)
    return AddressRewriting(
        myorigin=identity.myorigin.encode(),
        mydomain=identity.mydomain.encode(),
        append_at_myorigin=identity.append_at_myorigin,
        append_dot_mydomain=identity.append_dot_mydomain,
        swap_bangpath=identity.swap_bangpath,
        allow_percent_hack=identity.allow_percent_hack,
    )
