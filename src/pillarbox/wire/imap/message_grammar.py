"""Commands about messages: FETCH, STORE, COPY, MOVE, EXPUNGE.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 3501 §6.4; RFC 4315 (UIDPLUS); RFC 6851 (MOVE); RFC 7162 §3.1 (CONDSTORE)
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.commands import CancelUpdate, Copy, Expunge, Fetch, Move, Store, StoreAction
from pillarbox.wire.imap.fetch_items import FetchItems, Item, Section, SectionPart, in_order
from pillarbox.wire.imap.flag_grammar import flag_list, flags_to_end
from pillarbox.wire.imap.partial_range import partial_range
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

_MACROS: Final = {
    b"ALL": (Item.FLAGS, Item.INTERNAL_DATE, Item.SIZE, Item.ENVELOPE),
    b"FAST": (Item.FLAGS, Item.INTERNAL_DATE, Item.SIZE),
    b"FULL": (Item.FLAGS, Item.INTERNAL_DATE, Item.SIZE, Item.ENVELOPE, Item.BODY),
}
_ITEMS: Final = {item.value: item for item in Item}
_PREVIEWS: Final = {b"PREVIEW": Item.FUZZY_PREVIEW, b"SNIPPET": Item.SNIPPET}
_BINARY: Final = (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE")
_RFC822: Final = {
    b"RFC822": Section(b"RFC822"),
    b"RFC822.HEADER": Section(b"RFC822.HEADER", part=SectionPart.HEADER, peek=True),
    b"RFC822.TEXT": Section(b"RFC822.TEXT", part=SectionPart.TEXT),
}
_PARTS: Final = {part.value: part for part in SectionPart if part is not SectionPart.ALL}
# An item's name ends before the "[" of a section.
_NAME: Final = re.compile(rb"[A-Za-z0-9.-]+")
_SECTION_NAME: Final = re.compile(rb"[A-Za-z0-9.]+")
_SECTION: Final = re.compile(rb"(?:([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:\.([A-Za-z][A-Za-z.]*))?|([A-Za-z.]+))?")
_NO_SECTION_NAME: Final = re.compile(rb"[^][(){}\"\x00-\x20\x7f-\xff]+\]")
_PREVIEW_MODIFIERS: Final = re.compile(rb" +\( *")
# Without a list, what follows may be modifiers of FETCH, or none.
_PREVIEW_MODIFIERS_ALONE: Final = re.compile(rb" +\((?! *(?:CHANGEDSINCE|\))) *")
_PARTIAL: Final = re.compile(rb"<([0-9]{1,19})(?:\.([0-9]{1,19}))?>")
_PARTIAL_NUMBERS: Final = re.compile(rb"[0-9]{1,19}\.[0-9]{1,19}(?![0-9])")
_PARTIAL_START: Final = re.compile(rb"[0-9]{1,19}\.")
_QUOTED_SPECIALS: Final = re.compile(rb'(["\\])')
MAX_SECTIONS: Final = 1000
MAX_REMEMBERED: Final = 512
"""Octets of arguments that are remembered as they were read, for all connections of a process."""
MAX_MODSEQ: Final = (1 << 63) - 1
"""RFC 7162 §7: mod-sequence-value"""
_STORE_ACTIONS: Final = {
    b"FLAGS": (StoreAction.REPLACE, False),
    b"+FLAGS": (StoreAction.ADD, False),
    b"-FLAGS": (StoreAction.REMOVE, False),
    b"FLAGS.SILENT": (StoreAction.REPLACE, True),
    b"+FLAGS.SILENT": (StoreAction.ADD, True),
    b"-FLAGS.SILENT": (StoreAction.REMOVE, True),
}


def fetch(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Fetch:
    """`fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att … ")")`"""
    messages = _messages(scanner, by_uid=by_uid)
    scanner.space_or("Invalid arguments")
    rest = scanner.rest
    if scanner.has_literals or len(rest) > MAX_REMEMBERED:
        return Fetch(tag, by_uid, messages, *_fetch_arguments(scanner, by_uid=by_uid))
    return Fetch(tag, by_uid, messages, *_remembered_arguments(rest, by_uid))


_FetchArguments = tuple[FetchItems, int | None, bool, tuple[int, int] | None, bool]
"""What is wanted, CHANGEDSINCE, VANISHED, PARTIAL, and whether UID is among what is named."""


@lru_cache(maxsize=64)
def _remembered_arguments(text: bytes, by_uid: bool) -> _FetchArguments:
    """Clients ask for the same of message after message."""
    return _fetch_arguments(Scanner([text]), by_uid=by_uid)


def _fetch_arguments(scanner: Scanner, *, by_uid: bool) -> _FetchArguments:
    """What stands behind the messages, to the end of the command."""
    items: dict[Item, None] = {}
    sections: list[Section] = []
    if scanner.take_open():
        _fetch_attributes(scanner, items, sections)
    else:
        _fetch_attribute(scanner, items, sections, macros=True)
    changed_since, vanished, partial = None, False, None
    if scanner.take_space() and not scanner.at_end:
        changed_since, vanished, partial = _fetch_modifiers(scanner, by_uid=by_uid)
    scanner.end()
    if changed_since is not None:  # RFC 7162 §3.1.4.1: MODSEQ comes with it
        items[Item.MODSEQ] = None
    names_uid = by_uid and Item.UID in items
    if by_uid:  # "UID MUST be in the answer of UID FETCH" (RFC 3501 §6.4.8); Dovecot gives it first.
        items = {Item.UID: None, **items}
    return FetchItems(in_order(items), tuple(sections)), changed_since, vanished, partial, names_uid


def _fetch_attributes(scanner: Scanner, items: dict[Item, None], sections: list[Section]) -> None:
    """`fetch-att *(SP fetch-att) ")"`, the bracket already taken"""
    if scanner.at_close():
        raise BadSyntax("FETCH list is empty")
    while True:
        _fetch_attribute(scanner, items, sections)
        if scanner.take_close():
            return
        scanner.space()


def fetch_list(scanner: Scanner) -> FetchItems:
    """`"(" fetch-att *(SP fetch-att) ")"` of NOTIFY and UPDATE (RFC 5465 §8), which has UID and marks nothing"""
    scanner.expect_open()
    items: dict[Item, None] = {Item.UID: None}
    sections: list[Section] = []
    _fetch_attributes(scanner, items, sections)
    peeked = tuple(msgspec.structs.replace(section, peek=True) for section in sections)
    return FetchItems(in_order(items), peeked)


def _fetch_modifiers(scanner: Scanner, *, by_uid: bool) -> tuple[int | None, bool, tuple[int, int] | None]:
    """`fetch-modifiers = "(" fetch-modifier *(SP fetch-modifier) ")"`  RFC 4466 §2.3

    `"CHANGEDSINCE" SP mod-sequence-valzer` (RFC 7162 §3.1.4.1), `"VANISHED"` (§3.2.6), `"PARTIAL" SP partial-range`
    (RFC 9394 §4)
    """
    scanner.expect_open()
    changed_since, vanished, partial = None, False, None
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        name = scanner.word(reason="FETCH modifiers contain non-atoms")
        if name == b"CHANGEDSINCE":
            scanner.space_or("Invalid CHANGEDSINCE modseq")
            changed_since = scanner.number(reason="Invalid CHANGEDSINCE modseq", maximum=MAX_MODSEQ)
        elif name == b"VANISHED" and by_uid:
            vanished = True
        elif name == b"PARTIAL" and by_uid and partial is None:
            partial = partial_range(scanner)
        else:
            raise BadSyntax("Unknown FETCH modifier")
    if vanished and changed_since is None:
        raise BadSyntax("VANISHED used without CHANGEDSINCE")
    return changed_since, vanished, partial


def store(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Store:
    """`store = "STORE" SP sequence-set [SP store-modifiers] SP store-att-flags`

    `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
    """
    messages = _messages(scanner, by_uid=by_uid)
    scanner.space_or("Invalid arguments")
    unchanged_since = _store_modifiers(scanner) if scanner.take_open() else None
    wanted = _STORE_ACTIONS.get(scanner.word())
    if wanted is None:
        raise BadSyntax("Invalid arguments")
    action, silent = wanted
    if not scanner.at_word_end:
        raise BadSyntax("Invalid arguments")
    scanner.take_space()
    if scanner.take_open():
        flags, keywords = flag_list(scanner)
        scanner.end()
    else:
        flags, keywords = flags_to_end(scanner)
    return Store(tag, by_uid, messages, action, silent, flags, keywords, unchanged_since)


def _store_modifiers(scanner: Scanner) -> int:
    """`store-modifiers = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP`  RFC 7162 §3.1.3"""
    if scanner.word(reason="STORE modifiers contain non-atoms") != b"UNCHANGEDSINCE":
        raise BadSyntax("Unknown STORE modifier")
    scanner.space_or("Invalid modseq")
    value = scanner.number(reason="Invalid modseq", maximum=MAX_MODSEQ)
    scanner.expect_close(reason="Unknown STORE modifier")
    scanner.space()
    return value


def copy(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Copy:
    """`copy = "COPY" SP sequence-set SP mailbox`"""
    messages, mailbox = _messages_and_mailbox(scanner, by_uid=by_uid)
    return Copy(tag, by_uid, messages, mailbox)


def move(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Move:
    """`move = "MOVE" SP sequence-set SP mailbox`"""
    messages, mailbox = _messages_and_mailbox(scanner, by_uid=by_uid)
    return Move(tag, by_uid, messages, mailbox)


def expunge(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Expunge:
    """`"EXPUNGE"`, `"UID" SP "EXPUNGE" SP sequence-set`"""
    if not by_uid:
        return Expunge(tag, None)
    if scanner.at_end:
        raise BadSyntax("Missing arguments")
    messages = _messages(scanner, by_uid=True)
    if not scanner.at_word_end:  # `9<9` is no set of which the beginning is to go
        raise BadSyntax("Invalid uidset")
    return Expunge(tag, messages)


def cancel_update(tag: bytes, scanner: Scanner) -> CancelUpdate:
    """`cancelupdate = "CANCELUPDATE" 1*(SP quoted)`"""
    tags: list[bytes] = []
    while scanner.take_space() and not scanner.at_end:
        tag_of_result = scanner.take_string()
        if tag_of_result is None or not scanner.at_word_end:
            raise BadSyntax("Invalid parameters")
        tags.append(tag_of_result)
    if not tags:
        raise BadSyntax("Invalid parameters")
    return CancelUpdate(tag, tuple(tags))


def _messages(scanner: Scanner, *, by_uid: bool) -> NumberSet:
    scanner.space_or("Invalid arguments")
    return scanner.sequence_set(reason="Invalid uidset" if by_uid else "Invalid messageset")


def _messages_and_mailbox(scanner: Scanner, *, by_uid: bool) -> tuple[NumberSet, str]:
    scanner.space()
    messages = scanner.sequence_set(reason="Invalid uidset" if by_uid else "Invalid messageset")
    scanner.space()
    mailbox = scanner.mailbox()
    scanner.end()
    return messages, mailbox


def _fetch_attribute(
    scanner: Scanner, items: dict[Item, None], sections: list[Section], *, macros: bool = False
) -> None:
    """`fetch-att`; macros cannot stand in a list (RFC 3501 §6.4.5)."""
    name = scanner.match(_NAME)
    if name is None:
        raise BadSyntax("FETCH list contains non-atoms" if not scanner.at_end else "Missing arguments")
    name = name.upper()
    if name in _PREVIEWS:
        items[_preview(scanner, name, in_list=not macros)] = None
        return
    if name in _BINARY:
        section = _binary(scanner, name)
    elif scanner.take(b"["):
        if name not in (b"BODY", b"BODY.PEEK"):
            raise BadSyntax(f"Unknown parameter: {name.decode('ascii')}[")
        section = _section(scanner, peek=name == b"BODY.PEEK")
    elif name in _RFC822:
        section = _RFC822[name]
    elif macros and name in _MACROS:
        items.update(dict.fromkeys(_MACROS[name]))
        return
    elif name in _ITEMS:
        items[_ITEMS[name]] = None
        return
    elif name == b"BODY.PEEK":
        raise BadSyntax("Invalid BODY[..] parameter: Missing '['")
    else:
        colon = "" if name.startswith(b"RFC822.") else ":"
        raise BadSyntax(f"Unknown parameter{colon} {name.decode('ascii')}")
    if name not in _RFC822 or section not in sections:
        sections.append(section)
    if len(sections) > MAX_SECTIONS:
        raise BadSyntax("Too many sections")


def read_section(spec: bytes) -> Section:
    """`section-spec` alone, as it stands in a URL.  Raises BadSyntax."""
    scanner = Scanner([spec + b"]"])
    section = _section(scanner, peek=True)
    scanner.end()
    return section


def _preview(scanner: Scanner, name: bytes, *, in_list: bool) -> Item:
    """`"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]`  RFC 8970 §5

    Quirk: FUZZY, which its drafts had, gives `PREVIEW (FUZZY "text")`, and SNIPPET is that under another name.
    """
    plain = Item.PREVIEW if name == b"PREVIEW" else Item.SNIPPET
    if scanner.match(_PREVIEW_MODIFIERS if in_list else _PREVIEW_MODIFIERS_ALONE) is None:
        return plain
    item = plain
    while True:
        modifier = scanner.atom(reason="FETCH list contains non-atoms")
        if modifier.upper() in (b"FUZZY", b"LAZY=FUZZY"):
            item = _PREVIEWS[name]
        elif modifier.upper() != b"LAZY":
            text = modifier.decode("ascii")
            raise BadSyntax(f"'{text}' is not a supported {name.decode('ascii')} modifier")
        if scanner.take_close():
            return item
        scanner.space()


def _binary(scanner: Scanner, name: bytes) -> Section:
    """`"BINARY" [".PEEK"] section-binary [partial]`, `"BINARY.SIZE" section-binary`  RFC 3516 §7

    Quirk: Dovecot has BINARY[1.MIME] and its kin, too, which say what BODY[1.MIME] says.
    """
    scanner.expect(b"[", reason="Invalid BINARY[..] parameter: Missing '['")
    only_size = name == b"BINARY.SIZE"
    peek = name != b"BINARY"
    section = _section(scanner, peek=peek, item=name if only_size else b"BINARY")
    partial = None if only_size else section.partial
    return msgspec.structs.replace(section, partial=partial, decoded=True, only_size=only_size)


def _section(scanner: Scanner, *, peek: bool, item: bytes = b"BODY") -> Section:
    """`section = "[" [section-spec] "]"` and the partial behind it, the bracket already taken"""
    spec = scanner.match(_SECTION_NAME) or b""
    match = _SECTION.fullmatch(spec)
    unknown = BadSyntax(f"Invalid {'BODY' if item == b'BODY' else 'BINARY'}[..] section")
    if match is None or scanner.match(_NO_SECTION_NAME) is not None:
        raise unknown
    path = tuple(decimal(number) for number in match[1].split(b".")) if match[1] else ()
    name = match[2] or match[3]
    part = _PARTS.get(name.upper()) if name else SectionPart.ALL
    # MIME "MUST be prefixed by one or more numeric part specifiers" (RFC 3501 §6.4.5)
    if part is None or 0 in path or (part is SectionPart.MIME and not path):
        raise unknown
    fields: tuple[bytes, ...] = ()
    label = spec.upper()
    if part in (SectionPart.HEADER_FIELDS, SectionPart.HEADER_FIELDS_NOT):
        fields, written = _header_list(scanner)
        label = b"%s (%s)" % (label, written)
    scanner.expect(b"]", reason="Invalid BODY[..] parameter: Missing ']'")
    return Section(b"%b[%b]" % (item, label), path, part, fields=fields, partial=_partial(scanner), peek=peek)


def _partial(scanner: Scanner) -> tuple[int, int] | None:
    """`["<" number "." nz-number ">"]`: first octet and number of octets"""
    partial = None
    if (range_text := scanner.match(_PARTIAL)) is not None:
        first, _, count = range_text[1:-1].partition(b".")
        # Quirk: `<0>` is all from there on, for Dovecot.
        partial = (decimal(first), decimal(count) if count else MAX_MODSEQ)
    elif scanner.take(b"<"):
        if scanner.match(_PARTIAL_NUMBERS) is not None:
            raise BadSyntax("Invalid BODY[..] parameter: Missing '>' in partial")
        place = "end" if scanner.match(_PARTIAL_START) is not None else "start"
        raise BadSyntax(f"Invalid BODY[..] parameter: Too big partial {place}")
    if not (scanner.at_word_end or scanner.at(b")")):
        last = "]" if partial is None else ">"
        raise BadSyntax(f"Invalid BODY[..] parameter: Unexpected data after '{last}'")
    return partial


def _header_list(scanner: Scanner) -> tuple[tuple[bytes, ...], bytes]:
    """`header-list = "(" header-fld-name *(SP header-fld-name) ")"`: the names, and how to write them again

    The answer names the fields in capitals, each in the form (atom or quoted) that the client chose.
    """
    if not scanner.take_space() or not scanner.take_open():
        raise BadSyntax("Invalid BODY[..] section")
    fields: list[bytes] = []
    written: list[bytes] = []
    while not scanner.take_close():
        if fields:
            scanner.space()
        name = scanner.take_string()
        if name is None:
            name = scanner.astring()
            written.append(name.upper())
        elif any(octet < 0x20 or octet >= 0x7F for octet in name):
            raise BadSyntax("Invalid BODY[..] parameter: Invalid header name")
        else:  # header-fld-name = astring, even if no field is called so
            written.append(b'"%s"' % _QUOTED_SPECIALS.sub(rb"\\\1", name.upper()))
        fields.append(name)
    if not fields:
        raise BadSyntax("Invalid BODY[..] section")
    return tuple(fields), b" ".join(written)
