"""Types of dovecot.conf's settings: from the text as written to the text as doveconf shows it, and to a value.

DESCRIPTION
    `canonical(type, text)` checks a text and gives the one form in which doveconf(1) shows it: `90s` is
    `90 secs`, `10240k` is `10 M`, `YES` is `yes`.  `seconds`, `octets`, `boolean` read that form.

    Types: str, bool, number, octal, time, milliseconds, size, port, and `a|b|c` for one of these words.

FAULTS
    ValueError  in the words of Dovecot 2.3

STANDARDS
    Dovecot 2.3 Settings (types)
"""

import re
from collections.abc import Callable
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{1,20})[ \t]*([A-Za-z]*)", re.ASCII)
_SIZE: Final = re.compile(r"([0-9]{1,20})[ \t]*([A-Za-z]*)", re.ASCII)
_MOST: Final = 1 << 64
_FOREVER: Final = 4294967295

_SECONDS: Final = {"week": 604800, "day": 86400, "hour": 3600, "min": 60, "sec": 1}
_TIME_UNITS: Final = {
    spelling: seconds
    for name, seconds in _SECONDS.items()
    for spelling in (name[0], name, f"{name}s", *(("minute", "minutes") if name == "min" else ()))
} | {"second": 1, "seconds": 1}
_MILLISECONDS: Final = ("msec", "msecs", "ms", "millisecond", "milliseconds")
_SIZE_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def canonical(kind: str, text: str) -> str:
    """The text as doveconf shows it.  ValueError."""
    if "|" in kind:
        if text in kind.split("|"):
            return text
        raise ValueError(f"Invalid value: {text}")
    return _CANONICAL[kind](text)


def boolean(text: str) -> bool:
    """Whether a canonical bool is yes."""
    return text == "yes"


def number(text: str) -> int:
    """A canonical number, size in octets, or octal mode."""
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)


def seconds(text: str) -> int:
    """Seconds of a canonical time."""
    amount, _, unit = text.partition(" ")
    return int(amount) * (_TIME_UNITS[unit] if unit else 1)


def octets(text: str) -> int:
    """Octets of a canonical size."""
    amount, _, unit = text.partition(" ")
    return int(amount) * _SIZE_UNITS[unit.lower()]


def _bool(text: str) -> str:
    folded = text.lower() if text.isascii() else text
    if folded in ("yes", "y", "1"):
        return "yes"
    if folded == "no":
        return "no"
    raise ValueError(f"Invalid boolean value: {text} (use yes or no)")


def _number(text: str) -> str:
    if re.fullmatch(r"-[0-9]+", text, re.ASCII):
        raise ValueError(f"Invalid number {text}: Number too small")
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"Invalid number {text}: Not a valid number")
    if len(text.lstrip("0")) > 10 or int(text) >= 1 << 32:
        raise ValueError(f"Invalid number {text}: Number too large")
    return str(int(text))


def _octal(text: str) -> str:
    if not text.startswith("0"):
        return f"0{int(_number(text)):o}"
    if not _NUMBER.fullmatch(text) or any(digit in "89" for digit in text):
        raise ValueError(f"Invalid number: {text}")
    return f"0{int(text, 8):o}"


def _port(text: str) -> str:
    if not _NUMBER.fullmatch(text) or int(text) > 65535:
        raise ValueError(f"Invalid port number {text}")
    return str(int(text))


def _time(text: str) -> str:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid time interval: {text}")
    unit = match[2].lower()
    if not unit:
        if int(match[1]):
            raise ValueError(f"Time interval '{text}' is missing units (add e.g. 's' for seconds)")
        return "0"
    if unit in _MILLISECONDS:
        raise ValueError(f"Milliseconds not supported for this setting: {text}")
    if unit not in _TIME_UNITS:
        raise ValueError(f"Invalid time interval: {text}")
    amount = int(match[1]) * _TIME_UNITS[unit]
    if amount > _FOREVER:
        raise ValueError(f"Time interval is too large: {text}")
    return shown_seconds(amount)


def _milliseconds(text: str) -> str:
    """A time that may have that unit, and cannot be longer than 2³² of them."""
    match = _TIME.fullmatch(text)
    if match is not None and match[2].lower() in _MILLISECONDS:
        amount = int(match[1])
        if amount % 1000:
            return f"{amount} ms"
        text = f"{amount // 1000} s"
    canonical = _time(text)
    if seconds(canonical) * 1000 > _FOREVER:
        raise ValueError(f"Time interval is too large: {text}")
    return canonical


def shown_seconds(amount: int) -> str:
    """`7200` as `2 hours`."""
    if amount == 0:
        return "0"
    if amount != _FOREVER:
        for name, size in _SECONDS.items():
            if amount % size == 0:
                return f"{amount // size} {name}s"
    return f"{amount} secs"


def _size(text: str) -> str:
    match = _SIZE.fullmatch(text)
    unit = match[2].lower() if match else ""
    unit = unit[:1] if unit[1:] in ("b", "i", "ib") and unit[:1] != "b" else unit
    if match is None or unit not in _SIZE_UNITS or int(match[1]) >= _MOST:
        raise ValueError(f"Invalid size: {text}")
    amount = int(match[1]) * _SIZE_UNITS[unit]
    if amount >= _MOST:
        raise ValueError(f"Size is too large: {text}")
    return shown_octets(amount)


def shown_octets(amount: int) -> str:
    """`65536` as `64 k`."""
    if amount == 0:
        return "0"
    for letter in "TGMk":
        size = _SIZE_UNITS[letter.lower()]
        if amount % size == 0:
            return f"{amount // size} {letter}"
    return f"{amount} B"


_CANONICAL: Final[dict[str, Callable[[str], str]]] = {
    "str": str,
    "bool": _bool,
    "number": _number,
    "octal": _octal,
    "port": _port,
    "time": _time,
    "milliseconds": _milliseconds,
    "size": _size,
}
