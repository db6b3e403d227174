"""Clients that want to hear and say UIDs only: which of their commands have message numbers nevertheless.

STANDARDS
    RFC 9586 (UIDONLY)
"""

from typing import Final

from pillarbox.wire.imap import commands
from pillarbox.wire.imap.commands import Command
from pillarbox.wire.imap.search_keys import And, Not, Numbers, Or, SearchKey

REFUSAL: Final = b"[UIDREQUIRED] Message numbers are not allowed once UIDONLY is enabled"


def has_numbers(command: Command) -> bool:
    """Whether a command has message numbers, or would be answered by some."""
    match command:
        case commands.Fetch() | commands.Store() | commands.Copy() | commands.Move() | commands.Replace():
            return not command.by_uid
        case commands.Search() | commands.Sort() | commands.Thread():
            return not command.by_uid or _names_numbers(command.key)
        case commands.Select() | commands.Examine():
            return command.known is not None and bool(command.known.matches)
        case _:
            return False


def _names_numbers(key: SearchKey) -> bool:
    match key:
        case Numbers(numbers):
            return not numbers.saved  # `$` is what a search has found
        case And(keys):
            return any(map(_names_numbers, keys))
        case Or(left, right):
            return _names_numbers(left) or _names_numbers(right)
        case Not(inner):
            return _names_numbers(inner)
        case _:
            return False
