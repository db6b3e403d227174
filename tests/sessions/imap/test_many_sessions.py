"""Several sessions on one mailbox: whatever they and others do, each client's picture of it stays right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import AnyStr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.examples import examples
from fakes.imap_model import ACTIONS, ModelClient
from fakes.scripted_transport import ScriptedTransport
from fakes.strange_programs import STRANGE_ACTIONS, do_strange_thing
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.mailstore.mailbox import Account, NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount
from pillarbox.observability.events import Event
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag

SESSIONS = 3


class Unsynced(DiskFileSystem):
    """The disk, without waiting for it: nothing crashes here."""

    def fsync(self, fd: int) -> None:
        """It is there when we look."""

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """None fails."""
        return [None] * len(fds)

    def fdatasync(self, fd: int) -> None:
        """It is there when we look."""

    def sync_directory(self, path: AnyStr) -> None:
        """It is there when we look."""


def ignore(event: Event) -> None:
    """Nothing is expected to be told."""


async def play(account: Account, steps: list[tuple[int, bytes, int]], maildir: Path | None = None) -> None:
    """Sessions take steps in turn; what is none of theirs another program does to the files."""
    inbox = await account.open("INBOX")
    await inbox.append([NewMessage(b"x")] * 4)
    transports = [ScriptedTransport(ends=False) for _ in range(SESSIONS)]
    clients = [ModelClient(transport.ask) for transport in transports]
    async with asyncio.TaskGroup() as tasks:
        for client, transport in zip(clients, transports, strict=True):
            session = ImapSession(transport, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
            tasks.create_task(session.run())
            await transport.rest()
            if client is clients[-1]:
                await client.enable_qresync()
            await client.begin()
        for who, action, choice in steps:
            if action in ACTIONS:
                await clients[who].act(action, choice)
            else:
                assert maildir is not None
                do_strange_thing(maildir, action, choice)
        for client in clients:
            await client.say(b"NOOP")
        for client in clients:
            await client.check()
            assert client.uids == inbox.messages.uids.tolist()
            assert client.flags == clients[0].flags
        for transport in transports:
            transport.end()
    inbox.close()
    await account.close()


def steps_of(*actions: bytes) -> st.SearchStrategy[list[tuple[int, bytes, int]]]:
    """Who does what, and on which message."""
    step = st.tuples(st.integers(0, SESSIONS - 1), st.sampled_from(actions), st.integers(0, 9))
    return st.lists(step, min_size=5, max_size=30)


@settings(max_examples=examples(200))
@given(steps_of(*ACTIONS))
def test_every_client_ends_up_with_the_same_mailbox(steps: list[tuple[int, bytes, int]]) -> None:
    """RFC 3501 §5.2, §7.4.1: numbers mean the same on both sides, no change goes untold, results are kept."""
    account = MemoryAccount(clock=ManualClock(), special_use={"Trash": b"\\Trash"})
    asyncio.run(play(account, steps))


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(steps_of(*ACTIONS, *STRANGE_ACTIONS))
def test_and_so_it_is_when_other_programs_touch_the_files(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bytes, int]]
) -> None:
    """Deliveries, flags changed by renaming, files moved from new to cur and removed, at any moment."""
    maildir = tmp_path_factory.mktemp("other") / "Maildir"

    async def run() -> None:
        account = MaildirAccount(str(maildir), files=Unsynced())
        await account.create("Trash")
        await play(account, steps, maildir)

    asyncio.run(run())


def test_flags_are_those_of_each_message_while_expunges_pend() -> None:
    """One is gone and one has come, neither told yet: as many rows as the client knows, but other messages."""

    async def run() -> None:
        account = MemoryAccount(clock=ManualClock())
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(b"x"), NewMessage(b"x"), NewMessage(b"x", flags=Flag.SEEN)])
        transport, other = ScriptedTransport(ends=False), ScriptedTransport(ends=False)
        async with asyncio.TaskGroup() as tasks:
            for each in (transport, other):
                session = ImapSession(each, account, clock=ManualClock(), sink=ignore, login_tag=b"L")
                tasks.create_task(session.run())
                await each.rest()
                await each.ask(b"s SELECT INBOX\r\n")
            await other.ask(b"d STORE 1 +FLAGS (\\Deleted)\r\n")
            await other.ask(b"e EXPUNGE\r\n")
            await other.ask(b"f APPEND INBOX {1+}\r\nx\r\n")
            answer = await transport.ask(b"g SEARCH SEEN\r\n")
            for each in (transport, other):
                each.end()
        assert b"* SEARCH 3\r\n" in answer
        inbox.close()
        await account.close()

    asyncio.run(run())
