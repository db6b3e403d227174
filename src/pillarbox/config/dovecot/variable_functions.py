"""What %-variables of 2.3 can compute: digests of other variables, and one text or another.

DESCRIPTION
    %{sha1:user}, %{md5;rounds=10,truncate=16,format=base64,salt=x:user}   a digest, hexadecimal by default
    %{pkcs5;rounds=10,salt=x:user}                                         336 octets of PBKDF2 with SHA-256
    %{if;%d;eq;example.org;yes;no}                                         the last text may be left out

    Comparators of %{if}: == < <= > >= != for numbers, eq lt le gt ge ne for texts, * and !* with wildcards
    (`*`, `?`), ~ and !~ with regular expressions.  A backslash takes its meaning from a `;` or `:`.

FAULTS
    ValueError  an argument that is none; `str()` says which, as Dovecot does

STANDARDS
    Dovecot 2.3 Variables (Long variables, Hash functions, Conditionals)
"""

import base64
import hashlib
import operator
import re
from collections.abc import Callable
from typing import Final

from pillarbox.vocabulary.old_digests import md4

DIGESTS: Final = frozenset(
    ("md4", "md5", "sha1", "sha256", "sha384", "sha512", "sha3-256", "sha3-512", "pkcs5")
)
"""Names of digests."""
MAX_ROUNDS: Final = 1_000_000
_PKCS5_ROUNDS: Final = 2048
_PKCS5_OCTETS: Final = 336

_NUMBERS: Final[dict[str, Callable[[int, int], bool]]] = {
    **{"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le},
    **{">": operator.gt, ">=": operator.ge},
}
_TEXTS: Final[dict[str, Callable[[bytes, bytes], bool]]] = {
    **{"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le},
    **{"gt": operator.gt, "ge": operator.ge},
}
_PATTERNS: Final = ("*", "!*", "~", "!~")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def digest(name: str, arguments: str, value: str, expand: Callable[[str], str]) -> str:
    """The digest `name` of a value; `arguments` stand between `;` and `:`, `expand` reads the salt's variables."""
    rounds, bits, salt, form = _PKCS5_ROUNDS if name == "pkcs5" else 1, 0, b"", "hex"
    for argument in arguments.split(",") if arguments else []:
        key, _, given = argument.partition("=")
        if key == "rounds":
            rounds = _count(given, key)
            if rounds < 1:
                raise ValueError("Cannot parse hash arguments:rounds must be at least 1")
        elif key == "truncate":
            bits = _count(given, "truncbits")
        elif key == "salt":
            salt = _octets(expand(given))
            break  # as in Dovecot: the salt is the last one
        elif key == "format":
            if given not in ("hex", "hexuc", "base64"):
                raise ValueError(f"Cannot parse hash arguments:'{given}' is not supported format")
            form = given
    octets = _hashed(name, salt, _octets(value), min(rounds, MAX_ROUNDS))
    if 0 < bits < len(octets) * 8:
        size = (bits + 7) // 8
        octets = (int.from_bytes(octets[:size], "big") >> (size * 8 - bits)).to_bytes(size, "big")
    return base64.b64encode(octets).decode() if form == "base64" else octets.hex()


def _hashed(name: str, salt: bytes, octets: bytes, rounds: int) -> bytes:
    if name == "pkcs5":
        if not salt:  # Dovecot takes another one each time
            raise ValueError(
                "Cannot parse hash arguments:pkcs5 needs a salt, or nothing would be found again"
            )
        return hashlib.pbkdf2_hmac("sha256", octets, salt, rounds, _PKCS5_OCTETS)
    for _ in range(rounds):
        octets = md4(salt + octets) if name == "md4" else _by_openssl(name, salt + octets)
    return octets


def _by_openssl(name: str, octets: bytes) -> bytes:
    return hashlib.new(name.replace("-", "_"), octets, usedforsecurity=False).digest()


def condition(text: str, expand: Callable[[str], str]) -> str:
    """`left;comparator;right;then;else`: which of the last two it is, expanded."""
    words = _words(text)
    if len(words) not in (4, 5):
        raise ValueError(f"if: requires four or five parameters, got {len(words)}")
    left, comparator, right, *texts = [expand(word) for word in words]
    return [*texts, ""][0 if _holds(left, comparator, right) else 1]


def _words(text: str) -> list[str]:
    """The parts between semicolons, but for those inside of variables; an empty one at the end is none."""
    words: list[str] = [""]
    depth = 0
    before = ""
    for mark in text:
        if before == "\\":
            words[-1] += mark
            before = ""
            continue
        if mark != "\\":
            if mark == "{" and before == "%":
                depth += 1
            elif mark == "}" and depth:
                depth -= 1
            if mark == ";" and not depth:
                words.append("")
            elif mark == ":" and not depth:
                break
            else:
                words[-1] += mark
        before = mark
    return words if words[-1] else words[:-1]


def _holds(left: str, comparator: str, right: str) -> bool:
    if comparator in _NUMBERS:
        for side, word in (("lhs", left), ("rhs", right)):
            if not _NUMBER.fullmatch(word):
                raise ValueError(f"if: {word} ({side}) is not a number")
        return _NUMBERS[comparator](int(left), int(right))
    if comparator in _TEXTS:
        return _TEXTS[comparator](_octets(left), _octets(right))
    if comparator not in _PATTERNS:
        raise ValueError(f"if: Unsupported comparator '{comparator}'")
    if comparator.endswith("*"):
        wild = re.escape(right).replace(r"\*", ".*").replace(r"\?", ".")
        found = re.fullmatch(wild, left, re.DOTALL)
    else:
        try:
            found = re.search(right, left)
        except re.error as fault:
            raise ValueError(f"if: regex failed: {fault}") from fault
    return (found is not None) is not comparator.startswith("!")


def _count(given: str, key: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", given, re.ASCII):
        raise ValueError(f"Cannot parse hash arguments:'{given}' is not number for {key}")
    return int(given)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
