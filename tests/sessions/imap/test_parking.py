"""Sessions that are parked: whoever goes on with them says what they would have said."""

import asyncio
import zlib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.examples import examples
from fakes.imap_model import ACTIONS, ModelClient
from fakes.imap_talk import new_account
from fakes.parked_sessions import ParkedClient
from fakes.scripted_transport import read_transcript
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import AUTOLOGOUT
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from sessions.imap.test_many_sessions import Unsynced
from sessions.imap.test_session import TRANSCRIPTS, options_of


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_of_a_session_that_is_parked_after_each_line(path: Path) -> None:
    """Nobody notices, whatever the session has been told to remember."""
    said, server = read_transcript(path)

    async def play() -> tuple[bytes, int]:
        parked = ParkedClient(new_account(), options_of(path))
        await parked.begin()
        heard = b""
        for line in said.splitlines(keepends=True):
            heard += await parked.ask(line)
            if await parked.park():
                heard += await parked.go_on()
        await parked.end()
        return heard + parked.client.take_sent(), parked.moves

    heard, moves = asyncio.run(play())
    assert heard.decode() == server.decode()
    assert moves


def test_transcripts_under_compress() -> None:
    """The same, deflated in both directions: each side is one stream, whoever writes it."""

    async def play(path: Path) -> tuple[bytes, int]:
        said, _ = read_transcript(path)
        parked = ParkedClient(new_account(), options_of(path))
        greeting = await parked.begin()
        await parked.ask(b"z COMPRESS DEFLATE\r\n")
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        heard = b""
        for line in said.splitlines(keepends=True):
            heard += await parked.ask(deflate.compress(line) + deflate.flush(zlib.Z_SYNC_FLUSH))
            if await parked.park():
                heard += await parked.go_on()
        await parked.end()
        return greeting + zlib.decompressobj(-15).decompress(heard + parked.client.take_sent()), parked.moves

    for path in TRANSCRIPTS:
        said, server = read_transcript(path)
        if b"COMPRESS" not in said:
            heard, moves = asyncio.run(play(path))
            assert heard.decode().endswith(server.decode()), path.stem
            assert moves, path.stem


async def started(account: MemoryAccount, *lines: bytes) -> ParkedClient:
    """A client that has said a few things."""
    parked = ParkedClient(account)
    await parked.begin()
    for line in lines:
        await parked.ask(line)
    return parked


def test_what_happens_meanwhile_is_told_to_who_idles() -> None:
    """EXISTS, EXPUNGE and FETCH, at once when the session is gone on with; DONE ends the IDLE that began elsewhere."""

    async def run() -> list[bytes]:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"x")] * 3)
        parked = await started(account, b"a SELECT INBOX\r\n", b"b IDLE\r\n")
        assert await parked.park()
        await inbox.append([NewMessage(b"x")])
        await inbox.change_flags([Uid(1)], FlagChange(FlagAction.ADD, Flag.SEEN))
        await inbox.expunge([Uid(2)])
        told = await parked.go_on()
        assert await parked.park()
        assert await parked.go_on() == b"", "nothing is told twice"
        done = await parked.ask(b"DONE\r\n")
        await parked.end()
        return [*told.splitlines(), done]

    *told, done = asyncio.run(run())
    assert told == [b"* 1 FETCH (FLAGS (\\Seen \\Recent))", b"* 2 EXPUNGE", b"* 3 EXISTS"]
    assert done.startswith(b"b OK Idle completed (")


def test_a_name_that_means_another_mailbox_by_now() -> None:
    """NOTIFY knows mailboxes by their GUIDs, also those that it knew before it was parked."""

    async def run() -> list[bytes]:
        account = new_account()
        await account.create("Work")
        events = b"(MessageNew MessageExpunge FlagChange MailboxName)"
        parked = await started(account, b"a NOTIFY SET (personal %b)\r\n" % events)
        assert await parked.park()
        await account.rename("Work", "Old")
        await account.create("Work")
        told = (await parked.go_on()).splitlines()
        await parked.end()
        return told

    assert asyncio.run(run()) == [
        b'* LIST (\\HasNoChildren) "/" Old ("OLDNAME" (Work))',
        b'* LIST (\\HasNoChildren) "/" Work',
        b"* STATUS Work (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1795352186 UNSEEN 0 HIGHESTMODSEQ 1)",
    ]


def test_what_notify_watches_goes_on() -> None:
    """New messages as they were asked for, STATUS of other mailboxes, LIST of names; nothing twice."""

    async def run() -> list[list[bytes]]:
        account = new_account()
        inbox = await account.open("INBOX")
        for name in ("Work", "Gone"):
            await account.create(name)
        work = await account.open("Work")
        parked = await started(
            account,
            b"a SELECT INBOX\r\n",
            b"b NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))"
            b" (SUBTREE (Work Gone New) (MessageNew MessageExpunge MailboxName SubscriptionChange))\r\n",
        )
        told = []
        for change in (
            inbox.append([NewMessage(b"Subject: hi\n\nx")]),
            work.append([NewMessage(b"x")]),
            account.create("New"),
            account.delete("Gone"),
            account.subscribe("New"),
        ):
            assert await parked.park()
            await change
            told.append((await parked.go_on()).splitlines())
            assert await parked.park()
            assert await parked.go_on() == b"", "nothing is told twice"
        await parked.ask(b"c NOTIFY NONE\r\n")
        assert await parked.park()
        await work.append([NewMessage(b"x")])
        assert await parked.go_on() == b""
        await parked.end()
        return told

    told = asyncio.run(run())
    assert told[0][:2] == [b"* 1 EXISTS", b"* 1 RECENT"]
    assert told[0][2:] == [
        b"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {15}",
        b"Subject: hi",
        b"",
        b")",
    ]
    assert told[1] == [b"* STATUS Work (MESSAGES 1 UIDNEXT 2 UNSEEN 1)"]
    assert told[2] == [b'* LIST (\\HasNoChildren) "/" New']
    assert told[3] == [b'* LIST (\\NonExistent) "/" Gone']
    assert told[4] == [b'* LIST (\\Subscribed \\HasNoChildren) "/" New']


def test_octets_are_counted_on() -> None:
    """in= and out= at the end are those of all processes together."""

    async def run(parks: bool) -> str:
        parked = await started(new_account(), b"a SELECT INBOX\r\n")
        if parks:
            assert await parked.park()
            await parked.go_on()
        await parked.ask(b"b NOOP\r\n")
        return (await parked.end()).figures

    assert asyncio.run(run(True)) == asyncio.run(run(False))


def test_annotations_that_notify_watches_go_on() -> None:
    """What others have set or removed meanwhile is told, once; what the client has set itself is not."""

    async def run() -> list[list[bytes]]:
        account = new_account()
        parked = ParkedClient(account, ImapOptions(metadata=True))
        await parked.begin()
        await account.change_attributes("INBOX", {"private/comment": b"x", "private/other": b"y"})
        events = b"(MailboxName MailboxMetadataChange ServerMetadataChange)"
        await parked.ask(b"a NOTIFY SET (personal %b)\r\n" % events)
        await parked.ask(b'b SETMETADATA INBOX (/private/mine "z")\r\n')
        assert await parked.park()
        heard = [(await parked.go_on()).splitlines()]
        assert await parked.park()
        await account.change_attributes("INBOX", {"private/comment": b"x", "private/other": None})
        await account.change_attributes("Sent", {"private/comment": b"new"})
        await account.change_attributes("", {"private/comment": b"server"})
        heard.append((await parked.go_on()).splitlines())
        assert await parked.park()
        heard.append((await parked.go_on()).splitlines())
        await parked.end()
        return heard

    assert asyncio.run(run()) == [
        [],
        [
            b'* METADATA "" /private/comment',
            b"* METADATA INBOX /private/other",
            b"* METADATA Sent /private/comment",
        ],
        [],
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (b"a NOO",),
        (b"a APPEND INBOX {5}\r\n",),
        (b"a SELECT INBOX\r\n", b"b IDLE\r\n", b"DO"),
        (b"a COMPRESS DEFLATE\r\n", b"\0"),
    ],
    ids=["half a command", "a literal", "half of DONE", "half a block"],
)
def test_what_cannot_be_written_down_is_not_parked(lines: tuple[bytes, ...]) -> None:
    """The session stays, and goes on when its client does."""

    async def run() -> None:
        parked = await started(new_account(), *lines)
        assert not await parked.park()
        assert not parked.client.closed
        await parked.end()

    asyncio.run(run())


def test_a_mailbox_that_is_gone_or_another_ends_the_session() -> None:
    """As it does for who was not parked."""

    async def run(*, made_again: bool) -> bytes:
        account = new_account()
        await account.create("Work")
        parked = await started(account, b"a SELECT Work\r\n", b"b IDLE\r\n")
        assert await parked.park()
        await account.delete("Work")
        if made_again:
            await account.create("Work")
        told = await parked.go_on()
        await parked.end()
        return told

    for made_again in (False, True):
        told = asyncio.run(run(made_again=made_again))
        assert told == b"* BYE Selected mailbox was deleted, have to disconnect.\r\n"


def test_inactivity_is_counted_on() -> None:
    """Half an hour of silence is half an hour, wherever the client was meanwhile."""

    async def run() -> bytes:
        parked = await started(new_account(), b"a SELECT INBOX\r\n")
        assert await parked.park()
        parked.clock.advance(AUTOLOGOUT)
        told = await parked.go_on()
        await parked.end()
        return told

    assert asyncio.run(run()) == b"* BYE Disconnected for inactivity.\r\n"


def test_who_says_done_is_not_silent() -> None:
    """However long the IDLE was, parked or not: the half hour begins anew."""

    async def run(*, parks: bool) -> list[bytes]:
        parked = await started(new_account(), b"a SELECT INBOX\r\n", b"b IDLE\r\n")
        if parks:
            assert await parked.park()
        parked.clock.advance(2 * AUTOLOGOUT)
        if parks:
            await parked.go_on()
        answers = [await parked.ask(line) for line in (b"DONE\r\n", b"c NOOP\r\n")]
        await parked.end()
        return answers

    for parks in (False, True):
        done, noop = asyncio.run(run(parks=parks))
        assert done.startswith(b"b OK Idle completed")
        assert noop.startswith(b"c OK NOOP completed")


SESSIONS = 3
steps = st.lists(
    st.tuples(st.integers(0, SESSIONS - 1), st.sampled_from((*ACTIONS, b"PARK", b"PARK")), st.integers(0, 9)),
    min_size=5,
    max_size=30,
)


@settings(max_examples=examples(150))
@given(steps)
def test_every_client_ends_up_with_the_same_mailbox(steps: list[tuple[int, bytes, int]]) -> None:
    """Some are parked until they say something, while others change what they have selected."""

    async def run() -> None:
        account = MemoryAccount(clock=ManualClock(), special_use={"Trash": b"\\Trash"})
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"x")] * 4)
        away: set[int] = set()
        parked = [ParkedClient(account) for _ in range(SESSIONS)]

        def asking(number: int) -> ModelClient:
            async def ask(data: bytes) -> bytes:
                heard = b""
                if number in away:
                    away.remove(number)
                    heard = await parked[number].go_on()
                return heard + await parked[number].ask(data)

            return ModelClient(ask)

        clients = [asking(number) for number in range(SESSIONS)]
        for client, connection in zip(clients, parked, strict=True):
            await connection.begin()
            if client is clients[-1]:
                await client.enable_qresync()
            await client.begin()
        for who, action, choice in steps:
            if action != b"PARK":
                await clients[who].act(action, choice)
            elif who not in away and await parked[who].park():
                away.add(who)
        for client in clients:
            await client.say(b"NOOP")
        for client in clients:
            await client.check()
            assert client.uids == inbox.messages.uids.tolist()
            assert client.flags == clients[0].flags
        for connection in parked:
            await connection.end()

    asyncio.run(run())


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from((*ACTIONS, *STRANGE_ACTIONS, b"PARK", b"PARK", b"PARK")),
            st.integers(0, 9),
        ),
        min_size=5,
        max_size=20,
    )
)
def test_and_so_it_is_in_a_maildir_that_each_process_opens_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bytes, int]]
) -> None:
    """Nothing but the files and what was written down is left of the process before; others touch the files."""
    maildir = tmp_path_factory.mktemp("parked") / "Maildir"

    async def run() -> None:
        accounts = [MaildirAccount(str(maildir), files=Unsynced())]
        await accounts[0].create("Trash")
        clients = [ParkedClient(accounts[0]) for _ in range(2)]
        away: set[int] = set()

        async def ask(number: int, data: bytes) -> bytes:
            heard = b""
            if number in away:  # all come back when one does
                if len(away) == len(clients):
                    await accounts[-1].close()
                    accounts.append(MaildirAccount(str(maildir), files=Unsynced()))
                for other in sorted(away):
                    clients[other].account = accounts[-1]
                    told = await clients[other].go_on()
                    heard += told if other == number else b""
                    unasked[other] += told if other != number else b""
                away.clear()
            heard, unasked[number] = unasked[number] + heard, b""
            return heard + await clients[number].ask(data)

        unasked = [b"", b""]
        models = [ModelClient(partial(ask, number)) for number in range(2)]
        for client, model in zip(clients, models, strict=True):
            await client.begin()
            if model is models[-1]:
                await model.enable_qresync()
            await model.begin()
        await models[0].say(b"APPEND INBOX {1+}\r\nx")
        for who, action, choice in steps:
            if action == b"PARK":
                for number in range(2):
                    if number not in away and await clients[number].park():
                        away.add(number)
            elif action in ACTIONS:
                await models[who].act(action, choice)
            else:
                do_strange_thing(maildir, action, choice)
        for model in models:
            await model.say(b"NOOP")
        for model in models:
            await model.check()
        assert models[0].uids == models[1].uids
        assert models[0].flags == models[1].flags
        for client in clients:
            await client.end()
        await accounts[-1].close()

    asyncio.run(run())
