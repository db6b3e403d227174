"""How an address is looked up: the patterns of an address, most specific first, in all tables in turn.

DESCRIPTION
    Each pattern is tried in all tables before the next pattern, and an address that needs quotes first with them,
    then without; canonical(5), virtual(5) and generic(5) are asked with quotes only.  Tables without partial keys
    (static, regular expressions) are asked for the whole address only.

STANDARDS
    virtual(5), canonical(5): user+extension@domain, user@domain, user+extension, user, @domain
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address

_PLAIN: Final = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*")
"""Local parts that need no quotes."""


def as_written(octets: bytes) -> str:
    """An address part as text."""
    return octets.decode("utf-8", "surrogateescape")


def text_of(octets: bytes) -> str:
    """An address part in lower case."""
    return as_written(octets).lower()


def without_extension(local_part: str, delimiters: str) -> tuple[str, str]:
    """The user and the extension with its delimiter: (`me`, `+x`) of `me+x`; no extension is empty.

    Addresses that belong to the mail system itself are never split (recipient_delimiter), nor, where `-` delimits,
    owner-x and x-request.
    """
    if not delimiters:
        return local_part, ""
    lower = local_part.lower()
    if lower in ("mailer-daemon", "double-bounce", "postmaster"):
        return local_part, ""
    if "-" in delimiters and (lower.startswith("owner-") or lower[1:].endswith("-request")):
        return local_part, ""
    cut = min((at for at in map(local_part.find, delimiters) if at > 0), default=-1)
    return (local_part, "") if cut < 0 else (local_part[:cut], local_part[cut:])


def written_forms(
    local_part: str, domain: str | None = None, *, quoted_only: bool = False
) -> tuple[str, ...]:
    """The keys of an address or of a user alone (no domain): with the quotes that it needs, and without."""
    bare = local_part if domain is None else f"{local_part}@{domain}"
    if _PLAIN.fullmatch(local_part) is not None:
        return (bare,)
    octets = local_part.encode("utf-8", "surrogateescape")
    quoted = as_written(Address(octets, b"").external if octets else b'""')
    external = quoted if domain is None else f"{quoted}@{domain}"
    return (external,) if quoted_only or external == bare else (external, bare)


def find_first(tables: Sequence[LookupTable], key: str, *, whole: bool = True) -> str | None:
    """The first answer to a key; `whole` says that it is a full address, which every table takes.  LookupFault."""
    for table in tables:
        if not (whole or table.partial_keys):
            continue
        try:
            value = table.query(key)
        except LookupFault as fault:
            detail = f": {fault.detail}" if fault.detail else ""
            fault.table = table.name
            fault.reason = f'{table.name} lookup error for "{key}"{detail}'
            raise
        if value is not None:
            return value
    return None


def virtual_patterns(
    address: Address, *, delimiters: str, is_local: Callable[[], bool], quoted_only: bool = False
) -> Iterator[tuple[str, str, bool]]:
    """(pattern, unmatched extension, whether it is a whole address) in virtual(5)'s order.

    `is_local`: the bare user counts too; it is asked only if what comes before has not been found.  As written:
    tables of fixed strings fold their keys, regular expressions see the case.
    """
    local_part, domain = as_written(address.local_part), as_written(address.domain)
    site = domain or None
    for key in written_forms(local_part, site, quoted_only=quoted_only):
        yield key, "", True
    at = "@" if not domain and local_part.endswith("@") else ""  # `user+extension@`
    user, extension = without_extension(local_part.removesuffix(at), delimiters)
    if extension:
        for key in written_forms(user + at, site, quoted_only=quoted_only):
            yield key, extension, False
    if not domain:
        return
    if is_local():
        for key in written_forms(local_part, quoted_only=quoted_only):
            yield key, "", False
        if extension:
            for key in written_forms(user, quoted_only=quoted_only):
                yield key, extension, False
    yield f"@{domain}", "", False
