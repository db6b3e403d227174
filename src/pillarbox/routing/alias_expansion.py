"""Virtual aliases: one recipient becomes others, again and again, until none of them is an alias.

DESCRIPTION
    `expand()` looks an address up in virtual_alias_maps by virtual(5)'s patterns.  A result `@other.domain`
    keeps the local part; an extension that did not match goes on to the results (propagate_unmatched_extensions).
    An address that gives itself stays.

FAULTS
    ExpansionFault  deeper than virtual_alias_recursion_limit, or more than virtual_alias_expansion_limit
    LookupFault     a table cannot answer
"""

from pillarbox.routing.address_lookup import find_first, text_of, virtual_patterns
from pillarbox.routing.resolution import AddressClass, Resolver
from pillarbox.vocabulary.address import Address


class ExpansionFault(Exception):
    """Aliases that do not come to an end."""


def expand(
    address: Address,
    *,
    resolver: Resolver,
    recursion_limit: int = 1000,
    expansion_limit: int = 1000,
    propagate: bool = True,
) -> list[Address]:
    """The addresses that `address` stands for, each once, in order; itself if it is no alias."""
    tables = resolver.routes.virtual_aliases
    if not tables:
        return [address]
    found: dict[bytes, Address] = {}
    waiting = [(address, 0)]
    seen: set[bytes] = set()
    while waiting:
        current, depth = waiting.pop(0)
        if depth > recursion_limit:
            raise ExpansionFault(
                f"unreasonable virtual_alias_maps map nesting for {text_of(address.internal)}"
            )
        if len(found) + len(waiting) + 1 > expansion_limit:
            raise ExpansionFault(
                f"unreasonable virtual_alias_maps map expansion size for {text_of(address.internal)}"
            )
        key = current.folded
        results = None if key in seen else _look_up(current, resolver, propagate=propagate)
        seen.add(key)
        if results is None:
            found.setdefault(key, current)
            continue
        for result in results:
            if result.folded == key:  # an alias of itself: deliver here, too
                found.setdefault(key, result)
            else:
                waiting.append((result, depth + 1))
    return list(found.values())


def is_alias(address: Address, *, resolver: Resolver) -> bool:
    """Whether virtual_alias_maps knows the address, which makes it a known recipient."""
    return bool(resolver.routes.virtual_aliases) and _look_up(address, resolver, propagate=False) is not None


def _look_up(address: Address, resolver: Resolver, *, propagate: bool) -> list[Address] | None:
    routes = resolver.routes
    is_local = resolver.classify(text_of(address.domain)) is AddressClass.LOCAL or (
        text_of(address.domain) == routes.myorigin.lower()
    )
    patterns = virtual_patterns(address, delimiters=routes.recipient_delimiter, is_local=is_local)
    for pattern, extension in patterns:
        value = find_first(routes.virtual_aliases, pattern, whole=not pattern.startswith("@"))
        if value is not None:
            return [
                _result(text, address, extension if propagate else "", resolver)
                for text in value.replace(",", " ").split()
            ]
    return None


def _result(text: str, address: Address, extension: str, resolver: Resolver) -> Address:
    octets = text.encode("utf-8", "surrogateescape")
    if octets.startswith(b"@"):
        return Address(address.local_part, octets[1:])
    result = resolver.complete(Address.from_internal(octets))
    if extension:
        return Address(result.local_part + extension.encode("utf-8", "surrogateescape"), result.domain)
    return result
