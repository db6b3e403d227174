"""local_login_sender_maps: which envelope senders a user may give to sendmail(1).

DESCRIPTION
    The tables are asked with the login name, or `uid:NUMBER` of a user without one.  What they say is a list of
    senders: addresses in quoted form, @domain, `<>` for the null sender, and `*` for any.  The address's extension
    does not count.
    Root and the mail system's own user are no exceptions.

FAULTS
    ConfigurationFault  at open: a table that cannot be opened
    LookupFault         a table that cannot answer

STANDARDS
    postconf(5): local_login_sender_maps, empty_address_local_login_sender_maps_lookup_key
"""

import pwd
import re
from collections.abc import Sequence
from typing import Final

from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_submission import LocalSubmission
from pillarbox.config.snapshot import Snapshot
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock

_ANYBODY: Final = "static:*"
_ITEM: Final = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^\s,"])+')
"""Blanks and commas between quotes are part of it."""


class AuthorizedSenders:
    """The tables, opened."""

    def __init__(self, tables: Sequence[LookupTable] | None, *, null_sender: str, delimiters: str) -> None:
        """`tables`: None if everybody may send as anybody."""
        self._tables = tables
        self._null_sender = null_sender
        self._delimiters = delimiters

    @classmethod
    def of(cls, snapshot: Snapshot, *, clock: Clock) -> "AuthorizedSenders":
        """By main.cf."""
        settings = snapshot.group(LocalSubmission)
        names, parameter = settings.local_login_sender_maps, "local_login_sender_maps"
        where = snapshot.place_of(parameter)
        return cls(
            None if names == (_ANYBODY,) else open_tables(names, where=where, clock=clock),
            null_sender=settings.empty_address_local_login_sender_maps_lookup_key,
            delimiters=snapshot.group(Identity).recipient_delimiter,
        )

    def objection(self, uid: int, sender: bytes) -> str:
        """Why a user may not send as this (internal form); empty if he may."""
        if self._tables is None:
            return ""
        address = sender.decode("utf-8", "surrogateescape")
        wanted = {"*", *self._patterns(address)}
        name = _login_name(uid)
        found = next((value for table in self._tables if (value := table.query(name)) is not None), "")
        if any(pattern.lower() in wanted for pattern in _ITEM.findall(found)):
            return ""
        return f"not authorized to use sender='{address}'"

    def _patterns(self, address: str) -> tuple[str, ...]:
        address = address.lower()
        if not address:
            return (self._null_sender.lower(),)
        user, at, domain = address.rpartition("@")
        if not at:
            user, domain = address, ""
        ends = [place for mark in self._delimiters if (place := user.find(mark)) > 0]
        if ends:
            user = user[: min(ends)]
        external = Address.from_internal(f"{user}{at}{domain}".encode("utf-8", "surrogateescape")).external
        written = external.decode("utf-8", "surrogateescape")
        return (written, f"@{domain}") if at else (written,)


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
