"""What the log says of a session when it is over: pop3_logout_format and imap_logout_format.

DESCRIPTION
    Variables are the session's figures, by a short or a long name, and those of its user: `%{user}`, `%n`,
    `%{session}`, `%{rip}`.  A figure's short name goes before a user's.

FAULTS
    ValueError  of `check`: a variable, modifier or filter that does not exist

STANDARDS
    Dovecot 2.3, pop3_logout_format, imap_logout_format
"""

from collections.abc import Mapping
from typing import Final

from pillarbox.config.dovecot import variables

_USER: Final = {
    "u": "user", "n": "username", "d": "domain", "s": "service", "l": "lip", "r": "rip", "h": "home",
    "session": "session", "p": "pid",
}  # fmt: skip
_USER_NAMES: Final = {name: name for name in _USER.values()}

POP3_FIGURES: Final = {
    "p": "top_bytes", "t": "top_count", "b": "retr_bytes", "r": "retr_count", "d": "deleted_count",
    "m": "message_count", "s": "message_bytes", "i": "input", "o": "output", "u": "uidl_change",
    "deleted_bytes": "deleted_bytes",
}  # fmt: skip
IMAP_FIGURES: Final = {
    "i": "input", "o": "output",
    **{name: name for name in (
        "fetch_hdr_count", "fetch_hdr_bytes", "fetch_body_count", "fetch_body_bytes", "deleted", "expunged",
        "trashed", "autoexpunged", "appended",
    )},
}  # fmt: skip
"""Short name → long name; a figure that has no short name stands under its long one."""
POP3_FORMAT: Final = "top=%t/%p, retr=%r/%b, del=%d/%m, size=%s"
IMAP_FORMAT: Final = (
    "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed}"
    " hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes}"
    " body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}"
)


def check(text: str, figures: Mapping[str, str]) -> None:
    """ValueError unless it can be expanded."""
    expand(text, figures, {}, {})


def refers_to(text: str, figure: str, figures: Mapping[str, str]) -> bool:
    """Whether a figure, by its long name, is in the text."""
    return expand(text, figures, {figure: "1"}, {}) != expand(text, figures, {figure: "2"}, {})


def expand(
    text: str, figures: Mapping[str, str], values: Mapping[str, object], user: Mapping[str, str]
) -> str:
    """`figures`: short → long names; `values`: by long names; `user`: user, session, rip, …"""
    letters = {**_USER, **_USER_NAMES, **figures}
    return variables.expand(
        text, {**user, **{name: str(value) for name, value in values.items()}}, letters=letters
    )
