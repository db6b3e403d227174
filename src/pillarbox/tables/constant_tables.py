"""Tables that stand in main.cf itself: inline, static, fail, randmap; and environ, the process's environment.

DESCRIPTION
        inline:{ key=value, { key = value with blanks } }
        static:value      static:{ value with blanks }       the same answer to every question
        fail:name                                            never an answer, always a fault
        randmap:{ value, … }                                 one of the values
        environ:                                             an environment variable

FAULTS
    ConfigurationFault  bad syntax, in Postfix's words
    LookupFault         from fail:

STANDARDS
    DATABASE_README
"""

import os
import random
import re
from typing import Final

from pillarbox.config.logical_lines import BLANKS
from pillarbox.config.value_types import without_braces, words
from pillarbox.tables.file_values import FileValueFault
from pillarbox.tables.table import Keys, LookupFault, Opening, octets_of, text_of
from pillarbox.vocabulary.faults import ConfigurationFault

_KEY: Final = re.compile(r'(?:\\.|"(?:\\.|[^"\\])*"|[^\s="\\])*', re.DOTALL)
"""To the first blank or `=`, but for what quotes and backslashes are around; they are of the key."""


class InlineTable:
    """`inline:{ key=value … }`; the last of equal keys counts."""

    partial_keys = True
    owner_uid = 0
    is_fixed = True

    def __init__(self, text: str, opening: Opening) -> None:
        self.name = f"inline:{text}"
        need = f'need "inline:{{name={"filename" if opening.files else "value"}...}}"'
        self._keys = Keys(self.name, opening)
        self._values: dict[str, str] = {}
        for item in braced_items("inline", text, need=need, opening=opening):
            key, value = self._pair(item, need, opening)
            self._values[(self._keys.folded(key) or "")] = value

    def query(self, key: str) -> str | None:
        """The value of a key."""
        folded = self._keys.folded(key)
        return None if folded is None else self._values.get(folded)

    def items(self) -> list[tuple[bytes, bytes]]:
        """All keys and values."""
        return [(octets_of(key), octets_of(value)) for key, value in self._values.items()]

    def _pair(self, item: str, need: str, opening: Opening) -> tuple[str, str]:
        try:
            pair = without_braces(item)
        except ValueError as error:
            raise ConfigurationFault(opening.where, f'{error}: "{self.name}"; {need}') from error
        pair = pair.strip(BLANKS)
        key = _KEY.match(pair)
        assert key is not None  # it may be empty
        rest = pair[key.end() :].lstrip(BLANKS)
        if not rest.startswith("="):
            wrong = (
                "missing '=' after attribute name" if pair else "no key found; expected format: key = value"
            )
            if rest.startswith('"'):
                wrong = "unbalanced '\"'"
            raise ConfigurationFault(opening.where, f'{wrong}: "{self.name}"; {need}', mend=pair)
        try:
            return key[0], opening.value(rest[1:].strip(BLANKS))
        except FileValueFault as fault:
            raise ConfigurationFault(opening.where, f'{fault}: "{self.name}"; {need}') from fault


class StaticTable:
    """`static:value`"""

    partial_keys = False
    owner_uid = 0
    is_fixed = True

    def __init__(self, text: str, opening: Opening) -> None:
        self.name = f"static:{text}"
        try:
            self._value = opening.value(without_braces(text) if text.startswith("{") else text)
        except FileValueFault as fault:
            raise ConfigurationFault(opening.where, str(fault)) from fault
        except ValueError as error:
            raise ConfigurationFault(opening.where, f"bad static:name syntax: {error}") from error

    def query(self, key: str) -> str | None:
        """The value."""
        return self._value


class FailTable:
    """`fail:name`: for tests of what happens when a database is away."""

    partial_keys = True
    owner_uid = 0

    def __init__(self, text: str, _opening: Opening) -> None:
        self.name = f"fail:{text}"

    def query(self, key: str) -> str | None:
        """A fault."""
        raise LookupFault(self.name, "")


class RandomTable:
    """`randmap:{ value, … }`"""

    partial_keys = False
    owner_uid = 0

    def __init__(self, text: str, opening: Opening) -> None:
        self.name = f"randmap:{text}"
        values = braced_items("randmap", text, need='need "randmap:{value...}"', opening=opening)
        try:
            self._values = [opening.value(value) for value in values]
        except FileValueFault as fault:
            raise ConfigurationFault(opening.where, str(fault)) from fault

    def query(self, key: str) -> str | None:
        """Any of the values."""
        return random.choice(self._values)  # noqa: S311 - it spreads load, it keeps no secret


class EnvironmentTable:
    """`environ:`: keys are folded to lower case, as in Postfix; only variables with such names are found."""

    partial_keys = True
    owner_uid = 0

    def __init__(self, text: str, opening: Opening) -> None:
        self.name = f"environ:{text}"
        self._keys = Keys(self.name, opening)

    def query(self, key: str) -> str | None:
        """The value of the variable."""
        folded = self._keys.folded(key)
        value = None if folded is None else os.environb.get(octets_of(folded))
        return None if value is None else self._keys.checked(key, text_of(value))


class EmptyTable:
    """A table that has nothing: the alias table that main.cf does not name and that is not there."""

    partial_keys = True
    owner_uid = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def query(self, key: str) -> str | None:
        """Nothing."""
        return None


class UnavailableTable:
    """A table that could not be opened; to ask it is a fault, so that mail waits until it can be."""

    partial_keys = True
    owner_uid = 0

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def query(self, key: str) -> str | None:
        """A fault."""
        raise LookupFault(self.name, self._reason)


def braced_items(kind: str, text: str, *, need: str, opening: Opening) -> tuple[str, ...]:
    """The items of `{ item, … }`, braces of their own still on.  ConfigurationFault if there are none."""
    try:
        inside = without_braces(text) if text.startswith("{") else ""
    except ValueError:
        inside = ""
    if not inside and not (kind == "inline" and text[1:-1].isspace()):
        raise ConfigurationFault(opening.where, f'bad syntax: "{kind}:{text}"; {need}')
    found = words(inside, separators=BLANKS + ",")
    if not found:
        raise ConfigurationFault(opening.where, f'empty table: "{kind}:{text}"; {need}')
    return found
