"""Conversations with the IMAP session: transcripts, whole and cut to pieces, and what only time brings."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.imap_talk import Talk, ignore, new_account, play
from fakes.scripted_transport import ScriptedTransport, read_transcript
from pillarbox.mailstore.mailbox import (
    FlagAction,
    FlagChange,
    NewMessage,
)
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.sessions.imap import session
from pillarbox.sessions.imap.options import DEFAULTS, ImapOptions, Workaround
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "transcripts" / "imap").glob("*.txt"))


OPTIONS = {
    "metadata": ImapOptions(
        metadata=True,
        server_comment="The mail of example.org",
        server_admin="mailto:postmaster@example.org",
    ),
    "list_metadata": ImapOptions(metadata=True),
    "urlauth": ImapOptions(user="joe", url_host="example.com"),
}
"""Of transcripts that need them."""


def options_of(path: Path) -> ImapOptions:
    """The configuration of a transcript."""
    return OPTIONS.get(path.stem, DEFAULTS)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    """The server says what the transcript says."""
    client, server = read_transcript(path)
    said, _ = asyncio.run(play([client], options=options_of(path)))
    assert server.decode() == said.decode()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_octet_by_octet(path: Path) -> None:
    """Where the client's bytes are cut makes no difference."""
    client, server = read_transcript(path)
    said, _ = asyncio.run(play([client[i : i + 1] for i in range(len(client))], options=options_of(path)))
    assert server == said


@given(data=st.data(), path=st.sampled_from(TRANSCRIPTS))
def test_transcript_in_any_chunks(data: st.DataObject, path: Path) -> None:
    """The same with cuts anywhere."""
    client, server = read_transcript(path)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(client)), max_size=6, unique=True)))
    chunks = [client[a:b] for a, b in zip([0, *cuts], [*cuts, len(client)], strict=True) if a < b]
    said, _ = asyncio.run(play(chunks, options=options_of(path)))
    assert server == said


def test_idle_tells_changes_as_they_happen() -> None:
    """RFC 2177: new messages, flags and expunges of others, without being asked."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a")])
        async with asyncio.TaskGroup() as tasks:
            idler = Talk(account)
            await idler.begin(tasks, b"a SELECT INBOX")
            assert await idler.say(b"b IDLE") == [b"+ idling"]
            await inbox.append([NewMessage(b"b")])
            assert await idler.hear() == [b"* 2 EXISTS", b"* 2 RECENT"]
            await inbox.change_flags([Uid(2)], FlagChange(FlagAction.ADD, Flag.SEEN))
            assert await idler.hear() == [b"* 2 FETCH (FLAGS (\\Seen \\Recent))"]
            await inbox.expunge([Uid(1)])
            assert await idler.hear() == [b"* 1 EXPUNGE", b"* 1 RECENT"]
            assert await idler.say(b"DONE") == [b"b OK Idle completed"]
            await inbox.append([NewMessage(b"c")])
            assert await idler.say(b"c NOOP") == [b"* 2 EXISTS", b"* 2 RECENT", b"c OK NOOP completed"]
            idler.client.end()

    asyncio.run(talk())


def test_expunges_wait_for_a_command_that_may_tell_them() -> None:
    """RFC 3501 §7.4.1: numbers stay during FETCH, STORE and SEARCH; UID commands and NOOP tell."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b"), NewMessage(b"c")])
        async with asyncio.TaskGroup() as tasks:
            reader = Talk(account)
            await reader.begin(tasks, b"a SELECT INBOX")
            await inbox.expunge([Uid(1)])
            assert await reader.say(b"b FETCH 2:3 UID") == [
                b"* 2 FETCH (UID 2)",
                b"* 3 FETCH (UID 3)",
                b"b OK Fetch completed",
            ]
            assert await reader.say(b"c FETCH 1:2 RFC822.SIZE") == [
                b"* 2 FETCH (RFC822.SIZE 1)",
                b"c OK [EXPUNGEISSUED] Some messages were already expunged",
            ]
            assert (await reader.say(b"d FETCH 1 BODY[]")) == [
                b"d OK [EXPUNGEISSUED] Some messages were already expunged"
            ]
            assert await reader.say(b"e STORE 3 +FLAGS (\\Flagged)") == [
                b"* 3 FETCH (FLAGS (\\Flagged \\Recent))",
                b"e OK Store completed",
            ]
            for command in (b"STORE 1 +FLAGS.SILENT (\\Seen)", b"STORE 1,2 FLAGS (\\Seen)"):  # RFC 5530 §3
                assert (await reader.say(b"e " + command))[-1] == (
                    b"e OK [EXPUNGEISSUED] Some messages were already expunged"
                )
            assert (await reader.say(b"f SEARCH ALL"))[-1] == b"f OK Search completed"
            for numbers in (b"1:*", b"OR ALL NOT 2"):  # RFC 7162 §3.2.10.2
                assert await reader.say(b"g UID SEARCH " + numbers) == [
                    b"* SEARCH 1 2 3",
                    b"g OK Search completed",
                ]
                assert len(await reader.say(b"g UID THREAD REFERENCES UTF-8 " + numbers)) == 2
                assert len(await reader.say(b"g UID SORT RETURN (ALL) (DATE) UTF-8 " + numbers)) == 2
            assert await reader.say(b"g UID SEARCH UID 1:*") == [
                b"* SEARCH 1 2 3",
                b"* 1 EXPUNGE",
                b"* 2 RECENT",
                b"g OK Search completed",
            ]
            await account.create("Other")
            for command in (b"h COPY 1:2 Other", b"i MOVE 1:2 Other", b"j UID COPY 5:6 Other"):
                gone = await inbox.append([NewMessage(b"d")])
                await reader.say(b"n NOOP")
                await inbox.expunge(gone)
                number = len(inbox.messages.uids) + 1
                command = command.replace(b"1:2", b"1:%d" % number).replace(b"5:6", b"1:%d" % gone[0])
                assert await reader.say(command) == [
                    b"* 3 EXPUNGE",
                    b"* 2 RECENT",
                    command[:1] + b" NO [EXPUNGEISSUED] Some of the requested messages no longer exist",
                ]
            other = await account.open("Other")
            assert not len(other.messages.uids)
            reader.client.end()

    asyncio.run(talk())


def test_status_of_the_selected_mailbox_is_of_one_moment() -> None:
    """A message that another session has expunged is not \\Recent any more than it is there."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b"), NewMessage(b"c")])
        async with asyncio.TaskGroup() as tasks:
            reader = Talk(account)
            await reader.begin(tasks, b"a SELECT INBOX")
            await inbox.expunge([Uid(1)])
            status = await reader.say(b"b STATUS INBOX (MESSAGES RECENT)")
            assert status[0] == b"* STATUS INBOX (MESSAGES 2 RECENT 2)"
            reader.client.end()

    asyncio.run(talk())


def test_what_is_gone_is_not_modified() -> None:
    """RFC 7162 §3.1.3: MODIFIED names messages that can be looked at again."""

    async def talk() -> None:
        account = new_account()
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"a"), NewMessage(b"b"), NewMessage(b"c")])
        async with asyncio.TaskGroup() as tasks:
            reader = Talk(account)
            await reader.begin(tasks, b"a SELECT INBOX (CONDSTORE)")
            await inbox.expunge([Uid(1)])
            answer = await reader.say(b"b UID STORE 1:3 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)")
            assert answer[-1] == b"b OK [MODIFIED 2:3] Conditional store failed"
            reader.client.end()

    asyncio.run(talk())


def test_a_mailbox_deleted_by_another_session_ends_ours() -> None:
    """Dovecot: `* BYE Selected mailbox was deleted, have to disconnect.`, in IDLE at once."""

    async def talk() -> None:
        account = new_account()
        async with asyncio.TaskGroup() as tasks:
            reader, other = Talk(account), Talk(account)
            await reader.begin(tasks, b"a SELECT Trash", b"b IDLE")
            await other.begin(tasks)
            await other.say(b"a DELETE Trash")
            assert await reader.hear() == [b"* BYE Selected mailbox was deleted, have to disconnect."]
            assert reader.client.closed
            other.client.end()

    asyncio.run(talk())


@pytest.mark.parametrize("first", [[], [b"a SELECT INBOX"], [b"a SELECT INBOX", b"b IDLE"]])
def test_shutdown_says_bye(first: list[bytes]) -> None:
    """`doveadm kick` and stop: whatever the client waits for, it is told and closed."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            talk = Talk(new_account())
            await talk.begin(tasks, *first)
            talk.session.shutdown()
            assert talk.task is not None
            ended = await talk.task
            assert talk.client.take_sent() == b"* BYE Server shutting down.\r\n"
            assert ended.reason == "Server shutting down."

    asyncio.run(talk())


def test_silence_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.4: the autologout timer."""
    monkeypatch.setattr(session, "AUTOLOGOUT", 0.001)

    async def talk() -> bytes:
        client = ScriptedTransport(ends=False)
        await ImapSession(client, new_account(), clock=ManualClock(), sink=ignore, login_tag=b"L").run()
        return client.take_sent()

    assert asyncio.run(talk()).endswith(b"\r\n* BYE Disconnected for inactivity.\r\n")


def test_idle_is_kept_alive() -> None:
    """Every two minutes of silence the client hears that we are still here."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            talk = Talk(new_account(), ImapOptions(idle_notify_interval=0.001))
            await talk.begin(tasks)
            talk.client.feed(b"a IDLE\r\n")
            sent = b""
            while sent.count(b"* OK Still here\r\n") < 2:
                await asyncio.sleep(0)
                sent += talk.client.take_sent()
            assert sent.startswith(b"+ idling\r\n* OK Still here\r\n")
            talk.client.end()

    asyncio.run(talk())


def test_workaround_delay_newmail() -> None:
    """EXISTS only for NOOP, CHECK and IDLE; without the workaround at once."""

    async def talk(options: ImapOptions) -> list[list[bytes]]:
        account = new_account()
        inbox = await account.open("INBOX")
        async with asyncio.TaskGroup() as tasks:
            talk = Talk(account, options)
            await talk.begin(tasks, b"a SELECT INBOX")
            await inbox.append([NewMessage(b"a")])
            said = [await talk.say(line) for line in (b"b UID FETCH 1:* UID", b"c NOOP")]
            talk.client.end()
        return said

    news = [b"* 1 EXISTS", b"* 1 RECENT"]
    assert [[*news, b"b OK Fetch completed"], [b"c OK NOOP completed"]] == asyncio.run(talk(ImapOptions()))
    delayed = ImapOptions(workarounds=frozenset((Workaround.DELAY_NEWMAIL,)))
    assert [[b"b OK Fetch completed"], [*news, b"c OK NOOP completed"]] == asyncio.run(talk(delayed))


def test_workarounds_for_thunderbird() -> None:
    """A separator too many is overlooked; LSUB tells what cannot be selected."""

    async def talk(options: ImapOptions) -> list[bytes]:
        account = new_account()
        await account.subscribe("gone")
        async with asyncio.TaskGroup() as tasks:
            talk = Talk(account, options)
            await talk.begin(tasks)
            said = (await talk.say(b"a STATUS Sent/ (MESSAGES)"))[-1:]
            said += (await talk.say(b'b LSUB "" gone'))[:1]
            talk.client.end()
        return said

    assert [b"a NO [NONEXISTENT] Mailbox doesn't exist: Sent/", b'* LSUB () "/" gone'] == asyncio.run(
        talk(ImapOptions())
    )
    lenient = frozenset((Workaround.EXTRA_MAILBOX_SEPARATOR, Workaround.LSUB_FLAGS))
    assert [b"a OK Status completed", b'* LSUB (\\Noselect) "/" gone'] == asyncio.run(
        talk(ImapOptions(workarounds=lenient))
    )


@pytest.mark.parametrize(
    ("configured", "end"),
    [
        ("", b" CREATE-SPECIAL-USE INPROGRESS UIDONLY]"),
        ("+X-A X-B", b" CREATE-SPECIAL-USE INPROGRESS UIDONLY X-A X-B]"),
        ("IMAP4rev1 X", b"IMAP4rev1 X]"),
    ],
)
def test_imap_capability(configured: str, end: bytes) -> None:
    """Instead of ours, or behind ours."""

    async def greeting() -> bytes:
        client = ScriptedTransport([])
        options = ImapOptions(capability=configured)
        await ImapSession(
            client, new_account(), clock=ManualClock(), sink=ignore, login_tag=b"L", options=options
        ).run()
        return client.take_sent()

    said = asyncio.run(greeting())
    assert said.startswith(b"L OK [CAPABILITY IMAP4rev1 ")
    assert said.partition(b" Logged in")[0].endswith(end)


def test_literal_minus_and_identity() -> None:
    """RFC 7888 §5: at most 4 KiB unasked; RFC 2971: what the configuration says."""

    async def talk() -> bytes:
        options = ImapOptions(literal_minus=True, server_id=(("name", "x"), ("os", None)))
        big, small = b"a" * 4097, b"a" * 4096
        script = b"a APPEND INBOX {4097+}\r\n" + big + b"\r\nb APPEND INBOX {4096+}\r\n" + small
        return (await play([script + b"\r\nc ID NIL\r\nd CAPABILITY\r\n"], options=options))[0]

    said = asyncio.run(talk())
    assert b"a BAD Error in IMAP command APPEND: Non-synchronizing literal size too large" in said
    assert b"b OK [APPENDUID " in said
    assert b'* ID ("name" "x" "os" NIL)\r\n' in said
    assert b" LITERAL- " in said
    assert b"LITERAL+" not in said


def test_a_long_message_goes_out_in_pieces() -> None:
    """Its octets are the same, whole and in part."""

    async def talk() -> bytes:
        account = new_account()
        content = b"Subject: x\r\n\r\n" + b"0123456789abcdef" * 40_000
        await (await account.open("INBOX")).append([NewMessage(content)])
        said, _ = await play(
            [b"a SELECT INBOX\r\nb FETCH 1 (UID BODY.PEEK[] BODY.PEEK[]<2.70000>)\r\n"], account
        )
        expected = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b BODY[]<2> {70000}\r\n%b)\r\n" % (
            len(content),
            content,
            content[2:70002],
        )
        assert expected in said
        return said

    assert asyncio.run(talk()).endswith(b"b OK Fetch completed (0.001 + 0.000 secs).\r\n")


def test_capabilities_are_told_apart() -> None:
    """To a client that asked for them before its login: an untagged answer, and no code."""
    transport = ScriptedTransport([b"a LOGOUT\r\n"])
    session = ImapSession(
        transport,
        new_account(),
        clock=ManualClock(),
        sink=ignore,
        login_tag=b"L",
        tells_capabilities_apart=True,
    )
    asyncio.run(session.run())
    capability, login, *_ = bytes(transport.sent).split(b"\r\n")
    assert capability.startswith(b"* CAPABILITY IMAP4rev1 ")
    assert login == b"L OK Logged in"


@pytest.mark.parametrize("has_quota", [True, False])
def test_resources_of_quotas_are_announced(*, has_quota: bool) -> None:
    """Each with a capability of its own (RFC 9208 §3.1), where there are quotas."""
    said, _ = asyncio.run(play([b"a CAPABILITY\r\n"], options=ImapOptions(has_quota=has_quota)))
    [line] = [line for line in said.split(b"\r\n") if line.startswith(b"* CAPABILITY ")]
    told = [word for word in line.split(b" ") if word.startswith(b"QUOTA")]
    assert told == ([b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"] if has_quota else [])


class _CountedUses(MemoryAccount):
    """Notes how many uses of a mailbox there are after each that begins or ends."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock())
        self.uses: list[int] = []

    async def open(self, name: str, *, read_only: bool = False) -> MemoryMailbox:
        """One more."""
        mailbox = await super().open(name, read_only=read_only)
        self._note(+1)
        mailbox.close = lambda: self._note(-1)  # type: ignore[method-assign]
        return mailbox

    def _note(self, change: int) -> None:
        self.uses.append((self.uses or [0])[-1] + change)


@pytest.mark.parametrize(
    ("second", "uses"),
    [
        (b"SELECT INBOX", [1, 2, 1, 0]),
        (b"EXAMINE INBOX", [1, 2, 1, 0]),
        (b"SELECT missing", [1, 0]),
        (b'SELECT ""', [1, 0]),
        (b"CLOSE", [1, 0]),
    ],
)
def test_a_mailbox_that_is_selected_again_is_not_given_back_in_between(
    second: bytes, uses: list[int]
) -> None:
    """What is kept while it is used need not be thrown away and made anew; where the command fails, it is left."""
    account = _CountedUses()
    asyncio.run(play([b"a SELECT INBOX\r\n", b"b " + second + b"\r\n", b"c LOGOUT\r\n"], account))
    assert uses == account.uses
