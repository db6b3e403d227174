"""A worker whose clients rest gives them away, whatever happens at that moment, and another one goes on with them."""

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec

from daemons.test_account_worker import CONFIGURATION
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.reading import parse_configuration
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.account_worker import AccountWorker
from pillarbox.daemons.parked_sessions import state_file
from pillarbox.daemons.session_parking import Arrival, SessionParking
from pillarbox.files.inotify import open_inotify
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.net.channel import Channel
from pillarbox.net.handover import (
    FromWorker,
    Kick,
    Parked,
    Peer,
    Quiet,
    Resume,
    Session,
    SessionClosed,
    ToWorker,
)
from pillarbox.observability.events import Event, MailSessionEnded
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.sessions.pop3_session import Pop3Session


def settings(after: float, otherwise: float) -> MailboxSettings:
    """Sessions are parked soon: those in IDLE, and others."""
    read = mailbox_settings(parse_configuration(CONFIGURATION), hostname="mx.example.org")
    return msgspec.structs.replace(read, imap_hibernate_timeout=after, park_after=otherwise)


class Client:
    """A client's end of its connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)

    def say(self, line: bytes) -> None:
        assert self._writer is not None
        self._writer.write(line + b"\r\n")

    async def hear(self, end: bytes) -> list[bytes]:
        """Lines up to one that begins with `end`."""
        assert self._reader is not None
        lines = [(await self._reader.readline()).rstrip()]
        while not lines[-1].startswith(end):
            assert lines[-1], lines
            lines.append((await self._reader.readline()).rstrip())
        return lines

    async def ask(self, line: bytes) -> list[bytes]:
        self.say(b"x " + line)
        return await self.hear(b"x ")

    async def hear_the_end(self) -> bytes:
        """All that is left."""
        assert self._reader is not None
        return await self._reader.read()

    def close(self) -> None:
        assert self._writer is not None
        self._writer.close()


class Stage:
    """Workers, one after the other, as the spawner has them."""

    def __init__(self, home: Path, tasks: asyncio.TaskGroup, *, after: float, otherwise: float) -> None:
        self.home = home
        self.worker_kind: type[AccountWorker] = AccountWorker
        self._tasks = tasks
        self.told: list[Event] = []
        self.settings = settings(after, otherwise)
        self._channel: Channel[FromWorker] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Another worker."""
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours, FromWorker)
        inotify = open_inotify(asyncio.get_running_loop())
        channel: Channel[ToWorker] = Channel(theirs, ToWorker)
        worker = self.worker_kind(channel, settings=self.settings, tell=self.told.append, inotify=inotify)

        async def life() -> None:
            await worker.run()
            channel.close()
            if inotify is not None:
                inotify.close()

        self._worker = self._tasks.create_task(life())

    def send(self, frame: object, *descriptors: int) -> None:
        assert self._channel is not None
        self._channel.send(frame, descriptors)

    async def receive(self) -> tuple[FromWorker, list[int]]:
        assert self._channel is not None
        received = await self._channel.receive()
        assert received is not None
        return received

    async def end(self) -> None:
        """The spawner lets the worker go."""
        assert self._channel is not None
        assert self._worker is not None
        self._channel.close()
        await self._worker

    async def client(self, name: str = "one", *, ahead: bytes = b"", user: str = "user") -> Client:
        """Somebody who logs in, with commands behind the login."""
        theirs, ours = socket.socketpair()
        peer = Peer("imap", "127.0.0.1", "127.0.0.1", name, True)
        self.send(Session(peer, user, str(self.home), "", b"L", ahead, {}), ours.fileno())
        ours.close()
        client = Client(theirs)
        await client.connect()
        await client.hear(b"L OK")
        return client

    async def parked(self, count: int = 1) -> tuple[list[tuple[Parked, int, int]], Quiet, list[int]]:
        """What the worker gives away, and what watches."""
        found: list[tuple[Parked, int, int]] = []
        while True:
            frame, descriptors = await self.receive()
            match frame:
                case Parked():
                    connection, state = descriptors
                    found.append((frame, connection, state))
                case Quiet():
                    assert len(found) == count
                    return found, frame, descriptors

    async def resume(self, given: list[tuple[Parked, int, int]]) -> None:
        """As the spawner does."""
        for _, *descriptors in given:
            self.send(Resume(), *descriptors)
        forget(given)


def forget(given: list[tuple[Parked, int, int]]) -> None:
    """Close what was given."""
    for _, *descriptors in given:
        for descriptor in descriptors:
            os.close(descriptor)


@asynccontextmanager
async def stage(path: Path, *, after: float = 0.05, otherwise: float = 0.05) -> AsyncIterator[Stage]:
    """With its first worker."""
    async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
        made = Stage(path, tasks, after=after, otherwise=otherwise)
        await made.begin()
        yield made
        await made.end()


def deliver(home: Path, name: str) -> None:
    """Another program's delivery."""
    (home / "Maildir" / "tmp" / name).write_text("Subject: x\n\nx\n")
    (home / "Maildir" / "tmp" / name).rename(home / "Maildir" / "new" / name)


async def somebody_is_parked(path: Path) -> None:
    """Elsewhere: by then it would have happened here, too."""
    (path / "else").mkdir()
    async with stage(path / "else") as other:
        client = await other.client("other")
        given, _, _ = await other.parked()
        forget(given)
        client.close()


def test_what_is_delivered_meanwhile_is_told_by_the_next_worker(tmp_path: Path) -> None:
    """The descriptor that watches says so; the state is what the client knew."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            client.say(b"i IDLE")
            await client.hear(b"+ ")
            given, quiet, [watch] = await one.parked()
            assert quiet.seen == 1
            assert given[0][0].keep_alive == b"* OK Still here\r\n"
            assert given[0][0].wake_at == 0
            await one.end()
            loop = asyncio.get_running_loop()
            changed = asyncio.Event()
            loop.add_reader(watch, changed.set)
            await asyncio.sleep(0)
            assert not changed.is_set(), "nothing has happened yet"
            deliver(tmp_path, "1.a.b")
            await changed.wait()
            loop.remove_reader(watch)
            os.close(watch)
            await one.begin()
            await one.resume(given)
            assert await client.hear(b"* 1 RECENT") == [b"* 1 EXISTS", b"* 1 RECENT"]
            client.say(b"DONE")
            assert (await client.hear(b"i "))[-1].startswith(b"i OK Idle completed")
            client.close()
            while not isinstance((await one.receive())[0], SessionClosed):
                continue
        [ended] = [event for event in one.told if isinstance(event, MailSessionEnded)]
        assert " out=" in ended.figures

    asyncio.run(work())


def test_a_worker_that_has_given_its_clients_away_hears_nothing_for_them(tmp_path: Path) -> None:
    """What happens before it has gone is there for the spawner, who has the same descriptor."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            client.say(b"i IDLE")
            await client.hear(b"+ ")
            given, _, [watch] = await one.parked()
            deliver(tmp_path, "1.a.b")
            for _ in range(10):  # turns of the loop that the worker is on
                await asyncio.sleep(0)
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)  # to the same worker: the spawner had somebody for it
            await client.hear(b"* 1 RECENT")
            deliver(tmp_path, "2.a.b")
            await client.hear(b"* 2 RECENT")
            client.close()

    asyncio.run(work())


def test_a_mailbox_made_in_steps_is_told_to_who_is_parked_between(tmp_path: Path) -> None:
    """Its directory comes first, and holds no mail for a while."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            await client.ask(b"NOTIFY SET (PERSONAL (MailboxName))")
            client.say(b"i IDLE")
            await client.hear(b"+ ")
            given, _, [watch] = await one.parked()
            (tmp_path / "Maildir" / ".Made").mkdir()
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)
            given, _, [watch] = await one.parked()
            (tmp_path / "Maildir" / ".Made" / "other").write_text("")
            (tmp_path / "Maildir" / ".Made" / "cur").mkdir()
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)
            assert await client.hear(b"* LIST") == [b'* LIST (\\HasNoChildren) "." Made']
            client.close()

    asyncio.run(work())


def test_annotations_in_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    """Nor is the Maildir: its coming is seen, and that of each directory above the file, and that of the file."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            await one.end()
            place = tmp_path / "not" / "there"
            dictionary = str(place / "attributes")
            one.settings = msgspec.structs.replace(
                one.settings, imap_metadata=True, mail_attribute_dict=dictionary
            )
            await one.begin()
            client = await one.client()
            said = await client.ask(b"NOTIFY SET (PERSONAL (MailboxName MailboxMetadataChange))")
            assert said[-1].startswith(b"x OK"), said
            client.say(b"i IDLE")
            await client.hear(b"+ ")
            given, _, [watch] = await one.parked()
            assert select.select([watch], [], [], 0)[0] == []
            (tmp_path / "not").mkdir()
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)
            given, _, [watch] = await one.parked()
            other = MaildirAccount(str(tmp_path / "Maildir"), attributes=dictionary)
            await other.create("Else")
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)
            await client.hear(b"* LIST")
            given, _, [watch] = await one.parked()
            await other.change_attributes("Else", {"private/comment": b"x"})
            await other.close()
            assert select.select([watch], [], [], 10)[0] == [watch]
            os.close(watch)
            await one.resume(given)
            assert (await client.hear(b"* METADATA"))[-1] == b"* METADATA Else /private/comment"
            client.close()

    asyncio.run(work())


def test_what_was_said_with_the_login_is_not_heard_twice(tmp_path: Path) -> None:
    """Clients may send commands ahead."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client(ahead=b"a SELECT INBOX\r\ni IDLE\r\n")
            await client.hear(b"+ ")
            given, _, [watch] = await one.parked()
            os.close(watch)
            await one.resume(given)
            client.say(b"DONE")
            [done] = await client.hear(b"i ")
            assert done.startswith(b"i OK Idle completed")
            client.close()

    asyncio.run(work())


def test_a_spawner_that_has_somebody_for_this_worker_gives_them_back(tmp_path: Path) -> None:
    """They are gone on with where they were, and parked again later."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            client.say(b"i IDLE")
            await client.hear(b"+ ")
            given, _, [watch] = await one.parked()
            os.close(watch)
            await one.resume(given)
            deliver(tmp_path, "1.a.b")
            await client.hear(b"* 1 RECENT")
            given, quiet, [watch] = await one.parked()
            assert quiet.seen == 2
            os.close(watch)
            forget(given)
            client.close()

    asyncio.run(work())


def test_nobody_is_parked_as_long_as_one_is_busy_or_cannot_be(tmp_path: Path) -> None:
    """A client in the midst of a command keeps all of them; when it has finished, all of them go."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            first, second = await one.client("one"), await one.client("two")
            await first.ask(b"SELECT INBOX")
            second.say(b"a APPEND INBOX {3}")
            await second.hear(b"+ ")
            await somebody_is_parked(tmp_path)
            second.say(b"x\r\n")
            await second.hear(b"a OK")
            given, _, watch = await one.parked(2)
            assert watch == [], "nobody idles"
            assert {frame.session for frame, *_ in given} == {"one", "two"}
            assert all(frame.wake_at > 0 for frame, *_ in given)
            forget(given)
            first.close()
            second.close()

    asyncio.run(work())


def test_who_comes_at_the_moment_of_parking_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A login that is taken when all the others have been seen to rest: they are gone on with, or parked alone."""
    all_rest, has_come = asyncio.Event(), asyncio.Event()

    class CrowdedWorker(AccountWorker):
        """It takes another session between the decision to park and the first step."""

        def start(self, work: Coroutine[None, None, None]) -> None:
            async def wait_first() -> None:
                all_rest.set()
                await has_come.wait()
                await work

            super().start(work if has_come.is_set() else wait_first())

        def begin(self, arrival: Arrival, descriptor: int) -> None:
            super().begin(arrival, descriptor)
            if all_rest.is_set():
                has_come.set()

    async def work() -> None:
        async with stage(tmp_path) as one:
            await one.end()
            one.worker_kind = CrowdedWorker
            await one.begin()
            first = await one.client("one")
            await first.ask(b"SELECT INBOX")
            await all_rest.wait()
            second = await one.client("two", user="other")
            assert (await first.ask(b"NOOP"))[-1].startswith(b"x OK")
            assert (await second.ask(b"NOOP"))[-1].startswith(b"x OK")
            first.close()
            second.close()

    asyncio.run(work())


def test_never(tmp_path: Path) -> None:
    """imap_hibernate_timeout = 0"""

    async def work() -> None:
        async with stage(tmp_path, after=0, otherwise=0) as one:
            client = await one.client()
            await somebody_is_parked(tmp_path)
            assert (await client.ask(b"NOOP"))[-1].startswith(b"x OK")
            client.close()
            frame, _ = await one.receive()
            assert isinstance(frame, SessionClosed)

    asyncio.run(work())


def test_who_is_in_idle_is_parked_sooner_than_who_may_say_something(tmp_path: Path) -> None:
    """And so as soon as he begins to IDLE, however late; one who does not keeps both of them."""

    async def work() -> None:
        async with stage(tmp_path, otherwise=1000) as one:
            first, second = await one.client("one"), await one.client("two")
            for client in (first, second):
                await client.ask(b"SELECT INBOX")
            first.say(b"i IDLE")
            await first.hear(b"+ ")
            await somebody_is_parked(tmp_path)
            assert (await second.ask(b"NOOP"))[-1].startswith(b"x OK")
            second.say(b"i IDLE")
            await second.hear(b"+ ")
            given, quiet, [watch] = await one.parked(2)
            assert quiet.seen == 2
            os.close(watch)
            forget(given)
            first.close()
            second.close()

    asyncio.run(work())


def test_a_worker_of_several_users_is_no_sooner_parked(tmp_path: Path) -> None:
    """There are few of them, and somebody has mail all the time."""

    async def work() -> None:
        async with stage(tmp_path, otherwise=1000) as one:
            clients = [await one.client("one"), await one.client("two", user="other")]
            for client in clients:
                client.say(b"i IDLE")
                await client.hear(b"+ ")
            await somebody_is_parked(tmp_path)
            clients[1].close()
            while not isinstance((await one.receive())[0], SessionClosed):
                continue
            given, _, watch = await one.parked()
            assert watch == []
            forget(given)
            clients[0].close()

    asyncio.run(work())


class BusyHost:
    """A worker whose first session takes long to begin."""

    is_ending = is_shared = False
    sessions: ClassVar[list[ImapSession | Pop3Session]] = []
    seen = 1

    def __init__(self) -> None:
        self.looked = 0
        self.looked_again = asyncio.Event()

    @property
    def has_work(self) -> bool:
        self.looked += 1
        if self.looked > 1:
            self.is_ending = True
            self.looked_again.set()
        return True

    async def close_accounts(self) -> None:
        raise AssertionError("nobody rests")

    def give_away(self, parked: Sequence[tuple[Parked, int, int]], watch: int) -> None:
        raise AssertionError("nobody rests")

    def begin(self, arrival: Arrival, descriptor: int) -> None:
        raise AssertionError("nobody has left")

    def start(self, work: Coroutine[None, None, None]) -> None:
        raise AssertionError("nobody rests")


def test_who_takes_long_to_begin_is_not_forgotten() -> None:
    """It is looked again when there is no session yet, and as soon as for one in IDLE."""

    async def work() -> None:
        host = BusyHost()
        parking = SessionParking(host, after=(0.01, 1000), inotify=None, tell=lambda event: None)
        parking.look_soon()
        async with asyncio.timeout(45):
            await host.looked_again.wait()

    asyncio.run(work())


def test_who_is_kicked_before_the_session_is_gone_on_with_is_told_bye(tmp_path: Path) -> None:
    """doveadm kick wakes the group, and is there as early as the sessions."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            given, _, _ = await one.parked()
            await one.resume(given)
            one.send(Kick("one"))
            assert await client.hear(b"* BYE") == [b"* BYE Server shutting down."]
            client.close()

    asyncio.run(work())


def test_a_client_that_has_gone_is_told_to_the_log(tmp_path: Path) -> None:
    """Its mailbox is not opened for that."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            client = await one.client()
            await client.ask(b"SELECT INBOX")
            given, _, _ = await one.parked()
            client.close()
            await asyncio.sleep(0)
            (tmp_path / "Maildir" / "cur").rename(tmp_path / "elsewhere")
            await one.resume(given)
            frame, _ = await one.receive()
            assert isinstance(frame, SessionClosed)
        [ended] = [event for event in one.told if isinstance(event, MailSessionEnded)]
        assert ended.reason.startswith("Connection closed (select finished ")

    asyncio.run(work())


def test_a_state_that_cannot_be_read_ends_the_connection(tmp_path: Path) -> None:
    """And nothing else."""

    async def work() -> None:
        async with stage(tmp_path) as one:
            theirs, ours = socket.socketpair()
            state = state_file(b"\xc1")
            one.send(Resume(), ours.fileno(), state)
            ours.close()
            os.close(state)
            client = Client(theirs)
            await client.connect()
            assert await client.hear_the_end() == b""
            client.close()
            other = await one.client()
            other.close()

    asyncio.run(work())
