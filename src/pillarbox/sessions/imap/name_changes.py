"""What has become of the mailboxes of an account: which have come, gone, or got another name.

DESCRIPTION
    Two looks at the names and GUIDs are compared.  Of a mailbox that was renamed with what is below it, its own new
    name says all.  The mailbox above one that has come or gone is changed, too: it has children or not.

STANDARDS
    RFC 5465 §5.4 (MailboxName)
"""

from collections.abc import Container, Iterable, Iterator, Mapping

import msgspec


class NameChange(msgspec.Struct, frozen=True):
    """A name that is new, gone, or means something else; with `old_name` the mailbox was renamed."""

    name: str
    old_name: str = ""


class OwnChanges(msgspec.Struct):
    """What a client has done itself, and so need not be told (RFC 5465 §5).

    `names`: what it has made, deleted (False) or renamed; `subscriptions`: whether it has subscribed.
    """

    names: list[tuple[NameChange, bool]] = []
    subscriptions: dict[str, bool] = {}

    def has(self, change: NameChange, now: Container[str]) -> bool:
        """Whether that is what it did, and how things are because of it."""
        return any(
            (own == change or _is_below(change, own)) and (change.name in now) is exists
            for own, exists in self.names
        )


def _is_below(change: NameChange, other: NameChange) -> bool:
    """Whether a mailbox was renamed with one above it."""
    if not (other.old_name and change.old_name.startswith(other.old_name)):
        return False
    return change.name == other.name + change.old_name[len(other.old_name) :]


def parents(name: str, separator: str) -> Iterator[str]:
    """All names above a mailbox, the nearest first."""
    above = name.rpartition(separator)[0]
    while above:
        yield above
        above = above.rpartition(separator)[0]


def name_changes(
    before: Mapping[str, bytes], now: Mapping[str, bytes], separator: str
) -> Iterator[NameChange]:
    """What has happened, each name once; the arguments are names → GUIDs, b"" where there is none yet."""
    gone = [name for name in before if name not in now]
    come = [name for name, guid in now.items() if before.get(name) not in (guid, b"")]
    by_guid = {before[name]: name for name in (*gone, *come) if before.get(name)}
    old_names = {name: old for name in come if (old := by_guid.get(now[name])) is not None}
    carried = _carried(gone, before, now, {old: name for name, old in old_names.items()}, separator)
    silent = {*carried, *carried.values(), *(old for old in old_names.values() if old not in now)}
    told = {*come, *gone}
    for name in (*come, *gone):
        old = old_names.get(name, "")
        if name in silent:
            continue
        above = name.rpartition(separator)[0]
        if above and not old and above not in told:
            told.add(above)
            yield NameChange(above)
        yield NameChange(name, old)


def _carried(
    gone: Iterable[str],
    before: Mapping[str, bytes],
    now: Mapping[str, bytes],
    renamed: Mapping[str, str],
    separator: str,
) -> dict[str, str]:
    """Old and new name of what was renamed because something above it was."""
    found: dict[str, str] = {}
    for old in gone if renamed else ():
        above = next((above for above in parents(old, separator) if above in renamed), "")
        new = renamed[above] + old[len(above) :] if above else ""
        if new in now and new not in before and (b"" in (now[new], before[old]) or now[new] == before[old]):
            found[old] = new
    return found
