"""Tables of tables: pipemap and unionmap.

DESCRIPTION
        pipemap:{ type:name, … }    the answer of one is the question to the next; a miss ends it
        unionmap:{ type:name, … }   all are asked; their answers are joined by commas

FAULTS
    LookupFault  when one of the tables has one

STANDARDS
    DATABASE_README
"""

from collections.abc import Sequence

from pillarbox.tables.table import LookupTable


class PipedTables:
    """`pipemap:{ … }`"""

    def __init__(self, text: str, tables: Sequence[LookupTable]) -> None:
        self.name = f"pipemap:{text}"
        self._tables = tuple(tables)
        self.partial_keys = self._tables[0].partial_keys
        self.owner_uid = least_trusted(self._tables)

    def query(self, key: str) -> str | None:
        """The last table's answer."""
        for table in self._tables:
            answer = table.query(key)
            if answer is None:
                return None
            key = answer
        return key


class UnitedTables:
    """`unionmap:{ … }`"""

    def __init__(self, text: str, tables: Sequence[LookupTable]) -> None:
        self.name = f"unionmap:{text}"
        self._tables = tuple(tables)
        self.partial_keys = self._tables[0].partial_keys
        self.owner_uid = least_trusted(self._tables)

    def query(self, key: str) -> str | None:
        """All answers."""
        answers = [answer for table in self._tables if (answer := table.query(key)) is not None]
        return ",".join(answers) if any(answers) else None


def least_trusted(tables: Sequence[LookupTable]) -> int:
    """The owner who is not root, if there is one."""
    return next((table.owner_uid for table in tables if table.owner_uid), 0)
