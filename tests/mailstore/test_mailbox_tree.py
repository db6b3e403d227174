"""Names and directories, by Maildir++ and as a tree: what is made is listed, renamed and removed."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.examples import examples
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.cache.arrivals import Arrivals
from pillarbox.mailstore.mailbox import MailboxExists, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.maildir.file_names import NameMaker
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.vocabulary.clock import ManualClock

KINDS = [(False, False), (False, True), (True, False), (True, True)]
LEVELS = st.text("ab&ü~ ", min_size=1, max_size=3).filter(lambda level: not level.startswith("~"))


def tree_at(base: Path, *, nested: bool, with_control: bool) -> MailboxTree:
    """A tree with an empty INBOX."""
    root = bytes(base / "mail")
    control = bytes(base / "control") if with_control else b""
    tree = MailboxTree(root, files=DISK, names=NameMaker(ManualClock()), control=control, nested=nested)
    tree.make("INBOX")
    return tree


@pytest.mark.parametrize(("nested", "with_control"), KINDS)
def test_a_life(tmp_path: Path, nested: bool, with_control: bool) -> None:
    """CREATE, RENAME with what is below, DELETE of a parent."""
    tree = tree_at(tmp_path, nested=nested, with_control=with_control)
    for name in ("A/B/C", "A/B", "x"):
        tree.create(name)
        Path(str(tree.control_directory(name), "utf-8"), "dovecot-uidlist").write_text(name)
    with pytest.raises(MailboxExists):
        tree.create("x")
    with pytest.raises(MailboxExists):
        tree.create("INBOX")
    with pytest.raises(MailboxExists):
        tree.rename("x", "A/B")
    with pytest.raises(NoSuchMailbox):
        tree.rename("none", "other")
    assert {("A/B", "N/B"), ("A/B/C", "N/B/C")} <= set(tree.rename("A", "N"))
    assert {name for name, holds in tree.entries().items() if holds} == {"N/B", "N/B/C", "x"}
    for before, after in (("A/B", "N/B"), ("A/B/C", "N/B/C")):  # the control files went along
        path = Path(str(tree.control_directory(after), "utf-8"), "dovecot-uidlist")
        assert path.read_text() == before
    tree.delete("N/B")
    assert not tree.is_mailbox("N/B")
    assert tree.is_mailbox("N/B/C")
    with pytest.raises(NoSuchMailbox):
        tree.delete("N/B")
    assert not any(b"TRASHED" in name for name in DISK.listdir(tree.root))
    assert not Path(str(tree.control_directory("N/B"), "utf-8"), "dovecot-uidlist").exists()


@pytest.mark.parametrize(
    "name", ["cur", "a/new", "..", "a/../b", "tmp/x", "..x", ".", "", "a//b", "/a", "~a"]
)
def test_names_that_a_tree_cannot_hold(tmp_path: Path, name: str) -> None:
    """They would be another mailbox's messages, or lie outside."""
    tree = tree_at(tmp_path, nested=True, with_control=False)
    with pytest.raises(MailboxNameRefused):
        tree.create(name)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.lists(LEVELS, min_size=1, max_size=3).map("/".join), unique=True, max_size=5), st.booleans()
)
def test_what_is_made_is_listed(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], nested: bool
) -> None:
    """Under the name it was made by."""
    tree = tree_at(tmp_path_factory.mktemp("tree"), nested=nested, with_control=False)
    for name in names:
        tree.create(name)
    assert {name for name, holds in tree.entries().items() if holds} == set(names)


def test_other_programs_mailboxes_are_seen_at_once(tmp_path: Path) -> None:
    """The root is listed anew when its mtime has changed, and while a directory is there that holds no mail yet."""
    clock = ManualClock(tmp_path.stat().st_mtime + 60)  # long after what happens to the files now
    tree = MailboxTree(bytes(tmp_path), files=DISK, names=NameMaker(clock), clock=clock)
    for number, step in enumerate((".A", ".A/cur", ".file", ".B", ".B/cur", ".C", ".C/cur")):
        if step == ".file":
            (tmp_path / step).touch()
        else:
            (tmp_path / step).mkdir()
        if "/" not in step:  # what made it changed the root
            os.utime(tmp_path, ns=(0, number))
        there = {other.name[1:] for other in tmp_path.glob(".*") if (other / "cur").exists()}
        assert there == set(tree.entries())
        assert there == set(tree.entries())
    (tmp_path / ".A").rename(tmp_path / ".D")
    assert {"B", "C", "D"} == set(tree.entries())


def test_what_we_put_beside_the_messages_goes_with_them(tmp_path: Path) -> None:
    """A mailbox of a tree that had clients leaves no directory behind."""
    tree = tree_at(tmp_path, nested=True, with_control=False)
    tree.create("a/b")
    directory = Path(os.fsdecode(tree.directory("a/b")))
    Arrivals(os.fsencode(directory), DISK).prepare()
    assert (directory / "pillarbox.arrivals").exists()
    tree.delete("a/b")
    assert not directory.exists()
