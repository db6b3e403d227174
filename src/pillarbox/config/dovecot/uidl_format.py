"""pop3_uidl_format: what a message's unique id in POP3 is made of.

DESCRIPTION
    `%v` UIDVALIDITY, `%u` UID, `%f` base name of the file, `%g` GUID, with the modifiers and filters of other
    variables: `%08Xu%08Xv` is Dovecot's own, `%v.%u` that of its first releases, `%f` Courier's.

FAULTS
    ValueError  of `check`

STANDARDS
    RFC 1939 §7 (UIDL: one to seventy printable characters); Dovecot 2.3, pop3_uidl_format
"""

from collections.abc import Mapping
from typing import Final

from pillarbox.config.dovecot import variables

_LETTERS: Final = {"v": "uidvalidity", "u": "uid", "m": "md5", "f": "filename", "g": "guid"}
_LENGTHS: Final = {"uid": 19, "uidvalidity": 19}
"""Of values that are numbers, in digits."""


def expand(text: str, values: Mapping[str, str]) -> str:
    """The unique id of a message; `values`: uidvalidity, uid, filename, guid."""
    return variables.expand(text, values, letters=_LETTERS)


def check(text: str) -> None:
    """ValueError unless unique ids of messages in Maildirs can be made of it."""
    values, others = ({name: digit * _LENGTHS.get(name, 32) for name in _LETTERS.values()} for digit in "12")
    made = expand(text, values)
    if made == expand(text, others):
        raise ValueError("there is no variable in it, so all messages would be one")
    if made != expand(text, values | {"md5": "2" * 32}):
        raise ValueError("%m is a digest that mbox files have, and Maildirs have not")
