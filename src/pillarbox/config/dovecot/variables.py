"""%-variables of dovecot.conf: `%u`, `%{user}`, with 2.3's modifiers and 2.4's filters.

DESCRIPTION
    `expand(text, values)` replaces variables by values, which are named by their long names: user, username,
    domain, service, lip, rip, home, … .  A value that is not known is empty.

        %u %n %d %s %p %l %r %a %b %c %m %w %h %i   the short names
        %Lu %Un %1n %2.1Mu %-2.1n %08Xi             2.3: modifiers before the letter
        %256Nu %2.256Nu                             a number below 256 for the user, in two digits
        %{sha1:user} %{if;%d;eq;a.example;x;y}      2.3: functions (config/dovecot/variable_functions.py)
        %{user} %{user | username | lower}          2.4: filters behind the name
        %%                                          a per cent sign

    Letters are those of ASCII for %L and %U, and what is cut are octets, as in Dovecot: directories are named so.

FAULTS
    ValueError  a modifier, filter or variable that does not exist

STANDARDS
    Dovecot 2.3 Variables; Dovecot 2.4 Settings Variables
"""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Final

from pillarbox.config.dovecot.variable_functions import DIGESTS, condition, digest
from pillarbox.vocabulary.digits import is_decimal_text

_LONG: Final = {
    "u": "user", "n": "username", "d": "domain", "s": "service", "p": "pid", "l": "lip", "r": "rip",
    "a": "lport", "b": "rport", "c": "secured", "m": "mechanism", "w": "password", "h": "home", "i": "uid",
    "k": "cert",
}  # fmt: skip
_ALIASES: Final = {
    **{"local_ip": "lip", "remote_ip": "rip", "local_port": "lport", "remote_port": "rport"},
    **{"real_local_ip": "real_lip", "real_remote_ip": "real_rip"},
    **{"real_local_port": "real_lport", "real_remote_port": "real_rport"},
    **{f"original_{name}": f"orig_{name}" for name in ("user", "username", "domain")},
    **{"protocol": "service", "mech": "mechanism", "owner_user": "user"},
}
"""Other names for the same."""
_UNLESS_KNOWN: Final = {
    **{f"{kind}_{name}": name for kind in ("auth", "orig") for name in ("user", "username", "domain")},
    **{"login_user": "user", "login_username": "username", "login_domain": "domain"},
    **{"real_lip": "lip", "real_rip": "rip", "real_lport": "lport", "real_rport": "rport"},
}
"""What stands for a value that nobody has told apart."""
_OF_LOGINS: Final = frozenset(("local_name", "client_id", "session_pid"))
_KNOWN: Final = frozenset(
    {*_LONG.values(), *_ALIASES, *_UNLESS_KNOWN, *_OF_LOGINS, "session", "hostname", "gid", "master_user"}
    | {"domain_first", "domain_last"}
)
_MARK: Final = re.compile("[;:|]")
_VARIABLE: Final = re.compile(
    r"%(?:(%)|(?P<sign>-?)(?P<zero>0?)(?P<number>[0-9]{0,3})(?:(?P<dot>\.)(?P<zero2>0?)(?P<width>-?[0-9]{0,3}))?"
    r"(?P<modifiers>[A-Z]*)"
    r"(?:(?P<letter>[a-z])|\{(?P<long>(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*)\}))",
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


def check(text: str, *, of_mail: bool = False) -> None:
    """ValueError if the text has a variable that does not exist; `of_mail`: where nobody logs in."""
    if of_mail and (named := next((name for name in _OF_LOGINS if f"%{{{name}}}" in text), "")):
        raise ValueError(f"Unknown variable '%{{{named}}}'")
    expand(text, _Zeros())


class _Zeros(dict[str, str]):
    """Every variable is 0, which is a number and a text."""

    def get(self, _name: object, _standard: object = None) -> str:
        return "0"

    def __contains__(self, _name: object) -> bool:
        return False


def user_values(user: str) -> dict[str, str]:
    """The values that follow from a user's name."""
    username, _, domain = user.partition("@")
    first, last = domain.partition("@")[0], domain.rpartition("@")[2]
    return {
        "user": user,
        "username": username,
        "domain": domain,
        "domain_first": first,
        "domain_last": last,
    }


def named_values(kind: str, user: str) -> dict[str, str]:
    """`%{orig_user}`, `%{auth_domain}` and the like: what follows from another name of the same user."""
    values = user_values(user)
    return {f"{kind}_{name}": values[name] for name in ("user", "username", "domain")}


def field_values(database: str, fields: Mapping[str, str]) -> dict[str, str]:
    """What `%{passdb:NAME}` or `%{userdb:NAME}` stand for."""
    return {f"{database}:{name}": value for name, value in fields.items()}


def _replacement(match: re.Match[str], values: Mapping[str, str], letters: Mapping[str, str]) -> str:
    if match["letter"] is not None:
        if match["letter"] not in letters:
            raise ValueError(f"Unknown variable '%{match['letter']}'")
        value = values.get(letters[match["letter"]], "")
    else:
        value = _computed(match["long"], values, letters)
    number = 0 if not match["number"] else int(match["number"])
    if match["dot"] is None:
        offset, width = 0, number
    else:
        offset, width = -number if match["sign"] else number, int(match["width"].rstrip("-") or 0)
    for modifier in match["modifiers"]:
        if modifier not in _MODIFIERS and modifier not in "HN":
            raise ValueError(f"Unknown modifier '%{modifier}'")
        if modifier in _MODIFIERS:
            value = _MODIFIERS[modifier](value)
        else:
            value = f"{_hash_number(value, modifier, width):x}".rjust(offset, "0")
            offset = width = 0
    return _cut(value, offset, width, filled=bool(match["zero2"] if match["dot"] else match["zero"]))


def _computed(long: str, values: Mapping[str, str], letters: Mapping[str, str]) -> str:
    """What stands between braces: a function of 2.3, or a variable and 2.4's filters."""
    name = _MARK.split(long, maxsplit=1)[0]
    mark, rest = long[len(name) : len(name) + 1], long[len(name) + 1 :]

    def read(text: str) -> str:
        return expand(text, values, letters=letters)

    if name == "if" and mark == ";":
        return condition(rest, read)
    if name in DIGESTS and mark in (";", ":"):
        arguments, _, variable = rest.rpartition(":") if mark == ";" else ("", "", rest)
        return digest(name, arguments, _value(variable, values, letters), read)
    name, *filters = long.split("|")
    value = _value(name.strip(), values, letters)
    for text in filters:
        value = _filtered(text, value)
    return value


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
    name = _ALIASES.get(name, name)
    value = values[name] if name in values else values.get(_UNLESS_KNOWN.get(name, name), "")
    return os.uname().nodename if name == "hostname" and not value else value


def _cut(value: str, offset: int, width: int, *, filled: bool) -> str:
    """`%2n`: two octets; `%2.3n`: three from the third on; `%-3.2n`: of the last three; `%08X`: filled up."""
    octets = value.encode("utf-8", "surrogateescape")
    octets = octets[offset:] if offset >= 0 else octets[max(0, len(octets) + offset) :]
    if filled:
        octets = octets.rjust(width, b"0") if width > 0 else octets
    elif width:
        octets = octets[:width] if width > 0 else octets[: max(0, len(octets) + width)]
    return octets.decode("utf-8", "surrogateescape")


def _hash_number(value: str, modifier: str, size: int) -> int:
    """`%256Hu`: a number below 256 for the user.  2.3 has two hash functions for it, N being the better one."""
    if modifier == "N":
        number = int.from_bytes(hashlib.md5(value.encode(), usedforsecurity=False).digest()[:8], "big")
    else:
        number = 0
        for octet in value.encode():
            number = ((number << 4) + octet) & 0xFFFFFFFF
            high = number & 0xF0000000
            if high:
                number = (number ^ (high >> 24)) ^ high
    return number % size if size > 0 else number & 0xFFFFFFFF


def _lower(value: str) -> str:
    """In small letters of ASCII."""
    return value.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _upper(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").upper().decode("utf-8", "surrogateescape")


def _reversed(value: str) -> str:
    return value.encode("utf-8", "surrogateescape")[::-1].decode("utf-8", "surrogateescape")


def _hexadecimal(value: str) -> str:
    """Of what is no number, or has more than 64 bits, Dovecot makes 0."""
    number = int(value) if is_decimal_text(value) else 0
    return f"{number:x}" if number < 1 << 64 else "0"


_MODIFIERS: Final[dict[str, Callable[[str], str]]] = {
    "L": _lower,
    "U": _upper,
    "E": lambda value: re.sub(r"([\\'\"])", r"\\\1", value),
    "X": _hexadecimal,
    "R": _reversed,
    "M": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "D": lambda value: value.replace(".", ",dc="),
    "T": lambda value: value.rstrip(" \t\n\v\f\r"),
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
    "lower": _lower,
    "upper": _upper,
    "username": lambda value: value.partition("@")[0],
    "domain": lambda value: value.partition("@")[2],
    "md5": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "sha1": lambda value: hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest(),
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "hexlify": lambda value: value.encode().hex(),
    "hex": _hexadecimal,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "reverse": _reversed,
}
