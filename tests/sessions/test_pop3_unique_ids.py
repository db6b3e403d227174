"""Unique ids of POP3, by format and by what mailboxes have written down."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from pillarbox.config.dovecot import uidl_format
from pillarbox.mailstore.mailbox import NewMessage, Pop3Fields
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.pop3_options import Pop3Options
from pillarbox.sessions.pop3_unique_ids import UniqueIds, in_order
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid


def made(options: Pop3Options, own: Mapping[int, Pop3Fields]) -> list[bytes]:
    """The unique ids of three messages."""

    async def ask() -> list[bytes]:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"Subject: %d\r\n\r\n" % number) for number in range(3)])
        return await UniqueIds(inbox, inbox.messages.uids, own, options).of([0, 1, 2])

    return asyncio.run(ask())


VALIDITY = 1795352182
FORMATS = [
    ("%08Xu%08Xv", [b"000000016b02e676", b"000000026b02e676", b"000000036b02e676"]),
    ("%v.%u", [b"%d.1" % VALIDITY, b"%d.2" % VALIDITY, b"%d.3" % VALIDITY]),
    ("%{uidvalidity}-%4Xu%%", [b"%d-1%%" % VALIDITY, b"%d-2%%" % VALIDITY, b"%d-3%%" % VALIDITY]),
    ("%f", [b"1", b"2", b"3"]),
    ("%Mf", [b"c4ca4238a0b923820dcc509a6f75849b", b"c81e728d9d4c2f636f067f89cc14862c",
             b"eccbc87e4b5ce2fe28308fd9f2a7baf3"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FORMATS)
def test_formats(text: str, expected: list[bytes]) -> None:
    """Variables, modifiers, long names."""
    uidl_format.check(text)
    assert expected == made(Pop3Options(uidl_format=text), {})


@pytest.mark.parametrize("text", ["%f", "%g"])
def test_a_message_that_is_gone_has_one(text: str) -> None:
    """Another session has removed it: an id of no characters is none (RFC 1939 §7)."""

    async def ask() -> list[bytes]:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b")])
        ids = UniqueIds(inbox, [1, 2], {}, Pop3Options(uidl_format=text))
        await inbox.expunge([Uid(1)])
        return await ids.of([0])

    assert asyncio.run(ask()) == [b"000000016b02e676"]


def test_what_is_written_down_stays() -> None:
    """Whatever the format; a field that has only an order changes no id."""
    own = {1: Pop3Fields(b"before", 0), 3: Pop3Fields(b"", 7)}
    assert [b"before", b"2", b"3"] == made(Pop3Options(uidl_format="%u"), own)


@pytest.mark.parametrize(("renames", "last"), [(False, [b"x", b"x"]), (True, [b"x-2", b"x-3"])])
def test_duplicates(renames: bool, last: list[bytes]) -> None:
    """pop3_uidl_duplicates = rename: the second and third get numbers."""
    options = Pop3Options(uidl_format="%2.0u" + "x", renames_duplicates=renames)
    assert [b"x", *last] == made(options, {})


def test_those_of_the_header() -> None:
    """pop3_reuse_xuidl: the first X-UIDL field, unless another id is written down; pop3_save_uidl writes it down."""

    async def ask() -> tuple[list[bytes], dict[int, Pop3Fields]]:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        await inbox.append(
            [
                NewMessage(b"x-uidl: own\r\nX-UIDL: other\r\n\r\n"),
                NewMessage(b"X-UIDL: two\r\n\r\n"),
                NewMessage(b"a: b\r\n\r\n"),
            ]
        )
        options = Pop3Options(uidl_format="%u", reuses_header_ids=True, saves_unique_ids=True)
        ids = UniqueIds(inbox, inbox.messages.uids, {2: Pop3Fields(b"kept", 3)}, options)
        return await ids.of([0, 1, 2]), await inbox.pop3_fields()

    made_ids, saved = asyncio.run(ask())
    assert made_ids == [b"own", b"kept", b"3"]
    assert saved == {1: Pop3Fields(b"own", 0), 3: Pop3Fields(b"3", 0)}


def test_duplicates_of_what_is_written_down() -> None:
    """They get numbers, too, as with Dovecot."""
    own = {1: Pop3Fields(b"x", 0), 2: Pop3Fields(b"x", 0)}
    options = Pop3Options(uidl_format="%2.0ux", renames_duplicates=True)
    assert [b"x", b"x-2", b"x-3"] == made(options, own)


def test_order() -> None:
    """Those with a number first, by it; the others by UID."""
    own = {7: Pop3Fields(b"", 2), 9: Pop3Fields(b"", 1), 3: Pop3Fields(b"y", 0)}
    assert [3, 2, 0, 1] == in_order([3, 5, 7, 9], own)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("same", "there is no variable"),
        ("%u%m", "%m is a digest that mbox files have"),
        ("%u%q", "Unknown variable '%q'"),
        ("%u%{user}", "Unknown variable '%{user}'"),
        ("%Zu", "Unknown modifier '%Z'"),
    ],
)
def test_formats_that_cannot_be(text: str, fault: str) -> None:
    """Told at start, not when a client has downloaded everything anew."""
    with pytest.raises(ValueError, match=fault):
        uidl_format.check(text)


def test_an_order_that_is_no_number_counts_for_nothing(tmp_path: Path) -> None:
    """Field `O` of a uidlist with more digits than a number has."""

    async def ask() -> dict[int, Pop3Fields]:
        account = MaildirAccount(str(tmp_path / "Maildir"))
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"Subject: x\r\n\r\n") for _ in range(2)])
        inbox.close()
        await account.close()
        uidlist = tmp_path / "Maildir" / "dovecot-uidlist"
        text = uidlist.read_text().replace("\n1 :", f"\n1 O{'9' * 5000} :").replace("\n2 :", "\n2 O7 :")
        uidlist.write_text(text)
        account = MaildirAccount(str(tmp_path / "Maildir"))
        fields = await (await account.open("INBOX")).pop3_fields()
        await account.close()
        return dict(fields)

    assert asyncio.run(ask()) == {2: Pop3Fields(b"", 7)}
