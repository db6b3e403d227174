"""The commands of IMAP as values, each with the grammar it came from.

DESCRIPTION
    A command is what a parser makes of one whole command of the client; nothing in it needs to be looked at
    again.  Mailbox names are decoded, flags are bits and keywords, dates are seconds since 1970.

    What FETCH and SEARCH ask for is in `fetch_items.py` and `search_keys.py`; NOTIFY, ACL and URLAUTH are in
    `notify_commands.py`, `acl_commands.py` and `urlauth_commands.py`.

STANDARDS
    RFC 3501 §6, §9; RFC 2177 (IDLE); RFC 2342 (NAMESPACE); RFC 2971 (ID); RFC 3502 (MULTIAPPEND); RFC 3691
    (UNSELECT); RFC 4315 (UIDPLUS); RFC 4731 (ESEARCH); RFC 4959 (SASL-IR); RFC 5161 (ENABLE); RFC 5258
    (LIST-EXTENDED); RFC 5819 (LIST-STATUS); RFC 6851 (MOVE); RFC 7162 (CONDSTORE,
    QRESYNC)
"""

from enum import Enum, auto
from enum import Flag as EnumFlag

import msgspec

from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.imap.fetch_items import FetchItems
from pillarbox.wire.imap.search_keys import ResultOptions, SearchKey, SortStep


class Command(msgspec.Struct, frozen=True):
    """`command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF`"""

    tag: bytes


class Refused(Command, frozen=True):
    """A command that could not be read: answer `tag status text` and go on.

    `tag` is `*` when the client's could not be read.
    """

    status: bytes  # BAD or NO
    text: bytes
    counts: bool = True  # among those of which too many end the session
    forgets_result: bool = False  # `$` is empty from now on
    leaves_mailbox: bool = False  # a SELECT that fails: none is selected


# Any state.


class Capability(Command, frozen=True):
    """`"CAPABILITY"`"""


class Noop(Command, frozen=True):
    """`"NOOP"`"""


class Logout(Command, frozen=True):
    """`"LOGOUT"`"""


class Id(Command, frozen=True):
    """`"ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)`  RFC 2971 §4"""

    parameters: tuple[tuple[bytes, bytes | None], ...]


class Enable(Command, frozen=True):
    """`"ENABLE" 1*(SP capability)`  RFC 5161 §4"""

    capabilities: tuple[bytes, ...]


# Not authenticated.


class StartTls(Command, frozen=True):
    """`"STARTTLS"`"""


class Login(Command, frozen=True):
    """`"LOGIN" SP userid SP password`"""

    user: bytes
    password: Secret


class Authenticate(Command, frozen=True):
    """`"AUTHENTICATE" SP auth-type [SP initial-resp]`  RFC 4959 §7; the response as it came, base64 or `=`"""

    mechanism: bytes
    initial_response: bytes | None


# Authenticated: mailboxes.


class KnownState(msgspec.Struct, frozen=True):
    """`"QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`  RFC 7162 §7

    `matches` are numbers and UIDs that belonged together when the client last looked.
    """

    uid_validity: int
    modseq: int
    uids: NumberSet | None = None
    matches: tuple[tuple[int, int], ...] = ()


class Select(Command, frozen=True):
    """`"SELECT" SP mailbox [SP "(" ("CONDSTORE" / qresync) … ")"]`  RFC 7162 §3.1.8, §3.2.5"""

    mailbox: str
    condstore: bool = False
    known: KnownState | None = None
    refused: str = ""
    """Why `mailbox` is no name: no mailbox is selected any more, then, either (RFC 3501 §6.3.1)."""


class Examine(Command, frozen=True):
    """`"EXAMINE" SP mailbox [SP "(" ("CONDSTORE" / qresync) … ")"]`"""

    mailbox: str
    condstore: bool = False
    known: KnownState | None = None
    refused: str = ""
    """Why `mailbox` is no name: no mailbox is selected any more, then, either (RFC 3501 §6.3.1)."""


class Create(Command, frozen=True):
    """`"CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`  RFC 6154 §3"""

    mailbox: str
    uses: tuple[bytes, ...] = ()


class Delete(Command, frozen=True):
    """`"DELETE" SP mailbox`"""

    mailbox: str


class Rename(Command, frozen=True):
    """`"RENAME" SP mailbox SP mailbox`"""

    mailbox: str
    new_name: str


class Subscribe(Command, frozen=True):
    """`"SUBSCRIBE" SP mailbox`"""

    mailbox: str


class Unsubscribe(Command, frozen=True):
    """`"UNSUBSCRIBE" SP mailbox`"""

    mailbox: str


class StatusItem(Enum):
    """`status-att`; the order is that in which Dovecot answers."""

    MESSAGES = b"MESSAGES"
    RECENT = b"RECENT"
    UIDNEXT = b"UIDNEXT"
    UIDVALIDITY = b"UIDVALIDITY"
    UNSEEN = b"UNSEEN"
    HIGHESTMODSEQ = b"HIGHESTMODSEQ"  # RFC 7162 §3.1.2.2
    SIZE = b"SIZE"  # RFC 8438
    APPENDLIMIT = b"APPENDLIMIT"  # RFC 7889
    DELETED = b"DELETED"  # RFC 9051 §6.3.11
    DELETED_STORAGE = b"DELETED-STORAGE"  # RFC 9208 §4.1.4, in octets
    MAILBOXID = b"MAILBOXID"  # RFC 8474 §4.3


class ListSelect(EnumFlag):
    """`list-select-opt`  RFC 5258 §6, RFC 6154 §6"""

    NONE = 0
    SUBSCRIBED = auto()
    REMOTE = auto()
    RECURSIVEMATCH = auto()
    SPECIAL_USE = auto()


class ListReturn(EnumFlag):
    """`return-option`  RFC 5258 §6, RFC 6154 §6"""

    NONE = 0
    SUBSCRIBED = auto()
    CHILDREN = auto()
    SPECIAL_USE = auto()
    MYRIGHTS = auto()


class List(Command, frozen=True):
    """`"LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`  RFC 5258 §6

    `returns` is None for the command of RFC 3501, which answers \\HasChildren and special uses unasked.
    """

    reference: bytes
    patterns: tuple[bytes, ...]
    select: ListSelect = ListSelect.NONE
    returns: ListReturn | None = None
    status: tuple[StatusItem, ...] = ()
    metadata: tuple[str, ...] = ()  # RFC 9590


class Lsub(Command, frozen=True):
    """`"LSUB" SP mailbox SP list-mailbox`"""

    reference: bytes
    pattern: bytes


class Namespace(Command, frozen=True):
    """`"NAMESPACE"`"""


class Status(Command, frozen=True):
    """`"STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`"""

    mailbox: str
    items: tuple[StatusItem, ...]


class SetMetadata(Command, frozen=True):
    """`"SETMETADATA" SP mailbox SP "(" entry SP value … ")"`  RFC 5464 §4.3; NIL is None, "" the account"""

    mailbox: str
    changes: tuple[tuple[str, bytes | None], ...]


class GetMetadata(Command, frozen=True):
    """`"GETMETADATA" [SP "(" ("MAXSIZE" SP number / "DEPTH" SP …) ")"] SP mailbox SP entries`  RFC 5464 §4.2"""

    mailbox: str
    entries: tuple[str, ...]
    depth: int = 0  # levels below an entry that are told, too
    max_size: int | None = None  # octets of a value


class GetQuota(Command, frozen=True):
    """`"GETQUOTA" SP quota-root-name`  RFC 9208 §4.1.1"""

    root: bytes


class GetQuotaRoot(Command, frozen=True):
    """`"GETQUOTAROOT" SP mailbox`  RFC 9208 §4.1.2"""

    mailbox: str


class SetQuota(Command, frozen=True):
    """`"SETQUOTA" SP quota-root-name SP setquota-list`  RFC 9208 §4.1.3"""

    root: bytes
    limits: tuple[tuple[bytes, int], ...]


class AppendOffer(Command, frozen=True):
    """`"APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`, the literal not read yet

    The session says `accept_literal()` or `refuse_literal()`; after the last one comes `Append`.
    `size` is that of this literal, `total` of all of the command so far, this one included; `synchronizing`
    says that the client waits for our "+".
    """

    mailbox: str
    size: int
    total: int
    synchronizing: bool


class AppendData(Command, frozen=True):
    """Octets of a literal that was accepted as `streamed`; when all have come, the rest of its command follows."""

    data: bytes


class Url(msgspec.Struct, frozen=True):
    """`"URL" SP url`: part of a message that is there already  RFC 4469 §3"""

    text: bytes


class Appended(msgspec.Struct, frozen=True):
    """One message of APPEND; `internal_date` is None when the client gave none.

    With `parts` it is to be put together of them (CATENATE).
    """

    content: bytes  # `fragments.Streamed` if it has come as AppendData
    flags: Flag
    keywords: tuple[bytes, ...]
    internal_date: int | None
    parts: tuple[bytes | Url, ...] = ()


class Append(Command, frozen=True):
    """`"APPEND" SP mailbox 1*append-message`  RFC 3502 §6.3.11"""

    mailbox: str
    messages: tuple[Appended, ...]


class Replace(Command, frozen=True):
    """`["UID" SP] "REPLACE" SP seq-number SP mailbox append-message`  RFC 8508 §3"""

    by_uid: bool
    message: NumberSet
    mailbox: str
    appended: Appended


class Compress(Command, frozen=True):
    """`"COMPRESS" SP algorithm`  RFC 4978 §3"""

    algorithm: bytes


class Idle(Command, frozen=True):
    """`"IDLE" CRLF "DONE"`: DONE comes as a `Line`"""


class Line(Command, frozen=True):
    """A line that is no command: `DONE`, or a response in AUTHENTICATE.  Its tag is that of the command.

    `text` is None when the line was too long.
    """

    text: bytes | None


# Selected.


class Check(Command, frozen=True):
    """`"CHECK"`"""


class Close(Command, frozen=True):
    """`"CLOSE"`"""


class Unselect(Command, frozen=True):
    """`"UNSELECT"`"""


class Expunge(Command, frozen=True):
    """`"EXPUNGE"`, or `"UID EXPUNGE" SP sequence-set`  RFC 4315 §2.1"""

    uids: NumberSet | None


class Search(Command, frozen=True):
    """`["UID" SP] "SEARCH" [SP search-return-opts] [SP "CHARSET" SP astring] 1*(SP search-key)`

    `result` is None for the answer of RFC 3501, `* SEARCH`.
    """

    by_uid: bool
    key: SearchKey
    result: ResultOptions | None
    names_charset: bool = False


class Sort(Command, frozen=True):
    """`["UID" SP] "SORT" [search-return-opts] SP "(" sort-criteria ")" SP charset 1*(SP search-key)`  RFC 5256

    `result` is None for the answer `* SORT`; otherwise it is `* ESEARCH` (RFC 5267 §3).
    """

    by_uid: bool
    steps: tuple[SortStep, ...]
    key: SearchKey
    result: ResultOptions | None


class ThreadAlgorithm(Enum):
    """`thread-alg`  RFC 5256 §5, draft-ietf-morg-inthread"""

    ORDEREDSUBJECT = b"ORDEREDSUBJECT"
    REFERENCES = b"REFERENCES"
    REFS = b"REFS"


class Thread(Command, frozen=True):
    """`["UID" SP] "THREAD" SP thread-alg SP charset 1*(SP search-key)`"""

    by_uid: bool
    algorithm: ThreadAlgorithm
    key: SearchKey


class CancelUpdate(Command, frozen=True):
    """`"CANCELUPDATE" 1*(SP quoted)`  RFC 5267 §4.5"""

    tags: tuple[bytes, ...]


class Fetch(Command, frozen=True):
    """`["UID" SP] "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att … ")")`"""

    by_uid: bool
    messages: NumberSet
    items: FetchItems
    changed_since: int | None = None  # `"CHANGEDSINCE" SP mod-sequence-valzer`  RFC 7162 §3.1.4.1
    vanished: bool = False  # `"VANISHED"`  RFC 7162 §3.2.6
    partial: tuple[int, int] | None = None  # `"PARTIAL" SP partial-range`: which of them  RFC 9394 §3.3
    names_uid: bool = False  # whether UID FETCH names UID, which comes anyway but under UIDONLY


class StoreAction(Enum):
    """`["+" / "-"] "FLAGS"`"""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


class Store(Command, frozen=True):
    """`["UID" SP] "STORE" SP sequence-set SP store-att-flags`"""

    by_uid: bool
    messages: NumberSet
    action: StoreAction
    silent: bool
    flags: Flag
    keywords: tuple[bytes, ...]
    unchanged_since: int | None = None  # `"UNCHANGEDSINCE" SP mod-sequence-valzer`  RFC 7162 §3.1.3


class Copy(Command, frozen=True):
    """`["UID" SP] "COPY" SP sequence-set SP mailbox`"""

    by_uid: bool
    messages: NumberSet
    mailbox: str


class Move(Command, frozen=True):
    """`["UID" SP] "MOVE" SP sequence-set SP mailbox`  RFC 6851 §4"""

    by_uid: bool
    messages: NumberSet
    mailbox: str
