"""Dates of a mailbox on a host that is not in UTC: INTERNALDATE, SAVEDATE and the days of SEARCH are the host's."""

import asyncio

import pytest

from fakes.imap_talk import Talk
from fakes.time_zone import time_zone
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.vocabulary.clock import ManualClock

MIDNIGHT = 1174773600
"""25 March 2007 in Helsinki, where summer time began that night."""
MOMENTS = (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 23 * 3600 - 1, MIDNIGHT + 23 * 3600)
ANSWERS = (
    (b"SEARCH ON 24-Mar-2007", b"* SEARCH 1"),
    (b"SEARCH ON 25-Mar-2007", b"* SEARCH 2 3"),
    (b"SEARCH ON 26-Mar-2007", b"* SEARCH 4"),
    (b"SEARCH BEFORE 25-Mar-2007", b"* SEARCH 1"),
    (b"SEARCH NOT BEFORE 26-Mar-2007", b"* SEARCH 4"),
    (b"SEARCH SINCE 25-Mar-2007", b"* SEARCH 2 3 4"),
    (b"SEARCH SAVEDON 26-Mar-2007", b"* SEARCH 1 2 3 4"),
    (b"SEARCH SAVEDBEFORE 26-Mar-2007", b"* SEARCH"),
    (b"SEARCH SENTON 24-Mar-2007", b"* SEARCH 1 2 3 4"),
    (b"FETCH 1 INTERNALDATE", b'* 1 FETCH (INTERNALDATE "24-Mar-2007 23:59:59 +0200")'),
    (b"FETCH 2 INTERNALDATE", b'* 2 FETCH (INTERNALDATE "25-Mar-2007 00:00:00 +0200")'),
    (b"FETCH 3 INTERNALDATE", b'* 3 FETCH (INTERNALDATE "25-Mar-2007 23:59:59 +0300")'),
    (b"FETCH 4 SAVEDATE", b'* 4 FETCH (SAVEDATE "26-Mar-2007 00:00:00 +0300")'),
)


@pytest.mark.parametrize("count", [1, 300])
def test_dates_are_those_of_the_host(count: int) -> None:
    """RFC 3501 §6.4.4: "disregarding time and timezone"; Dovecot counts days where the host is.

    The second time by the numbers that are kept of a large mailbox.
    """

    async def run() -> list[tuple[bytes, bytes]]:
        account = MemoryAccount(clock=ManualClock(float(MIDNIGHT + 23 * 3600)))
        inbox = await account.open("INBOX")
        content = b"Date: Sat, 24 Mar 2007 23:30:00 -0800\r\n\r\nx\r\n"
        messages = [NewMessage(content, internal_date=float(moment)) for moment in MOMENTS]
        later = [NewMessage(b"x", internal_date=2e9)] * (count - 1)
        await inbox.append([*messages, *later])
        talk = Talk(account)
        said = []
        async with asyncio.TaskGroup() as tasks:
            await talk.begin(tasks, b"a SELECT INBOX")
            for line, _ in ANSWERS:
                line = line.replace(b"SEARCH ", b"SEARCH 1:4 ", 1)
                said.append((line.replace(b" 1:4", b""), (await talk.say(b"a " + line))[0]))
            talk.client.end()
        inbox.close()
        await account.close()
        return said

    with time_zone("Europe/Helsinki"):
        assert list(ANSWERS) == asyncio.run(run())
