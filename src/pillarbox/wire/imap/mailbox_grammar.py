"""Commands about mailboxes: SELECT to STATUS, LIST in its three forms.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 3501 §6.3; RFC 5258 (LIST-EXTENDED); RFC 5819 (LIST-STATUS); RFC 6154 §6 (SPECIAL-USE); RFC 8438
    (STATUS=SIZE); RFC 7162 §3.2.5 (QRESYNC)
"""

from itertools import islice
from typing import Final

from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.commands import (
    Create,
    Delete,
    Examine,
    KnownState,
    List,
    ListReturn,
    ListSelect,
    Lsub,
    Rename,
    Select,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)
from pillarbox.wire.imap.metadata_grammar import entry_list
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner

MAX_PATTERNS: Final = 100
"""Patterns of one LIST that are more than a name."""
_STATUS_ITEMS: Final = {item.value: item for item in StatusItem}
_SELECT_OPTIONS: Final = {
    b"SUBSCRIBED": ListSelect.SUBSCRIBED,
    b"REMOTE": ListSelect.REMOTE,
    b"RECURSIVEMATCH": ListSelect.RECURSIVEMATCH,
    b"SPECIAL-USE": ListSelect.SPECIAL_USE,
}
_RETURN_OPTIONS: Final = {
    b"SUBSCRIBED": ListReturn.SUBSCRIBED,
    b"CHILDREN": ListReturn.CHILDREN,
    b"SPECIAL-USE": ListReturn.SPECIAL_USE,
    b"MYRIGHTS": ListReturn.MYRIGHTS,
}

MAX_MATCHES: Final = 1000
"""Pairs of number and UID that QRESYNC may give: clients send a few dozen."""


def select(tag: bytes, scanner: Scanner) -> Select:
    """`select = "SELECT" SP mailbox [SP select-params]`"""
    name, refused = _name_or_refusal(scanner)
    return Select(tag, name, *_select_parameters(scanner), refused)


def examine(tag: bytes, scanner: Scanner) -> Examine:
    """`examine = "EXAMINE" SP mailbox [SP select-params]`"""
    name, refused = _name_or_refusal(scanner)
    return Examine(tag, name, *_select_parameters(scanner), refused)


def create(tag: bytes, scanner: Scanner) -> Create:
    """`create = "CREATE" SP mailbox`"""
    mailbox = _only_mailbox(scanner, "Missing arguments")
    uses: tuple[bytes, ...] = ()
    if scanner.take_space() and scanner.take_open():
        uses = _create_parameters(scanner)
    return Create(tag, mailbox, uses)


def _create_parameters(scanner: Scanner) -> tuple[bytes, ...]:
    """`"USE" SP "(" [use-attr *(SP use-attr)] ")" … ")"`, the bracket already taken  RFC 4466 §2.2, RFC 6154 §6"""
    uses: list[bytes] = []
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        if scanner.word() != b"USE":
            raise BadSyntax("Unknown parameter")
        scanner.space()
        scanner.expect_open()
        while not scanner.take_close():
            scanner.take_space()
            use = scanner.take_flag()
            if use is None or not use.startswith(b"\\"):
                raise BadSyntax("USE list contains non-atoms")
            uses.append(use)
    return tuple(uses)


def delete(tag: bytes, scanner: Scanner) -> Delete:
    """`delete = "DELETE" SP mailbox`"""
    return Delete(tag, _only_mailbox(scanner, "Missing arguments"))


def subscribe(tag: bytes, scanner: Scanner) -> Subscribe:
    """`subscribe = "SUBSCRIBE" SP mailbox`"""
    return Subscribe(tag, _only_mailbox(scanner, "Missing arguments"))


def unsubscribe(tag: bytes, scanner: Scanner) -> Unsubscribe:
    """`unsubscribe = "UNSUBSCRIBE" SP mailbox`"""
    return Unsubscribe(tag, _only_mailbox(scanner, "Missing arguments"))


def rename(tag: bytes, scanner: Scanner) -> Rename:
    """`rename = "RENAME" SP mailbox SP mailbox`"""
    scanner.space()
    old = scanner.mailbox()
    scanner.space()
    new = scanner.mailbox()
    scanner.end()
    return Rename(tag, old, new)


def status(tag: bytes, scanner: Scanner) -> Status:
    """`status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`"""
    scanner.space()
    mailbox = scanner.mailbox()
    scanner.space()
    items = _status_items(scanner)
    scanner.end()
    return Status(tag, mailbox, items)


def list_mailboxes(tag: bytes, scanner: Scanner) -> List:
    """`list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`"""
    scanner.space_or("Invalid reference")
    options = ListSelect.NONE
    extended = False
    if scanner.take_open():
        extended = True
        options = _select_options(scanner)
        scanner.space()
    reference = _reference(scanner)
    patterns: list[bytes] = []
    if scanner.take_open():
        extended = True
        while not scanner.take_close():
            if patterns:
                scanner.space()
            patterns.append(scanner.list_mailbox())
        if sum(b"*" in pattern or b"%" in pattern for pattern in patterns) > MAX_PATTERNS:
            raise BadSyntax("Too many mailbox patterns")
    else:
        patterns.append(_pattern(scanner))
    returns = ListReturn.NONE
    items: tuple[StatusItem, ...] = ()
    entries: tuple[str, ...] = ()
    if scanner.take_space() and not scanner.at_end:
        if not scanner.take_word(b"RETURN"):
            raise BadSyntax("Extra arguments")
        extended = True
        scanner.space()
        returns, items, entries = _return_options(scanner)
    scanner.end()
    return List(
        tag,
        reference,
        tuple(patterns),
        select=options,
        returns=returns if extended else None,
        status=items,
        metadata=entries,
    )


def lsub(tag: bytes, scanner: Scanner) -> Lsub:
    """`lsub = "LSUB" SP mailbox SP list-mailbox`"""
    scanner.space_or("Invalid reference")
    reference = _reference(scanner)
    pattern = _pattern(scanner)
    scanner.end()
    return Lsub(tag, reference, pattern)


def _reference(scanner: Scanner) -> bytes:
    """The first of LIST's names, and the space behind it"""
    reference = scanner.take_astring()
    if reference is None:
        raise BadSyntax("Invalid reference")
    scanner.space_or("Invalid pattern")
    return reference


def _pattern(scanner: Scanner) -> bytes:
    """`list-mailbox`"""
    try:
        return scanner.list_mailbox()
    except BadSyntax:
        raise BadSyntax("Invalid pattern") from None


def _name_or_refusal(scanner: Scanner) -> tuple[str, str]:
    """A name, or why there is none: parameters may come behind it in either case."""
    try:
        return _only_mailbox(scanner), ""
    except Refusal as problem:
        return "", str(problem)


def _only_mailbox(scanner: Scanner, reason: str = "Invalid arguments") -> str:
    """`SP mailbox`; what follows is ignored, as Dovecot does (`SELECT inbox extra`)."""
    scanner.space_or(reason)
    mailbox = scanner.mailbox()
    if not scanner.at_word_end:
        raise BadSyntax("Invalid arguments")
    return mailbox


def _select_parameters(scanner: Scanner) -> tuple[bool, KnownState | None]:
    """`select-params = "(" "CONDSTORE" / "QRESYNC" SP "(" … ")" … ")"`  RFC 7162 §3.1.8, §3.2.5"""
    condstore, known = False, None
    if not scanner.take_space() or not scanner.take_open():
        return condstore, known  # what else follows is ignored, as Dovecot does
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        name = scanner.word(reason="SELECT options contain non-atoms")
        if name == b"CONDSTORE":
            condstore = True
        elif name == b"QRESYNC":
            if not scanner.take_space() or not scanner.take_open():
                raise BadSyntax("QRESYNC parameters missing")
            known = _known_state(scanner)
        else:
            raise BadSyntax("Unknown SELECT parameter")
    return condstore, known


def _known_state(scanner: Scanner) -> KnownState:
    """`uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`"""
    validity = scanner.number(reason="Invalid QRESYNC parameters")
    scanner.space_or("Invalid QRESYNC parameters")
    modseq = scanner.number(reason="Invalid QRESYNC parameters", maximum=(1 << 63) - 1)
    uids: NumberSet | None = None
    matches: tuple[tuple[int, int], ...] = ()
    if not scanner.at_close() and scanner.take_space() and not scanner.take_open():
        uids = _known_set(scanner, "Invalid QRESYNC known-uids")
        if not scanner.at_close() and scanner.take_space():
            scanner.expect_open(reason="Invalid QRESYNC parameters")
            matches = _sequence_matches(scanner)
    elif not scanner.at_close():
        matches = _sequence_matches(scanner)
    scanner.expect_close(reason="Invalid QRESYNC parameters")
    return KnownState(validity, modseq, uids, matches)


def _sequence_matches(scanner: Scanner) -> tuple[tuple[int, int], ...]:
    """`seq-match-data = "(" known-sequence-set SP known-uid-set ")"`, the bracket already taken"""
    numbers = _known_set(scanner, "Invalid QRESYNC known-sequence-set")
    scanner.space_or("Invalid QRESYNC known-sequence-set")
    uids = _known_set(scanner, "Invalid QRESYNC known-uid-set")
    scanner.expect_close(reason="Invalid QRESYNC parameters")
    pairs = tuple(islice(zip(numbers.members(), uids.members(), strict=False), MAX_MATCHES + 1))
    if len(pairs) > MAX_MATCHES:
        raise BadSyntax("Too many QRESYNC sequence matches")
    return pairs


def _known_set(scanner: Scanner, reason: str) -> NumberSet:
    """A set without `*`: "known-uids … the "*" symbol MUST NOT be used" (RFC 7162 §7)"""
    try:
        numbers = scanner.sequence_set()
    except BadSyntax:
        raise BadSyntax(reason) from None
    if numbers.has_star:
        raise BadSyntax(reason)
    return numbers


def _status_items(scanner: Scanner) -> tuple[StatusItem, ...]:
    scanner.expect_open()
    names: set[bytes] = set()
    while not scanner.take_close():
        if names:
            scanner.space()
        name = scanner.word(reason="Status list contains non-atoms")
        if name not in _STATUS_ITEMS:
            raise BadSyntax(f"Invalid status item {name.decode('ascii')}")
        names.add(name)
    if not names:
        raise BadSyntax("Empty status list")
    return tuple([item for name, item in _STATUS_ITEMS.items() if name in names])


def _select_options(scanner: Scanner) -> ListSelect:
    options = ListSelect.NONE
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        option = _SELECT_OPTIONS.get(scanner.word(reason="Unknown select options"))
        if option is None:
            raise BadSyntax("Unknown select options")
        options |= option
    # RFC 5258 §3.1: RECURSIVEMATCH must come with another option than REMOTE.
    if options & ListSelect.RECURSIVEMATCH and not options & (ListSelect.SUBSCRIBED | ListSelect.SPECIAL_USE):
        raise BadSyntax("RECURSIVEMATCH must not be the only selection")
    return options


def _return_options(scanner: Scanner) -> tuple[ListReturn, tuple[StatusItem, ...], tuple[str, ...]]:
    scanner.expect_open()
    options = ListReturn.NONE
    items: tuple[StatusItem, ...] = ()
    entries: tuple[str, ...] = ()
    first = True
    while not scanner.take_close():
        if not first:
            scanner.space()
        first = False
        name = scanner.word(reason="Unknown return options")
        if name == b"STATUS":
            scanner.space_or("Unknown return options")
            items = _status_items(scanner)
            continue
        if name == b"METADATA":  # RFC 9590 §3
            scanner.space_or("Unknown return options")
            scanner.expect_open(reason="Unknown return options")
            entries = entry_list(scanner)
            continue
        option = _RETURN_OPTIONS.get(name)
        if option is None:
            raise BadSyntax("Unknown return options")
        options |= option
    return options, items, entries
