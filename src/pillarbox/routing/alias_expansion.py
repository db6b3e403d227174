"""Virtual aliases: one recipient becomes others, again and again, until none of them is an alias.

DESCRIPTION
    `expand()` looks an address up in virtual_alias_maps, and its results again.  The first result takes the place
    of the address, others come behind those that are there already.  An address may lead to itself: it stays, and
    is not looked up again.

FAULTS
    ExpansionFault  deeper than virtual_alias_recursion_limit, more than virtual_alias_expansion_limit, or an
                    address longer than virtual_alias_address_length_limit
    LookupFault     a table cannot answer

STANDARDS
    virtual(5)
"""

import msgspec

from pillarbox.routing.address_lookup import as_written
from pillarbox.routing.address_maps import AddressMaps, ExpansionFault
from pillarbox.vocabulary.address import Address


class AliasLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How far aliases may lead."""

    recursion: int = 1000  # virtual_alias_recursion_limit
    expansion: int = 1000  # virtual_alias_expansion_limit
    address_length: int = 1000  # virtual_alias_address_length_limit, octets


def expand(address: Address, aliases: AddressMaps, limits: AliasLimits) -> list[Address]:
    """The addresses that `address` stands for, in order; itself if it is no alias."""
    if not aliases:
        return [address]
    found = [address]
    final: set[bytes] = set()  # that lead to themselves
    at = 0
    while at < len(found):
        if len(found) > limits.expansion:
            raise _unreasonable(aliases, f"map expansion size for {as_written(address.internal)}")
        depth = 0
        while found[at].folded not in final:
            if depth >= limits.recursion:
                raise _unreasonable(aliases, f"map nesting for {as_written(address.internal)}")
            depth += 1
            current = found[at]
            results = aliases.map(current)
            if results is None:
                break
            for result in results:
                if len(result.internal) > limits.address_length:
                    raise _unreasonable(aliases, f"result {as_written(result.internal[:300])}...")
                if result.folded == current.folded:
                    final.add(current.folded)
            found[at] = results[0]
            found += results[1:]
        at += 1
    return found


def _unreasonable(aliases: AddressMaps, what: str) -> ExpansionFault:
    return ExpansionFault(f"unreasonable {aliases.title} {what}")
