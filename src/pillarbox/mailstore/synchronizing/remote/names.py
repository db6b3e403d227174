"""Names of mailboxes as dsync has them: their levels, with the namespace's prefix.

DESCRIPTION
    A level that a directory here cannot be called gets another character in its place, as Dovecot's
    dsync_alt_char says, so that a name is the same whenever it comes again.
"""

from pillarbox.mailstore.mailbox_names import INBOX, SEPARATOR
from pillarbox.wire.dsync.fields import DsyncFault, divide, join


class LevelNames:
    """Names of one namespace."""

    def __init__(self, prefix: str, separator: str, *, forbidden: str, replacement: str = "_") -> None:
        """`forbidden`: characters that no level of a name here may have."""
        self.separator = separator
        self.replacement = replacement
        self._prefix = prefix.removesuffix(separator).split(separator) if prefix else []
        self._forbidden = frozenset(forbidden + SEPARATOR)

    def to_value(self, name: str) -> bytes:
        """`INBOX<TAB>Lists` for `Lists`, where the prefix is `INBOX.`"""
        return join([level.encode("utf-8") for level in self._levels(name)])

    def public(self, name: str, separator: str = "") -> str:
        """The whole name as clients have it, perhaps with another separator."""
        return (separator or self.separator).join(self._levels(name))

    def _levels(self, name: str) -> list[str]:
        return [INBOX] if name == INBOX else [*self._prefix, *name.split(SEPARATOR)]

    def of_value(self, value: bytes) -> str | None:
        """The store's name; None for the prefix itself, which is no mailbox.  DsyncFault."""
        levels = [level.decode("utf-8", "replace") for level in divide(value)]
        if not levels:
            raise DsyncFault("Empty name")
        if levels == [INBOX]:
            return INBOX
        if self._prefix:
            if levels == self._prefix:
                return None
            if levels[: len(self._prefix)] != self._prefix:
                raise DsyncFault(f"Couldn't find namespace for mailbox {self.separator.join(levels)}")
            levels = levels[len(self._prefix) :]
        return SEPARATOR.join(map(self._allowed, levels))

    def _allowed(self, level: str) -> str:
        plain = "".join(
            self.replacement if letter in self._forbidden or letter < " " else letter for letter in level
        )
        return f"_{plain}" if plain in ("", ".", "..", "cur", "new", "tmp") else plain
