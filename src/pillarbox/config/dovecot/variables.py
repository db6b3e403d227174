"""%-variables of dovecot.conf: `%u`, `%{user}`, with 2.3's modifiers and 2.4's filters.

DESCRIPTION
    `expand(text, values)` replaces variables by values, which are named by their long names: user, username,
    domain, service, lip, rip, home, … .  A value that is not known is empty.

        %u %n %d %s %p %l %r %a %b %c %m %w %h %i   the short names
        %Lu %Un %1n %-2n %2.1Mu %08Xi %256Hu         2.3: modifiers before the letter
        %{user} %{user | username | lower}           2.4: filters behind the name
        %%                                           a per cent sign

FAULTS
    ValueError  a modifier, filter or variable that does not exist

STANDARDS
    Dovecot 2.3 Variables; Dovecot 2.4 Settings Variables
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

_LONG: Final = {
    "u": "user", "n": "username", "d": "domain", "s": "service", "p": "pid", "l": "lip", "r": "rip",
    "a": "lport", "b": "rport", "c": "secured", "m": "mechanism", "w": "password", "h": "home", "i": "uid",
    "k": "cert",
}  # fmt: skip
_ALIASES: Final = {"local_ip": "lip", "remote_ip": "rip", "protocol": "service", "mech": "mechanism",
                   "real_rip": "rip", "real_lip": "lip", "auth_user": "user", "orig_user": "user",
                   "login_user": "user", "owner_user": "user"}  # fmt: skip
_KNOWN: Final = frozenset(
    {*_LONG.values(), *_ALIASES, "session", "hostname", "gid", "master_user", "real_lport", "real_rport"}
)
_VARIABLE: Final = re.compile(
    r"%(?:(%)|(?P<zero>0?)(?P<offset>-?[0-9]{1,3})?(?:\.(?P<width>-?[0-9]{1,3}))?(?P<modifiers>[A-Z]*)"
    r"(?:(?P<letter>[a-z])|\{(?P<long>[^{}]*)\}))",
    re.ASCII,
)
_FILTER: Final = re.compile(r"\s*([a-z0-9_]+)(?:\(([^()]*)\))?\s*", re.ASCII)
MAX_LENGTH: Final = 4096
"""Characters of an expanded text."""


def expand(text: str, values: Mapping[str, str], *, letters: Mapping[str, str] = _LONG) -> str:
    """The text with its variables replaced.  `letters`: other variables than those of users, short name → long."""

    def replace(match: re.Match[str]) -> str:
        return "%" if match[1] else _replacement(match, values, letters)

    return _VARIABLE.sub(replace, text)[:MAX_LENGTH]


def check(text: str) -> None:
    """ValueError if the text has a variable that does not exist."""
    expand(text, {})


def user_values(user: str) -> dict[str, str]:
    """The values that follow from a user's name."""
    username, _, domain = user.partition("@")
    return {"user": user, "username": username, "domain": domain}


def _replacement(match: re.Match[str], values: Mapping[str, str], letters: Mapping[str, str]) -> str:
    if match["letter"] is not None:
        if match["letter"] not in letters:
            raise ValueError(f"Unknown variable '%{match['letter']}'")
        value = values.get(letters[match["letter"]], "")
    else:
        name, *filters = match["long"].split("|")
        value = _value(name.strip(), values, letters)
        for text in filters:
            value = _filtered(text, value)
    for modifier in match["modifiers"]:
        if modifier not in _MODIFIERS and modifier not in "HN":
            raise ValueError(f"Unknown modifier '%{modifier}'")
        if modifier in _MODIFIERS:
            value = _MODIFIERS[modifier](value)
    if set(match["modifiers"]) & {"H", "N"}:
        return _hash_number(value, match)
    return _cut(value, match)


def _value(name: str, values: Mapping[str, str], letters: Mapping[str, str]) -> str:
    name = letters.get(name, name)
    if name in letters.values():
        return values.get(name, "")
    kind, colon, rest = name.partition(":")
    if colon and kind in ("userdb", "passdb", "env"):
        field, _, standard = rest.partition(":")
        return values.get(f"{kind}:{field}", standard)
    if name not in _KNOWN or letters is not _LONG:
        raise ValueError(f"Unknown variable '%{{{name}}}'")
    return values.get(_ALIASES.get(name, name), "")


def _cut(value: str, match: re.Match[str]) -> str:
    """`%2n`: two characters; `%2.3n`: three from the second on; `%-2n`: the last two; `%02X`: filled up."""
    offset, width = match["offset"], match["width"]
    if match["zero"] and offset is not None and width is None:
        return value[: int(offset)].rjust(int(offset), "0")
    if offset is None and width is None:
        return value
    if width is None:
        count = int(offset)
        return value[count:] if count < 0 else value[:count]
    start, count = int(offset or 0), int(width)
    value = value[start:] if start >= 0 else value[max(0, len(value) + start) :]
    return value[:count] if count >= 0 else value[: max(0, len(value) + count)]


def _hash_number(value: str, match: re.Match[str]) -> str:
    """`%256Hu`: a number below 256 for the user, in hexadecimal.  2.3 has two hash functions for it."""
    if "N" in match["modifiers"]:
        number = int.from_bytes(hashlib.md5(value.encode(), usedforsecurity=False).digest()[-4:], "big")
    else:
        number = 0
        for octet in value.encode():
            number = ((number << 4) + octet) & 0xFFFFFFFF
            high = number & 0xF0000000
            if high:
                number = (number ^ (high >> 24)) ^ high
    size = int(match["width"] or match["offset"] or 0)
    text = f"{number % size if size > 0 else number:x}"
    return text.rjust(2, "0") if match["zero"] else text


def _hexadecimal(value: str) -> str:
    return f"{int(value):x}" if value.isascii() and value.isdigit() else "0"


_MODIFIERS: Final[dict[str, Callable[[str], str]]] = {
    "L": str.lower,
    "U": str.upper,
    "E": lambda value: re.sub(r"([\\'\"])", r"\\\1", value),
    "X": _hexadecimal,
    "R": lambda value: value[::-1],
    "M": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "D": lambda value: value.replace(".", ",dc="),
    "T": str.strip,
}


def _filtered(text: str, value: str) -> str:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise ValueError(f"Unknown filter '{text.strip()}'")
    name, given = match[1], [word.strip().strip("'\"") for word in (match[2] or "").split(",")]
    if name == "substr":
        numbers = [int(word) for word in given if re.fullmatch(r"-?[0-9]{1,4}", word, re.ASCII)]
        start = numbers[0] if numbers else 0
        return value[start : start + numbers[1]] if len(numbers) > 1 and start >= 0 else value[start:]
    if name == "default":
        return value or given[0]
    if name not in _FILTERS:
        raise ValueError(f"Unknown filter '{name}'")
    return _FILTERS[name](value)


_FILTERS: Final[dict[str, Callable[[str], str]]] = {
    "lower": str.lower,
    "upper": str.upper,
    "username": lambda value: value.partition("@")[0],
    "domain": lambda value: value.partition("@")[2],
    "md5": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "sha1": lambda value: hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "hexlify": lambda value: value.encode().hex(),
    "hex": _hexadecimal,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "reverse": lambda value: value[::-1],
}
