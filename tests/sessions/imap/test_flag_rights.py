"""STORE by who may change some flags only: the others stay, whatever is asked for, and in one step."""

import asyncio

import pytest

from fakes.imap_talk import new_account
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.sharing.acl_file import ALL, Rights
from pillarbox.sessions.imap.flag_rights import permitted
from pillarbox.vocabulary.flags import Flag

SEEN_ONLY = Rights.READ | Rights.WRITE_SEEN


@pytest.mark.parametrize(
    ("action", "rights", "flags", "keywords"),
    [
        (FlagAction.REPLACE, ALL, Flag.SEEN | Flag.DELETED, [b"y"]),
        (FlagAction.REPLACE, SEEN_ONLY, Flag.SEEN | Flag.FLAGGED, [b"x"]),
        (FlagAction.REPLACE, Rights.WRITE_DELETED, Flag.FLAGGED | Flag.DELETED, [b"x"]),
        (FlagAction.REPLACE, Rights.WRITE, Flag.NONE, [b"y"]),
        (FlagAction.REPLACE, Rights.READ, Flag.FLAGGED, [b"x"]),
        (FlagAction.ADD, SEEN_ONLY, Flag.SEEN | Flag.FLAGGED, [b"x"]),
        (FlagAction.ADD, Rights.WRITE, Flag.FLAGGED, [b"x", b"y"]),
        (FlagAction.REMOVE, Rights.WRITE, Flag.FLAGGED, [b"x"]),
    ],
)
def test_what_may_be_changed_is(
    action: FlagAction, rights: Rights, flags: Flag, keywords: list[bytes]
) -> None:
    """Of a message with \\Flagged and x: FLAGS, +FLAGS, -FLAGS (\\Seen \\Deleted y)."""

    async def run() -> None:
        inbox = await new_account().open("INBOX")
        [uid] = await inbox.append([NewMessage(b"a", Flag.FLAGGED, (b"x",))])
        table = inbox.messages
        expected = {int(uid): (table.flags[0], table.keywords[0])}
        change = FlagChange(action, Flag.SEEN | Flag.DELETED, (b"y",), expected)
        await inbox.change_flags([uid], permitted(change, rights))
        bits = table.keywords[0]
        found = [name for bit, name in enumerate(inbox.keywords) if bits >> bit & 1]
        assert (Flag(table.flags[0]), found) == (flags, keywords)

    asyncio.run(run())
