"""Flags in APPEND and STORE.

STANDARDS
    RFC 3501 §2.3.2, §9 (flag, flag-list)
"""

from typing import Final

from pillarbox.vocabulary.flags import IMAP_NAMES, Flag
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner

SYSTEM_FLAGS: Final = {name.upper(): flag for name, flag in IMAP_NAMES}
MAX_KEYWORD: Final = 50
"""Octets of a keyword (Dovecot's mail_max_keyword_length)."""


def flag_list(scanner: Scanner) -> tuple[Flag, tuple[bytes, ...]]:
    """`flag-list = "(" [flag *(SP flag)] ")"`, the parenthesis already taken"""
    flags = Flag.NONE
    keywords: dict[bytes, bytes] = {}
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        flags = _flag(scanner, flags, keywords)
    return flags, tuple(keywords.values())


def flags_to_end(scanner: Scanner) -> tuple[Flag, tuple[bytes, ...]]:
    """`flag *(SP flag)`, up to the end of the command; none is taken too, as Dovecot does"""
    flags = Flag.NONE
    keywords: dict[bytes, bytes] = {}
    while not scanner.at_end:
        flags = _flag(scanner, flags, keywords)
        scanner.take_space()
    return flags, tuple(keywords.values())


def _flag(scanner: Scanner, flags: Flag, keywords: dict[bytes, bytes]) -> Flag:
    name = scanner.take_flag()
    if name is None:
        raise BadSyntax("Flags list contains non-atoms")
    if name.startswith(b"\\"):
        flag = SYSTEM_FLAGS.get(name.upper())
        if flag is None:
            raise BadSyntax(f"Invalid system flag {name.upper().decode('ascii')}")
        return flags | flag
    if len(name) > MAX_KEYWORD:
        raise Refusal("[CANNOT] Keyword length too long")
    if any(special in name for special in (b"*", b"%", b"]", b"\\")):  # RFC 3501 §9: flag-keyword = atom
        raise Refusal("[CANNOT] Invalid characters in keyword")
    # Keywords are case-insensitive; the spelling of the first is kept.
    keywords.setdefault(name.lower(), name)
    return flags
