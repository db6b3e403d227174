"""texthash: a text file of `key value` lines, kept in memory.

DESCRIPTION
    A line is a key, white space, and a value; a line that begins with white space continues the one before;
    empty lines and lines with `#` first are skipped.  Keys are folded to lower case.  A key with white space
    stands in double quotes.

FAULTS
    ConfigurationFault  missing file, or a line without a value, named by number

STANDARDS
    postmap(1), texthash in DATABASE_README
"""

from collections.abc import Iterator

from pillarbox.files.file_system import DISK, FileSystem
from pillarbox.vocabulary.faults import ConfigurationFault


class TextHashTable:
    """`texthash:/path`"""

    partial_keys = True

    def __init__(self, path: str, *, file_system: FileSystem = DISK) -> None:
        self.name = f"texthash:{path}"
        self._path = path
        self._files = file_system
        self._values = self._read()

    def query(self, key: str) -> str | None:
        """The value of a key, in lower case."""
        return self._values.get(key.lower())

    def _read(self) -> dict[str, str]:
        try:
            text = self._files.read_file(self._path).decode("utf-8")
        except OSError as error:
            raise ConfigurationFault(self._path, f"cannot open table: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigurationFault(self._path, f"table is not UTF-8 at octet {error.start}") from error
        values: dict[str, str] = {}
        for number, line in logical_lines(text):
            key, value = _split(line)
            if not value:
                raise ConfigurationFault(
                    f"{self._path}, line {number}", "expected format: key whitespace value", mend=line[:60]
                )
            values.setdefault(key.lower(), value)
        return values


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, and the number of the first of each."""
    number = first = 0
    held = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t" and held:
            held += line.rstrip()
            continue
        if held:
            yield first, held
        held, first = line.strip(), number
    if held:
        yield first, held


def _split(line: str) -> tuple[str, str]:
    if line.startswith('"') and (end := line.find('"', 1)) > 0:
        return line[1:end], line[end + 1 :].strip()
    words = line.split(None, 1)
    return words[0], words[1].strip() if len(words) > 1 else ""
