"""How an address is looked up: the patterns of an address, most specific first, in all tables in turn.

DESCRIPTION
    Each pattern is tried in all tables before the next pattern.  Tables without partial keys (static, regular
    expressions) are asked for the whole address only.

STANDARDS
    virtual(5), canonical(5): user+extension@domain, user@domain, user+extension, user, @domain
"""

from collections.abc import Iterator, Sequence

from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.address import Address


def as_written(octets: bytes) -> str:
    """An address part as text."""
    return octets.decode("utf-8", "surrogateescape")


def text_of(octets: bytes) -> str:
    """An address part in lower case."""
    return as_written(octets).lower()


def without_extension(local_part: str, delimiters: str) -> tuple[str, str]:
    """The user and the extension with its delimiter: (`me`, `+x`) of `me+x`; no extension is empty.

    Addresses that belong to the mail system itself are never split (recipient_delimiter).
    """
    if not delimiters:
        return local_part, ""
    if local_part in ("mailer-daemon", "double-bounce", "postmaster") or local_part.startswith("owner-"):
        return local_part, ""
    cut = min((at for at in map(local_part.find, delimiters) if at > 0), default=-1)
    return (local_part, "") if cut < 0 else (local_part[:cut], local_part[cut:])


def find_first(tables: Sequence[LookupTable], key: str, *, whole: bool = True) -> str | None:
    """The first answer to a key; `whole` says that it is a full address, which every table takes."""
    for table in tables:
        if (whole or table.partial_keys) and (value := table.query(key)) is not None:
            return value
    return None


def whole_pattern(address: Address) -> str:
    """The first of `virtual_patterns()`, which is all that most lookups need."""
    return f"{as_written(address.local_part)}@{as_written(address.domain)}"


def virtual_patterns(address: Address, *, delimiters: str, is_local: bool) -> Iterator[tuple[str, str]]:
    """(pattern, unmatched extension) in virtual(5)'s order; `is_local`: the bare user counts too.

    As written: tables of fixed strings fold their keys, regular expressions see the case.
    """
    local_part, domain = as_written(address.local_part), as_written(address.domain)
    user, extension = without_extension(local_part, delimiters)
    yield whole_pattern(address), ""
    if extension:
        yield f"{user}@{domain}", extension
    if is_local:
        yield local_part, ""
        if extension:
            yield user, extension
    yield f"@{domain}", ""
