"""How a role begins: what the supervisor hands it, and the order in which rights go.

DESCRIPTION
    The supervisor binds, and has the zygote fork (daemons/zygote.py), which has imported everything that roles
    need; nothing is imported later.  A `Startup` tells the role descriptors of listeners, log and control channel,
    and the settings.  The role

        opens                       files and tables that may need the rights it still has
        drops its rights            to `Startup.user`
        answers Ready               on the control channel
        serves                      until the control channel ends or says Stop

    The end of the control channel means that the supervisor is gone: the role finishes what it is committing
    and exits, in the last seconds that it has then (net/last_seconds.py), so that no orphan is left.

FAULTS
    ConfigurationFault at `open` ends the role with exit status 78 (EX_CONFIG) and one line on the log.
    A table that cannot be opened does not: the log says so, what asks it waits, and the rest of the mail goes on.
"""

import asyncio
import ctypes
import gc
import inspect
import os
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from typing import Final, NoReturn

import msgspec

from pillarbox.net import last_seconds
from pillarbox.net.channel import Channel, ChannelClosed, FrameWriter
from pillarbox.net.dns.host_files import ResolverOptions
from pillarbox.net.event_loop import new_event_loop
from pillarbox.net.listeners import Listener
from pillarbox.net.rights import become
from pillarbox.net.shared_clock import LabClock
from pillarbox.net.startup import Drain, Draining, Failed, FromSupervisor, Ready, Startup, Stop, User
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import Broke, EventSink, Refused, Warned
from pillarbox.observability.log_file import LogFile
from pillarbox.observability.loop_mistakes import tell_loop_mistakes
from pillarbox.observability.mistakes import mistakes
from pillarbox.tables.opening import unavailable_tables
from pillarbox.vocabulary.faults import ConfigurationFault

EX_CONFIG: Final = 78
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_DUMPABLE: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""mallopt(3)"""
_KEPT_OCTETS: Final = 8 * 1024 * 1024
"""Free memory at the end of the heap that a role keeps: what a few large messages need while they are received."""
_OBJECTS_BETWEEN_COLLECTIONS: Final = 10_000
"""Instead of 700: hundreds of sessions are no garbage."""
_STARTUP: Final = msgspec.msgpack.Decoder(Startup)
"""Made before the fork, so that no role has to look at the type by itself."""
_LAB_CLOCKS: Final[dict[int, LabClock]] = {}


def read_startup(descriptor: int, numbers: Mapping[int, int]) -> Startup:
    """The `Startup` that a descriptor holds; it is closed.

    `numbers` tells by which number the supervisor's descriptors are known here.
    """
    with open(descriptor, "rb") as file:
        startup = _STARTUP.decode(file.read())
    surroundings = startup.surroundings
    return msgspec.structs.replace(
        startup,
        listeners={name: numbers[number] for name, number in startup.listeners.items()},
        control=numbers[startup.control],
        log=tuple(numbers[number] for number in startup.log),
        surroundings=msgspec.structs.replace(
            surroundings, clock=numbers.get(surroundings.clock, surroundings.clock)
        ),
    )


def role_clock(startup: Startup) -> SystemClock | LabClock:
    """The clock that the role goes by; one for all who ask."""
    descriptor = startup.surroundings.clock
    if descriptor < 0:
        return SystemClock()
    if (clock := _LAB_CLOCKS.get(descriptor)) is None:
        clock = _LAB_CLOCKS[descriptor] = LabClock(descriptor)
    return clock


def resolver_options(startup: Startup) -> ResolverOptions | None:
    """The name servers to ask; None for those of /etc/resolv.conf."""
    servers = startup.surroundings.name_servers
    return ResolverOptions(servers=servers, timeout=2.0, attempts=2) if servers else None


def drop_rights(user: User | None) -> None:
    """Become `user` for good, and never gain rights by exec (PR_SET_NO_NEW_PRIVS)."""
    if user is not None and os.getuid() == 0:
        become(user.uid, user.gid, user.groups)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot do without rights by exec")
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) if user is not None else None
    os.umask(0o077)


def drop_capabilities() -> None:
    """Be root in name only, for good: without capabilities, and with none to be had by exec (capabilities(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "cannot drop capabilities")


def freeze_memory() -> None:
    """What is there now stays until the end: the cycle collector need not look at it again, nor a child copy it.

    Collections took 5 to 10 % of the queue manager's processor time before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Buffers of large messages are taken from what is there, instead of from the kernel each time.

    By itself glibc gives the end of the heap back when twice as much as the largest buffer so far is free there,
    and the kernel clears each page again for the next.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # not with other C libraries
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_OCTETS)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_OCTETS)


def give_back_memory() -> None:
    """What is free between what is used goes to the kernel: after something large that comes rarely."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # not with other C libraries
        library.malloc_trim(0)


def open_log(startup: Startup, *, schedule: Callable[[Callable[[], None]], object] | None = None) -> LogFile:
    """The role's event sink."""
    return LogFile(
        *startup.log,
        program=startup.program,
        clock=role_clock(startup),
        syslog_name=startup.syslog_name,
        form=startup.log_form,
        schedule=schedule,
    )


def tell_mistakes(startup: Startup, error: Exception) -> None:
    """The role ends by a mistake of ours: say which in the log."""
    tell = open_log(startup)
    for reason in mistakes(error):
        tell(Broke(reason))


def refuse(startup: Startup, tell: EventSink, reason: str) -> NoReturn:
    """The configuration is wrong: say so in the log and to the supervisor, and end."""
    tell(Refused(reason))
    writer = FrameWriter()
    writer.put(Failed(reason))
    with socket.socket(fileno=startup.control) as control:
        writer.write_to(control)
    sys.exit(EX_CONFIG)


def tell_unavailable(lacks: Mapping[str, Sequence[str]], tell: EventSink) -> None:
    """Of what could not be opened: why, and what comes of it."""
    for reason in chain.from_iterable(lacks.values()):
        tell(Warned(f"{reason}: serving all the same; mail that depends on it will be deferred"))


class Control:
    """The role's end of the control channel, on the loop."""

    def __init__(
        self, channel: "Channel[FromSupervisor]", log: LogFile, *, lacks: Mapping[str, str] | None = None
    ) -> None:
        """`lacks` are the tables that could not be opened, and why."""
        self._channel = channel
        self._log = log
        self._lacks = lacks or {}

    def ready(self, lacks: Mapping[str, str] | None = None) -> None:
        """Tell the supervisor that the role serves, and what its services lack."""
        self._say(Ready(os.getpid(), {**self._lacks, **(lacks or {})}))

    def draining(self) -> None:
        """Answer Drain: no connection is taken any more."""
        self._say(Draining())

    async def order(self) -> FromSupervisor:
        """What the supervisor wants; Stop when it is gone.

        A role that was told to stop has its last seconds, whatever it waits for.
        """
        received = await self._channel.receive()
        order, passed = (Stop(), []) if received is None else received
        if passed:
            self._log.redirect(*passed)  # it was rotated while old sessions go on
        if isinstance(order, Stop):
            last_seconds.begin()
            asyncio.get_running_loop().call_later(last_seconds.SECONDS - 1, self._say_what_is_awaited)
        return order

    def _say(self, frame: Ready | Draining) -> None:
        try:
            self._channel.send(frame)
        except ChannelClosed:
            return  # `order()` will say so

    def _say_what_is_awaited(self) -> None:
        """A second before the end by force: a log that names the culprit."""
        places = sorted(_innermost(task) for task in asyncio.all_tasks())
        self._log(Warned(f"watchdog timeout: told to stop, and still waiting at {', '.join(places)}"))
        self._log.flush()


async def serve_until_ordered(
    control: Control,
    listeners: Sequence[Listener],
    *,
    lacks: Mapping[str, str] | None = None,
    draining: Callable[[], None] | None = None,
) -> None:
    """Say that we are ready, and what the services lack; take connections until an order comes.

    Drain: after `draining` was called, the sessions go on to their end.
    """
    control.ready(lacks)
    order = await control.order()
    for listener in listeners:
        listener.stop()
    if isinstance(order, Drain):
        control.draining()
        if draining is not None:
            draining()
        await finish_sessions(control, listeners)
    for listener in listeners:
        listener.cancel()


async def finish_sessions(control: Control, listeners: Sequence[Listener]) -> bool:
    """After Drain: serve all sessions to their end; False if the supervisor says Stop before."""
    async with asyncio.TaskGroup() as tasks:
        stop = tasks.create_task(_as_task(control.order()))
        sessions = tasks.create_task(_all_finished(listeners))
        await asyncio.wait((sessions, stop), return_when=asyncio.FIRST_COMPLETED)
        finished = sessions.done()
        sessions.cancel()
        stop.cancel()
    return finished


async def _all_finished(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        await listener.finished()


def _innermost(task: "asyncio.Task[object]") -> str:
    """Where a task waits."""
    coroutine = task.get_coro()
    while inspect.iscoroutine(inner := getattr(coroutine, "cr_await", None)):
        coroutine = inner
    frame = getattr(coroutine, "cr_frame", None)
    return "an end" if frame is None else f"{frame.f_code.co_qualname}:{frame.f_lineno}"


Serve = Callable[[Control, LogFile], Awaitable[None]]
Open = Callable[[Startup], Serve]
"""Opens what needs rights; the result serves without them."""


def run_role(open_role: Open, startup: Startup) -> None:
    """The whole life of a role that has an event loop."""
    zygote = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the supervisor's business
    tell = open_log(startup)
    told: list[EventSink] = [tell]
    try:
        with unavailable_tables(lambda text: told[-1](Warned(text))) as lacks:
            serve = open_role(startup)
    except ConfigurationFault as fault:
        refuse(startup, tell, str(fault))
    tell_unavailable(lacks, tell)
    drop_rights(startup.user)
    last_seconds.begin_with_parents_end(zygote)
    freeze_memory()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(startup, serve, told, {name: reasons[0] for name, reasons in lacks.items()}))
        os._exit(0)  # nobody waits for threads: one may be asking a name server that does not answer


async def _serve(startup: Startup, serve: Serve, told: list[EventSink], lacks: Mapping[str, str]) -> None:
    loop = asyncio.get_running_loop()
    log = open_log(startup, schedule=loop.call_soon)
    told.append(log)
    tell_loop_mistakes(loop, log)
    channel: Channel[FromSupervisor] = Channel(socket.socket(fileno=startup.control), FromSupervisor)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(_as_task(serve(Control(channel, log, lacks=lacks), log)))
            waiting = tasks.create_task(stopped.wait())
            await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            waiting.cancel()
    finally:
        log.flush()


async def _as_task(work: Awaitable[object]) -> None:
    await work
