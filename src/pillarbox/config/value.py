"""A configured text and the place where an admin finds it.

DESCRIPTION
    Every value keeps the file and line it was read from, so that a mistake is reported as
    `/etc/postfix/main.cf, line 12` and never as "somewhere in your configuration".  Values that stand in no
    file (built-in defaults, the command line) say so instead.
"""

from typing import Final

import msgspec


class Value(msgspec.Struct, frozen=True, array_like=True):
    """A value before expansion.  `line` is 0 when `file` names a source that has no lines."""

    text: str
    file: str
    line: int = 0

    @property
    def where(self) -> str:
        """`file, line N`, or the source alone."""
        return f"{self.file}, line {self.line}" if self.line else self.file


BUILT_IN: Final = "built-in default"
"""The `file` of a value that comes from a declaration."""

COMMAND_LINE: Final = "command line"
"""The `file` of a value given with `-o name=value` to a command."""
