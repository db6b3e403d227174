"""SEARCH of header fields finds the same whether or not the mailbox remembers what they say."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.message.header_fields import fields, unfold
from pillarbox.message.text_matching import field_values, folded_addresses, folded_values
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import search_memory
from pillarbox.sessions.imap.field_texts import FieldTexts
from pillarbox.sessions.imap.message_numbers import Number
from pillarbox.sessions.imap.search_memory import ReadOneByOne
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

TEXTS = st.lists(st.text("ab ", max_size=4), max_size=12)


@given(TEXTS, TEXTS, st.text("ab ", min_size=1, max_size=3))
def test_what_is_kept_has_what_the_values_have(first: list[str], second: list[str], wanted: str) -> None:
    """Added at once or later, at the beginning and at the end."""
    texts = FieldTexts()
    texts.add(range(10, 10 + len(first)), first)
    later = range(50, 50 + len(second))
    assert list(later) == list(texts.missing([*range(10, 10 + len(first)), *later]))
    texts.add(later, second)
    values = dict(zip([*range(10, 10 + len(first)), *later], first + second, strict=True))
    having = [uid for uid, value in values.items() if wanted in value]
    assert having == texts.having(wanted, 0, 100)
    for first_uid, last_uid in ((12, 51), (10, 10), (11, 49), (52, 90), (30, 20)):
        assert [uid for uid in having if first_uid <= uid <= last_uid] == texts.having(
            wanted, first_uid, last_uid
        )


@given(
    st.lists(
        st.sampled_from(
            [
                b"Subject: a",
                b"subject :b",
                b"SUBJECT:",
                b" folded",
                b"Subject-X: c",
                b"X: Subject: d",
                b":e",
                b"no field",
            ]
        ),
        max_size=6,
    )
)
def test_values_are_found_quickly_and_right(lines: list[bytes]) -> None:
    """One expression for a name gives what reading all fields gives."""
    header = b"\r\n".join([*lines, b"", b""])
    read = [unfold(field.value) for field in fields(header) if field.name.lower() == b"subject"]
    assert read == field_values(header, b"subject")


def _ignore(event: Event) -> None:
    """No log here."""


def test_searches_again_and_after_new_messages() -> None:
    """The first search keeps what fields say, the next ones use it: expunged and new messages count as they do."""

    async def talk() -> None:
        account = MemoryAccount()
        inbox = await account.open("INBOX")
        count = search_memory.MANY + 10
        await inbox.append(
            [
                NewMessage(
                    b"Subject: =?utf-8?q?Number_=C3=84?= %d\r\nFrom: A%d <a@b>\r\n"
                    b"Date: %d Oct %d 23:00 -0800\r\n\r\nx" % (number, number, number % 30 + 1, 2000 + number)
                )
                for number in range(1, count + 1)
            ]
        )
        transport = ScriptedTransport(ends=False)
        session = ImapSession(transport, account, clock=ManualClock(), sink=_ignore, login_tag=b"L")

        async def say(line: bytes) -> bytes:
            return (await transport.ask(b"t " + line + b"\r\n")).split(b"\r\n")[0]

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await transport.rest()
            await say(b"SELECT INBOX")
            for _ in range(2):
                assert await say(b"SEARCH SUBJECT 26") == b"* SEARCH 26 126 226 260 261 262 263 264 265 266"
                assert await say(b'SEARCH FROM "a26 <A@b>"') == b"* SEARCH 26"
                assert await say(b"SEARCH SENTSINCE 30-Oct-2263") == b"* SEARCH 264 265 266"
                assert await say(b"SEARCH SENTON 30-Oct-2029") == b"* SEARCH 29"
                assert await say(b"SEARCH NOT 1:3 SENTBEFORE 1-Jan-2006") == b"* SEARCH 4 5"
                assert await say(b"SEARCH 1:100 SUBJECT 26") == b"* SEARCH 26"
                assert (
                    await say(b"SEARCH NOT SUBJECT 1 SUBJECT 26")
                    == b"* SEARCH 26 226 260 262 263 264 265 266"
                )
            kept = {(b"subject", folded_values), (b"from", folded_addresses), Number.SENT}
            assert kept == set(inbox.lasting_memo) - {ReadOneByOne}
            await say(b"STORE 26 +FLAGS.SILENT (\\Deleted)")
            await say(b"EXPUNGE")
            await inbox.append([NewMessage(b"Subject: again 26\r\n\r\nx")])
            await say(b"NOOP")
            assert await say(b"UID SEARCH SENTBEFORE 1-Jan-2003") == b"* SEARCH 1 2 %d" % (count + 1)
            assert await say(
                b"UID SEARCH SUBJECT 26"
            ) == b"* SEARCH 126 226 260 261 262 263 264 265 266 %d" % (count + 1)
            assert (
                await say(b"SEARCH SUBJECT 26") == b"* SEARCH 125 225 259 260 261 262 263 264 265 %d" % count
            )
            transport.end()

    asyncio.run(talk())
