"""dovecot-acl, the access list of a mailbox: who may do what, and what that comes to for a user.

DESCRIPTION
        anyone lr
        user=me lrwstipekxa
        -user=you ws
        "group=two words" l

    An identifier and letters; with `-` before it, rights that are taken away.  A file for all mailboxes has a
    mailbox's name, which may have `*` and `?`, in front of each line.

    For a user the entries that concern him count in this order: anyone, authenticated, group, owner, user,
    group-override.  Each replaces what those before it gave; of one kind all count together.  The same goes for
    what is taken away, which is taken from what is given in the end.

FAULTS
    AclFault  a line that makes no sense, with its number

STANDARDS
    RFC 4314 §2.1 (rights); Dovecot 2.3, ACL (vfile)
"""

import re
from collections.abc import Collection, Iterable
from enum import Flag, IntEnum
from typing import Final

import msgspec

FILE_NAME: Final = b"dovecot-acl"
MAX_FILE: Final = 1 << 20


class AclFault(ValueError):
    """An access list that makes no sense."""


class Rights(Flag):
    """RFC 4314 §2.1."""

    NONE = 0
    LOOKUP = 1
    READ = 2
    WRITE = 4
    WRITE_SEEN = 8
    WRITE_DELETED = 16
    INSERT = 32
    POST = 64
    EXPUNGE = 128
    CREATE = 256
    DELETE = 512
    ADMIN = 1024


ALL: Final = Rights(2047)
LETTERS: Final = {
    "l": Rights.LOOKUP, "r": Rights.READ, "w": Rights.WRITE, "s": Rights.WRITE_SEEN, "t": Rights.WRITE_DELETED,
    "i": Rights.INSERT, "p": Rights.POST, "e": Rights.EXPUNGE, "k": Rights.CREATE, "x": Rights.DELETE,
    "a": Rights.ADMIN,
}  # fmt: skip
"""In the order of RFC 4314."""
_BY_NAME: Final = "akxeilprwts"
"""In the order of the rights' names, as Dovecot writes them."""
_OBSOLETE: Final = {"c": Rights.CREATE | Rights.DELETE, "d": Rights.EXPUNGE | Rights.WRITE_DELETED}
"""RFC 4314 §2.1.1, which has `x` with one of them: with `c`, as in Dovecot."""


class Kind(IntEnum):
    """Of identifiers, in the order in which they count."""

    ANYONE = 0
    AUTHENTICATED = 1
    GROUP = 2
    OWNER = 3
    USER = 4
    GROUP_OVERRIDE = 5


class Identifier(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Whom an entry concerns."""

    kind: int
    name: str = ""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What an identifier may do, and what not; None: nothing is said of it."""

    who: Identifier
    given: Rights | None = None
    taken: Rights | None = None


_PREFIXES: Final = {"user=": Kind.USER, "group=": Kind.GROUP, "group-override=": Kind.GROUP_OVERRIDE}
_WORDS: Final = {
    "anonymous": Kind.ANYONE,
    "anyone": Kind.ANYONE,
    "authenticated": Kind.AUTHENTICATED,
    "owner": Kind.OWNER,
}
_LINE_ENDS: Final = frozenset("\n\r\0")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s+|$)')


def rights_of(letters: str) -> Rights:
    """ValueError with the letter that is none."""
    rights = Rights.NONE
    for letter in letters:
        known = LETTERS.get(letter) or _OBSOLETE.get(letter)
        if known is None:
            raise ValueError(letter)
        rights |= known
    return rights


def letters_of(rights: Rights, *, by_name: bool = False) -> str:
    """The letters, in the order of RFC 4314 or, `by_name`, in Dovecot's."""
    order = _BY_NAME if by_name else LETTERS
    return "".join(letter for letter in order if LETTERS[letter] in rights)


def for_client(rights: Rights, *, by_name: bool = False) -> str:
    """The letters, with the obsolete ones that old clients look for."""
    letters = letters_of(rights, by_name=by_name)
    if rights & (Rights.CREATE | Rights.DELETE):
        letters += "c"
    if rights & (Rights.EXPUNGE | Rights.WRITE_DELETED):
        letters += "d"
    return letters


def concerns(who: Identifier, *, user: str, groups: Collection[str], is_owner: bool) -> bool:
    """Whether an entry counts for a user."""
    return (
        who.kind in (Kind.ANYONE, Kind.AUTHENTICATED)
        or (who.kind == Kind.OWNER and is_owner)
        or (who.kind == Kind.USER and who.name == user)
        or (who.kind in (Kind.GROUP, Kind.GROUP_OVERRIDE) and who.name in groups)
    )


def effective(
    entries: Iterable[Entry],
    of_all: Iterable[Entry] = (),
    *,
    user: str,
    groups: Collection[str],
    is_owner: bool,
) -> Rights:
    """What a user may do by the entries of a mailbox and by those for all, which count last.

    An owner to whom the mailbox's own list gives nothing by that name may do all, whatever is taken from groups.
    """
    own = list(entries)
    if is_owner and not any(entry.who.kind == Kind.OWNER and entry.given is not None for entry in own):
        own.append(Entry(Identifier(Kind.OWNER), ALL, Rights.NONE))
    given = taken = Rights.NONE
    given_by = taken_by = -1  # which kind has said so
    for place, found in enumerate((own, of_all)):
        for entry in sorted(found, key=lambda entry: entry.who.kind):
            if not concerns(entry.who, user=user, groups=groups, is_owner=is_owner):
                continue
            kind = place * len(Kind) + entry.who.kind
            if entry.given is not None:
                given = entry.given | (given if given_by == kind else Rights.NONE)
                given_by = kind
            if entry.taken is not None:
                taken = entry.taken | (taken if taken_by == kind else Rights.NONE)
                taken_by = kind
    return given & ~taken


def changed(
    entries: Iterable[Entry], who: Identifier, rights: Rights | None, *, taken: bool, mode: str = ""
) -> list[Entry]:
    """The entries with those of `who` replaced, or with `mode` `+` or `-` added to or taken from; None removes.

    Of whom all is taken an entry without rights stays, so that those of `anyone` do not become his.
    """
    by_identifier = {entry.who: entry for entry in entries}
    entry = by_identifier.pop(who, Entry(who))
    before = entry.taken if taken else entry.given
    if rights is not None and mode == "+":
        rights |= before or Rights.NONE
    elif rights is not None and mode == "-":
        rights = (before or Rights.NONE) & ~rights
    if not rights and before is None and (mode or taken):
        rights = None
    entry = Entry(who, entry.given, rights) if taken else Entry(who, rights, entry.taken)
    if entry.given is not None or entry.taken is not None:
        by_identifier[who] = entry
    return sorted(by_identifier.values(), key=lambda one: one.who)


def parse(text: str) -> list[Entry]:
    """A mailbox's file.  AclFault."""
    entries: dict[Identifier, Entry] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            _take(entries, line, number)
    return sorted(entries.values(), key=lambda entry: entry.who)


def parse_global(text: str) -> list[tuple[str, Entry]]:
    """A file for all mailboxes: (mask, entry).  AclFault."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            mask, rest = _word(line, number)
            entries: dict[Identifier, Entry] = {}
            _take(entries, rest, number)
            found += [(mask, entry) for entry in entries.values()]
    return found


def render(entries: Iterable[Entry]) -> str:
    """A mailbox's file."""
    lines = []
    for entry in entries:
        for sign, rights in (("", entry.given), ("-", entry.taken)):
            if rights is not None:
                lines.append(
                    f"{_quoted(sign + identifier_text(entry.who))} {letters_of(rights, by_name=True)}\n"
                )
    return "".join(lines)


def identifier(text: str) -> Identifier:
    """`user=me` and the like, as files have it.  ValueError."""
    if not _LINE_ENDS.isdisjoint(text):  # of one line two would be made, and the whole list unreadable
        raise ValueError(f"Unknown ID {text!r}")
    if text in _WORDS:
        return Identifier(_WORDS[text])
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return Identifier(kind, text[len(prefix) :])
    raise ValueError(f"Unknown ID '{text}'")


def _take(entries: dict[Identifier, Entry], line: str, number: int) -> None:
    word, rest = _word(line, number)
    letters, _, names = rest.partition(":")  # names of rights that somebody may invent
    letters = letters.removesuffix(" ") if names else letters
    try:
        who = identifier(word.removeprefix("-"))
        rights = _stored_rights(letters.rstrip("\r"))
    except ValueError as error:
        raise AclFault(f"line {number}: {error}") from error
    known = entries.get(who, Entry(who))
    if word.startswith("-"):
        entries[who] = Entry(who, known.given, (known.taken or Rights.NONE) | rights)
    else:
        entries[who] = Entry(who, (known.given or Rights.NONE) | rights, known.taken)


def _stored_rights(letters: str) -> Rights:
    """Files have no obsolete letters.  ValueError."""
    for letter in letters:
        if letter not in LETTERS:
            raise ValueError(f"Unknown ACL '{letter}'")
    return rights_of(letters)


def _word(line: str, number: int) -> tuple[str, str]:
    """The first word, which may be quoted, and the rest."""
    if line.startswith('"'):
        match = _QUOTED.match(line)
        if match is None:
            raise AclFault(f"line {number}: Missing '\"'")
        return re.sub(r"\\(.)", r"\1", match[1]), line[match.end() :]
    word, _, rest = line.partition(" ")
    return word, rest


def identifier_text(who: Identifier) -> str:
    """`user=me` and the like."""
    words = {kind: word for word, kind in _WORDS.items()}
    prefixes = {kind: prefix for prefix, kind in _PREFIXES.items()}
    return words.get(Kind(who.kind)) or prefixes[Kind(who.kind)] + who.name


def _quoted(text: str) -> str:
    if not re.search(r'[\s"\\]', text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
