"""A configuration as doveconf(1) shows it.

DESCRIPTION
    Settings and blocks are sorted by their paths.  `changed` shows what was set to something else than the
    default; `explicit` also what was set to the default; `everything` all there is, `standard` as if nothing had
    been set.  Passwords and keys are hidden unless `secrets`; with `expand` variables are replaced and files read.

STANDARDS
    doveconf(1) of Dovecot 2.3
"""

from collections.abc import Iterator
from enum import Enum
from ipaddress import ip_network
from typing import Final

import msgspec

from pillarbox.config.dovecot.declared.blocks import FILTERS, ROOT
from pillarbox.config.dovecot.declared.mailboxes import PILLARBOX
from pillarbox.config.dovecot.file_reader import default, defaults, setting_of
from pillarbox.config.dovecot.file_values import content_of
from pillarbox.config.dovecot.reading import Configuration, matches
from pillarbox.config.dovecot.schema import Block
from pillarbox.config.dovecot.text import Form
from pillarbox.config.dovecot.written_settings import Entry, Filter, Path, Settings
from pillarbox.vocabulary.faults import ConfigurationFault

_HIDDEN: Final = "# hidden, use -P to show it"
_SECRET_ENDS: Final = ("_password", "_key", "_nonce")
_SECRETS: Final = frozenset({"ssl_dh"})
_OWN: Final = frozenset(setting.name for setting in PILLARBOX.settings())
"""Not shown unless they are set: Dovecot does not know them."""


class Extent(Enum):
    """What is shown."""

    CHANGED = "-n"
    EXPLICIT = "-N"
    EVERYTHING = "-a"
    STANDARD = "-d"


class Style(msgspec.Struct, frozen=True):
    """How it is shown."""

    secrets: bool = False
    expand: bool = False
    hidden: bool = False  # also settings that are hidden usually


def lines(configuration: Configuration, extent: Extent, style: Style) -> Iterator[str]:
    """The whole configuration."""
    settings = Settings(Filter()) if extent is Extent.STANDARD else configuration.root
    yield from _settings_lines(settings, extent, style, inside=())
    if extent is Extent.STANDARD:
        return
    for filtered in sorted(configuration.filters, key=lambda known: _specificity(known.scope)):
        if filtered.entries:
            yield from _filter_lines(filtered, extent, style)


def section_lines(configuration: Configuration, extent: Extent, path: Path, style: Style) -> Iterator[str]:
    """The blocks of a kind, or one of them, with all their settings; of `CHANGED` and `EXPLICIT` with those."""
    if extent is Extent.STANDARD:
        extent = Extent.EVERYTHING
    rows = [row for row in _rows(configuration.root, extent, style) if row[0][: len(path)] == path]
    if any(len(row[0]) > len(path) for row in rows):
        yield from _block_lines(configuration.root, rows)


def value_text(configuration: Configuration, extent: Extent, path: Path, style: Style) -> str | None:
    """The value of one setting, or its default if that is the extent; None if there is none of that name."""
    settings = Settings(Filter()) if extent is Extent.STANDARD else configuration.root
    style = msgspec.structs.replace(style, hidden=True)
    found = {row[0]: row[1] for row in _rows(settings, Extent.EVERYTHING, style, quote=False)}
    return found.get(path)


def simple_lines(configuration: Configuration, extent: Extent, style: Style) -> Iterator[str]:
    """`path=value` for programs, the names within a block in front of them: `namespace=0 inbox`."""
    settings = Settings(Filter()) if extent is Extent.STANDARD else configuration.root
    rows = sorted(_rows(settings, extent, style, quote=False), key=lambda row: _escaped(row[0]))
    names: dict[Path, dict[str, None]] = {}
    for path, _, _ in rows:
        for block in _blocks_of(path):
            if len(block) % 2:  # plugin { } and dict { } have no names
                names.setdefault(block, {})
            else:
                names.setdefault(block[:-1], {})[block[-1]] = None
    told: set[Path] = set()
    for path, text, _ in rows:
        for block in _blocks_of(path):
            kind = block if len(block) % 2 else block[:-1]
            if kind not in told:
                told.add(kind)
                yield f"{_escaped(kind)}={' '.join(_escaped((name,)) for name in names[kind])}"
            if block not in told:
                told.add(block)
                if not ROOT.blocks[block[0]].numbered:
                    own = "path" if kind[-1] in ("unix_listener", "fifo_listener") else "name"
                    yield f"{_escaped((*block, own))}={_name(settings, block)}"
        yield f"{_escaped(path)}={text}"


def filtered(configuration: Configuration, known: dict[str, str]) -> Configuration:
    """What is set for a client: the filters that fit laid over the rest, the most specific last.

    The filters that may fit, as far as the client is known, are still there.
    """
    found = Configuration(configuration.path)
    found.filters = [
        settings
        for settings in configuration.filters
        if matches(
            msgspec.structs.replace(settings.scope, **{kind: "" for kind in FILTERS if kind not in known}),
            known,
        )
    ]
    found.root.entries = dict(configuration.root.entries)
    found.root.blocks = dict(configuration.root.blocks)
    for settings in sorted(configuration.filters, key=lambda known: _specificity(known.scope)):
        if matches(settings.scope, known):
            found.root.entries.update(settings.entries)
            found.root.blocks.update(settings.blocks)
    return found


def _specificity(scope: Filter) -> tuple[bool, int, int, bool]:
    return bool(scope.local_name), _bits(scope.local), _bits(scope.remote), bool(scope.protocol)


def _bits(network: str) -> int:
    if not network:
        return 0
    try:
        return ip_network(network, strict=False).prefixlen
    except ValueError:
        return 128  # a name of one host


def _filter_lines(settings: Settings, extent: Extent, style: Style) -> Iterator[str]:
    kinds = [kind for kind in FILTERS if getattr(settings.scope, kind)]
    for depth, kind in enumerate(kinds):
        yield f"{'  ' * depth}{kind} {getattr(settings.scope, kind)} {{"
    rows = [row for row in _rows(settings, Extent.EXPLICIT, style) if row[2]]
    for line in _block_lines(settings, rows):
        yield f"{'  ' * len(kinds)}{line}"
    for depth in reversed(range(len(kinds))):
        yield f"{'  ' * depth}}}"


Row = tuple[Path, str, bool]
"""Path, text behind the equals sign, and whether it was set."""


def _settings_lines(settings: Settings, extent: Extent, style: Style, *, inside: Path) -> Iterator[str]:
    yield from _block_lines(settings, list(_rows(settings, extent, style)))


def _block_lines(settings: Settings, rows: list[Row]) -> Iterator[str]:
    """Rows in the order of their paths, with the lines that open and close blocks."""
    open_blocks: list[Path] = []
    for path, text, _ in sorted(rows, key=lambda row: _escaped(row[0])):
        blocks = _blocks_of(path)
        while open_blocks and open_blocks != blocks[: len(open_blocks)]:
            open_blocks.pop()
            yield "  " * len(open_blocks) + "}"
        for block in blocks[len(open_blocks) :]:
            yield "  " * len(open_blocks) + _heading(settings, block)
            open_blocks.append(block)
        yield f"{'  ' * len(open_blocks)}{path[-1]} = {text}"
    while open_blocks:
        open_blocks.pop()
        yield "  " * len(open_blocks) + "}"


def _blocks_of(path: Path) -> list[Path]:
    """Paths of the blocks around a setting, the outermost first."""
    found: list[Path] = []
    schema: Block | None = ROOT
    at = 0
    while at < len(path) - 1 and schema is not None:
        schema = schema.blocks.get(path[at].partition(" ")[0])
        at += 1 if schema is not None and schema.free else 2
        found.append(path[:at])
    return found


def _heading(settings: Settings, block: Path) -> str:
    name = _name(settings, block)
    kind = block[-1].partition(" ")[0] if len(block) % 2 else block[-2]
    if " " in name:
        name = f'"{name}"'
    return f"{kind} {name} {{" if name else f"{kind} {{"


def _name(settings: Settings, block: Path) -> str:
    name = settings.blocks.get(block)
    return defaults().blocks.get(block, "") if name is None else name


_ESCAPES: Final = {"\\": "\\\\", "/": "\\s", " ": "\\_", "\t": "\\t", "=": "\\e"}


def _escaped(path: Path) -> str:
    escaped = ["".join(_ESCAPES.get(letter, letter) for letter in part) for part in path]
    return "/".join(escaped)


def _rows(settings: Settings, extent: Extent, style: Style, *, quote: bool = True) -> Iterator[Row]:
    """What there is to show."""
    found: dict[Path, Entry | None] = dict.fromkeys(())
    if extent in (Extent.EVERYTHING, Extent.STANDARD):
        for path in _all_paths(settings, hidden=style.hidden):
            found[path] = None
    else:
        for block in settings.blocks:
            for name in _shown_always(block, extent):
                found[(*block, name)] = None
    found.update(settings.entries)
    for path, entry in found.items():
        standard = default(path)
        value = standard if entry is None else entry.shown
        is_default = entry is None or (entry.form is not Form.FILE and _is_default(path, entry.value))
        if extent is Extent.CHANGED and is_default and path[-1] not in _shown_always(path[:-1], extent):
            continue
        if extent is Extent.STANDARD and path[0] in _OWN:
            continue
        if entry is None and path[0] in _OWN:
            continue
        yield path, _shown(path, value, entry, style, quote=quote), entry is not None


def _is_default(path: Path, value: str) -> bool:
    """Whether doveconf -n leaves the setting out.  In blocks that have names it shows whatever was set."""
    if len(path) > 1 and not ROOT.blocks[path[0].partition(" ")[0]].numbered:
        return False
    declared = setting_of(path)
    return declared is not None and value == declared.default


def _shown_always(block: Path, extent: Extent) -> frozenset[str]:
    if block[:1] == ("namespace",) and len(block) == 2:
        return ROOT.blocks["namespace"].always_shown
    if extent is Extent.EXPLICIT and block[:1] in (("passdb",), ("userdb",)):
        return frozenset({"name"})
    return frozenset()


def _all_paths(settings: Settings, *, hidden: bool) -> Iterator[Path]:
    for name, declared in ROOT.settings.items():
        if not declared.apart and (hidden or not declared.hidden):
            yield (name,)
    for block in dict.fromkeys([*defaults().blocks, *settings.blocks]):
        schema: Block | None = ROOT
        at = 0
        while at < len(block) and schema is not None:
            schema = schema.blocks.get(block[at].partition(" ")[0])
            at += 1 if schema is not None and schema.free else 2
        for name in schema.settings if schema is not None else ():
            yield (*block, name)


def _shown(path: Path, value: str, entry: Entry | None, style: Style, *, quote: bool) -> str:
    if value and not style.secrets and (path[-1].endswith(_SECRET_ENDS) or path[-1] in _SECRETS) and quote:
        return _HIDDEN
    if entry is not None and style.expand:
        value = entry.value
        if entry.form is Form.FILE and entry.content:
            return _content(path[-1], entry)
    if entry is not None and entry.form is Form.FILE:
        return value
    if quote and value and (value != value.strip() or "#" in value):
        return f'"{value}"'
    return value


def _content(name: str, entry: Entry) -> str:
    try:
        return content_of(entry.content)
    except OSError as error:
        raise ConfigurationFault(
            f"Error in configuration file {entry.where}",
            f"{name}: Can't open file {entry.content}: {error.strerror}",
        ) from error
