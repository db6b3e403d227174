"""Settings as they stand in the files of a configuration, each with its place.

DESCRIPTION
    A setting is named by its path: ("ssl",), or ("service", "imap-login", "inet_listener", "imap", "port"); passdb
    and userdb blocks are numbered.
"""

import msgspec

from pillarbox.config.dovecot.text import Form

Path = tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """A setting as it was set."""

    shown: str
    """As doveconf shows it: of its type's one form, variables and files not expanded."""
    value: str
    """Variables expanded; of a file, its content, or the path of a PEM file."""
    form: Form
    file: str
    line: int
    content: str = ""
    """The path of the file that the value stands in."""
    trouble: str = ""
    """Why that file cannot be read: who needs the value cannot go on."""

    @property
    def where(self) -> str:
        """`F line N`, as Dovecot names a place."""
        return f"{self.file} line {self.line}"


class Filter(msgspec.Struct, frozen=True):
    """For whom settings are; empty for all."""

    local_name: str = ""
    local: str = ""
    remote: str = ""
    protocol: str = ""


class Settings:
    """What is set in the file outside filters, or within one."""

    def __init__(self, scope: Filter) -> None:
        self.scope = scope
        self.entries: dict[Path, Entry] = {}
        self.blocks: dict[Path, str] = {}  # path of each block → its name, empty if it has none


class WrittenSettings:
    """What the files of a configuration say."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = Settings(Filter())
        self.filters: list[Settings] = []
        self.warnings: list[str] = []
