"""Commands about mailboxes: SELECT to STATUS, LIST in its three forms, and APPEND.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 3501 §6.3; RFC 5258 (LIST-EXTENDED); RFC 5819 (LIST-STATUS); RFC 6154 §6 (SPECIAL-USE); RFC 8438
    (STATUS=SIZE); RFC 3502 (MULTIAPPEND)
"""

from typing import Final

from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.imap.commands import (
    Append,
    Appended,
    AppendOffer,
    Create,
    Delete,
    Examine,
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
from pillarbox.wire.imap.dates import date_time
from pillarbox.wire.imap.flag_grammar import flag_list
from pillarbox.wire.imap.scanner import BadSyntax, Scanner

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
}


def select(tag: bytes, scanner: Scanner) -> Select:
    """`select = "SELECT" SP mailbox [SP select-params]`"""
    mailbox = _only_mailbox(scanner)
    return Select(tag, mailbox, _select_parameters(scanner))


def examine(tag: bytes, scanner: Scanner) -> Examine:
    """`examine = "EXAMINE" SP mailbox [SP select-params]`"""
    mailbox = _only_mailbox(scanner)
    return Examine(tag, mailbox, _select_parameters(scanner))


def create(tag: bytes, scanner: Scanner) -> Create:
    """`create = "CREATE" SP mailbox`"""
    return Create(tag, _only_mailbox(scanner))


def delete(tag: bytes, scanner: Scanner) -> Delete:
    """`delete = "DELETE" SP mailbox`"""
    return Delete(tag, _only_mailbox(scanner))


def subscribe(tag: bytes, scanner: Scanner) -> Subscribe:
    """`subscribe = "SUBSCRIBE" SP mailbox`"""
    return Subscribe(tag, _only_mailbox(scanner))


def unsubscribe(tag: bytes, scanner: Scanner) -> Unsubscribe:
    """`unsubscribe = "UNSUBSCRIBE" SP mailbox`"""
    return Unsubscribe(tag, _only_mailbox(scanner))


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
    scanner.space()
    options = ListSelect.NONE
    extended = False
    if scanner.take(b"("):
        extended = True
        options = _select_options(scanner)
        scanner.space()
    reference = scanner.astring()
    scanner.space()
    patterns: list[bytes] = []
    if scanner.take(b"("):
        extended = True
        while not scanner.take(b")"):
            if patterns:
                scanner.space()
            patterns.append(scanner.list_mailbox())
    else:
        patterns.append(scanner.list_mailbox())
    returns = ListReturn.NONE
    items: tuple[StatusItem, ...] = ()
    if scanner.take_space() and not scanner.at_end:
        if not scanner.take_word(b"RETURN"):
            raise BadSyntax("Invalid arguments")
        extended = True
        scanner.space()
        returns, items = _return_options(scanner)
    scanner.end()
    return List(
        tag,
        reference,
        tuple(patterns),
        select=options,
        returns=returns if extended else None,
        status=items,
    )


def lsub(tag: bytes, scanner: Scanner) -> Lsub:
    """`lsub = "LSUB" SP mailbox SP list-mailbox`"""
    scanner.space()
    reference = scanner.astring()
    scanner.space()
    pattern = scanner.list_mailbox()
    scanner.end()
    return Lsub(tag, reference, pattern)


def append_offer(tag: bytes, scanner: Scanner, announced: int, *, synchronizing: bool) -> AppendOffer | None:
    """What has come of APPEND up to a literal of `announced` octets, the literal not yet.

    None if that literal is no message but the name of the mailbox.
    """
    scanner.space()
    if scanner.at_announcement():
        return None
    mailbox = scanner.mailbox()
    size = 0
    while True:
        scanner.space()
        _append_options(scanner)
        if scanner.at_announcement():
            return AppendOffer(tag, mailbox, announced, size + announced, synchronizing)
        size += len(_message(scanner))


def append(tag: bytes, scanner: Scanner) -> Append:
    """`append = "APPEND" SP mailbox 1*append-message`  RFC 3502 §6.3.11

    `append-message = [SP flag-list] [SP date-time] SP literal`
    """
    scanner.space()
    mailbox = scanner.mailbox()
    messages: list[Appended] = []
    while scanner.take_space() and not scanner.at_end:
        flags, keywords, internal_date = _append_options(scanner)
        messages.append(Appended(_message(scanner), flags, keywords, internal_date))
    scanner.end()
    if not messages:
        raise BadSyntax("Missing message size")
    return Append(tag, mailbox, tuple(messages))


def _append_options(scanner: Scanner) -> tuple[Flag, tuple[bytes, ...], int | None]:
    flags = Flag.NONE
    keywords: tuple[bytes, ...] = ()
    internal_date = None
    if scanner.take(b"("):
        flags, keywords = flag_list(scanner)
        scanner.space()
    if not scanner.at_announcement() and scanner.take(b'"'):
        internal_date = date_time(scanner)
        scanner.space()
    return flags, keywords, internal_date


def _message(scanner: Scanner) -> bytes:
    content = scanner.take_string()
    if content is None:
        raise BadSyntax("Invalid arguments")
    return content


def _only_mailbox(scanner: Scanner) -> str:
    """`SP mailbox`; what follows is ignored, as Dovecot does (`SELECT inbox extra`)."""
    if not scanner.take_space():
        raise BadSyntax("Invalid arguments")
    return scanner.mailbox()


def _select_parameters(scanner: Scanner) -> bool:
    """`select-params = "(" "CONDSTORE" ")"`  RFC 7162 §3.1.8; whether it is there"""
    if not scanner.take_space() or not scanner.take(b"("):
        return False  # what else follows is ignored, as Dovecot does
    while True:
        name = scanner.word(reason="Invalid SELECT parameter")
        if name == b"QRESYNC":
            raise BadSyntax("QRESYNC not enabled")
        if name != b"CONDSTORE":
            raise BadSyntax("Unknown SELECT parameter")
        if scanner.take(b")"):
            return True
        scanner.space()


def _status_items(scanner: Scanner) -> tuple[StatusItem, ...]:
    scanner.expect(b"(", reason="Status list contains non-atoms")
    items: set[StatusItem] = set()
    while not scanner.take(b")"):
        if items:
            scanner.space()
        name = scanner.word(reason="Status list contains non-atoms")
        item = _STATUS_ITEMS.get(name)
        if item is None:
            raise BadSyntax(f"Invalid status item {name.decode('ascii')}")
        items.add(item)
    if not items:
        raise BadSyntax("Empty status list")
    return tuple(item for item in StatusItem if item in items)


def _select_options(scanner: Scanner) -> ListSelect:
    options = ListSelect.NONE
    first = True
    while not scanner.take(b")"):
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


def _return_options(scanner: Scanner) -> tuple[ListReturn, tuple[StatusItem, ...]]:
    scanner.expect(b"(")
    options = ListReturn.NONE
    items: tuple[StatusItem, ...] = ()
    first = True
    while not scanner.take(b")"):
        if not first:
            scanner.space()
        first = False
        name = scanner.word(reason="Unknown return options")
        if name == b"STATUS":
            scanner.space()
            items = _status_items(scanner)
            continue
        option = _RETURN_OPTIONS.get(name)
        if option is None:
            raise BadSyntax("Unknown return options")
        options |= option
    return options, items
