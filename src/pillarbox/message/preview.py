"""The first words of a message, for a list of messages.

DESCRIPTION
    The first part of type text, without markup if it is text/html, and without quotations and superfluous white
    space, cut at `MAX_CHARACTERS`.  Of alternatives text/plain comes first, then text/html, wherever they stand.
    A message that is nothing but quotations shows those behind a `>`, a digest the first message's header and text.

    As Dovecot's: white space is that of ASCII, so that `&nbsp;` stays; each tag of a page separates words; a title
    is shown; what cannot be read is one U+FFFD, however long it is, and a character that is cut off at the end
    nothing.  Not as Dovecot's: `<` and `&` that begin neither a tag nor an entity hide no text behind them; what
    is in an encoding that there is not (`8 bit`) is taken for text; a part without words is no reason not to show
    the next one.

STANDARDS
    RFC 8970 §3 (PREVIEW)
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

import msgspec

from pillarbox.message.content import Content
from pillarbox.message.mime_tree import Part, parse
from pillarbox.message.part_content import text_of

MAX_CHARACTERS: Final = 200
"""RFC 8970 §3.1: "MUST NOT exceed 256"; Dovecot's are of 200."""
MAX_READ: Final = 65536
"""Octets of the part that are read for it."""
_NOT_SHOWN: Final = {
    name: re.compile(rf"</{name}\s*>", re.ASCII | re.IGNORECASE) for name in ("script", "style")
}
_QUOTED: Final = "blockquote"
_UNREADABLE: Final = "\N{REPLACEMENT CHARACTER}"
_REPEATED: Final = re.compile(_UNREADABLE + "{2,}")
_MARK: Final = "\ufeff"
"""Of the order of octets, wherever it stands."""
# A tag ends at the first `>` outside of quotes, if they are closed before the next `<`; the last may be cut short.
_TAG: Final = re.compile(
    r"<!--|<!\[(?i:cdata)\[|<(/?)([A-Za-z][A-Za-z0-9]*+)"
    r"""(?:(?>(?:[^<>"']+|"[^"<]*"|'[^'<]*')*)>|[^<>]*+(?:>|\Z))"""
    r"|<[!?][^<>]*+(?:>|\Z)"
)
_NUMBER: Final = re.compile(r"&#0*([0-9]{1,8})[0-9]*", re.ASCII)
"""A character's number; more than eight digits are no character's."""


def preview(content: Content) -> bytes:
    """The preview of a message with CRLF line ends, in UTF-8; empty if there is nothing to show."""
    for part in _leaves(parse(content)):
        name = _type_of(part)
        if not name.startswith(b"text/"):
            continue
        short = msgspec.structs.replace(part, body_end=min(part.body_end, part.body_start + MAX_READ))
        text = text_of(content, short, cut=True).replace(_MARK, "")
        shown = _of_html(text) if name == b"text/html" else _of_plain(text)
        if shown.strip():
            return shown[:MAX_CHARACTERS].rstrip(" ").encode()
    return b""


def _leaves(root: Part) -> Iterator[Part]:
    """The parts of a message without those of the messages in it; those of a digest are parts as they stand."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            children = sorted(part.children, key=_preference) if _is_choice(part) else part.children
            waiting += reversed(children)
        elif not part.is_message or part.content_type is None:
            yield part


def _type_of(part: Part) -> bytes:
    kind = part.content_type
    return b"text/plain" if kind is None else (kind.type + b"/" + kind.subtype).lower()


def _is_choice(part: Part) -> bool:
    """Whether only one of the parts is to be shown (RFC 2046 §5.1.4)."""
    return _type_of(part) == b"multipart/alternative"


def _preference(part: Part) -> int:
    return 2 if part.is_message else {b"text/plain": 0, b"text/html": 1}.get(_type_of(part), 2)


def _of_plain(text: str) -> str:
    lines = text.split("\n")
    own = [line for line in lines if not line.startswith(">")]
    return _joined("\n".join(own)) or (_of_quotation(text) if len(own) < len(lines) else "")


def _of_quotation(text: str) -> str:
    words = _joined("\n".join([line.removeprefix(">") for line in text.split("\n")]))
    return ">" + words if words else ""


def _joined(text: str) -> str:
    words = b" ".join(text.replace("\0", "").encode("utf-8", "replace").split())  # by white space of ASCII
    joined = words.decode()
    return _REPEATED.sub(_UNREADABLE, joined) if _UNREADABLE in joined else joined


def _unescaped(text: str) -> str:
    """Entities as characters.  int() refuses to read numbers of more than 4,300 digits."""
    return unescape(_NUMBER.sub(r"&#\1", text) if "&#" in text else text)


def _of_html(text: str) -> str:
    """The text of a page.  Tags are stepped over one by one, none is looked at twice: the page is anybody's."""
    own: list[str] = []
    quoted: list[str] = []
    depth = position = 0
    while True:
        tag = _TAG.search(text, position)
        (quoted if depth else own).append(_unescaped(text[position : tag.start() if tag else len(text)]))
        if tag is None:
            break
        position = tag.end()
        if tag[0] == "<!--":
            end = text.find("-->", position)
            position = end + 3 if end >= 0 else len(text)
            continue
        if tag[0].startswith("<![") and tag[0].endswith("["):  # CDATA: text as it stands
            end = text.find("]]>", position)
            (quoted if depth else own).append(text[position : end if end >= 0 else len(text)])
            position = end + 3 if end >= 0 else len(text)
            continue
        name = (tag[2] or "").lower()
        if name in _NOT_SHOWN and not tag[1]:
            closing = _NOT_SHOWN[name].search(text, position)
            position = closing.end() if closing is not None else len(text)
        depth = max(0, depth + (-1 if tag[1] else 1) * (name == _QUOTED))
        (quoted if depth else own).append(" ")
    return _of_plain("".join(own)) or _of_quotation("".join(quoted))
