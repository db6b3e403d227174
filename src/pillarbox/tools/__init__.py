"""Commands: a thin module for each, and what is alike in how they end.

Most are done within some hundredths of a second, which go into loading code: a sixth of it went into looking for
garbage among what was being loaded, and as much into looking for it once more before the end.  Taking the
interpreter to pieces takes two milliseconds more, in which nothing happens: `end` does without.
"""

import atexit
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TypeVar

    from _typeshed import ReadableBuffer

    Main = Callable[..., int]
    Entry = TypeVar("Entry", bound=Main)

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_LAST_STANDARD_STREAM = 2

gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
atexit.register(gc.freeze)


_unread: "set[Main]" = set()


def works_unread(main: "Entry") -> "Entry":
    """A command that does its work although nobody reads what it prints, as Dovecot's do."""
    _unread.add(main)
    return main


def run_command(main: "Callable[[], int]") -> "NoReturn":
    """Run a command to its end.

    When nobody reads what it prints (`postconf | head`), it ends by SIGPIPE, as a program does that does not look.
    When that cannot be written, it says so: exit status 1.  A standard stream that is closed is /dev/null.
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_missing_streams()
    faults = _watch_output(may_be_unread=main in _unread)
    try:
        try:
            status = main()
        except SystemExit as end_of_main:
            if isinstance(end_of_main.code, str):
                raise
            status = end_of_main.code or 0
        sys.stdout.flush()
    except BrokenPipeError:
        if not _is_unread():
            raise
        _end_unread()
    except OSError as error:
        if error not in faults:
            raise
        _end_unwritten(error)
    end(status)


def end(status: int) -> "NoReturn":
    """End the process, and at once if nothing is left to be done: what was printed is written out before.

    With threads, or when it cannot be written, as any program ends.
    """
    from _thread import _count as threads

    if not threads():
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):  # closed, gone, or never there
            sys.exit(status)
        import os

        os._exit(status & 0xFF)
    sys.exit(status)


def _open_missing_streams() -> None:
    """No file that the command opens may become a standard stream."""
    import os

    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD_STREAM:
        os.set_inheritable(descriptor, True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))


def _watch_output(*, may_be_unread: bool) -> "list[OSError]":
    """From now on, what write(2) to standard output says if it fails; what nobody may read is lost, no fault."""
    import io

    faults: list[OSError] = []

    class Output(io.FileIO):
        def write(self, data: "ReadableBuffer", /) -> int:
            try:
                return super().write(data)
            except BrokenPipeError:
                if not may_be_unread:
                    raise
                return memoryview(data).nbytes
            except OSError as error:
                faults.append(error)
                raise

    output = sys.stdout
    if isinstance(output, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(Output(output.fileno(), "wb", closefd=False)),
            output.encoding,
            output.errors,
            line_buffering=output.line_buffering,
        )
    return faults


def _is_unread() -> bool:
    import select

    poll = select.poll()
    poll.register(1, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _end_unread() -> "NoReturn":
    import os
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(1)  # it is blocked


def _end_unwritten(error: OSError) -> "NoReturn":
    import os

    program = os.path.basename(sys.argv[0]).removesuffix(".py")
    os.write(2, f"{program}: fatal: standard output: {error.strerror}\n".encode())
    os._exit(1)
