"""What every mail store promises to extensions of IMAP: mod-sequences, annotations, special uses, secrets for URLs."""

import pytest

from fakes.store_scenes import Play, add, flags_of, message
from pillarbox.mailstore.mailbox import (
    Account,
    FlagAction,
    FlagChange,
    NoSuchMailbox,
)
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


def test_mod_sequences_grow_and_belong_to_what_changed(play: Play) -> None:
    """RFC 7162 §3.1.1: each change gives its messages, and the mailbox, a higher one; others keep theirs."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1), message(2), message(3)])
        had_modseqs = inbox.has_modseqs
        await inbox.track_modseqs()
        assert (False, True) == (had_modseqs, inbox.has_modseqs)
        before, highest = list(inbox.messages.modseqs), inbox.highest_modseq
        assert highest == max(before)
        await inbox.change_flags([Uid(2)], add(Flag.SEEN))
        assert [before[0], before[2]] == [inbox.messages.modseqs[0], inbox.messages.modseqs[2]]
        assert inbox.highest_modseq == inbox.messages.modseqs[1] > highest
        highest = inbox.highest_modseq
        await inbox.change_flags([Uid(2)], add(Flag.SEEN))
        assert highest == inbox.highest_modseq
        await inbox.expunge([Uid(1)])
        assert inbox.highest_modseq > highest
        assert (await account.status("INBOX", with_modseq=True)).highest_modseq == inbox.highest_modseq

    play(scene)


def test_flags_that_are_not_as_expected_stay(play: Play) -> None:
    """STORE UNCHANGEDSINCE: who expects other flags than there are changes nothing (RFC 7162 §3.1.3)."""

    async def scene(account: Account) -> None:
        inbox = await account.open("INBOX")
        await inbox.append([message(1, Flag.SEEN), message(2), message(3)])
        expected = {1: (int(Flag.SEEN), 0), 2: (int(Flag.DRAFT), 0)}
        change = FlagChange(FlagAction.ADD, Flag.FLAGGED, expected=expected)
        assert [1] == await inbox.change_flags([Uid(1), Uid(2), Uid(3)], change)
        assert (Flag.SEEN | Flag.FLAGGED, set()) == flags_of(inbox, 1)
        assert (Flag.NONE, set()) == flags_of(inbox, 2)
        assert (Flag.NONE, set()) == flags_of(inbox, 3)

    play(scene)


def test_secrets_for_urls(play: Play) -> None:
    """Made once, and kept apart from annotations; gone when they are to be, or with their mailbox."""

    async def scene(account: Account) -> None:
        await account.create("a")
        for name in ("a", "INBOX"):
            (await account.open(name)).close()
        guids = await account.identities()
        assert await account.url_key(guids["a"]) == b""
        assert await account.url_key(guids["a"], b"\x00first") == b"\x00first"
        assert await account.url_key(guids["a"], b"second") == b"\x00first"
        assert await account.url_key(guids["INBOX"], b"other") == b"other"
        assert await account.attributes("a") == {}
        await account.rename("a", "b")
        assert await account.url_key(guids["a"]) == b"\x00first"
        await account.forget_url_keys([guids["a"], b"0" * 32])
        assert await account.url_key(guids["a"]) == b""
        assert await account.url_key(guids["a"], b"third") == b"third"
        await account.forget_url_keys(list(guids.values()))
        assert await account.url_key(guids["INBOX"]) == b""

    play(scene)


def test_annotations_belong_to_a_mailbox(play: Play) -> None:
    """Of each its own, and of the account; with the mailbox by rename, gone with it."""

    async def scene(account: Account) -> None:
        await account.create("a")
        await account.change_attributes("a", {"private/comment": b"x\ty\r\nz\x01", "shared/comment": b""})
        await account.change_attributes("", {"private/vendor/x": b"server"})
        await account.change_attributes("INBOX", {"private/comment": b"inbox"})
        await account.rename("a", "b/c")
        assert await account.attributes("b/c") == {"private/comment": b"x\ty\r\nz\x01", "shared/comment": b""}
        assert await account.attributes("") == {"private/vendor/x": b"server"}
        assert await account.attributes("INBOX") == {"private/comment": b"inbox"}
        await account.change_attributes("b/c", {"private/comment": None, "private/none": None})
        assert await account.attributes("b/c") == {"shared/comment": b""}
        await account.delete("b/c")
        await account.create("b/c")
        assert await account.attributes("b/c") == {}
        with pytest.raises(NoSuchMailbox):
            await account.attributes("a")
        with pytest.raises(NoSuchMailbox):
            await account.change_attributes("a", {"private/x": b"y"})

    play(scene)


def test_annotations_raise_the_mod_sequence(play: Play) -> None:
    """RFC 7162 §3.2: "MUST increment the per-mailbox mod-sequence when SETMETADATA successfully changes"."""

    async def scene(account: Account) -> None:
        async def highest(name: str) -> int:
            return (await account.status(name, with_modseq=True)).highest_modseq

        await account.create("a")
        before = await highest("a")
        await account.change_attributes("a", {"shared/comment": b"x"})
        after = await highest("a")
        assert after > before
        await account.change_attributes("", {"private/vendor/x": b"server"})
        await account.change_attributes("INBOX", {"private/comment": b"inbox"})
        assert await highest("a") == after
        await account.change_attributes("a", {"shared/comment": None})
        assert await highest("a") > after

    play(scene)


def test_special_uses_that_were_given(play: Play) -> None:
    """RFC 6154 §3: LIST tells them, under the name that the mailbox has now."""

    async def uses(account: Account) -> dict[str, bytes]:
        return {
            entry.name: entry.special_use for entry in await account.list_mailboxes() if entry.special_use
        }

    async def scene(account: Account) -> None:
        for name, use in (("a", b"\\Junk"), ("b", b"\\Sent")):
            await account.create(name)
            await account.change_attributes(name, {"private/specialuse": use})
        assert await uses(account) == {"a": b"\\Junk", "b": b"\\Sent"}
        await account.rename("a", "c")
        await account.rename("b", "a")
        assert await uses(account) == {"c": b"\\Junk", "a": b"\\Sent"}
        await account.delete("c")
        assert await uses(account) == {"a": b"\\Sent"}
        await account.create("c")
        assert await uses(account) == {"a": b"\\Sent"}

    play(scene)
