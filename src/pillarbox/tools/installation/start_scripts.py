"""The files that start commands: Python without what `site` does for any program, and without its own last looks.

DESCRIPTION
    A command is there some milliseconds sooner than by the files that pip writes, which load `site` and `re`.
    `python -m pillarbox.tools.installation.start_scripts` writes those of a checkout's environment anew.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import pillarbox

LONGEST: Final = 120
"""Octets that the kernel reads of the line that names an interpreter."""


def commands() -> dict[str, str]:
    """Command name → `module:function`, as the package declares them."""
    scripts = metadata.distribution("pillarbox").entry_points.select(group="console_scripts")
    return {script.name: script.value for script in scripts}


def start_script(interpreter: str, paths: Sequence[str], target: str) -> str:
    """The text of a file that starts a command.

    `paths`: directories with modules, besides those of the standard library; `target`: `module:function`.
    An interpreter that the kernel would not find by its first line, for its length or a blank in it, is started by
    sh(1), for which the next two lines are a command, and for Python a string.
    """
    module, _, function = target.partition(":")
    first = f"#!{interpreter} -IS"
    if len(os.fsencode(first)) > LONGEST or any(map(str.isspace, interpreter)):
        first = f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} -IS \"$0\" \"$@\"\n' '''"
    return (
        f"{first}\nimport sys\n\nsys.path += {list(paths)!r}\n"
        f"from pillarbox.tools import run_command\nfrom {module} import {function}\n\nrun_command({function})\n"
    )


def main() -> None:
    """Write them into the environment that runs this."""
    modules = [os.path.dirname(path) for path in pillarbox.__path__]
    paths = [*modules, *(path for path in sys.path if path.endswith("site-packages") and path not in modules)]
    for name, target in commands().items():
        text = start_script(sys.executable, paths, target)
        file = Path(sys.executable).with_name(name)
        file.write_text(text)
        file.chmod(0o755)


if __name__ == "__main__":
    main()
