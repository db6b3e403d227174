"""dovecot-uidlist and its neighbours: any octets are read, and mended by the next append."""

from fakes.crash_file_system import CrashFileSystem
from pillarbox.mailstore.dovecot_files.keywords import KeywordTable
from pillarbox.mailstore.dovecot_files.subscriptions import Subscriptions
from pillarbox.mailstore.dovecot_files.uid_validity import next_uid_validity
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.mailstore.maildir.file_names import (
    change_letters,
    delivery_order,
    parse_letters,
    sizes,
    split,
    write_letters,
)

SEEDS = [
    b"3 V1795354878 N5 G3b5d2d02fef0026bac1c000083ecc375\n1 :1795354878.M35176P7340.vm,S=60,W=66\n",
    b"3 V7 N1 G3b5d2d02fef0026bac1c000083ecc375 Px\n4 G1.a W20 :1.b\n100 Pu O3 :1800000000.M1P1.ours,S=17,W=20\n",
    b"1 77 9\n4 1.a\n6 2.b\n",
    b"0 $Forwarded\n1 NonJunk\nK 26 x\nM 17 4000000\n",
    b"V\t2\n\nSub\tChild\nEntw&APw-rfe\n",
]
DICTIONARY = [
    b"3 V",
    b" N",
    b" G",
    b" :",
    b"\n",
    b"4294967295",
    b":2,",
    b",S=",
    b",W=",
    b"unknown-",
    b"K 26 ",
    b"M 1 ",
]


def fuzz_one(data: bytes) -> None:
    """The same octets as every control file, and as file names."""
    files = CrashFileSystem()
    files.make_directories("/m")
    for name in (
        "dovecot-uidlist",
        "dovecot-keywords",
        "pillarbox-keywords",
        "subscriptions",
        "dovecot-uidvalidity",
    ):
        files.make_file(f"/m/{name}", data)
    check_uidlist(files)
    keywords = KeywordTable(b"/m", files)
    keywords.refresh()
    keywords.to_bits((1 << 26) - 1)
    try:
        keywords.define([b"New"])
    except OverflowError:
        assert len(keywords.names) >= 26
    subscriptions = Subscriptions(b"/m", files)
    subscriptions.add("A/B")
    assert "A/B" in subscriptions.read()
    assert next_uid_validity(b"/m", now=1e9, files=files) > 0
    for file_name in data.split(b"\n"):
        base, letters = split(file_name)
        sizes(base)
        delivery_order(base)
        assert change_letters(letters, flags=0, keywords=0) == change_letters(
            write_letters(parse_letters(letters)), flags=0, keywords=0
        )


def check_uidlist(files: CrashFileSystem) -> None:
    """After an append the file is whole, and the new UID is the highest."""
    uidlist = UidList(b"/m", files)
    uidlist.refresh()
    if not uidlist.exists:
        uidlist.uid_validity, uidlist.damaged = 9, True
    if not uidlist.guid:
        uidlist.guid, uidlist.damaged = b"c" * 32, True
    try:
        [entry] = uidlist.append([b"new"])
    except OverflowError:
        return  # UIDs up to 2^32 - 1 are used up
    again = UidList(b"/m", files)
    again.refresh()
    assert not again.damaged
    assert again.uids[b"new"] == entry.uid == max(again.uids.values())
