"""pillarbox.snapshot: what is refused, and what has to be looked at again when something has happened."""

import asyncio
import os
import shutil
import zlib
from array import array
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import AnyStr

import msgspec
import pytest

from pillarbox.config.mailbox_settings import Storage
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.cache.snapshot_format import HEAD_SIZE, Head, Snapshot, decode, decode_header, encode
from pillarbox.mailstore.deliver import Delivery, deliver_batch, make_maildir
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir import mailbox as maildir_mailbox
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.folder_snapshots import FILE_NAME, go_on_from, read_header, read_snapshot
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

LONG_AGO = 1_700_000_000_000_000_000
NAME = FILE_NAME.decode()


class Counting(DiskFileSystem):
    """Notes listings of new/ and cur/."""

    __slots__ = ("listed",)

    def __init__(self) -> None:
        self.listed: list[str] = []

    def listdir(self, path: AnyStr) -> list[AnyStr]:
        """Names in a directory."""
        name = os.fsdecode(path).rstrip("/").rpartition("/")[2]
        self.listed += [name] if name in {"new", "cur"} else []
        return super().listdir(path)


def settle(root: Path, moment: int = LONG_AGO) -> None:
    """As if the last change had been long ago."""
    for name in ("new", "cur"):
        os.utime(root / name, ns=(moment, moment))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four messages, one of them in new/, with flags and keywords, written down and long unchanged."""
    path = tmp_path / "Maildir"
    make_maildir(str(path))

    async def fill() -> None:
        account = MaildirAccount(str(path))
        box = await account.open("INBOX")
        await box.append([NewMessage(b"Subject: %d\r\n\r\n" % number) for number in range(3)])
        await box.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN, (b"Work",)))
        deliver_batch([Delivery(str(path), [b"Subject: x\n\nx\n"])])
        await box.refresh(read_only=True)
        box.close()
        settle(path)
        await account.status("INBOX")
        await account.close()

    asyncio.run(fill())
    return path


async def look(root: Path, files: DiskFileSystem | None = None) -> list[object]:
    """STATUS, and what a session sees that changes nothing."""
    account = MaildirAccount(str(root), files=files or DiskFileSystem())
    status = await account.status("INBOX")
    box = await account.open("INBOX", read_only=True)
    rows = zip(box.messages.uids, box.messages.flags, box.messages.keywords, strict=True)
    told = [status.messages, status.unseen, status.uid_next, status.size, status.recent, status.guid]
    told += [list(rows), list(box.keywords), await box.identities(box.messages.uids)]
    await box.finish()
    return told


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether snapshots were gone on from, from now on."""
    went_on: list[bool] = []

    def counting(folder: FolderFiles, snapshot: Snapshot) -> bool:
        went_on.append(go_on_from(folder, snapshot))
        return went_on[-1]

    monkeypatch.setattr(maildir_mailbox, "go_on_from", counting)
    return went_on


# --- what is looked at ----------------------------------------------------------------------------------


def test_nothing_has_happened(root: Path) -> None:
    """No directory is listed and no line of the uidlist read; all is as it was."""
    files = Counting()
    told = asyncio.run(look(root, files))
    assert [] == files.listed
    (root / NAME).unlink()
    assert asyncio.run(look(root)) == told
    assert [4, 3, 5] == told[:3]
    assert [(1, 8, 1), (2, 0, 0), (3, 0, 0), (4, 0, 0)] == told[6]


def in_cur(root: Path) -> Path:
    """The first message's file."""
    return min((root / "cur").iterdir())


def replaced(path: Path, content: bytes) -> None:
    """Another file has its name."""
    path.with_name("other").write_bytes(content)
    path.with_name("other").rename(path)


def replaced_by_an_equal(root: Path, name: str) -> None:
    """A directory is removed, and one like it made, with the same mtime."""
    shutil.copytree(root / name, root / "copy")
    shutil.rmtree(root / name)
    (root / "copy").rename(root / name)
    settle(root)


def flagged(root: Path) -> None:
    """Another program marks a message."""
    in_cur(root).rename(root / "cur" / f"{in_cur(root).name}F")


def flagged_unnoticed(root: Path) -> None:
    """The same, and the mtime is set back."""
    flagged(root)
    settle(root)


def moved(root: Path) -> None:
    """Another program has seen what was new."""
    for file in (root / "new").iterdir():
        file.rename(root / "cur" / f"{file.name}:2,")


def written_in(path: Path, at: int, octets: bytes) -> None:
    """In place; behind the end if `at` is -1."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(len(content) if at < 0 else at)
        file.write(octets)


def in_place_of_the_snapshot(root: Path, kind: str) -> None:
    """Something else, by somebody who means no good."""
    (root / NAME).rename(root / "there")
    if kind == "link":
        (root / NAME).symlink_to(root / "there")
    elif kind == "pipe":
        os.mkfifo(root / NAME)
    elif kind == "directory":
        (root / NAME).mkdir()


BOTH = ["new", "cur"]
# what, what happens, which directories are listed, whether the snapshot is worthless then
HAPPENED: list[tuple[str, Callable[[Path], object], list[str], bool]] = [
    ("delivered", lambda root: deliver_batch([Delivery(str(root), [b"y\n"])]), ["new"], False),
    ("flags", flagged, ["cur"], False),
    ("flags, and the mtime set back", flagged_unnoticed, BOTH, False),
    ("removed", lambda root: in_cur(root).unlink(), BOTH, False),
    ("moved to cur", moved, BOTH, False),
    ("added to cur", lambda root: (root / "cur" / "1.b:2,S").write_bytes(b"z\n"), ["cur"], False),
    ("a line appended", lambda root: written_in(root / "dovecot-uidlist", -1, b"9 :gone\n"), [], False),
    (
        "an equal uidlist",
        lambda root: replaced(root / "dovecot-uidlist", (root / "dovecot-uidlist").read_bytes()),
        BOTH,
        True,
    ),
    ("written in place", lambda root: written_in(root / "dovecot-uidlist", 0, b"3 V1"), BOTH, True),
    ("another keyword", lambda root: replaced(root / "dovecot-keywords", b"0 Other\n"), BOTH, True),
    ("one more keyword", lambda root: replaced(root / "dovecot-keywords", b"0 Work\n1 More\n"), [], False),
    (
        "keywords beyond the 26th",
        lambda root: (root / "pillarbox-keywords").write_bytes(b"K 26 x\nM 2 4000000\n"),
        BOTH,
        True,
    ),
    ("an index of Dovecot's", lambda root: (root / "dovecot.index.log").write_bytes(b"x"), BOTH, True),
    ("another cur", lambda root: replaced_by_an_equal(root, "cur"), BOTH, False),
    *[
        (kind, partial(in_place_of_the_snapshot, kind=kind), BOTH, True)
        for kind in ("nothing", "link", "pipe", "directory")
    ],
]


@pytest.mark.parametrize(
    ("happens", "listed", "is_worthless"), [row[1:] for row in HAPPENED], ids=[row[0] for row in HAPPENED]
)
def test_what_happened_meanwhile(
    root: Path,
    happens: Callable[[Path], object],
    listed: list[str],
    is_worthless: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what may have changed is read, and what is told is what somebody tells who reads everything."""
    happens(root)
    untold = root.with_name("untold")
    shutil.copytree(root, untold, ignore=lambda *_: [NAME], symlinks=True)
    expected = asyncio.run(look(untold))
    files, went_on = Counting(), counted(monkeypatch)
    assert expected == asyncio.run(look(root, files))
    assert (set(listed), is_worthless) == (set(files.listed), True not in went_on)


def test_changes_in_the_moment_of_writing_are_not_trusted(root: Path) -> None:
    """What was listed within a tick of its mtime is listed again: a change in that tick is not hidden."""

    async def scene() -> None:
        account = MaildirAccount(str(root))
        box = await account.open("INBOX", read_only=True)
        await box.append([NewMessage(b"x\r\n")])
        box.close()
        await account.close()
        header = read_header(DiskFileSystem(), os.fsencode(root / NAME))
        assert header is not None
        assert not header.cur.is_settled
        modified = (root / "cur").stat().st_mtime_ns
        in_cur(root).unlink()
        os.utime(root / "cur", ns=(modified, modified))
        assert 4 == (await look(root))[0]

    asyncio.run(scene())


def test_it_is_not_written_again_for_nothing(root: Path) -> None:
    """A worker that has found all as it was leaves the file; one that has changed something does not."""

    async def use(*, changes: bool) -> None:
        account = MaildirAccount(str(root))
        box = await account.open("INBOX", read_only=True)
        if changes:
            await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
        box.close()
        await account.status("INBOX")
        await account.close()

    asyncio.run(use(changes=False))
    before = (root / NAME).stat()
    asyncio.run(use(changes=False))
    assert before == (root / NAME).stat()
    asyncio.run(use(changes=True))
    assert before.st_ino != (root / NAME).stat().st_ino
    assert 0o600 == (root / NAME).stat().st_mode & 0o777
    assert [] == list((root / "tmp").iterdir())


def test_changes_while_it_is_being_written_keep_it_from_being_written(root: Path) -> None:
    """What was copied on the loop is not what the folder knows by now."""

    async def scene() -> None:
        account = MaildirAccount(str(root))
        box = await account.open("INBOX", read_only=True)
        (root / NAME).unlink()
        write = box.writing_down()
        await box.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
        write()
        assert not (root / NAME).exists()
        box.writing_down()()
        assert (root / NAME).exists()
        await account.close()

    asyncio.run(scene())


def test_recent_is_the_caches(root: Path) -> None:
    """\\Recent is counted again if a session has taken it since."""

    async def scene() -> None:
        account = MaildirAccount(str(root))
        assert 4 == (await account.status("INBOX")).recent
        [cached] = account._caches.rows.mailboxes(*await key_of(account))
        account._caches.rows.set_first_recent(cached.number, 4)
        assert 1 == (await MaildirAccount(str(root)).status("INBOX")).recent
        await account.close()

    async def key_of(account: MaildirAccount) -> tuple[bytes, int]:
        status = await account.status("INBOX")
        return status.guid, status.uid_validity

    asyncio.run(scene())


def test_deleted_with_the_mailbox(tmp_path: Path) -> None:
    """Also where Dovecot's index is elsewhere; and a mailbox of the same name goes on from nothing."""

    async def scene() -> None:
        index = tmp_path / "index"
        account = MaildirAccount(Storage(path=str(tmp_path / "Maildir"), index=str(index)))
        for number in count():
            await account.create("Box")
            box = await account.open("Box")
            assert [] == list(box.messages.uids)
            await box.append([NewMessage(b"x\r\n")])
            box.close()
            await account.close()
            assert (index / ".Box" / NAME).exists()
            account = MaildirAccount(Storage(path=str(tmp_path / "Maildir"), index=str(index)))
            if number:
                break
            await account.delete("Box")
            assert not (index / ".Box" / NAME).exists()
        await account.close()

    asyncio.run(scene())


# --- the format -----------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(root: Path) -> Snapshot:
    """One."""
    found = read_snapshot(DiskFileSystem(), os.fsencode(root / NAME))
    assert found is not None
    return found


def written(snapshot: Snapshot, **changes: object) -> bytes:
    """The file's octets."""
    columns = {
        "uids": snapshot.uids,
        "flags": snapshot.flags,
        "keyword_bits": snapshot.keyword_bits,
        "modseqs": snapshot.modseqs,
        "path_lengths": snapshot.path_lengths,
        "paths": snapshot.paths,
        "header": snapshot.header,
    }
    return b"".join(encode(**{**columns, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("modseqs", [None, array("Q", [7, 8, 9, 1 << 62])])
def test_what_is_written_is_read(snapshot: Snapshot, modseqs: "array[int] | None") -> None:
    """With mod-sequences and without."""
    header = msgspec.structs.replace(snapshot.header, highest_modseq=0 if modseqs is None else 1 << 62)
    again = decode(written(snapshot, header=header, modseqs=modseqs))
    assert (header, modseqs, snapshot.uids) == (again.header, again.modseqs, again.uids)
    assert (snapshot.flags, snapshot.keyword_bits) == (again.flags, again.keyword_bits)
    assert (snapshot.paths, snapshot.path_lengths) == (again.paths, again.path_lengths)


def test_every_cut_and_every_changed_octet_is_refused(snapshot: Snapshot) -> None:
    """Torn, lengthened and damaged files."""
    octets = written(snapshot)
    for at in range(len(octets)):
        damaged = octets[:at] + bytes([octets[at] ^ 0x20]) + octets[at + 1 :]
        for bad in (octets[:at], damaged):
            with pytest.raises(ValueError, match=r"."):
                decode(bad)
    with pytest.raises(ValueError, match="damaged columns"):
        decode(octets + b"x")


@pytest.mark.parametrize(
    "change",
    [
        {"flags": bytearray(3)},
        {"uids": array("I", [1, 2, 3])},
        {"path_lengths": array("H", [1, 2, 3, 4])},
        {"paths": b""},
        {"uids": array("I", [0, 2, 3, 4])},
        {"uids": array("I", [1, 2, 3, 99])},
    ],
)
def test_columns_that_do_not_fit_are_refused(snapshot: Snapshot, change: dict[str, object]) -> None:
    """Although their checksum is right."""
    with pytest.raises(ValueError, match="columns"):
        decode(written(snapshot, **change))


def test_other_formats_are_refused(snapshot: Snapshot) -> None:
    """Another name, another version, another order of octets."""
    good = written(snapshot)
    for at, octets in ((0, b"X"), (3, b"\2"), (4, good[7:3:-1])):
        with pytest.raises(ValueError, match="another format"):
            decode(good[:at] + octets + good[at + len(octets) :])


@pytest.mark.parametrize("text", [b"", b"\x90", b"\xc0", b"\x9f" * 40])
def test_headers_that_are_none_are_refused(snapshot: Snapshot, text: bytes) -> None:
    """MessagePack of something else, with the right checksum."""
    good = written(snapshot)
    head = good[:8] + array("I", [len(text), zlib.crc32(text)]).tobytes() + good[16:HEAD_SIZE]
    with pytest.raises(ValueError, match=r"."):
        decode_header(Head.of(head), head + text)


def test_a_damaged_file_is_replaced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that finds one reads everything, and the next does not."""
    (root / NAME).write_bytes(b"PbS")
    told = asyncio.run(look(root))
    went_on = counted(monkeypatch)

    async def use() -> None:
        account = MaildirAccount(str(root))
        (await account.open("INBOX", read_only=True)).close()
        await account.close()

    asyncio.run(use())
    asyncio.run(use())
    assert [True] == went_on
    assert told == asyncio.run(look(root))
