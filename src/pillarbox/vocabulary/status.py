"""Enhanced mail system status codes (RFC 3463): `class.subject.detail`."""

import re
from typing import Final

import msgspec

_TEXT: Final = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)


class EnhancedStatus(msgspec.Struct, frozen=True, array_like=True):
    """`status-code = class "." subject "." detail`  RFC 3463 §2

    `klass` is 2 (success), 4 (persistent transient failure) or 5 (permanent failure).
    """

    klass: int
    subject: int
    detail: int

    @classmethod
    def parse(cls, text: str) -> "EnhancedStatus":
        """The code that `text` spells.  ValueError if it is none."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"not an enhanced status code: {text[:40]!r}")
        return cls(int(match[1]), int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"
