"""postmulti(1): several instances of the MTA on one host, started, stopped, listed, made and taken away.

DESCRIPTION
    postmulti -l [-aR] [-g group] [-i name]                 list them: name, group, on or off, directory
    postmulti -p [-a] [-g group] [-i name] command …        do a command of postfix(1) for each
    postmulti -x [-aR] [-g group] [-i name] command …       do any command for each
    postmulti -e action [-a] [-g group] [-i name] [-G group] [-I name] [name=value …]

    Actions: init, create, import, destroy, deport, enable, disable, assign (instance_changes.py).  The primary
    instance is the one in /etc/postfix; its main.cf lists the others.

    -a  all (what is meant without -g and -i, too)   -g  those of a group   -i  the one of a name or directory
    -R  in reverse order                             -v  is taken, and passed on as MAIL_VERBOSE

    A command that stops goes in reverse order.  An instance that is off is checked where others are started, and
    left out where others are stopped or reloaded.  Commands find MAIL_CONFIG in their environment, and those of -x
    also config_directory, queue_directory, data_directory, command_directory, daemon_directory,
    multi_instance_name, multi_instance_group and multi_instance_enable.

FAULTS
    exit 1 for wrong use, or if a command failed for an instance; a line in the log and on standard error says why
"""

import getopt
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.config.parameters.instances import Instances
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import Stop, read_settings
from pillarbox.tools.instance_changes import ACTIONS, ASSIGNING, MAKING, Assignment, Changes
from pillarbox.tools.managed_instances import ManagedInstance, ManagedInstances, Selection
from pillarbox.tools.system_log import SystemLog

_PROGRAM: Final = "postmulti"
_DIRECTORY: Final = "/etc/postfix"
_USAGE: Final = (
    "Usage:postmulti -l [-v] [-a] [-g group] [-i instance] | "
    "postmulti -p [-v] [-a] [-g group] [-i instance] command... | "
    "postmulti -x [-v] [-a] [-i name] [-g group] command... | "
    "postmulti -e action [-v] [-a] [-i name] [-g group] [-I name] [-G group] [param=value ...]"
)


class Request(msgspec.Struct):
    """What the command line asks for.  `mode` is -l, -p, -x, or one of the actions."""

    modes: list[str] = []
    selection: Selection = Selection()
    selections: int = 0
    name: str | None = None
    group: str | None = None
    reverse: bool = False
    verbose: bool = False
    words: list[str] = []

    @property
    def mode(self) -> str:
        """The one thing to do."""
        return self.modes[0]

    @property
    def edits(self) -> bool:
        """Whether it is an action of -e."""
        return self.mode in ACTIONS


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    os.umask(0o022)
    snapshot = None
    try:
        snapshot = read_settings("")
        named = os.environ.get("MAIL_CONFIG", _DIRECTORY)
        if named != _DIRECTORY:
            raise Stop(f"Non-default configuration directory: MAIL_CONFIG={named}")
        request = _parse(sys.argv[1:] if argv is None else argv)
        _check(request)
        return _run(request, snapshot)
    except Stop as stop:
        SystemLog(snapshot, program=_PROGRAM, label=_PROGRAM, tag=_PROGRAM).refuse(str(stop))
        return stop.status


# -- the command line ------------------------------------------------------------------------------------


def _parse(argv: list[str]) -> Request:
    try:
        options, words = getopt.getopt(argv, "ae:g:i:G:I:lpRvx")
    except getopt.GetoptError as error:
        raise Stop(_USAGE) from error
    request = Request(words=words)
    for option, value in options:
        match option:
            case "-e":
                _add_mode(request, _action(value))
            case "-l" | "-p" | "-x":
                _add_mode(request, option)
            case "-a":
                request.selections += request.selection.kind != "all"
                request.selection = Selection("all")
            case "-g":
                request.selections += 1
                request.selection = Selection("group", value)
            case "-i":
                request.selections += 1
                request.selection = Selection("name", value)
            case "-I":
                request.name = _once(option, request.name, value)
            case "-G":
                request.group = _once(option, request.group, value)
            case "-R":
                request.reverse = not request.reverse
            case _:
                request.verbose = True
    return request


def _action(text: str) -> str:
    if text not in ACTIONS:
        *most, last = (f"'{action}'" for action in ACTIONS)
        raise Stop(f"Invalid '-e' edit action '{text}'. Specify {', '.join(most)} or {last}")
    return text


def _add_mode(request: Request, mode: str) -> None:
    if not request.modes or request.modes[-1] != mode:
        request.modes.append(mode)


def _once(option: str, before: str | None, value: str) -> str:
    if before is not None:
        raise Stop(f"Specify at most one '{option}' option")
    return "" if value == "-" else value


def _check(request: Request) -> None:
    """What does not go together."""
    if request.selections > 1:
        raise Stop("Specity no more than one of '-a', '-g', '-i'")  # as Postfix spells it
    if len(request.modes) != 1:
        raise Stop("Specify exactly one of '-e', '-l', '-p', '-x'")
    mode, assigns = request.mode, request.name is not None or request.group is not None
    if mode == "-l" and request.words:
        raise Stop("Command not allowed with '-l'")
    if mode in ("-p", "-x") and not request.words:
        raise Stop("Command required with '-p' or '-x' option")
    if request.reverse and mode not in ("-l", "-x"):
        raise Stop("The '-p' and '-e' options preclude the use of '-R'")
    if assigns and mode not in ASSIGNING:
        how = f"with '-e {mode}'" if request.edits else "without '-e assign'"
        raise Stop(f"Cannot assign instance name or group {how}")
    if mode == "assign" and not assigns:
        raise Stop("Specify new instance name or group with '-e assign'")
    if request.edits and request.words and mode not in MAKING:
        raise Stop(f"Parameter overrides not valid with '-e {mode}'")


# -- what is done ----------------------------------------------------------------------------------------


def _run(request: Request, snapshot: Snapshot) -> int:
    if request.edits:
        changes = Changes(snapshot, verbose=request.verbose)
        assignment = Assignment(request.name, request.group)
        return changes.make(request.mode, request.selection, assignment, request.words)
    instances = ManagedInstances(snapshot).all
    if request.selection.kind == "none":
        request.selection = Selection("all")
    if request.mode == "-l":
        _list(request, instances)
        return 0
    if request.mode == "-p":
        return _postfix(request, snapshot, instances)
    return _any_command(request, snapshot, instances)


def _list(request: Request, instances: list[ManagedInstance]) -> None:
    for instance in _in_order(request.selection, instances, reverse=request.reverse):
        enabled = "y" if instance.enabled else "n"
        print(
            f"{instance.name or '-':<15} {instance.group or '-':<15} {enabled:<9} {instance.config_directory}"
        )


def _postfix(request: Request, snapshot: Snapshot, instances: list[ManagedInstance]) -> int:
    settings = snapshot.group(Instances)
    command = request.words[0]
    starts = command in settings.postmulti_start_commands
    stops = not starts and command in settings.postmulti_stop_commands
    skips = stops or (not starts and command in settings.postmulti_control_commands)
    chosen = _in_order(request.selection, instances, reverse=stops)
    if skips:
        chosen = [instance for instance in chosen if instance.enabled]
    status = 0
    for instance in _some(chosen):
        words = ["check", *request.words[1:]] if starts and not instance.enabled else request.words
        program = [sys.executable, "-I", "-m", "pillarbox.tools.postfix"]
        environment = _environment(request, {"MAIL_CONFIG": instance.config_directory})
        if subprocess.run([*program, "--", *words], env=environment, check=False).returncode:
            status = 1
    return status


def _any_command(request: Request, snapshot: Snapshot, instances: list[ManagedInstance]) -> int:
    paths = snapshot.group(Paths)
    status = 0
    for instance in _some(_in_order(request.selection, instances, reverse=request.reverse)):
        environment = _environment(
            request,
            {
                "MAIL_CONFIG": instance.config_directory,
                "PATH": _path(paths.command_directory),
                "command_directory": paths.command_directory,
                "daemon_directory": snapshot.value("daemon_directory"),
                "config_directory": instance.config_directory,
                "queue_directory": instance.queue_directory,
                "data_directory": instance.data_directory,
                "multi_instance_name": instance.name,
                "multi_instance_group": instance.group,
                "multi_instance_enable": "yes" if instance.enabled else "no",
            },
        )
        status |= _command(request.words, environment, snapshot)
    return status


def _command(words: Sequence[str], environment: dict[str, str], snapshot: Snapshot) -> int:
    """Run a command that is looked for in the PATH of its own environment."""
    try:
        program = next(
            path
            for directory in environment["PATH"].split(":")
            if os.access(path := os.path.join(directory, words[0]), os.X_OK) and os.path.isfile(path)
        )
        done = subprocess.run(words, executable=program, env=environment, check=False)
    except (StopIteration, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "No such file or directory"
        log = SystemLog(snapshot, program=_PROGRAM, label=_PROGRAM, tag=_PROGRAM)
        log.refuse(f"execvp {words[0]}: {reason}")
        return 1
    return int(done.returncode != 0)


def _environment(request: Request, values: dict[str, str]) -> dict[str, str]:
    sys.stdout.flush()
    return {**os.environ, **({"MAIL_VERBOSE": ""} if request.verbose else {}), **values}


def _path(command_directory: str) -> str:
    """PATH with commands of the MTA first: those beside this one, which may not be in command_directory."""
    own = os.path.dirname(os.path.abspath(sys.argv[0]))
    first = [own] if os.path.exists(f"{own}/{_PROGRAM}") and not own == command_directory else []
    return ":".join([*first, command_directory, os.environ.get("PATH") or "/usr/bin:/bin:/usr/sbin:/sbin"])


def _in_order(
    selection: Selection, instances: list[ManagedInstance], *, reverse: bool
) -> list[ManagedInstance]:
    chosen = [instance for instance in instances if selection.matches(instance)]
    return chosen[::-1] if reverse else chosen


def _some(chosen: list[ManagedInstance]) -> list[ManagedInstance]:
    if not chosen:
        raise Stop("No matching instances")
    return chosen


if __name__ == "__main__":
    run_command(main)
