"""A password or key that does not show itself."""

import hmac


class Secret:
    """Bytes that `repr()`, logs and tracebacks never show.

    `reveal()` is the only door, so that a search for it finds every place where the value is used.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def matches(self, other: bytes) -> bool:
        """Whether `other` is the same, in constant time."""
        return hmac.compare_digest(self._value, other)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._value)
