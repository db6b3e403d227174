"""What plugin { } says of lazy_expunge: where expunged messages go instead of going for good.

STANDARDS
    Dovecot 2.3, Plugins.LazyExpunge
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import MailboxDefinition
from pillarbox.vocabulary.wildcards import mask_pattern

EXCLUDE: Final = "lazy_expunge_exclude"
"""The setting, behind which others have numbers from 2 on."""
_NO: Final = ("0", "n", "f")


class LazyExpungeSettings(msgspec.Struct, frozen=True):
    """Of one user, variables expanded."""

    destination: str
    """A mailbox, or the prefix of a namespace whose mailboxes have the names of those that messages come from."""
    only_last_instance: bool = False
    """Whether a message of which another copy is left (a hard link of its file) goes for good."""
    excluded: tuple[str, ...] = ()
    """Mailboxes whose messages go for good: names with `*` and `?`, or special uses (`\\Junk`)."""


def lazy_expunge_settings(plugin: Mapping[str, str]) -> LazyExpungeSettings | None:
    """None without a destination: the plugin does nothing then."""
    destination = plugin.get("lazy_expunge", "")
    if not destination:
        return None
    excluded = []
    key, number = EXCLUDE, 1
    while plugin.get(
        key
    ):  # lazy_expunge_exclude, lazy_expunge_exclude2, and so on up to the first that is missing
        excluded.append(plugin[key])
        number += 1
        key = f"{EXCLUDE}{number}"
    last = plugin.get("lazy_expunge_only_last_instance", "").lower()
    return LazyExpungeSettings(destination, bool(last) and not last.startswith(_NO), tuple(excluded))


def exclusion(
    patterns: tuple[str, ...], mailboxes: tuple[MailboxDefinition, ...], public_name: Callable[[str], str]
) -> Callable[[str], bool]:
    """Whether a mailbox, by the store's name, is one of those that `patterns` name as clients do."""
    uses = {one.lower() for one in patterns if one.startswith("\\")}
    names = {one.name for one in mailboxes if not uses.isdisjoint(use.lower() for use in one.special_use)}
    matches = [mask_pattern(one).fullmatch for one in patterns if not one.startswith("\\")]

    def is_excluded(name: str) -> bool:
        return name in names or any(match(public_name(name)) for match in matches)

    return is_excluded
