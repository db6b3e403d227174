"""Templates of questions to databases and of their answers: `SELECT goto FROM alias WHERE address = '%s'`.

DESCRIPTION
    In a query, %s is the key, %u and %d are its user and its domain, %1 to %9 the domain's labels from the right.
    In a result format these are of the value that was found; in capitals, %S, %U and %D, and as numbers they are
    always of the key.  `%%` is a percent sign.

    What lacks a part that a template asks for is passed over: `expand()` gives None then.

FAULTS
    BadTemplate  another letter after a percent sign
    warnings     a key or a value that is empty

STANDARDS
    sqlite_table(5), mysql_table(5), pgsql_table(5): query, result_format
"""

from collections.abc import Callable, Iterable
from typing import Final

from pillarbox.tables.table import Warn

_LETTERS: Final = "sudSUD123456789%"


class BadTemplate(ValueError):
    """`Invalid query template: TEXT`, or of a result."""


class Templates:
    """The query and the result format of one table; what either asks of a key, both do."""

    def __init__(self, name: str, query: str, result_format: str, *, warn: Warn) -> None:
        self._name = name  # `type:name`, for warnings
        self._warn = warn
        self._query = list(_parsed(query, "query"))
        self._result = list(_parsed(result_format, "result"))
        asked = {letter.lower() if letter in "UD" else letter for letter, _text in self._query}
        shaped = {letter for letter, _text in self._result}
        self._labels = max((int(letter) for letter in asked | shaped if letter.isdigit()), default=0)
        self._key_domain = bool({"d"} & asked or {"D"} & shaped or self._labels)
        self._key_user = bool({"u"} & asked or {"U"} & shaped)
        self._value_domain = "d" in shaped
        self._value_user = "u" in shaped

    def question(self, key: str, quote: Callable[[str], str]) -> str | None:
        """The query for a key; None if it has too few parts."""
        if not key:
            self._warn(f'table "{self._name}": empty query string -- ignored')
            return None
        parts = _Parts.of(key)
        if not self._has_parts(parts):
            return None
        return "".join(text or quote(parts.value(letter.lower())) for letter, text in self._query)

    def answer(self, values: Iterable[str | None], key: str, *, limit: int) -> str | None:
        """The values in their format, with commas between; None if none is left.  TooMany."""
        parts = _Parts.of(key)
        shown: list[str] = []
        for value in values:
            formatted = self._formatted(value, parts)
            if formatted is None:
                continue
            shown.append(formatted)
            if 0 < limit < len(shown):
                raise TooManyValues
        return ",".join(filter(None, shown)) or None

    def _formatted(self, value: str | None, key: "_Parts") -> str | None:
        if value is None:
            return None
        if not value:
            self._warn(f'table "{self._name}": empty lookup result for: "{key.whole}" -- ignored')
            return None
        parts = _Parts.of(value)
        if (self._value_domain and not parts.domain) or (self._value_user and parts.lacks_user):
            return None
        if not self._has_parts(key):
            return None
        return "".join(
            text or (parts.value(letter) if letter in "sud" else key.value(letter.lower()))
            for letter, text in self._result
        )

    def _has_parts(self, key: "_Parts") -> bool:
        if (self._key_domain and not key.domain) or (self._key_user and key.lacks_user):
            return False
        labels = key.labels[: self._labels]
        return len(labels) == self._labels and all(labels)


class TooManyValues(Exception):
    """More values than expansion_limit allows."""


class _Parts:
    """A key or a value, taken apart at its last @."""

    __slots__ = ("_user", "domain", "labels", "lacks_user", "whole")

    def __init__(self, whole: str, user: str, domain: str, *, lacks_user: bool) -> None:
        self.whole = whole
        self._user = user
        self.domain = domain
        self.lacks_user = lacks_user
        self.labels = domain.split(".")[::-1]

    @classmethod
    def of(cls, text: str) -> "_Parts":
        user, at, domain = text.rpartition("@")
        return cls(text, user if at else text, domain if at else "", lacks_user=bool(at) and not user)

    def value(self, letter: str) -> str:
        """What a letter in lower case, or a digit, stands for."""
        match letter:
            case "s":
                return self.whole
            case "u":
                return self._user
            case "d":
                return self.domain
        return self.labels[int(letter) - 1]


def _parsed(template: str, kind: str) -> Iterable[tuple[str, str]]:
    """(letter, "") of each percent sign, ("", text) of what is between them."""
    start = 0
    while (at := template.find("%", start)) >= 0:
        letter = template[at + 1 : at + 2]
        if not letter or letter not in _LETTERS:
            raise BadTemplate(f"Invalid {kind} template: {template}")
        if at > start:
            yield "", template[start:at]
        yield ("", "%") if letter == "%" else (letter, "")
        start = at + 2
    if start < len(template):
        yield "", template[start:]
