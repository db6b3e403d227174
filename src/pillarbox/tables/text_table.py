"""texthash: a text file of `key value` lines, kept in memory.

DESCRIPTION
    The text is that of postmap(1).  Keys are folded to lower case.  The first of equal keys counts.

    The file is looked at again once a second at most when it is asked for something.

FAULTS
    OSError             at open
    warnings            lines that are left out, by number

STANDARDS
    postmap(1), texthash in DATABASE_README
"""

from pillarbox.tables.file_values import FileValueFault
from pillarbox.tables.map_source import map_entries
from pillarbox.tables.table import Keys, Opening, octets_of


class TextHashTable:
    """`texthash:/path`"""

    partial_keys = True

    def __init__(self, path: str, opening: Opening) -> None:
        self.name = f"texthash:{path}"
        self._path = path
        self._opening = opening
        self._keys = Keys(self.name, opening)
        self._load()

    def query(self, key: str) -> str | None:
        """The value of a key."""
        folded = self._keys.folded(key)
        if folded is None:
            return None
        if self._opening.clock.monotonic() - self._looked >= 1:
            self._refresh()
        value = self._values.get(folded)
        return None if value is None else self._keys.checked(folded, value)

    def items(self) -> list[tuple[bytes, bytes]]:
        """All keys and values."""
        return [(octets_of(key), octets_of(value)) for key, value in self._values.items()]

    def _refresh(self) -> None:
        self._looked = self._opening.clock.monotonic()
        try:
            if self._file_version() != self._version:
                self._load()
        except OSError:
            return  # not ours to read any more, or being replaced: what we have goes on until it can be read

    def _load(self) -> None:
        self._looked = self._opening.clock.monotonic()
        self._version = self._file_version()
        self.owner_uid = self._opening.file_system.stat(self._path).st_uid
        content = self._opening.file_system.read_file(self._path).decode("utf-8", "surrogateescape")
        values: dict[str, str] = {}
        entries = map_entries(
            content, path=self._path, opening=self._opening, after_bad_line=" -- ignoring this line"
        )
        for number, key, value in entries:
            folded = self._keys.folded(key)
            if folded is None:
                continue
            if folded in values:
                self._opening.warn(f'{self._path}, line {number}: duplicate entry: "{key}"')
            else:
                try:
                    values[folded] = self._opening.value(value)
                except FileValueFault as fault:
                    self._opening.warn(f"{self._path}, line {number}: {fault}: skipping this entry")
        self._values = values

    def _file_version(self) -> tuple[int, int, int]:
        status = self._opening.file_system.stat(self._path)
        return status.st_mtime_ns, status.st_size, status.st_ino
