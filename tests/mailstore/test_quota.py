"""Quotas: settings, maildirsize, limits, and what counts."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.mailbox_settings import Storage
from pillarbox.config.quota_settings import Amount, QuotaFault, QuotaRoot, QuotaRule, quota_settings
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.mailbox import Fields, MailTooLarge, NewMessage, QuotaExceeded
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.quota.maildirsize import Size, Usage, parse, render
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

RULES = [
    ("*:storage=1G", QuotaRoot(name="", driver="count", octets=1 << 30, is_forced=True)),
    ("*:storage=10", QuotaRoot(name="", driver="count", octets=10240, is_forced=True)),
    ("*:bytes=10:messages=7", QuotaRoot(name="", driver="count", octets=10, messages=7, is_forced=True)),
    ("?:bytes=1k", QuotaRoot(name="", driver="count", octets=1024)),
    ("Trash:storage=+5M", QuotaRoot(name="", driver="count", rules=(QuotaRule("Trash", Amount(5 << 20)),))),
    ("T*:bytes=-10%", QuotaRoot(name="", driver="count", rules=(QuotaRule("T*", Amount(percent=-10)),))),
    ("Spam:ignore", QuotaRoot(name="", driver="count", rules=(QuotaRule("Spam", ignore=True),))),
]
FAULTS = [
    ({"quota": "dict:User::proxy"}, "quota: Quota backend dict is not served"),
    ({"quota": "nosuch:User"}, "quota: Quota backend nosuch is unknown"),
    ({"quota": "count:U:what"}, "quota: Invalid parameter: what"),
    ({"quota": "count", "quota_rule": "storage=1"}, "quota_rule: Invalid rule: storage=1"),
    ({"quota": "count", "quota_rule": "*:storag=1"}, "quota_rule: Unknown rule limit name: storag"),
    ({"quota": "count", "quota_rule": "*:storage=+1"}, "quota_rule: Rule limit cannot have '+': +1"),
    ({"quota": "count", "quota_rule": "*:storage=10%"}, "quota_rule: Default rule can't be a percentage"),
    ({"quota": "count", "quota_rule2": "*:x", "quota_rule": "*:storage=1Q"}, "quota_rule: Unknown unit: Q"),
    ({"quota": "count", "quota_rule": "*:storage=ten"}, "quota_rule: Invalid limit: ten"),
    ({"quota": "count", "quota_warning": "storag=1 x"}, "quota_warning: Unknown rule limit name: storag"),
]


@pytest.mark.parametrize(("text", "root"), RULES, ids=[case[0] for case in RULES])
def test_a_rule(text: str, root: QuotaRoot) -> None:
    """What it comes to."""
    assert quota_settings({"quota": "count", "quota_rule": text}).roots == (root,)


@pytest.mark.parametrize(("values", "text"), FAULTS, ids=[case[1] for case in FAULTS])
def test_a_fault(values: dict[str, str], text: str) -> None:
    """The setting and what is wrong."""
    with pytest.raises(QuotaFault) as caught:
        quota_settings(values)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("content", "limits", "usage"),
    [
        (b"104857600S,1000C\n0 0\n60 1\n-60 -1\n", Usage(104857600, 1000), Usage(0, 0)),
        (b"0S\n10 1\n", Usage(), Usage(10, 1)),
        (b"5C,x\n10 1\n20 1", Usage(0, 5), Usage(10, 1)),  # the last line is not complete
        (b"10S\n", Usage(10, 0), Usage()),
        (b"10S\nx\n", Usage(10, 0), None),
        (b"10S\n5 1\n\0\n", Usage(10, 0), None),
        (b"10S\n5 1\n-6 -1\n", Usage(10, 0), None),
        (b"10S\n" + b"1 1\n" * 2000, Usage(10, 0), None),
        (b"", Usage(), None),
    ],
)
def test_maildirsize(content: bytes, limits: Usage, usage: Usage | None) -> None:
    """What a file tells, and when the mail has to be counted."""
    found = parse(content)
    assert (found.limits, found.usage) == (limits, usage)


@given(st.integers(0, 1 << 60), st.integers(0, 1 << 30), st.integers(0, 1 << 50), st.integers(0, 1 << 30))
def test_what_is_written_is_read(limit: int, most: int, octets: int, messages: int) -> None:
    """A file made anew."""
    limits, usage = Usage(limit, most), Usage(octets, messages)
    found = parse(render(limits, usage))
    assert (found.limits, found.usage) == (limits, usage)


def account_with(
    base: Path, values: dict[str, str], warned: list[str]
) -> tuple[MaildirAccount, AccountQuota]:
    """An account and its quota."""
    place = Storage(path=str(base / "M"))
    quota = AccountQuota(
        quota_settings(values), tree_at(place), files=DISK, clock=ManualClock(), warn=warned.append
    )
    return MaildirAccount(place, mailboxes=(), quota=quota), quota


@pytest.mark.parametrize("driver", ["count", "maildir"])
def test_an_account(tmp_path: Path, driver: str) -> None:
    """Appending, copying, moving, expunging and deleting; what is ignored; a warning once."""
    values = {
        "quota": driver,
        "quota_rule": "*:bytes=100:messages=5",
        "quota_rule2": "Trash:bytes=+50",
        "quota_rule3": "Junk:ignore",
        "quota_warning": "bytes=80% box 80",
        "quota_warning2": "bytes=50% box 50",
    }

    async def scene() -> None:
        warned: list[str] = []
        account, quota = account_with(tmp_path, values, warned)
        for name in ("Trash", "Junk"):
            await account.create(name)
        boxes = {name: await account.open(name) for name in ("INBOX", "Trash", "Junk")}
        [first] = await boxes["INBOX"].append([NewMessage(b"a: b\n\n" + b"x" * 48 + b"\n")])
        assert warned == ["box 50"]
        with pytest.raises(QuotaExceeded):
            await boxes["INBOX"].copy([first], boxes["INBOX"])
        await boxes["INBOX"].copy([first], boxes["Trash"])
        assert warned == ["box 50", "box 80"]
        with pytest.raises(QuotaExceeded):
            await boxes["INBOX"].append([NewMessage(b"a: b\n\n")])
        await boxes["INBOX"].move([first], boxes["Trash"])
        await boxes["Junk"].append([NewMessage(b"a: b\n\n" + b"x" * 400)])
        states = await account.quotas()
        assert states is not None
        assert states[0].messages == 2
        with pytest.raises(QuotaExceeded):  # what was ignored would count
            await boxes["Junk"].move([Uid(1)], boxes["INBOX"])
        quota.recalculate()
        assert await account.quotas() == states
        for box in boxes.values():
            box.close()
        await account.delete("Trash")
        [state] = await account.quotas() or []
        assert (state.octets, state.messages) == (0, 0)
        await account.close()

    asyncio.run(scene())


def test_a_delivery_may_exceed_it_once(tmp_path: Path) -> None:
    """By the grace, when what is there does not exceed it yet."""
    _, quota = account_with(tmp_path, {"quota": "count", "quota_rule": "*:bytes=100"}, [])
    small, large = Size(90, 95), Size(105, 108)
    quota.check("INBOX", [large], is_delivery=True)
    with pytest.raises(QuotaExceeded):
        quota.check("INBOX", [large])
    with pytest.raises(QuotaExceeded):
        quota.check("INBOX", [small], pending=[large], is_delivery=True)
    with pytest.raises(QuotaExceeded):
        quota.check("INBOX", [Size(111, 112)], is_delivery=True)


def test_the_largest_message(tmp_path: Path) -> None:
    """quota_max_mail_size, without any root."""

    async def scene() -> None:
        account, _ = account_with(tmp_path, {"quota_max_mail_size": "20"}, [])
        box = await account.open("INBOX")
        with pytest.raises(MailTooLarge):
            await box.append([NewMessage(b"a: b\n\n" + b"x" * 40)])
        [uid] = await box.append([NewMessage(b"a: b\n\nx\n")])
        assert [one.size for one in await box.summaries([uid], Fields.SIZE)] == [11]
        box.close()
        await account.close()

    asyncio.run(scene())


def test_deliveries_together_warn_one_after_the_other(tmp_path: Path) -> None:
    """Two messages that are stored at once, in two mailboxes, pass one limit: one warning."""

    async def scene() -> None:
        warned: list[str] = []
        values = {"quota": "count", "quota_rule": "*:messages=4", "quota_warning": "messages=50% box half"}
        account, quota = account_with(tmp_path, values, warned)
        await account.create("A")
        (await account.open("INBOX")).close()
        assert quota.states()[0].messages == 0
        for place in ("M/cur/1:2,", "M/.A/cur/2:2,"):
            (tmp_path / place).write_bytes(b"a")
        quota.delivered([("INBOX", Size(1, 1)), ("A", Size(1, 1))])
        assert warned == ["box half"]
        await account.close()

    asyncio.run(scene())


OVER = {
    "quota": "count",
    "quota_rule": "*:messages=1",
    "quota_over_script": "box wrong",
    "quota_over_flag_value": "T*",
}


@pytest.mark.parametrize(
    ("values", "at_login", "when_asked"),
    [
        ({}, ["box wrong"], []),
        ({"quota_over_flag": "true"}, [], []),
        ({"quota_over_flag": "no"}, ["box wrong no"], []),
        ({"quota_over_flag": "no", "quota_over_flag_lazy_check": "yes"}, [], ["box wrong no"]),
    ],
)
def test_what_the_userdb_believes(
    tmp_path: Path, values: dict[str, str], at_login: list[str], when_asked: list[str]
) -> None:
    """Of whether a user is over quota (quota_over_flag): told if it is wrong, once in a session."""

    async def scene() -> None:
        warned: list[str] = []
        account, quota = account_with(tmp_path, {**OVER, **values}, warned)
        await (await account.open("INBOX")).append([NewMessage(b"a")])
        assert quota.has_over_flags
        quota.session_begins()
        assert warned == at_login
        for _ in range(2):
            quota.states()
            assert warned == at_login + when_asked
        await account.close()

    asyncio.run(scene())


def test_what_has_no_limit_is_counted_when_asked_for(tmp_path: Path) -> None:
    """Without a maildirsize, which would tell of a limit."""

    async def scene() -> None:
        account, quota = account_with(tmp_path, {"quota": "maildir"}, [])
        await (await account.open("INBOX")).append([NewMessage(b"a")])
        assert quota.states()[0].messages == 1
        assert not (tmp_path / "M" / "maildirsize").exists()
        await account.close()

    asyncio.run(scene())
