"""A Maildir on the model of a disk (crash_file_system.py), and what tests do to it beside its account."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from fakes.crash_file_system import CrashFileSystem, Stopped
from pillarbox.files.write_order import Order
from pillarbox.mailstore.deliver import make_maildir
from pillarbox.mailstore.mailbox import (
    NewMessage,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag

T = TypeVar("T")


HOME = "/dev/null/a"
"""On the model only: SQLite, which the model has no file for, makes none there either."""
ROOT = f"{HOME}/Maildir"


class Inline(Executor):
    """Runs what is submitted at once, so that the order of steps is always the same."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - Executor's
        """Run it."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (Exception, Stopped) as error:  # handed to whoever waits, as an executor does
            future.set_exception(error)
        return future


def fresh_files(order: Order = Order.NONE) -> CrashFileSystem:
    """An empty account on a disk."""
    files = CrashFileSystem(order=order)
    files.make_directories(HOME)
    make_maildir(ROOT, files=files)
    return files


def account_on(files: CrashFileSystem, clock: ManualClock | None = None) -> MaildirAccount:
    """The account, without cache: the model has no file for SQLite."""
    return MaildirAccount(ROOT, files=files, clock=clock or ManualClock(), executor=Inline(), host=b"ours")


def run(scene: Callable[[], Awaitable[T]]) -> T:
    """Play a scene on a fresh loop."""

    async def perform() -> T:
        return await scene()

    return asyncio.run(perform())


def new_message(number: int, flags: Flag = Flag.NONE) -> NewMessage:
    """A message with a number."""
    return NewMessage(b"%d\n" % number, flags)


def deliver(files: CrashFileSystem, number: int) -> str:
    """Another program delivers; the file's name."""
    name = f"{1_700_000_000 + number}.M{number}P1.other,S={len(str(number)) + 1}"
    files.make_file(f"{ROOT}/new/{name}", b"%d\n" % number)
    return name


def find(files: CrashFileSystem, number: int) -> str:
    """The path of the file with the message."""
    return next(
        path
        for path, content in files.files().items()
        if content == b"%d\n" % number and path.startswith((f"{ROOT}/new/", f"{ROOT}/cur/"))
    )


LINE = re.compile(rb"\d+ (?:[A-Z][^ \n]* )*:[^/\n]+")


def check_uidlist(files: CrashFileSystem) -> None:
    """What Dovecot takes without throwing it away: whole lines, UIDs growing."""
    content = files.files().get(f"{ROOT}/dovecot-uidlist")
    if content is None:
        return
    assert content.endswith(b"\n")
    header, *lines = content[:-1].split(b"\n")
    assert re.fullmatch(rb"3 V[1-9]\d* N[1-9]\d* G[0-9a-f]{32}", header)
    assert all(LINE.fullmatch(line) for line in lines)
    uids = [int(line.split(b" ")[0]) for line in lines]
    assert uids == sorted(set(uids))
