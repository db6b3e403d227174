"""Rows of IMAP, POP3 and LMTP: the same commands sent to Dovecot and to Pillarbox, in the same mailboxes.

DESCRIPTION
    A `Server` is one of both with its port, plain or under TLS.  A row's work is a function of the server that does
    it once and gives milliseconds (or operations per second); folders that are used up are new in each run.
"""

import asyncio
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from bench.everyday_rows import everyday_works
from bench.imap_client import AsyncClient, Client, Pop3Client
from bench.imap_mailboxes import deliver, fill, fill_alike, make_maildir, message
from bench.lmtp_rows import lmtp_works
from bench.logins import CLIENTS, logins_per_second
from bench.measure import Row, interleave, is_wanted
from bench.mixed_load import mixed_load_works
from bench.pop3_rows import pop3_works
from bench.processes import processor_time, proportional_memory, wait_for_rest
from bench.systems import PASSWORD, USER, Dovecot, Pillarbox, System, mail_user

NOT_PARKED = 20
"""Sessions of which Pillarbox parks none, so that the process is there that serves them all."""
_PARKED_SECONDS = 10.0
"""In IDLE for as long Pillarbox's client has no process left, whose indexers end with it."""
IDLE_SESSIONS = 500
INOTIFY_LIMIT: Final = Path("/proc/sys/fs/inotify/max_user_instances")
MAILBOXES = 1000
FULL = "UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"
THUNDERBIRD = (
    "UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority "
    "References Newsgroups In-Reply-To Content-Type Reply-To)]"
)
_LOOK_SECONDS = 0.3
_PATIENCE = 200
_IDLE_MILLISECONDS = 20.0
"""A server that uses less within a look has nothing left to do in the background."""


@dataclass
class Server:
    """One of the two, running."""

    system: System
    port: int
    pop3_port: int
    lmtp_port: int
    tls: bool
    messages: int
    filled: Path
    numbers: dict[str, int] = field(default_factory=dict)

    def connect(self) -> Client:
        """A client that is logged in."""
        return Client(self.port, USER, PASSWORD, tls=self.tls)

    def connect_pop3(self) -> Pop3Client:
        """The same of POP3."""
        return Pop3Client(self.pop3_port, USER, PASSWORD, tls=self.tls)

    async def connect_async(self, user: str = USER) -> AsyncClient:
        """One of many."""
        return await AsyncClient.connect(self.port, user, PASSWORD, tls=self.tls)

    def new_name(self, kind: str) -> str:
        """A mailbox that there was not yet."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return f"{kind}{self.numbers[kind]}"

    def new_maildir(self, kind: str) -> tuple[str, Path]:
        """The same, as a directory that the server has not seen yet."""
        name = self.new_name(kind)
        return name, make_maildir(self.system.maildir / f".{name}")


Work = Callable[[Server], float]


# -- One session at work --------------------------------------------------------------------------------


def commands(*texts: str, before: tuple[str, ...] = ("SELECT INBOX",), after: tuple[str, ...] = ()) -> Work:
    """Milliseconds that commands take in a session that has INBOX selected."""

    def work(server: Server) -> float:
        client = server.connect()
        try:
            for text in before:
                client.command(text)
            elapsed = sum(client.command(text)[0] for text in texts) * 1000
            for text in after:
                client.command(text)
            return elapsed
        finally:
            client.close()

    return work


def of_new_mailbox(*texts: str) -> Work:
    """Milliseconds of commands with a mailbox that nobody has looked at; `{}` stands for its name."""

    def work(server: Server) -> float:
        name, maildir = server.new_maildir("Cold")
        fill_alike(maildir, server.filled)
        client = server.connect()
        try:
            *before, last = (text.format(name) for text in texts)
            for text in before:
                client.command(text)
            return client.command(last)[0] * 1000
        finally:
            client.close()

    return work


def select_in_sessions(server: Server) -> float:
    """SELECT in one of many sessions that come one after the other, as webmail's do."""
    elapsed = 0.0
    for _ in range(50):
        client = server.connect()
        elapsed += client.command("SELECT INBOX")[0]
        client.command("LOGOUT")
        client.close()
    return elapsed * 1000


def append_one_by_one(server: Server) -> float:
    """200 messages of 4 KiB from one connection."""
    client = server.connect()
    name = server.new_name("Append")
    client.command(f"CREATE {name}")
    texts = _messages(200)
    start = time.perf_counter()
    for text in texts:
        client.append(name, text)
    elapsed = time.perf_counter() - start
    client.close()
    return elapsed * 1000


def copies(server: Server, what: str) -> float:
    """COPY of 1,000 messages, then MOVE of the copies, then EXPUNGE of what was moved; one of the three counts."""
    client = server.connect()
    first, second = server.new_name("Copy"), server.new_name("Moved")
    client.command(f"CREATE {first}")
    client.command(f"CREATE {second}")
    client.command("SELECT INBOX")
    elapsed = {"COPY": client.command(f"COPY 1:1000 {first}")[0]}
    client.command(f"SELECT {first}")
    elapsed["MOVE"] = client.command(f"MOVE 1:1000 {second}")[0]
    client.command(f"SELECT {second}")
    client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    elapsed["EXPUNGE"] = client.command("EXPUNGE")[0]
    client.close()
    return elapsed[what] * 1000


def of_many_mailboxes(server: Server, command: str) -> float:
    """A command about 1,000 mailboxes, ten times; all of them are subscribed."""
    maildir = server.system.maildir
    if not (maildir / ".Box0").exists():
        for number in range(MAILBOXES):
            make_maildir(maildir / f".Box{number}")
        (maildir / "subscriptions").write_text(
            "V\t2\n\n" + "".join(f"Box{number}\n" for number in range(MAILBOXES))
        )
        shutil.chown(maildir / "subscriptions", mail_user().pw_uid)
    return commands(*[command] * 10, before=())(server)


def push(server: Server) -> float:
    """From the rename of a delivered file to `* n EXISTS` of a client that IDLEs; the median of ten."""
    client = server.connect()
    name, maildir = server.new_maildir("Push")
    client.command(f"SELECT {name}")
    client.idle()
    times = []
    for number in range(1, 11):
        time.sleep(0.3)
        deliver(maildir, number)
        start = time.perf_counter()
        client.wait_for(b"* %d EXISTS\r\n" % number)
        times.append(time.perf_counter() - start)
    client.close()
    return sorted(times)[5] * 1000


# -- Many sessions at once ------------------------------------------------------------------------------


def append_at_once(server: Server, connections: int, *, own_mailbox: bool) -> float:
    """1,000 messages of 4 KiB from several connections, into one mailbox or into one each."""
    texts = _messages(1000)

    async def fill_one(client: AsyncClient, name: str, mine: list[bytes]) -> None:
        for text in mine:
            await client.command(f"APPEND {name} {{{len(text)}}}", text)

    async def work() -> float:
        clients = [await server.connect_async() for _ in range(connections)]
        shared = server.new_name("Shared")
        await clients[0].command(f"CREATE {shared}")
        names = [server.new_name("Own") if own_mailbox else shared for _ in clients]
        if own_mailbox:
            for client, name in zip(clients, names, strict=True):
                await client.command(f"CREATE {name}")
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, (client, name) in enumerate(zip(clients, names, strict=True)):
                tasks.create_task(fill_one(client, name, texts[number::connections]))
        elapsed = time.perf_counter() - start
        for client in clients:
            client.close()
        return elapsed * 1000

    return uvloop.run(work())


def idle_memory(server: Server, sessions: int, *, base: int = NOT_PARKED) -> float:
    """KiB (PSS) that each of many selected, IDLEing sessions adds to `base` of them.

    Where the server hibernates, it gets the time for it.  Each time the server has nothing to do any more.  The first
    client has it read the mailbox, and rests until that is over and the processes that did it are gone: they are no
    memory of sessions.
    """
    processes = server.system.processes
    clients: list[Client] = []

    def idle(count: int) -> float:
        for _ in range(count):
            client = server.connect()
            client.command("SELECT INBOX")
            client.idle()
            clients.append(client)
        wait_for_rest(processes)
        time.sleep(server.system.rest_seconds)
        return proportional_memory(processes())

    idle(1)
    time.sleep(_PARKED_SECONDS)
    before = idle(base - 1)
    after = idle(sessions)
    for client in clients:
        client.close()
    return (after - before) / sessions


def _messages(count: int) -> list[bytes]:
    chance = random.Random(count)
    return [message(number, chance).replace(b"\n", b"\r\n") for number in range(count)]


# -- All of them ----------------------------------------------------------------------------------------


def works(count: int, *, sessions: int) -> Iterator[tuple[str, str, bool, Work]]:
    """(name, unit, more is better, work) of each row for mailboxes of `count` messages; many `sessions` idle."""
    # First, so that no row leaves free memory behind for the sessions to use.
    name = f"memory per idle session (PSS, {IDLE_SESSIONS} sessions)"
    yield name, "KiB", False, partial(idle_memory, sessions=IDLE_SESSIONS)
    name = f"memory per idle session (PSS, from {IDLE_SESSIONS} to {sessions:,} sessions)"
    yield name, "KiB", False, partial(idle_memory, sessions=sessions - IDLE_SESSIONS, base=IDLE_SESSIONS)
    name = f"login and logout, {CLIENTS} clients, passwd-file"
    yield name, "logins/s", True, lambda server: logins_per_second(server.port, tls=server.tls)
    for name, work in _works_of_one_mailbox(count):
        yield name, "ms", False, work
    for name, everyday_work in everyday_works(count):
        yield name, "ms", False, everyday_work
    for name, pop3_work in pop3_works(count):
        yield name, "ms", False, pop3_work
    for name, lmtp_work in lmtp_works():
        yield name, "msg/s", True, lmtp_work
    for name, mixed_work in mixed_load_works():
        yield name, "operations/s", True, mixed_work


def _works_of_one_mailbox(count: int) -> tuple[tuple[str, Work], ...]:
    """Name and work of each row in milliseconds."""
    of = f"of {count:,}"
    every = f"1:{count}"
    return (
        ("APPEND 200 from one connection", append_one_by_one),
        (
            "APPEND 1000 from 20 connections into one mailbox",
            partial(append_at_once, connections=20, own_mailbox=False),
        ),
        (
            "APPEND 1000 from 8 connections, each into its own",
            partial(append_at_once, connections=8, own_mailbox=True),
        ),
        (f"SELECT {of}, first of all", of_new_mailbox("SELECT {}")),
        (f"SELECT {of}, 50 sessions one after the other", select_in_sessions),
        (f"SELECT {of} again, 20 times", commands(*["SELECT INBOX"] * 20)),
        (f"STATUS {of}, first of all", of_new_mailbox("STATUS {} (MESSAGES UNSEEN UIDNEXT)")),
        (f"STATUS {of}, 100 times", commands(*["STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"] * 100, before=())),
        (f"LIST of {MAILBOXES:,} mailboxes, 10 times", partial(of_many_mailboxes, command='LIST "" *')),
        (f"LSUB of {MAILBOXES:,} mailboxes, 10 times", partial(of_many_mailboxes, command='LSUB "" *')),
        (
            f"LIST (SUBSCRIBED) with STATUS of {MAILBOXES:,} mailboxes, 10 times",
            partial(
                of_many_mailboxes,
                command='LIST (SUBSCRIBED) "" * RETURN (CHILDREN STATUS (MESSAGES UNSEEN UIDNEXT))',
            ),
        ),
        (f"FETCH (UID FLAGS) {of}", commands(f"FETCH {every} (UID FLAGS)")),
        (
            f"FETCH envelope and structure {of}, first of all",
            of_new_mailbox("SELECT {}", f"FETCH {every} ({FULL})"),
        ),
        (f"FETCH envelope and structure {of}, warm", commands(f"FETCH {every} ({FULL})")),
        (
            f"FETCH Thunderbird's header fields {of}, first of all",
            of_new_mailbox("SELECT {}", f"FETCH {every} ({THUNDERBIRD})"),
        ),
        (f"FETCH Thunderbird's header fields {of}, warm", commands(f"FETCH {every} ({THUNDERBIRD})")),
        ("FETCH BODY.PEEK[] of 2,000 in one command", commands("FETCH 1:2000 (BODY.PEEK[])")),
        ("FETCH BODY.PEEK[] 500 one by one", commands(*(f"FETCH {n} (BODY.PEEK[])" for n in range(1, 501)))),
        (
            f"STORE {of} in one command",
            commands(f"STORE {every} +FLAGS.SILENT (\\Flagged)", f"STORE {every} -FLAGS.SILENT (\\Flagged)"),
        ),
        (
            "STORE 500 one by one",
            commands(
                *(f"STORE {n} +FLAGS.SILENT (\\Answered)" for n in range(1, 501)),
                after=("STORE 1:500 -FLAGS.SILENT (\\Answered)",),
            ),
        ),
        (f"SEARCH UNSEEN {of}, 20 times", commands(*["SEARCH UNSEEN"] * 20)),
        (f"SEARCH SUBJECT {of}, first of all", of_new_mailbox("SELECT {}", "SEARCH SUBJECT tempor")),
        (f"SEARCH SUBJECT {of}, again", commands("SEARCH SUBJECT tempor")),
        (f"SEARCH BODY {of}, first of all", of_new_mailbox("SELECT {}", 'SEARCH BODY "needle in the hay"')),
        (f"SEARCH BODY {of}, again", commands('SEARCH BODY "needle in the hay"')),
        (f"SEARCH BODY {of}, a word that most have", commands('SEARCH BODY "adipiscing"')),
        (f"SORT (SUBJECT) {of}", commands("SORT (SUBJECT) UTF-8 ALL")),
        (
            f"SORT (REVERSE DATE) {of}, another after it",
            commands("SORT (REVERSE DATE) UTF-8 ALL", "SORT (FROM SUBJECT) UTF-8 UNSEEN"),
        ),
        (f"THREAD REFERENCES {of}", commands("THREAD REFERENCES UTF-8 ALL")),
        ("COPY of 1,000", partial(copies, what="COPY")),
        ("MOVE of 1,000", partial(copies, what="MOVE")),
        ("EXPUNGE of 1,000", partial(copies, what="EXPUNGE")),
        ("delivery to a client that IDLEs", push),
    )


def imap_rows(
    root: Path, runs: int, only: str, *, messages: int, tls: bool, sessions: int, hibernate: int
) -> Iterator[Row]:
    """Rows whose names hold `only`; `hibernate` is imap_hibernate_timeout of both in seconds, 0 for what is usual."""
    wanted = [one for one in works(messages, sessions=sessions) if is_wanted(one[0], only)]
    if not wanted:
        return
    if hibernate and any(unit == "KiB" for _, unit, _, _ in wanted):
        _check_inotify(sessions)
    dovecot = Dovecot(root / "dovecot", 4144, hibernate=hibernate)
    pillarbox = Pillarbox(root / "pillarbox-imap", hibernate=hibernate)
    filled = make_maildir(root / "filled")
    fill(filled, messages)
    for system in (dovecot, pillarbox):
        system.root.mkdir(exist_ok=True)
        system.clear_mailbox()
        fill_alike(system.maildir, filled)
    with dovecot, pillarbox:
        ports = (dovecot.tls_port, dovecot.pop3_port + 1) if tls else (dovecot.port, dovecot.pop3_port)
        theirs = Server(dovecot, *ports, dovecot.lmtp_port, tls, messages, filled)
        ports = (pillarbox.imap_port, pillarbox.pop3_port)
        if tls:
            ports = (pillarbox.imaps_port, pillarbox.pop3s_port)
        ours = Server(pillarbox, *ports, pillarbox.lmtp_port, tls, messages, filled)
        for name, unit, more_is_better, work in wanted:
            how = f"{', TLS' if tls else ''}{', both hibernate' if hibernate else ''}"
            row = Row(name + how, unit, more_is_better, original="Dovecot")
            if unit == "KiB":  # once: a second time would find memory that the first has left
                row.theirs.append(work(theirs))
                row.ours.append(work(ours))
                yield row
            else:
                used: list[float] = []
                interleave(
                    row, partial(_counted, work, theirs, used), partial(_counted, work, ours, used), runs=runs
                )
                row.processor += list(
                    zip(used[2::2], used[3::2], strict=True)
                )  # the first pair is the warm-up
                yield row


def _check_inotify(sessions: int) -> None:
    """Dovecot takes an inotify instance for each client that hibernates; those that get none burn processor time."""
    limit = int(INOTIFY_LIMIT.read_text())
    if limit <= sessions:
        raise SystemExit(
            f"bench: hibernation of {sessions} sessions of one user needs {INOTIFY_LIMIT} above that; it is {limit}"
        )


def _counted(work: Work, server: Server, used: list[float]) -> float:
    """Do the work, and note the processor time that the server's processes have used for it, then and afterwards.

    What one row leaves to be done in the background, for as long as a minute, is not left to the next one.
    """
    root = server.system.processes()[0]
    before = last = sum(processor_time(root).values())
    figure = work(server)
    for _ in range(_PATIENCE):
        time.sleep(_LOOK_SECONDS)
        now = sum(processor_time(root).values())
        if now - last < _IDLE_MILLISECONDS:
            break
        last = now
    used.append(now - before)
    return figure
