"""What SEARCH asks for: `search-key`, as a tree of values.

DESCRIPTION
    Keys that say the same are one value: `SUBJECT x` is `HeaderHas(b"SUBJECT", "x")`, `UNSEEN` is
    `HasFlags(SEEN, wanted=False)`, `NEW` is And(Recent, Unseen).  Texts are decoded from the command's
    charset.  Days are counted from 1970-01-01; doveadm(1)
    knows moments within them.  Keys are tagged, so that msgpack can hold them (sessions/imap/parking.py).

STANDARDS
    RFC 3501 §6.4.4, §9 (search-key); RFC 5032 (OLDER, YOUNGER); RFC 4731 (results); RFC 7162 §3.1.5 (MODSEQ)
"""

from enum import Enum, auto
from enum import Flag as EnumFlag

import msgspec

from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap.fetch_items import FetchItems


class DateTest(Enum):
    """BEFORE, ON and SINCE, without the time of day."""

    BEFORE = auto()
    ON = auto()
    SINCE = auto()


class All(msgspec.Struct, frozen=True, tag=True):
    """`"ALL"`"""


class And(msgspec.Struct, frozen=True, tag=True):
    """`search-key *(SP search-key)`: all of them"""

    keys: "tuple[SearchKey, ...]"


class Or(msgspec.Struct, frozen=True, tag=True):
    """`"OR" SP search-key SP search-key`"""

    left: "SearchKey"
    right: "SearchKey"


class Not(msgspec.Struct, frozen=True, tag=True):
    """`"NOT" SP search-key`"""

    key: "SearchKey"


class Numbers(msgspec.Struct, frozen=True, tag=True):
    """`sequence-set`"""

    numbers: NumberSet


class Uids(msgspec.Struct, frozen=True, tag=True):
    """`"UID" SP sequence-set`"""

    uids: NumberSet


class HasFlags(msgspec.Struct, frozen=True, tag=True):
    """`"ANSWERED"`, `"UNANSWERED"` and so on; if there are several flags, all of them or none of them"""

    flag: Flag
    wanted: bool


class HasKeyword(msgspec.Struct, frozen=True, tag=True):
    """`("KEYWORD" / "UNKEYWORD") SP flag-keyword`"""

    keyword: bytes
    wanted: bool


class IsRecent(msgspec.Struct, frozen=True, tag=True):
    """`"RECENT"`, `"OLD"`"""

    wanted: bool


class Arrived(msgspec.Struct, frozen=True, tag=True):
    """`("BEFORE" / "ON" / "SINCE") SP date`: the internal date, in the host's time zone unless `utc`"""

    test: DateTest
    day: float
    utc: bool = False


class Sent(msgspec.Struct, frozen=True, tag=True):
    """`("SENTBEFORE" / "SENTON" / "SENTSINCE") SP date`: the Date field"""

    test: DateTest
    day: float


class Age(msgspec.Struct, frozen=True, tag=True):
    """`("OLDER" / "YOUNGER") SP nz-number`  RFC 5032 §3"""

    seconds: int
    older: bool


class Size(msgspec.Struct, frozen=True, tag=True):
    """`("LARGER" / "SMALLER") SP number`"""

    octets: int
    larger: bool


class Saved(msgspec.Struct, frozen=True, tag=True):
    """`("SAVEDBEFORE" / "SAVEDON" / "SAVEDSINCE") SP date`, in the host's time zone unless `utc`  RFC 8514 §4.3"""

    test: DateTest
    day: float
    utc: bool = False


class ModSeqSince(msgspec.Struct, frozen=True, tag=True):
    """`"MODSEQ" [search-modseq-ext] SP mod-sequence-valzer`  RFC 7162 §3.1.5"""

    modseq: int


class EmailIs(msgspec.Struct, frozen=True, tag=True):
    """`"EMAILID" SP objectid`  RFC 8474 §6.1"""

    object_id: bytes


class GuidIs(msgspec.Struct, frozen=True, tag=True):
    """`"X-GUID" SP astring`: Dovecot's own"""

    guid: bytes


class MailboxIs(msgspec.Struct, frozen=True, tag=True):
    """`"X-MAILBOX" SP mailbox`: Dovecot's own; the name as the client reads it"""

    name: bytes


class BelongsTo(msgspec.Struct, frozen=True, tag=True):
    """`"THREADID" SP objectid`"""

    object_id: bytes


class AddressHas(msgspec.Struct, frozen=True, tag=True):
    """`("BCC" / "CC" / "FROM" / "TO") SP astring`"""

    field: bytes
    text: str


class HeaderHas(msgspec.Struct, frozen=True, tag=True):
    """`"HEADER" SP header-fld-name SP astring`; an empty text asks whether the field is there"""

    field: bytes
    text: str


class BodyHas(msgspec.Struct, frozen=True, tag=True):
    """`"BODY" SP astring`"""

    text: str


class TextHas(msgspec.Struct, frozen=True, tag=True):
    """`"TEXT" SP astring`: header or body"""

    text: str


SearchKey = (
    All | And | Or | Not | Numbers | Uids | HasFlags | HasKeyword | IsRecent
    | Arrived | Sent | Saved | Age | Size | ModSeqSince | AddressHas | HeaderHas | BodyHas | TextHas
    | EmailIs | BelongsTo | GuidIs | MailboxIs
)  # fmt: skip


class SearchResult(EnumFlag):
    """`search-return-opt`  RFC 4731 §3.1"""

    MIN = auto()
    MAX = auto()
    ALL = auto()
    COUNT = auto()
    SAVE = auto()  # RFC 5182 §2.1
    UPDATE = auto()  # RFC 5267 §4.3
    CONTEXT = auto()  # RFC 5267 §4.2
    PARTIAL = auto()  # RFC 5267 §4.4, RFC 9394 §3.1
    RELEVANCY = auto()  # RFC 6203 §4


class ResultOptions(msgspec.Struct, frozen=True):
    """`search-return-opts`: `partial` are the first and the last position that PARTIAL asks for, counted from
    the end if negative; `fetch` is what UPDATE asks for of new messages (RFC 5465 §7)."""

    what: SearchResult
    partial: tuple[int, int] = (0, 0)
    fetch: FetchItems | None = None


class Criterion(Enum):
    """`sort-key`  RFC 5256 §5, RFC 5957 §3"""

    ARRIVAL = b"ARRIVAL"
    CC = b"CC"
    DATE = b"DATE"
    FROM = b"FROM"
    SIZE = b"SIZE"
    SUBJECT = b"SUBJECT"
    TO = b"TO"
    DISPLAYFROM = b"DISPLAYFROM"
    DISPLAYTO = b"DISPLAYTO"
    RELEVANCY = b"RELEVANCY"  # RFC 6203 §5


class SortStep(msgspec.Struct, frozen=True):
    """`["REVERSE" SP] sort-key`"""

    by: Criterion
    reverse: bool = False
