"""What README, guides and the other pages say is so: links lead somewhere, settings are served, commands are there."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from pillarbox.config.computed_defaults import HostFacts
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.config.findings import start_warnings
from pillarbox.config.reading import read_configuration
from pillarbox.config.value_checks import check_values

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GUIDES: Final = sorted(ROOT.glob("docs/guides/*.md"))
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.*)$", re.MULTILINE)
_MODULE: Final = re.compile(r"(?<![\w*/.-])[a-z][\w/]*\.py\b")
_SETTING: Final = re.compile(r"[a-z0-9_]+ = ")
_SERVICE: Final = re.compile(r"\S+\s+(?:inet|unix)\s+[yn-]\s")
_TITLE: Final = re.compile(r"^# (\S*)[^\n]*\n", re.MULTILINE)
_OURS: Final = frozenset(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
)
FACTS: Final = HostFacts("mail.example.com")
_OTHERS: Final = frozenset(
    "apt-get git cd curl getent hash install passwd printf scripts/prepare-venv systemctl telnet useradd".split()
)


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: headings in small letters, with hyphens."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of ours, and to a heading of it."""
    lost = []
    for link in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            lost.append(link)
    assert lost == []


def test_each_decision_is_in_the_list() -> None:
    """With its number and its title, in order."""
    directory = ROOT / "docs" / "adr"
    wanted = [
        f"| {number} | [{title}]({page.name}) |"
        for page in sorted(directory.glob("0*.md"))
        for number, title in re.findall(r"\A# (\d+)\. (.*)\n", page.read_text(encoding="utf-8"))
    ]
    listed = (directory / "README.md").read_text(encoding="utf-8").splitlines()
    assert wanted == [line for line in listed if line.startswith("| ") and "](" in line]
    assert len(wanted) == len(list(directory.glob("0*.md")))


def test_modules_that_are_named_are_there() -> None:
    """By docstrings, comments and pages: `wire/imap/server.py`, or the name alone."""
    paths = [
        path.relative_to(ROOT).parts
        for room in ("src", "tests", "bench")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    there = {"/".join(parts[start:]) for parts in paths for start in range(len(parts))}
    named = [
        (page, name)
        for page in [*PAGES, *ROOT.glob("src/**/*.py")]
        if ".py" in (text := page.read_text(encoding="utf-8"))
        for name in _MODULE.findall(text)
    ]
    assert [] == [f"{page.relative_to(ROOT)}: {name}" for page, name in named if name not in there]


def blocks(guide: Path) -> Iterator[tuple[str, str]]:
    """(file, its lines) of what a guide shows of configuration; files by their titles, or by how they look."""
    for language, block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
        if language:
            continue
        parts = _TITLE.split(block)
        for title, text in (("", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)):
            first = text.strip().split("\n")[0]
            if title:
                yield Path(title.rstrip(",")).name, text
            elif first.endswith("{") or "mail_plugins" in first or "protocols = " in first:
                yield "dovecot.conf", text
            elif _SERVICE.match(first):
                yield "master.cf", text
            elif _SETTING.match(first):
                yield "main.cf", text


def shown(name: str) -> list[object]:
    """Blocks of that file, each a case."""
    return [
        pytest.param(text, id=f"{guide.stem}-{number}")
        for guide in GUIDES
        for number, (file, text) in enumerate(blocks(guide))
        if file == name
    ]


@pytest.mark.parametrize("text", [*shown("main.cf"), *shown("master.cf")])
def test_postfix_settings_are_served(text: str, tmp_path: Path) -> None:
    """A start says nothing of them."""
    is_service = _SERVICE.match(text.strip()) is not None
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = mail.example.com\n" * is_service + text * (not is_service)
    )
    (tmp_path / "master.cf").write_text(text if is_service else "")
    configuration = read_configuration(str(tmp_path), facts=FACTS)
    check_values(configuration)
    wanted = "compatibility_level"  # of a block that is a part of a file
    assert [line for line in start_warnings(configuration) if wanted not in line] == []


@pytest.mark.parametrize("text", shown("dovecot.conf"))
def test_dovecot_settings_are_served(text: str, tmp_path: Path) -> None:
    """So are these; certificates are there."""
    pair = issue(tmp_path, "mail.example.com")
    text = re.sub(r"<\S+\.(?:pem|key)", f"<{pair}", text)
    if "namespace inbox" in text and "inbox = yes" not in text:
        text = text.replace("namespace inbox {", "namespace inbox {\n  inbox = yes", 1)
    if "mail_location" not in text:
        text = "mail_location = maildir:~/Maildir\n" + text
    configuration = parse_configuration(text)
    mailbox_settings(configuration, hostname="mail.example.com")
    assert list(configuration.warnings) == []


def test_all_kinds_of_blocks_are_found() -> None:
    """None of the tests above is for nothing."""
    found = {name: len(shown(name)) for name in ("main.cf", "master.cf", "dovecot.conf")}
    assert all(number >= 6 for number in found.values()), found


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_commands_are_there(guide: Path) -> None:
    """Each that an administrator types is one of ours, or of every host."""
    unknown = []
    for language, block in _BLOCK.findall(guide.read_text(encoding="utf-8")):
        typed = block.splitlines() if language == "sh" else re.findall(r"^\$ (.*)", block, re.MULTILINE)
        for line in typed:
            for command in re.split(r"&&|\|\||;", line.partition(" #")[0]):
                words = command.split()
                name = words[0].removeprefix(".venv/bin/") if words else ""
                if name and Path(name).name not in _OURS and name not in _OTHERS and not name.startswith("-"):
                    unknown.append(command)
    assert unknown == []
