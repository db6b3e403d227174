"""IMAP URLs that name a message or a part of one.

DESCRIPTION
    CATENATE takes them relative to the server or to a mailbox: `/INBOX/;UID=7/;SECTION=1.2`.  URLAUTH takes them
    absolute, with whom they let in, and, in full, with a token that shows that we have made them:
    `imap://joe@example.com/INBOX/;UID=20/;SECTION=1.2;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=user+fred:INTERNAL:01…`.
    What stands before the mechanism is the rump; the token is of its octets as they came.

FAULTS
    BadUrl  not such a URL; `str()` is for the client.

STANDARDS
    RFC 5092 §6, §11 (ABNF); RFC 4469 §3; RFC 4467 §9; RFC 5550 (URL-PARTIAL)
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.imap.fetch_items import Section
from pillarbox.wire.imap.message_grammar import read_section
from pillarbox.wire.imap.scanner import BadSyntax

_URL: Final = re.compile(
    rb"(?:/?(?P<mailbox>[^;]*?)(?:/?;UIDVALIDITY=(?P<validity>[0-9]{1,10}))?/)?;UID=(?P<uid>[0-9]{1,10})"
    rb"(?:/;SECTION=(?P<section>[^;]+?))?(?:/;PARTIAL=(?P<first>[0-9]{1,19})(?:\.(?P<count>(?!0+\Z)[0-9]{1,19}))?)?",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_SERVER: Final = re.compile(
    rb"//(?:(?P<user>[^@/;:]*)(?:;AUTH=[^@/;:]+)?@)?(?P<host>[^@/:;]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    rb"(?P<path>/.*)?",
    re.IGNORECASE | re.DOTALL,
)
_EXPIRE: Final = re.compile(rb";EXPIRE=([^;]*)", re.IGNORECASE)
_URLAUTH: Final = re.compile(rb";URLAUTH=", re.IGNORECASE)
_DATE_TIME: Final = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_APPLICATION: Final = re.compile(rb"[A-Za-z0-9.-]+")
_ALL: Final = (1 << 63) - 1
MIN_TOKEN: Final = 32
"""`enc-urlauth = 32*HEXDIG`  RFC 4467 §9"""


class BadUrl(Exception):
    """NO [BADURL …]"""


class MessageUrl(msgspec.Struct, frozen=True):
    """What such a URL names; the mailbox may be empty."""

    mailbox: str
    uid_validity: int | None
    uid: int
    section: Section


class Verifier(msgspec.Struct, frozen=True):
    """`iua-verifier = ":" uauth-mechanism ":" enc-urlauth`"""

    mechanism: bytes
    token: bytes


class AuthorizedUrl(msgspec.Struct, frozen=True):
    """`authimapurlrump`, or `authimapurlfull` if there is a verifier.

    `application` and `access_user` are `submit` and `fred` of `submit+fred`; `expires` is in seconds since 1970.
    """

    user: str  # empty if there is none
    host: str
    port: int | None
    message: MessageUrl
    rump: bytes
    application: str
    access_user: str | None
    expires: float | None
    verifier: Verifier | None

    @property
    def access(self) -> str:
        """`submit+fred`, `authuser`"""
        return self.application if self.access_user is None else f"{self.application}+{self.access_user}"


def parse_message_url(text: bytes, selected: str = "") -> MessageUrl:
    """`[mailbox [";UIDVALIDITY=" nz-number] "/"] ";UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL=" range]`

    What does not begin with a slash is relative to `selected/`, the mailbox that is selected (RFC 4469 §3, RFC 3986
    §5.2).  The mailbox is empty if none is named so.
    A slash before `;UIDVALIDITY`, which some clients write, is no part of the mailbox's name.
    """
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() != b"imap":
        raise BadUrl("Invalid IMAP URL: Not an IMAP URL")
    if scheme is not None or text.startswith(b"//"):
        raise BadUrl("Invalid IMAP URL: Relative URL required")
    if not text.startswith(b"/"):
        text = b"/%b%b" % (quote(f"{selected}/").encode("ascii") if selected else b"", text)
    return _message(_without_dots(text))


def _without_dots(path: bytes) -> bytes:
    """RFC 3986 §5.2.4, for the mailbox's name."""
    name, semicolon, rest = path.partition(b";")
    kept: list[bytes] = []
    for segment in name.split(b"/")[1:]:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    return b"/" + b"/".join(kept) + semicolon + rest


def _message(text: bytes) -> MessageUrl:
    found = _URL.fullmatch(text)
    if found is None:
        raise BadUrl("Invalid IMAP URL: not the URL of a message")
    try:
        mailbox = unquote_to_bytes(found["mailbox"] or b"").decode("utf-8")
        partial = (
            (decimal(found["first"]), decimal(found["count"] or b"%d" % _ALL)) if found["first"] else None
        )
        section = read_section(unquote_to_bytes(found["section"] or b""))
    except (UnicodeError, BadSyntax):
        raise BadUrl("Invalid IMAP URL") from None
    validity = decimal(found["validity"]) if found["validity"] else None
    section = msgspec.structs.replace(section, partial=partial)
    return MessageUrl(mailbox, validity, decimal(found["uid"]), section)


def parse_authorized_url(text: bytes) -> AuthorizedUrl | None:
    """The URL, or None for one of IMAP that has no URLAUTH or names no message.  RFC 4467 §9"""
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise BadUrl("Relative URL not allowed")
    if scheme[1].lower() != b"imap":
        raise BadUrl("Not an IMAP URL")
    server = _SERVER.fullmatch(text, scheme.end())
    if server is None:
        raise BadUrl("Absolute IMAP URL requires `//' after `imap:'")
    path = server["path"] or b""
    path_start = len(text) - len(path)
    expire = _EXPIRE.search(path)
    urlauth = _URLAUTH.search(path)
    if urlauth is None:
        if expire is not None:
            raise BadUrl(f"Unrecognized IMAP URL extension: {_text(path[expire.start() :])}")
        return None
    end = urlauth.start()
    expires = None
    if expire is not None and expire.end() == end:
        expires = _moment(expire[1])
        end = expire.start()
    access, colon, rest = path[urlauth.end() :].partition(b":")
    application, access_user = _access(access, colon)
    message = _message(path[:end])
    if not message.mailbox or not message.uid:
        return None
    return AuthorizedUrl(
        _text(server["user"] or b""),
        _text(server["host"]),
        decimal(server["port"]) if server["port"] else None,
        message,
        text[: path_start + urlauth.end() + len(access)],
        application,
        access_user,
        expires,
        _verifier(rest) if colon else None,
    )


def _access(access: bytes, colon: bytes) -> tuple[str, str | None]:
    """`access = ("submit+" enc-user) / ("user+" enc-user) / "authuser" / "anonymous"`, and other applications"""
    if not access:
        raise BadUrl("Empty URLAUTH access specifier" if colon else "Missing URLAUTH access specifier")
    application, plus, user = access.partition(b"+")
    if not application:
        raise BadUrl("Empty URLAUTH access application")
    if _APPLICATION.fullmatch(application) is None:
        raise BadUrl("Invalid URLAUTH access application")
    if plus and not user:
        raise BadUrl(f"Empty URLAUTH access user for `{_text(application)}' application")
    return _text(application), _text(user) if plus else None


def _verifier(text: bytes) -> Verifier:
    if not text:
        raise BadUrl("Missing URLAUTH verifier")
    mechanism, _, token = text.partition(b":")
    if not token:
        raise BadUrl("Missing URLAUTH token")
    if not mechanism:
        raise BadUrl("Missing URLAUTH mechanism")
    if len(token) < MIN_TOKEN:
        raise BadUrl("Too short URLAUTH token")
    if _HEXADECIMAL.fullmatch(token) is None:
        raise BadUrl("Invalid URLAUTH token")
    return Verifier(mechanism, bytes.fromhex(token.decode("ascii")))


def _moment(text: bytes) -> float:
    """`date-time` of RFC 3339 §5.6."""
    found = _DATE_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (decimal(number) for number in found.groups()[:6])
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)  # 60 is a leap second
        if found[7]:
            offset = timedelta(hours=decimal(found[8]), minutes=decimal(found[9]))
            moment = moment - offset if found[7] == b"+" else moment + offset
    except (ValueError, OverflowError):
        raise BadUrl("invalid date-time for `;EXPIRE='") from None
    return moment.timestamp()


def _text(quoted: bytes) -> str:
    try:
        return unquote_to_bytes(quoted).decode("utf-8")
    except UnicodeError:
        raise BadUrl("Invalid IMAP URL") from None
