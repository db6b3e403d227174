"""One of our commands in a child of the test's process: a Python of its own would take longer than the command does.

Only where no other thread runs.
"""

import os
import sys
from collections.abc import Callable, Sequence
from subprocess import CompletedProcess
from tempfile import TemporaryFile


def run_forked(
    main: Callable[[list[str]], int],
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    directory: str = "",
    **environment: str,
) -> CompletedProcess[bytes]:
    """What `main`, a command's entry, does with these arguments; `environment` is added to ours."""
    with TemporaryFile() as given, TemporaryFile() as said, TemporaryFile() as complained:
        given.write(stdin)
        given.seek(0)
        pid = os.fork()
        if not pid:
            try:
                for number, file in enumerate((given, said, complained)):
                    os.dup2(file.fileno(), number)
                sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
                os.environ |= environment
                if directory:
                    os.chdir(directory)
                os._exit(_status(main, list(arguments)))
            finally:
                os._exit(99)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        complained.seek(0)
        return CompletedProcess(list(arguments), status, said.read(), complained.read())


def _status(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Of the command, which may end by sys.exit() as well."""
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    return status
