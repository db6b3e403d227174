"""The trash plugin: which messages make room, and that none goes in vain."""

import os
from pathlib import Path

import pytest

from pillarbox.config.mailbox_settings import Storage
from pillarbox.config.quota_settings import quota_settings
from pillarbox.config.trash_settings import TrashFault, TrashMailbox, parse_trash
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.mailbox import QuotaExceeded
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.quota.maildirsize import Size
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.vocabulary.clock import ManualClock


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("1 Junk\n2 Trash", [TrashMailbox(1, "Junk"), TrashMailbox(2, "Trash")]),
        ("# c\n\n1\n10 Deleted Messages\n", [TrashMailbox(10, "Deleted Messages")]),
        (" 1 Trash", "line 1: Invalid priority for mailbox '1 Trash'"),
        ("1 A\nx Trash", "line 2: Invalid priority for mailbox 'Trash'"),
        ("-1 Trash", "line 1: Invalid priority for mailbox 'Trash'"),
    ],
)
def test_lines(text: str, found: "list[TrashMailbox] | str") -> None:
    """Or which line makes no sense."""
    if isinstance(found, str):
        with pytest.raises(TrashFault, match=found):
            parse_trash(text)
    else:
        assert parse_trash(text) == found


class Mail:
    """An account of 1000 octets, with messages in Trash, Junk and INBOX."""

    def __init__(self, base: Path, rules: str, driver: str) -> None:
        self.base = base
        self._file = base / "trash.conf"
        self._file.write_text(rules)
        self.told: list[tuple[str, str]] = []
        for number, (name, size) in enumerate(
            ((".Trash", 200), (".Junk", 100), (".Trash", 150), (".Junk", 120), ("", 300)), 1
        ):
            directory = base / "M" / name
            for place in ("new", "cur", "tmp"):
                (directory / place).mkdir(parents=True, exist_ok=True)
            path = directory / "cur" / f"{number}.x.y,S={size},W={size}:2,"
            path.write_bytes(b"x" * size)
            os.utime(path, (number, number))
        self.quota = AccountQuota(
            quota_settings({"quota": f"{driver}:q", "quota_rule": "*:bytes=1000:messages=6"}),
            tree_at(Storage(path=str(base / "M"))),
            files=DISK,
            clock=ManualClock(),
            trash_file=str(self._file),
            report=lambda severity, text: self.told.append((severity, text)),
        )

    def left(self) -> list[int]:
        """Numbers of the messages that are there."""
        return sorted(int(path.name.partition(".")[0]) for path in self.base.glob("M/**/cur/*"))

    def used(self) -> tuple[int, int]:
        """Octets and messages."""
        (state,) = self.quota.states()
        return state.octets, state.messages


@pytest.mark.parametrize("driver", ["count", "maildir"])
@pytest.mark.parametrize(
    ("rules", "size", "left"),
    [
        ("1 Junk\n2 Trash\n", 130, [1, 2, 3, 4, 5]),
        ("1 Junk\n2 Trash\n", 200, [1, 3, 4, 5]),
        ("1 Junk\n2 Trash\n", 250, [1, 3, 5]),
        ("1 Junk\n2 Trash\n", 360, [3, 5]),
        ("2 Junk\n1 Trash\n", 200, [2, 3, 4, 5]),
        ("1 Junk\n1 Trash\n", 360, [3, 4, 5]),
        ("1 Junk\n2 Trash\n", 700, [5]),
        ("1 Junk\n2 Trash\n", 701, None),
        ("1 Nope\n", 200, None),
        ("1 INBOX\n", 200, [1, 2, 3, 4]),
    ],
)
def test_the_oldest_of_the_lowest_number_go(
    tmp_path: Path, driver: str, rules: str, size: int, left: "list[int] | None"
) -> None:
    """As many as are needed; if all are not enough, none.  A question removes nothing."""
    mail = Mail(tmp_path, rules, driver)
    for is_question in (True, False):
        assert mail.left() == [1, 2, 3, 4, 5]
        if left is None:
            with pytest.raises(QuotaExceeded):
                mail.quota.check("INBOX", [Size(size, size)], is_question=is_question)
        else:
            mail.quota.check("INBOX", [Size(size, size)], is_question=is_question)
    kept = left if left is not None else [1, 2, 3, 4, 5]
    assert mail.left() == kept
    octets = {1: 200, 2: 100, 3: 150, 4: 120, 5: 300}
    assert mail.used() == (sum(octets[number] for number in kept), len(kept))
    assert bool(mail.told) == (len(kept) < 5)


def test_room_by_number_of_messages(tmp_path: Path) -> None:
    """Two more, where one may come."""
    mail = Mail(tmp_path, "1 Junk\n2 Trash\n", "count")
    mail.quota.check("INBOX", [Size(1, 1)] * 2)
    assert mail.left() == [1, 3, 4, 5]
    assert mail.told == [("Info", "trash plugin: 1 messages removed from Junk")]


@pytest.mark.parametrize(
    ("rules", "why"),
    [("x Trash\n", "line 1: Invalid priority for mailbox 'Trash'"), (None, "No such file or directory")],
)
def test_a_file_that_makes_no_sense_is_told(tmp_path: Path, rules: "str | None", why: str) -> None:
    """And nothing goes."""
    mail = Mail(tmp_path, rules or "", "count")
    if rules is None:
        (tmp_path / "trash.conf").unlink()
    with pytest.raises(QuotaExceeded):
        mail.quota.check("INBOX", [Size(500, 500)])
    assert mail.left() == [1, 2, 3, 4, 5]
    ((severity, text),) = mail.told
    assert severity == "Error"
    assert text.startswith("trash plugin: ")
    assert why in text
