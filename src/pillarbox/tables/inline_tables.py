"""Tables that stand in main.cf itself: `inline:{ key=value, { key = value with blanks } }`, `static:value`.

STANDARDS
    DATABASE_README: inline, static
"""

from pillarbox.config.value_types import items
from pillarbox.vocabulary.faults import ConfigurationFault


class InlineTable:
    """`inline:{ key=value … }`; keys are folded to lower case."""

    partial_keys = True

    def __init__(self, text: str) -> None:
        self.name = f"inline:{text}"
        inside = text.strip()
        if not (inside.startswith("{") and inside.endswith("}")):
            raise ConfigurationFault(self.name, "expected inline:{ key=value, … }")
        self._values: dict[str, str] = {}
        for item in items(inside[1:-1]):
            key, equals, value = item.partition("=")
            if not equals or not key.strip() or not value.strip():
                raise ConfigurationFault(self.name, f'expected key=value, not "{item}"')
            self._values.setdefault(key.strip().lower(), value.strip())
        if not self._values:
            raise ConfigurationFault(self.name, "empty inline table")

    def query(self, key: str) -> str | None:
        """The value of a key."""
        return self._values.get(key.lower())


class StaticTable:
    """`static:value`: the same answer to every question."""

    partial_keys = False

    def __init__(self, text: str) -> None:
        self.name = f"static:{text}"
        text = text.strip()
        self._value = text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text

    def query(self, key: str) -> str | None:
        """The value."""
        return self._value
