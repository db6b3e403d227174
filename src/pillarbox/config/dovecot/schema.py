"""Which settings and blocks dovecot.conf may have: declared once, as text.

DESCRIPTION
    A `Part` is a table of settings that are treated alike, one `name : type = default` per line; indented
    lines below a setting are its manual.  `block()` makes a kind of block of such tables.

    The names, types and defaults are those of Dovecot 2.3, so that doveconf(1) shows what its users know.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from pillarbox.config.treatment import Kind


class Setting(msgspec.Struct, frozen=True):
    """One setting as declared."""

    name: str
    type: str
    default: str
    kind: Kind
    reason: str = ""
    """Why it does not do what it says; the words follow "because"."""
    doc: str = ""
    hidden: bool = False
    """Whether doveconf shows it only if it is set or asked for."""
    apart: bool = False
    """Whether it belongs to a program that a host may lack: doveconf shows it only if it is set."""


class Block(msgspec.Struct, frozen=True):
    """A kind of block, or the whole file."""

    kind: str
    settings: dict[str, Setting]
    blocks: "dict[str, Block]" = {}
    free: bool = False
    """Any name may be set: plugin { } and dict { }."""
    numbered: bool = False
    """Each block is one of its own, in the order of appearance: passdb and userdb."""
    always_shown: frozenset[str] = frozenset()
    """Settings that doveconf -n shows whatever they are."""


class Part(msgspec.Struct, frozen=True):
    """Settings that are treated alike."""

    kind: Kind
    reason: str
    table: str
    hidden: bool = False
    apart: bool = False

    def settings(self) -> Iterator[Setting]:
        """What the table declares."""
        head, doc = "", list[str]()
        for line in [*self.table.strip("\n").split("\n"), "end"]:
            if line.startswith("    "):
                doc.append(line.strip())
                continue
            if head:
                yield self._setting(head, " ".join(doc))
            head, doc = line, []

    def _setting(self, line: str, doc: str) -> Setting:
        name, _, rest = line.partition(" : ")
        kind, _, default = rest.partition(" =")
        return Setting(
            name.strip(),
            kind.strip(),
            default.strip(" ").strip('"'),
            self.kind,
            self.reason,
            doc,
            self.hidden,
            self.apart,
        )


def block(
    kind: str,
    *parts: Part,
    blocks: tuple[Block, ...] = (),
    free: bool = False,
    numbered: bool = False,
    always_shown: frozenset[str] = frozenset(),
) -> Block:
    """A kind of block made of tables."""
    settings = {setting.name: setting for part in parts for setting in part.settings()}
    return Block(kind, settings, {inner.kind: inner for inner in blocks}, free, numbered, always_shown)


FREE: Final = Setting("", "str", "", Kind.SERVED)
"""What a free block's settings are."""
