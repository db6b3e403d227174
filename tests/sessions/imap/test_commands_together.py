"""Commands that may run together do: a long search holds up nothing that makes no difference to it."""

import asyncio
import re
from collections.abc import Callable, Sequence

import pytest

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import Fields, MessageSummary, NewMessage
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.observability.events import Event
from pillarbox.sessions.imap import conversation, fetch, progress
from pillarbox.sessions.imap import session as session_module
from pillarbox.sessions.imap.session import AUTOLOGOUT, ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import Uid

LONG = b"Subject: long\r\n\r\n" + b"line\r\n" * 100_000


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


class SlowTransport(ScriptedTransport):
    """A client that takes what is sent when it likes."""

    def __init__(self) -> None:
        super().__init__(ends=False)
        self.takes = asyncio.Event()
        self.takes.set()

    @property
    def is_quiet(self) -> bool:
        """Nobody is parked here."""
        return False

    @property
    def is_full(self) -> bool:
        """Whether it takes nothing."""
        return not self.takes.is_set()

    async def drain(self) -> None:
        """Wait until it does."""
        await self.takes.wait()


class Scene:
    """A session with five messages selected whose searches of bodies, and reading of sizes, wait for `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session_module, "PATIENCE", 0)
        self.go_on = asyncio.Event()
        self.searching = asyncio.Event()
        self.transport = SlowTransport()
        self.account = MemoryAccount()
        self.clock = ManualClock()
        matching = MemoryMailbox.matching

        async def slowly(
            mailbox: MemoryMailbox, uids: Sequence[Uid], matches: Callable[[bytes], bool]
        ) -> list[Uid]:
            self.searching.set()
            await self.go_on.wait()
            return await matching(mailbox, uids, matches)

        monkeypatch.setattr(MemoryMailbox, "matching", slowly)
        monkeypatch.setattr(fetch, "MANY", 4)
        summaries = MemoryMailbox.summaries

        async def summarised(
            mailbox: MemoryMailbox, uids: Sequence[Uid], fields: Fields
        ) -> list[MessageSummary]:
            if fields & Fields.SAVED:
                self.searching.set()
                await self.go_on.wait()
            return await summaries(mailbox, uids, fields)

        monkeypatch.setattr(MemoryMailbox, "summaries", summarised)

    async def begin(self, tasks: asyncio.TaskGroup) -> MemoryMailbox:
        """Log in and select."""
        box = await self.account.open("INBOX")
        await box.append([NewMessage(b"Subject: %d\r\n\r\nword\r\n" % number) for number in range(4)])
        await box.append([NewMessage(LONG)])
        session = ImapSession(self.transport, self.account, clock=self.clock, sink=ignore, login_tag=b"L")
        tasks.create_task(session.run())
        await self.transport.ask(b"s SELECT INBOX\r\n")
        return box

    async def search(self, command: bytes = b"a SEARCH BODY word\r\n") -> None:
        """Begin a search."""
        self.transport.feed(command)
        await self.searching.wait()
        assert b"" == await self.settle()

    async def say(self, command: bytes) -> bytes:
        """What is said at once; the session may not get to the command yet."""
        self.transport.feed(command)
        return await self.settle()

    async def settle(self) -> bytes:
        """What is said when everybody has come as far as he can."""
        for _ in range(50):
            await asyncio.sleep(0)
        return self.transport.take_sent()

    async def finish(self) -> list[bytes]:
        """Let it end; the lines that come."""
        self.go_on.set()
        return (await self.settle()).split(b"\r\n")[:-1]


def test_a_client_that_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9585 §3: again and again, which command is worked on; not after its end."""

    async def talk() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            told = asyncio.Semaphore(0)
            said: list[bytes] = []

            def send(data: bytes) -> None:
                said.append(data)
                told.release()

            monkeypatch.setattr(progress, "INTERVAL", 0.001)
            monkeypatch.setattr(scene.transport, "send", send)
            scene.transport.feed(b"a SEARCH BODY word\r\n")
            for _ in range(2):
                await told.acquire()
            assert said == [b'* OK [INPROGRESS ("a" NIL NIL)] Still working\r\n'] * 2
            scene.go_on.set()
            while not said[-1].startswith(b"* SEARCH 1 2 3 4\r\na OK"):
                await told.acquire()
            scene.transport.end()

    asyncio.run(talk())


def test_others_are_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """NOOP, FETCH, STATUS and LIST are answered at once; numbers stay until the search has been answered."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            box = await scene.begin(tasks)
            ask = scene.transport.ask
            await scene.search()
            await box.expunge([Uid(1)])
            await box.append([NewMessage(b"new\r\n")])
            noop = await ask(b"b NOOP\r\n")
            assert noop.startswith(b"* 6 EXISTS\r\n")
            assert b"b OK" in noop
            assert b"EXPUNGE" not in noop
            assert b"* 2 FETCH (UID 2)\r\nc OK" in await ask(b"c FETCH 2 (UID)\r\n")
            assert b"EXPUNGE" not in await ask(b"d UID FETCH 2 (FLAGS)\r\n")
            assert (await ask(b"e STATUS INBOX (MESSAGES)\r\n")).startswith(
                b"* STATUS INBOX (MESSAGES 5)\r\n"
            )
            assert (await ask(b'f LIST "" *\r\n')).startswith(b"* LIST")
            assert (await ask(b"g BOGUS\r\n")).startswith(b"g BAD")
            result, ok = await scene.finish()
            assert b"* SEARCH 2 3 4" == result
            assert ok.startswith(b"a OK")
            assert b"* 1 EXPUNGE\r\n" in await ask(b"h NOOP\r\n")
            scene.transport.end()

    asyncio.run(talk())


@pytest.mark.parametrize(
    "command",
    [
        b"b STORE 2 +FLAGS (\\Seen)",
        b"b FETCH 1 (BODY[])",
        b"b SEARCH ALL",
        b"b EXPUNGE",
        b"b SELECT INBOX",
        b"b CLOSE",
        b"b LOGOUT",
        b"b APPEND INBOX {1+}\r\nx",
    ],
)
def test_what_makes_a_difference_waits(command: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.5: an ambiguity is resolved by finishing the first command first."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            await scene.search(b"a UID SEARCH BODY word\r\n")
            assert b"" == await scene.say(command + b"\r\n")
            lines = await scene.finish()
            assert b"* SEARCH 1 2 3 4" == lines[0]
            assert lines[1].startswith(b"a OK")
            assert any(line.startswith(b"b OK") for line in lines[2:]), lines
            scene.transport.end()

    asyncio.run(talk())


@pytest.mark.parametrize(
    "command",
    [
        b"a SEARCH RETURN (SAVE) BODY word",
        b"a SEARCH RETURN (UPDATE) BODY word",
        b"a SEARCH BODY word MODSEQ 1",
    ],
)
def test_searches_that_leave_something_behind_do_not_run_beside(
    command: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`$`, updates, and the mod-sequences that begin with them."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            scene.transport.feed(command + b"\r\n")
            await scene.searching.wait()
            assert b"b OK" not in await scene.say(b"b NOOP\r\n")
            lines = await scene.finish()
            tagged = [line[:4] for line in lines if line[:1] in b"ab"]
            assert [b"a OK", b"b OK"] == tagged
            scene.transport.end()

    asyncio.run(talk())


def test_a_result_never_stands_within_a_literal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that ends while a long message is sent is answered behind it."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            await scene.search()
            scene.transport.takes.clear()
            said = await scene.say(b"b FETCH 5 (BODY.PEEK[])\r\n")
            assert said.startswith(b"* 5 FETCH (BODY[] {%d}\r\n" % len(LONG))
            scene.go_on.set()
            said += await scene.settle()
            assert b"SEARCH" not in said
            scene.transport.takes.set()
            said += await scene.settle()
            head = b"* 5 FETCH (BODY[] {%d}\r\n" % len(LONG)
            assert said.startswith(head + LONG + b")\r\n")
            assert b"* SEARCH 1 2 3 4\r\na OK" in said[len(head) + len(LONG) :]
            scene.transport.end()

    asyncio.run(talk())


@pytest.mark.parametrize("goes", [True, False])
def test_the_end_of_a_session_amid_a_search(goes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that only sends no more gets its answer; the task is gone in any case."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            await scene.search()
            scene.transport.end()
            if goes:
                scene.go_on.set()
                assert b"* SEARCH 1 2 3 4\r\na OK" in await scene.settle()
            else:
                for task in asyncio.all_tasks():
                    if task is not asyncio.current_task():
                        task.cancel()
        assert 1 == len(asyncio.all_tasks())

    asyncio.run(talk())


@pytest.mark.parametrize("by_uid", [False, True])
def test_others_are_answered_while_a_fetch_goes_on(by_uid: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOOP, FETCH, STATUS and LIST; numbers stay until the long one has been answered."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            box = await scene.begin(tasks)
            ask = scene.transport.ask
            await scene.search(b"a %bFETCH 1:* (UID SAVEDATE)\r\n" % (b"UID " * by_uid))
            await box.expunge([Uid(1)])
            await box.append([NewMessage(b"new\r\n")])
            noop = await ask(b"b NOOP\r\n")
            assert noop.startswith(b"* 6 EXISTS\r\n")
            assert b"b OK" in noop
            assert b"EXPUNGE" not in noop
            assert b"* 2 FETCH (UID 2)\r\nc OK" in await ask(b"c FETCH 2 (UID)\r\n")
            assert b"EXPUNGE" not in await ask(b"d UID FETCH 2:3 (FLAGS BODY.PEEK[TEXT])\r\n")
            assert (await ask(b"e STATUS INBOX (MESSAGES)\r\n")).startswith(b"* STATUS INBOX (MESSAGES 5)")
            assert (await ask(b'f LIST "" *\r\n')).startswith(b"* LIST")
            lines = await scene.finish()
            numbers = [line.split(b" SAVEDATE")[0] for line in lines[:-1]]
            assert [b"* %d FETCH (UID %d" % (number, number) for number in range(2, 6)] == numbers
            assert lines[-1].startswith(b"a OK")
            assert b"* 1 EXPUNGE\r\n" in await ask(b"h NOOP\r\n")
            scene.transport.end()

    asyncio.run(talk())


@pytest.mark.parametrize(
    "command",
    [
        b"b STORE 2 +FLAGS (\\Seen)",
        b"b FETCH 1 (BODY[])",
        b"b SEARCH ALL",
        b"b EXPUNGE",
        b"b SELECT INBOX",
        b"b COPY 1 INBOX",
        b"b LOGOUT",
        b"b ENABLE QRESYNC",
        b"b COMPRESS DEFLATE",
        b"b APPEND INBOX {1+}\r\nx",
    ],
)
def test_what_makes_a_difference_waits_for_a_fetch(command: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.5: an ambiguity is resolved by finishing the first command first."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            await scene.search(b"a FETCH 1:4 (SAVEDATE)\r\n")
            assert b"" == await scene.say(command + b"\r\n")
            scene.go_on.set()
            said = await scene.settle()
            assert said.count(b"(SAVEDATE ") == 4
            assert said.index(b"\r\na OK") < said.index(b"\r\nb OK")
            scene.transport.end()

    asyncio.run(talk())


@pytest.mark.parametrize(
    "command",
    [
        b"a FETCH 1:4 (SAVEDATE BODY[TEXT])",
        b"a FETCH 1:4 (SAVEDATE MODSEQ)",
        b"a FETCH 1:3 (SAVEDATE)",
    ],
)
def test_fetches_that_do_not_run_beside(command: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that set \\Seen, that begin CONDSTORE, or that are short."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            scene.transport.feed(command + b"\r\n")
            await scene.searching.wait()
            assert b"b OK" not in await scene.say(b"b NOOP\r\n")
            scene.go_on.set()
            said = await scene.settle()
            assert said.index(b"\r\na OK") < said.index(b"\r\nb OK")
            scene.transport.end()

    asyncio.run(talk())


def test_nothing_stands_within_the_literal_of_a_fetch_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One huge message to a client that takes its time: what others say comes behind it, and not without bound."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            monkeypatch.setattr(MemoryMailbox, "is_huge", lambda box, uid: uid == 5)
            monkeypatch.setattr(conversation, "FLUSH_AT", 1000)
            scene.transport.takes.clear()
            said = await scene.say(b"a FETCH 5 (BODY.PEEK[])\r\n")
            commands = [b"n%d STATUS INBOX (MESSAGES)\r\n" % number for number in range(100)]
            said += await scene.say(b"b NOOP\r\n" + b"".join(commands))
            assert b" OK" not in said
            scene.transport.takes.set()
            while b"\r\nn99 OK" not in said:
                said += await scene.settle()
            text = b"* 5 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(LONG), LONG)
            assert said.startswith(text)
            tags = re.findall(rb"(?m)^(a|b|n[0-9]+) OK", said[len(text) :])
            assert sorted(tags) == sorted([b"a", b"b", *(b"n%d" % number for number in range(100))])
            scene.transport.end()

    asyncio.run(talk())


def test_a_long_fetch_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.4: half an hour counts from the end of the command; a client that loads for longer stays."""

    async def talk() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(monkeypatch)
            await scene.begin(tasks)
            await scene.search(b"a FETCH 1:4 (SAVEDATE)\r\n")
            scene.clock.advance(AUTOLOGOUT + 1)
            assert b"b OK" in await scene.say(b"b NOOP\r\n")
            scene.clock.advance(AUTOLOGOUT + 1)
            assert (await scene.finish())[-1].startswith(b"a OK")
            assert b"c OK" in await scene.say(b"c NOOP\r\n")
            scene.transport.end()

    asyncio.run(talk())
