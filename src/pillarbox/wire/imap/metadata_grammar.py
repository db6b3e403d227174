"""GETMETADATA and SETMETADATA: annotations of mailboxes and of the account.

FAULTS
    BadSyntax, Refusal  as `scanner` says; the texts are Dovecot's.

STANDARDS
    RFC 5464 §4.2, §4.3, §5 (formal syntax)
"""

import re
from typing import Final

from pillarbox.wire.imap.commands import GetMetadata, SetMetadata
from pillarbox.wire.imap.scanner import BadSyntax, Scanner, decode_mailbox

INFINITY: Final = 1 << 31
MAX_ENTRIES: Final = 1000
"""Entries of one command."""
MAX_NAME: Final = 255
"""Octets of an entry's name."""
_WORD: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff"]+')
_OPTIONS: Final = (b"DEPTH", b"MAXSIZE")
_DEPTHS: Final = {b"0": 0, b"1": 1, b"INFINITY": INFINITY}


def set_metadata(tag: bytes, scanner: Scanner) -> SetMetadata:
    """`setmetadata = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"`"""
    scanner.space_or("Invalid arguments")
    mailbox = scanner.mailbox()
    scanner.space_or("Invalid arguments")
    scanner.expect_open()
    changes: list[tuple[str, bytes | None]] = []
    while not scanner.take_close():
        if changes:
            scanner.space()
        entry = _entry(scanner)
        scanner.space_or("Entry value missing")
        # `value = nstring / literal8`.  Quirk: an atom is taken as a string, as Dovecot does.
        changes.append((entry, None if scanner.take_word(b"NIL") else scanner.astring()))
        if len(changes) > MAX_ENTRIES:
            raise BadSyntax("Too many entries")
    scanner.end()
    return SetMetadata(tag, mailbox, tuple(changes))


def get_metadata(tag: bytes, scanner: Scanner) -> GetMetadata:
    """`getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`

    Quirk: the RFC's own examples have the options behind the mailbox, which is taken, too.
    """
    scanner.space_or("Invalid arguments")
    options: tuple[int, int | None] | None = None
    if scanner.take_open():
        options = _options(scanner)
        scanner.space_or("Invalid arguments")
    mailbox = decode_mailbox(scanner.list_mailbox(), utf8=scanner.utf8_names)
    scanner.space_or("Invalid arguments")
    opened = scanner.take_open()
    if opened and options is None and scanner.next_atom.upper() in _OPTIONS:
        options = _options(scanner)
        scanner.space_or("Invalid arguments")
        opened = scanner.take_open()
    entries = entry_list(scanner) if opened else (_entry(scanner),)
    depth, max_size = options or (0, None)
    scanner.end()
    return GetMetadata(tag, mailbox, entries, depth, max_size)


def entry_list(scanner: Scanner) -> tuple[str, ...]:
    """`entry *(SP entry) ")"`, the bracket already taken"""
    entries: list[str] = []
    while not scanner.take_close():
        if entries:
            scanner.space()
        entries.append(_entry(scanner))
        if len(entries) > MAX_ENTRIES:
            raise BadSyntax("Too many entries")
    return tuple(entries)


def _options(scanner: Scanner) -> tuple[int, int | None]:
    """`getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"`, the bracket already taken"""
    depth, max_size = 0, None
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        name = scanner.word(reason="Unknown option")
        if name == b"MAXSIZE":
            scanner.space_or("Invalid value for MAXSIZE option")
            max_size = scanner.number(reason="Invalid value for MAXSIZE option")
        elif name == b"DEPTH":
            scanner.space_or("Invalid value for DEPTH option")
            known = _DEPTHS.get(scanner.word(reason="Invalid value for DEPTH option"))
            if known is None:
                raise BadSyntax("Invalid value for DEPTH option")
            depth = known
        else:
            raise BadSyntax("Unknown option")
    return depth, max_size


def _entry(scanner: Scanner) -> str:
    """`entry = astring`: "slash-separated path to entry.  MUST NOT contain "*" or "%"", in small letters"""
    text = scanner.take_string()
    if text is None:  # Quirk: what an atom may not have is taken, to say what is wrong with it
        text = scanner.match(_WORD)
    if text is None:
        raise BadSyntax("Entry isn't astring")
    fault = entry_fault(text)
    if fault:
        raise BadSyntax(fault)
    return text.decode("utf-8").lower()


def entry_fault(name: bytes) -> str:
    """What is wrong with the name of an entry; "" if nothing is.  RFC 5464 §3.2"""
    if not name.startswith(b"/"):
        return "Entry name must begin with '/'"
    for found in (b"*", b"%"):
        if found in name:
            return f"Entry name can't contain '{found.decode('ascii')}'"
    if b"//" in name:
        return "Entry name can't contain consecutive '/'"
    if name.endswith(b"/"):
        return "Entry name can't end with '/'"
    if any(octet < 0x20 or octet == 0x7F for octet in name):
        return "Entry name can't contain control chars"
    if not name.isascii():
        return "Entry name can't contain 8bit chars"
    if name.split(b"/")[1].lower() not in (b"private", b"shared"):
        return "Entry name must begin with /private or /shared"
    return "" if len(name) <= MAX_NAME else "Entry name is too long"
