"""Two Maildirs of a user made the same, and killed at any step of it (mailstore/synchronizing/)."""

import errno
import os
from collections.abc import Iterator, Sequence

import pytest

from fakes.crash_file_system import CrashFileSystem, Stopped
from fakes.crash_survivors import Survives
from fakes.examples import each_third
from pillarbox.config.mailbox_settings import Storage
from pillarbox.mailstore.synchronizing.account_exchange import Choice, Direction, Exchange
from pillarbox.mailstore.synchronizing.exchange import side_of
from pillarbox.mailstore.synchronizing.place import GuidTaken, Place

SOURCE = {
    "/source/dovecot-uidlist": b"3 V70 N9 G%s\n1 :a\n2 :b\n5 P#5 O3 :e\n" % (b"0" * 32),
    "/source/dovecot-keywords": b"0 $Forwarded\n",
    "/source/cur/a:2,S": b"Subject: a\n\n",
    "/source/cur/b:2,FSa": b"Subject: b\n\n",
    "/source/new/e": b"Subject: e\n\n",
    "/source/.Work.Sub/dovecot-uidlist": b"3 V71 N4 G%s\n3 Gz :s\n" % (b"1" * 32),
    "/source/.Work.Sub/cur/s:2,": b"Subject: s\n\n",
    "/source/subscriptions": b"V\t2\n\nWork\tSub\n",
    "/source/dovecot-attributes": b"priv/%s/comment\nmine\n" % (b"1" * 32),
}
OLD_COPY = {
    "/copy/dovecot-uidlist": b"3 V70 N7 G%s\n1 :a\n2 :b\n4 :d\n6 :f\n" % (b"0" * 32),
    "/copy/cur/a:2,": b"Subject: a\n\n",
    "/copy/cur/b:2,": b"Subject: b\n\n",
    "/copy/cur/d:2,": b"Subject: d\n\n",
    "/copy/cur/f:2,": b"Subject: f\n\n",
    "/copy/.Old/dovecot-uidlist": b"3 V60 N2 G%s\n1 :o\n" % (b"2" * 32),
    "/copy/.Old/cur/o:2,": b"Subject: o\n\n",
    "/copy/.Moved/dovecot-uidlist": b"3 V71 N4 G%s\n" % (b"1" * 32),
    "/copy/.Moved/cur/.keep": b"",
    "/copy/subscriptions": b"V\t2\n\nOld\n",
}


def file_system(files: dict[str, bytes], *, stop_at: int | None = None) -> CrashFileSystem:
    """Maildirs of these files."""
    made = CrashFileSystem()
    for path in files:
        if "/cur/" in path or "/new/" in path:
            for name in ("cur", "new", "tmp"):
                made.make_directories(f"{path.rsplit('/', 2)[0]}/{name}")
    for path, content in files.items():
        made.make_file(path, content)
    made.stop_at = stop_at
    return made


def restarted(files: CrashFileSystem, survives: Survives) -> CrashFileSystem:
    """After the crash, without the locks of the dead process: it has our id, so that nobody takes it for dead."""
    after = files.crash(survives)
    for path in after.files():
        if path.endswith(".lock"):
            after.unlink(path)
    return after


def killed_at(survives: Survives, steps: int) -> Sequence[int]:
    """Of a run's steps, those before which it is killed for what this survives."""
    first = list(Survives).index(survives)
    return each_third(range(first, steps, len(Survives)), first)


def exchange(files: CrashFileSystem, direction: Direction, choice: Choice | None = None) -> Exchange:
    """One run from /source to /copy."""
    one = Exchange(
        Place(Storage(path="/source"), files=files),
        Place(Storage(path="/copy"), files=files),
        direction,
        choice or Choice(),
    )
    one.run()
    return one


def state(files: CrashFileSystem, root: str) -> dict[str, tuple[object, ...]]:
    """What clients see there."""
    place = Place(Storage(path=root), files=files)
    found: dict[str, tuple[object, ...]] = {"subscriptions": tuple(sorted(place.subscriptions.read()))}
    for name in place.mailboxes():
        folder = place.folder(name)
        side = side_of(folder)
        contents = [folder.read(uid)[0] for uid in folder.uids]
        attributes = place.attributes.of_mailbox(side.guid)
        found[name] = (side.guid, side.uid_validity, side.next_uid, list(side.messages), contents, attributes)
    return found


def guids(files: CrashFileSystem, root: str) -> set[bytes]:
    """Of all messages there."""
    place = Place(Storage(path=root), files=files)
    return {one.guid for name in place.mailboxes() for one in side_of(place.folder(name)).messages}


def contents(files: CrashFileSystem, root: str) -> set[object]:
    """Of all messages there."""
    place = Place(Storage(path=root), files=files)
    return {
        folder.read(uid)[0]
        for name in place.mailboxes()
        for folder in [place.folder(name)]
        for uid in folder.uids
    }


def test_a_new_backup_and_one_over_another_state() -> None:
    """Both are what the source is, and what POP3 knows of a message is there; a second run writes nothing there."""
    for copy in ({}, OLD_COPY):
        files = file_system({**SOURCE, **copy})
        before = state(files, "/source")
        exchange(files, Direction.BACKUP)
        assert state(files, "/copy") == before == state(files, "/source")
        assert b"5 P#5 O3 :e\n" in files.files()["/copy/dovecot-uidlist"]
        assert b"3 Gz :s\n" in files.files()["/copy/.Work.Sub/dovecot-uidlist"]
        seen = {path: content for path, content in files.files().items() if path.startswith("/copy")}
        exchange(files, Direction.BACKUP)
        assert {path: content for path, content in files.files().items() if path.startswith("/copy")} == seen


@pytest.mark.parametrize("survives", Survives)
@pytest.mark.parametrize("copy", [{}, OLD_COPY], ids=["new", "old"])
def test_a_backup_that_is_killed_anywhere(copy: dict[str, bytes], survives: Survives) -> None:
    """The source is as it was, and the next run makes the copy the same."""
    whole = file_system({**SOURCE, **copy})
    exchange(whole, Direction.BACKUP)
    steps = len(whole.steps)
    assert steps > 40
    expected = state(whole, "/source")
    for number in killed_at(survives, steps):
        files = file_system({**SOURCE, **copy}, stop_at=number)
        with pytest.raises(Stopped):
            exchange(files, Direction.BACKUP)
        after = restarted(files, survives)
        assert state(after, "/source") == expected
        exchange(after, Direction.BACKUP)
        assert state(after, "/source") == expected
        found = state(after, "/copy")
        assert found.keys() == expected.keys()
        for name, mailbox in found.items():  # UIDNEXT may be higher than it need be
            assert [*mailbox[:2], *mailbox[3:]] == [*expected[name][:2], *expected[name][3:]]


@pytest.mark.parametrize("survives", Survives)
def test_a_merge_that_is_killed_anywhere(survives: Survives) -> None:
    """No message is lost at either side, and the next run makes both the same."""
    whole = file_system({**SOURCE, **OLD_COPY})
    exchange(whole, Direction.MERGE)
    steps = len(whole.steps)
    every = contents(whole, "/source")
    assert every == contents(whole, "/copy")
    assert len(every) == 7
    for number in killed_at(survives, steps):
        files = file_system({**SOURCE, **OLD_COPY}, stop_at=number)
        with pytest.raises(Stopped):
            exchange(files, Direction.MERGE)
        after = restarted(files, survives)
        exchange(after, Direction.MERGE)
        assert contents(after, "/source") == contents(after, "/copy") == every
        assert guids(after, "/source") == guids(after, "/copy")


def changes_on_both_sides() -> Iterator[tuple[CrashFileSystem, Direction]]:
    """After a backup: a message and a mailbox go on one side each, and one is renamed."""
    for direction in (Direction.MERGE, Direction.ONE_WAY):
        files = file_system(SOURCE)
        exchange(files, Direction.BACKUP)
        files.unlink("/source/cur/a:2,S")
        files.unlink("/copy/cur/b:2,FSa")
        source, copy = (Place(Storage(path=root), files=files) for root in ("/source", "/copy"))
        copy.tree.rename("Work/Sub", "Else")
        source.begin("Fresh", b"7" * 32, 90)
        copy.begin("Own", b"8" * 32, 91)
        source.subscriptions.add("Fresh")
        copy.subscriptions.remove("Work/Sub")
        yield files, direction


def test_what_has_happened_since_is_brought_over() -> None:
    """Two-way to both sides, one-way to the target, which keeps what was done there."""
    for files, direction in changes_on_both_sides():
        is_merge = direction is Direction.MERGE
        for _ in range(3):  # and nothing comes back
            exchange(files, direction)
            ours, theirs = state(files, "/source"), state(files, "/copy")
            assert guids(files, "/copy") == {b"e", b"z"}
            assert guids(files, "/source") == ({b"e", b"z"} if is_merge else {b"b", b"e", b"z"})
            assert theirs.keys() == {"INBOX", "Else", "Fresh", "Own", "subscriptions"}
            assert ours.keys() == (
                theirs.keys() if is_merge else {"INBOX", "Work/Sub", "Fresh", "subscriptions"}
            )
            assert theirs["subscriptions"] == ("Fresh",)


def test_one_way_and_then_two_way_brings_nothing_back() -> None:
    """What users of the target have expunged meanwhile is expunged at the source."""
    files = file_system(SOURCE)
    exchange(files, Direction.BACKUP)
    files.unlink("/copy/cur/b:2,FSa")
    exchange(files, Direction.ONE_WAY)
    exchange(files, Direction.MERGE)
    assert guids(files, "/source") == guids(files, "/copy") == {b"a", b"e", b"z"}


def test_only_what_is_chosen() -> None:
    """A mailbox; messages with a flag or up to a size, and those left out are not taken for expunged."""
    files = file_system(SOURCE)
    exchange(files, Direction.BACKUP, Choice(includes=lambda name, _guid: name == "Work/Sub"))
    assert guids(files, "/copy") == {b"z"}
    exchange(files, Direction.BACKUP, Choice(flag=(0, b"$forwarded")))
    assert guids(files, "/copy") == {b"b", b"z"}
    exchange(files, Direction.BACKUP, Choice(max_size=1))
    exchange(files, Direction.MERGE, Choice(max_size=1))
    assert guids(files, "/copy") == {b"b", b"z"}
    assert guids(files, "/source") == {b"a", b"b", b"e", b"z"}
    exchange(files, Direction.MERGE)
    assert guids(files, "/source") == guids(files, "/copy") == {b"a", b"b", b"e", b"z"}


def test_a_run_for_one_mailbox_forgets_nothing_of_the_others() -> None:
    """What was expunged on one side since the run before is not brought back by a merge behind it."""
    files = file_system(SOURCE)
    exchange(files, Direction.MERGE)
    files.unlink("/copy/cur/b:2,FSa")
    exchange(files, Direction.BACKUP, Choice(includes=lambda name, _guid: name == "Work/Sub"))
    files.unlink("/copy/dovecot-uidlist")  # nor does the copy remember what it has had
    files.make_file("/copy/dovecot-uidlist", b"3 V70 N9 G%s\n1 :a\n5 P#5 O3 :e\n" % (b"0" * 32))
    exchange(files, Direction.MERGE)
    assert guids(files, "/source") == guids(files, "/copy") == {b"a", b"e", b"z"}


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("copies", [("A", "Zoo"), ("A",), ("Zoo",)])
def test_a_mailbox_whose_directory_was_copied_with_its_guid(
    direction: Direction, copies: tuple[str, ...]
) -> None:
    """Each has its messages at the other place, and annotations; the one that was there keeps the GUID."""
    files = file_system(SOURCE)
    exchange(files, Direction.BACKUP)
    for copy in copies:
        path = f"/source/.{copy}"
        for name in ("cur", "new", "tmp"):
            files.make_directories(f"{path}/{name}")
        for name, content in (
            (
                "dovecot-uidlist",
                SOURCE["/source/.Work.Sub/dovecot-uidlist"].replace(b"Gz", f"G{copy}".encode()),
            ),
            (f"cur/{copy}:2,", b"Subject: copy\n\n"),
        ):
            files.make_file(f"{path}/{name}", content.replace(b":s", f":{copy}".encode()))
    for _ in range(2):
        assert not exchange(files, direction).refused
        found = state(files, "/copy")
        assert found == state(files, "/source")
        assert found.keys() == {"INBOX", "Work/Sub", "subscriptions", *copies}
        assert {copy.encode() for copy in copies} | {b"a", b"b", b"e", b"z"} == guids(files, "/copy")
        assert found["Work/Sub"][0] == b"1" * 32
        assert all(found[name][-1] == {"private/comment": b"mine"} for name in ("Work/Sub", *copies))


def test_a_name_that_the_other_place_refuses() -> None:
    """It stays as it is, made or renamed; the rest is done, and what is remembered of it stays."""
    for direction in Direction:
        files = file_system(SOURCE)
        exchange(files, direction)
        source = Place(Storage(path="/source"), files=files)
        source.begin("cur", b"7" * 32, 90)
        source.tree.rename("Work/Sub", "new")
        files.make_file("/source/new/n", b"Subject: n\n\n")
        one = Exchange(source, Place(Storage(path="/copy", nested=True), files=files), direction, Choice())
        one.run()
        assert one.refused.keys() >= {"cur"}
        assert b"n" in guids(files, "/copy")


def test_another_identity_for_a_mailbox() -> None:
    """doveadm mailbox update: messages and annotations stay, UIDNEXT never falls."""
    files = file_system(SOURCE)
    before = state(files, "/source")["Work/Sub"]
    place = Place(Storage(path="/source"), files=files)
    place.update("Work/Sub", guid=b"f" * 32, uid_validity=99, min_next_uid=2)
    place.update("Work/Sub", min_next_uid=40)
    assert state(files, "/source")["Work/Sub"] == (b"f" * 32, 99, 40, *before[3:])
    assert files.files()["/source/dovecot-uidvalidity"] == b"00000063"
    with pytest.raises(GuidTaken, match=r"^INBOX$"):
        place.update("Work/Sub", guid=b"0" * 32)
    place.update("Work/Sub", guid=b"f" * 32)
    assert state(files, "/source")["Work/Sub"] == (b"f" * 32, 99, 40, *before[3:])


def test_a_message_whose_file_is_renamed_at_every_look_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages under one UID get new ones; one that cannot be had is not taken away under its old one."""
    theirs = {
        "/copy/dovecot-uidlist": b"3 V70 N3 G%s\n2 :x\n" % (b"0" * 32),
        "/copy/cur/x:2,": b"Subject: x\n\n",
    }
    files = file_system({**SOURCE, **theirs})
    link = files.link

    def missing(old: bytes, new: bytes) -> None:
        if os.fsencode(old).endswith(b"/copy/cur/x:2,"):
            raise FileNotFoundError(errno.ENOENT, "", old)
        link(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(files, "link", missing)
        assert exchange(files, Direction.MERGE).missed
    assert b"x" in guids(files, "/copy")
    exchange(files, Direction.MERGE)
    assert guids(files, "/source") == guids(files, "/copy") == {b"a", b"b", b"e", b"x", b"z"}


def test_a_mailbox_whose_uids_were_given_anew_has_news() -> None:
    """It is not deleted because the other side has deleted the mailbox that had these UIDs before."""
    files = file_system(SOURCE)
    exchange(files, Direction.BACKUP)
    source, copy = (Place(Storage(path=root), files=files) for root in ("/source", "/copy"))
    source.delete("Work/Sub", b"1" * 32)
    copy.update("Work/Sub", uid_validity=99)
    files.make_file("/copy/.Work.Sub/cur/n:2,", b"Subject: n\n\n")
    files.unlink("/copy/.Work.Sub/cur/s:2,")
    files.unlink("/copy/.Work.Sub/dovecot-uidlist")
    files.make_file("/copy/.Work.Sub/dovecot-uidlist", b"3 V99 N4 G%s\n3 :n\n" % (b"1" * 32))
    exchange(files, Direction.MERGE)
    assert guids(files, "/source") == guids(files, "/copy") == {b"a", b"b", b"e", b"n"}


def test_no_file_of_a_lock_is_left() -> None:
    """A run of many locks, of which later ones are links to a kept file."""
    mailboxes = {
        f"/source/.Box{number}/cur/{number}:2,": f"Subject: {number}\n\n".encode() for number in range(20)
    }
    files = file_system({**SOURCE, **mailboxes})
    exchange(files, Direction.BACKUP)
    assert not [path for path in files.files() if "/tmp/" in path]


def test_a_mailbox_that_another_program_has_made_where_control_files_are_apart() -> None:
    """Its directory there is made."""
    files = file_system(SOURCE)
    control = Storage(path="/source", control="/control")
    Place(control, files=files).make()
    place = Place(control, files=files)
    assert len(place.folder("Work/Sub").uids) == 1
    assert "/control/.Work.Sub/dovecot-uidlist" in files.files()
