"""Write the reference page of dovecot.conf from the declarations.

DESCRIPTION
    `python -m pillarbox.config.dovecot.manual [FILE]` writes docs/reference/dovecot.conf.md.
"""

import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.config.dovecot.declared.blocks import ROOT
from pillarbox.config.dovecot.schema import Block, Setting
from pillarbox.config.dovecot.unserved import FREE_BLOCKS
from pillarbox.config.reference_page import by_reason, write_page
from pillarbox.config.treatment import Kind

PAGE: Final = "docs/reference/dovecot.conf.md"

_TYPES: Final = {
    "str": "text",
    "bool": "yes or no",
    "number": "number",
    "octal": "file mode; without a leading 0 a decimal number",
    "port": "port",
    "time": "time",
    "milliseconds": "time",
    "size": "size",
}
_INTRODUCTION: Final = """\
# Settings of dovecot.conf

<!-- Written by `make docs` from the declarations in src/pillarbox/config/dovecot/declared. -->

The grammar is that of Dovecot 2.3.
A first line `dovecot_config_version = 2.4.0` selects that of 2.4, whose names are read as the ones below.
`doveconf -n` shows what is set, `doveconf SETTING` what is in effect.
Times need a unit: `secs`, `mins`, `hours`, `days`, `weeks` or their first letters.
Sizes may have one: `B`, `k`, `M`, `G`, `T`.

Mail is kept in Maildirs: `mail_location = maildir:~/Maildir`.
In 2.4 that is `mail_driver = maildir` and `mail_path = ~/Maildir`.
mbox files are not served; `pillarbox import mbox FILE` brings their messages over, with flags and dates.
"""
_NOT_SERVED: Final = {
    Kind.REFUSED: (
        "Refused",
        "A start is refused while one of these is set to something else than its default.",
    ),
    Kind.LATER: ("Not served yet", "A start warns of one that is set to something else than its default."),
    Kind.NO_EFFECT: (
        "Without effect",
        "A start tells of one that is set to something else than its default.",
    ),
}


def manual() -> str:
    """The page."""
    parts = [_INTRODUCTION, "## Global settings, also inside protocol, local, local_name and remote blocks\n"]
    parts += [_entry(setting) for setting in _served(ROOT)]
    for block in ROOT.blocks.values():
        parts += _block(block, "##", ())
    for kind, (title, text) in _NOT_SERVED.items():
        parts.append(f"## {title}\n\n{text}\n")
        parts += by_reason(_with_reasons(kind))
    return "\n".join(parts)


def every_block(block: Block = ROOT) -> Iterator[Block]:
    """The block and all inside it."""
    yield block
    for inner in block.blocks.values():
        yield from every_block(inner)


def _served(block: Block) -> list[Setting]:
    return [setting for setting in block.settings.values() if setting.kind is Kind.SERVED]


def _block(block: Block, level: str, outside: tuple[str, ...]) -> Iterator[str]:
    names = (*outside, block.kind)
    if block.free:
        reason = FREE_BLOCKS.get(block.kind, "")
        text = "Any name may be set in it" + (
            f", and a start tells that it is ignored: {reason}." if reason else "."
        )
        yield f"{level} {' { '.join(names)} {{ }}\n\n{text}\n"
        return
    yield f"{level} {' { '.join(names)} {{ }}\n"
    yield from (_entry(setting) for setting in _served(block))
    for inner in block.blocks.values():
        yield from _block(inner, level, names)


def _entry(setting: Setting) -> str:
    kind = setting.type
    shown = f"one of {', '.join(f'`{word}`' for word in kind.split('|'))}" if "|" in kind else _TYPES[kind]
    default = f"`{setting.default}`" if setting.default else "empty"
    return f"### {setting.name}\n\n{shown}; default: {default}\n\n{setting.doc}\n"


def _with_reasons(kind: Kind) -> Iterator[tuple[str, str]]:
    for block in every_block():
        for setting in block.settings.values():
            if setting.kind is kind:
                yield setting.reason, f"{block.kind}/{setting.name}" if block.kind else setting.name


def main(argv: list[str]) -> None:
    """Write the page."""
    write_page(manual(), argv, page=PAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
