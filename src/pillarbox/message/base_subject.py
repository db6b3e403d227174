"""The base subject: what is left of a subject without `Re:`, `[list]`, `(fwd)` and the like.

STANDARDS
    RFC 5256 §2.1 (the steps are numbered as there), §5 (ABNF)
"""

import re
from typing import Final

_BLANKS: Final = re.compile(r"[ \t\r\n]+")
# subj-trailer = "(fwd)" / WSP
_TRAILER: Final = re.compile(r"(?:\(fwd\)| )\Z", re.IGNORECASE)
_BLOB: Final = r"\[[^\[\]]*\] *"
# subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
_LEADER: Final = re.compile(rf"(?:{_BLOB})*(?:re|fwd?) *(?:{_BLOB})?:", re.IGNORECASE)
_LEADING_BLOB: Final = re.compile(_BLOB)
# Nothing that any of the above needs but blanks.
_WORDS: Final = re.compile(r"[^\[\]:)]*")
MAX_SUBJECT: Final = 4096
"""Characters of a subject that are looked at."""


def base_subject(subject: str) -> tuple[str, bool]:
    """The base subject of a decoded subject, and whether that is a reply or a forward."""
    if len(subject) <= MAX_SUBJECT and _WORDS.fullmatch(subject) and subject == " ".join(subject.split()):
        return subject, False
    text = _BLANKS.sub(" ", subject[:MAX_SUBJECT])  # (1)
    is_reply = False
    while True:
        while (trailer := _TRAILER.search(text)) is not None:  # (2)
            is_reply = is_reply or trailer[0] != " "
            text = text[: trailer.start()]
        text, replied = _without_leaders(text)
        is_reply = is_reply or replied
        # (6): subj-fwd-hdr = "[fwd:", subj-fwd-trl = "]"
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):
            return text, is_reply
        text, is_reply = text[5:-1], True


def _without_leaders(text: str) -> tuple[str, bool]:
    """(3) to (5), over and over."""
    is_reply = False
    while True:
        before = text
        text = text.lstrip(" ")
        leader = _LEADER.match(text)
        if leader is not None:
            text, is_reply = text[leader.end() :], True
            continue
        # Where no leader begins with a blob, none begins with those that follow it.
        start = 0
        while (blob := _LEADING_BLOB.match(text, start)) is not None and blob.end() < len(text):
            start = blob.end()  # "only if … a non-empty subj-base"
        text = text[start:]
        if text == before:
            return text, is_reply
