"""One of our commands in the test's own process, beside whatever threads the test has."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from types import SimpleNamespace

import pytest


def run_here(
    main: Callable[[list[str]], int],
    arguments: Sequence[str],
    *,
    directory: Path,
    stdin: str = "",
    **environment: str,
) -> CompletedProcess[bytes]:
    """What `main`, a command's entry, does with these arguments in a directory; `environment` is added to ours."""
    out, errors = SimpleNamespace(buffer=io.BytesIO(), flush=lambda: None), io.StringIO()
    with TemporaryFile("w+") as given, pytest.MonkeyPatch.context() as context:
        given.write(stdin)
        given.seek(0)
        context.chdir(directory)
        for name, value in environment.items():
            context.setenv(name, value)
        context.setattr("sys.stdin", given)
        context.setattr("sys.stdout", out)
        context.setattr("sys.stderr", errors)
        status = main(list(arguments))
    return CompletedProcess(
        list(arguments), status, out.buffer.getvalue(), errors.getvalue().encode(errors="surrogateescape")
    )
