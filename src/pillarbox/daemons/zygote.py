"""The zygote of a half: the process that its roles are forked from, for they import nearly the same.

DESCRIPTION
    The supervisor imports the modules of the half's roles, once, before it knows anything, and forks the zygote,
    which waits for its orders.  For each role that it is asked for it forks a child, which the role's module then
    runs in, with the descriptors that came along.

    What a role is to know is in a file among them, which the child reads; the zygote knows names of modules only,
    and has nothing of a configuration, of a secret or of a user in its memory.  It parses nothing that a peer
    sends.  As long as it waits, nothing is written to the pages that it shares with the roles.

    Roles are its children: it tells the supervisor how each has ended, on the socket that came with the order.

    It ends when the channel to the supervisor does, or with the supervisor.  Roles whose zygote was killed have
    their last seconds, as if the supervisor was gone.

FAULTS
    A fork that fails is told in place of a process id.
"""

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

import msgspec

from pillarbox.daemons.startup import read_startup, tell_mistakes
from pillarbox.net.channel import receive_available
from pillarbox.net.command_line import show_command_line, show_name
from pillarbox.net.descriptors import allow_descriptors
from pillarbox.net.forks import die_with
from pillarbox.net.startup import MAX_PASSED, Fork

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The terminal's and the service manager's signals are the supervisor's and the roles' business."""
_NAMES: Final = {
    "auth_worker": "auth",
    "delivery": "local",
    "login": "imap-login",
    "quota_status": "quota-status",
    "spawner": "imap",
}
"""Roles that have other names than their modules: those of the programs whose work they do, or most of it."""
_prepared: Final[set[str]] = set()
_ORDER: Final = msgspec.msgpack.Decoder(Fork)


class _Child:
    """A role that runs, and where its end is told."""

    def __init__(self, pid: int, end: int, report: socket.socket) -> None:
        self.pid = pid
        self.end = end  # pidfd
        self.report = report


class Zygote:
    """The process."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}  # by pidfd
        self._passed: list[int] = []  # of an order that is not complete

    def serve(self) -> None:
        """Fork until the supervisor is gone."""
        self._selector.register(self._channel, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._channel:
                    self._tell_end(self._children.pop(key.fd))
                elif not self._take_order():
                    return

    def _take_order(self) -> bool:
        try:
            data, descriptors = receive_available(self._channel, most=MAX_PASSED)
        except ConnectionResetError:  # it is gone, and has not read that we are ready
            return False
        if not data:
            return False
        order = _ORDER.decode(data)
        self._passed += descriptors
        if not order.is_incomplete:
            passed, self._passed = self._passed, []
            self._fork(order, passed)
        return True

    def _fork(self, order: Fork, passed: list[int]) -> None:
        report = socket.socket(fileno=passed[0])
        try:
            pid = os.fork()
        except OSError as error:
            report.send(f"{error.strerror}\n".encode())
            report.close()
        else:
            if pid == 0:
                self._become(order, passed)
            end = os.pidfd_open(pid)
            self._children[end] = _Child(pid, end, report)
            self._selector.register(end, selectors.EVENT_READ)
            socket.send_fds(report, [b"%d\n" % pid], [end])
        for descriptor in passed[1:]:
            os.close(descriptor)

    def _tell_end(self, child: _Child) -> None:
        _, status = os.waitpid(child.pid, 0)
        self._selector.unregister(child.end)
        os.close(child.end)
        try:
            child.report.send(b"%d\n" % os.waitstatus_to_exitcode(status))
        except OSError:
            pass  # nobody asks
        child.report.close()

    def _become(self, order: Fork, passed: list[int]) -> NoReturn:
        """In the child: be the role, to its end."""
        status = 1
        startup = None
        try:
            for number in _IGNORED:
                signal.signal(
                    number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                )
            self._selector.close()
            self._channel.close()
            for child in self._children.values():
                os.close(child.end)
                child.report.close()
            os.close(passed[0])
            show_command_line([sys.orig_argv[0], "-I", "-m", order.module])
            module = order.module.rpartition(".")[2]
            show_name(_NAMES.get(module, module))
            startup = read_startup(passed[1], dict(zip(order.numbers, passed[2:], strict=True)))
            os.chdir(startup.directory)
            importlib.import_module(order.module).main(startup)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException as error:
            traceback.print_exc()
            if startup is not None and isinstance(error, Exception):
                tell_mistakes(startup, error)
        finally:
            os._exit(status)


def prepare(modules: Sequence[str]) -> None:
    """Have in memory what roles need, so that all share it: they copy whatever they write to.

    From here on the collector looks at none of it, and it has not looked before: code that is loaded is no garbage.
    The cache of attributes refers to names, which would be counted when others take their places there.

    A process that was forked from one that has prepared has nothing to do.
    """
    if _prepared.issuperset(modules):
        return
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.enable()
    _prepared.update(modules)
    if "ssl" in sys.modules:
        # OpenSSL looks for its algorithms when they are first wanted, and keeps what it has found.
        sys.modules["ssl"].SSLContext(sys.modules["ssl"].PROTOCOL_TLS_SERVER)
    gc.collect()
    gc.freeze()
    sys._clear_type_cache()


def serve(channel: socket.socket) -> None:
    """The zygote's life, in a process of its own that has prepared."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    allow_descriptors()
    show_command_line([sys.orig_argv[0], "-I", "-m", __spec__.name])
    show_name("zygote")
    channel.send(b"ready")
    Zygote(channel).serve()


def main() -> None:
    """Entry of one that is exec'd, because the one before was killed: `… FD MODULE…`."""
    parent = os.getppid()
    die_with(parent)
    prepare(sys.argv[2:])
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
