"""postsuper(1): change the queue: delete, hold, release, requeue, expire messages; put it in order.

DESCRIPTION
    postsuper [-psSv] [-c config_dir] [-d id] [-e id] [-f id] [-h id] [-H id] [-r id] [queue …]

    -d  delete          -h  put on hold        -r  submit again, through maildrop
    -e  expire          -H  release from hold  -f  expire, and release from hold
    -s -S  move and rename files that are in the wrong place      -p  remove what was begun and is a week old

    An id may be ALL (in capitals), or `-`: ids are read from standard input, one a line.  Without options -s and -p
    are meant.  Queues restrict what is looked at: maildrop incoming active deferred hold, and the logs bounce defer
    trace flush.

    All is done with the rights of mail_owner, to whom the queue belongs: a link that leads out of it leads root
    nowhere.

    Options are carried out in their order; messages that are named are told of one by one, then all are counted.

FAULTS
    exit 1, with `postsuper: fatal: …`: not root, wrong use, a queue that cannot be changed
"""

import os
import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.net.rights import become
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.message_actions import (
    ALL_QUEUES,
    DELETE,
    EXPIRE,
    HOLD,
    RELEASE,
    REQUEUE,
    Action,
    MessageActions,
)
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.queue_repair import QueueRepair
from pillarbox.supervisor.host_values import mail_owner
from pillarbox.tools import run_command
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import Stop, queue_of, read_settings, tell
from pillarbox.tools.system_log import SystemLog
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.identifiers import QueueId

_PROGRAM: Final = "postsuper"
_USAGE: Final = (
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or "
    "un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] "
    "[-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
_ACTIONS: Final[dict[str, tuple[Action, ...]]] = {
    "-d": (DELETE,),
    "-e": (EXPIRE,),
    "-f": (EXPIRE, RELEASE),
    "-h": (HOLD,),
    "-H": (RELEASE,),
    "-r": (REQUEUE,),
}
_COUNTED: Final = {
    REQUEUE.done: "Requeued",
    DELETE.done: "Deleted",
    EXPIRE.done: "Force-expired",
    HOLD.done: "Placed on hold",
    RELEASE.done: "Released from hold",
}
_RENAMED: Final = "QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS"


class Renamed(Exception):
    """The ids of the command line may be those of other messages now."""


_LOOKED_INTO: Final = ("defer", "bounce", "maildrop", "incoming", "active", "deferred", "hold", "flush")
"""In this order."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    log: SystemLog | None = None
    try:
        if os.getuid() != 0:
            raise Stop("use of this command is reserved for the superuser")
        given, queues = parsed_options(
            _PROGRAM, sys.argv[1:] if argv is None else argv, "c:d:e:f:h:H:pr:sSv", usage=_USAGE
        )
        directory = next((value for letter, value in given if letter == "-c"), "")
        if directory and not directory.startswith("/"):
            raise Stop("-c requires absolute pathname")
        for queue in queues:
            if queue not in ALL_QUEUES:
                raise Stop(f"invalid directory name: {queue}")
        snapshot = read_settings(directory)
        log = SystemLog(snapshot, program=_PROGRAM, label=_PROGRAM, shows_all=True)
        directories = queue_of(snapshot)
        owner = mail_owner(snapshot)
        become(owner.pw_uid, owner.pw_gid)
        if all(value == "ALL" for letter, value in given if letter in _ACTIONS):
            _look_into_directories(directories.root, queues)
        work = _Work(
            log,
            MessageActions(directories, clock=SystemClock(), warn=log.caution),
            QueueRepair(
                directories,
                long_ids=snapshot.group(QueueManager).enable_long_queue_ids,
                clock=SystemClock(),
                warn=log.caution,
            ),
            queues,
        )
        work.run(given)
    except Renamed:
        tell(_PROGRAM, f"error: {_RENAMED}")
        status = _fatal(log, "CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND")
        tell(_PROGRAM, "warning: OPERATION INCOMPLETE -- RERUN COMMAND TO FIX THE QUEUE FIRST")
        return status
    except (Stop, ConfigurationFault) as stop:
        return _fatal(log, str(stop))
    except OSError as error:
        return _fatal(log, f"{error.filename or 'the queue'}: {error.strerror}")
    return 0


def _look_into_directories(root: str, queues: list[str]) -> None:
    """Stop if one that all messages of are wanted of is not there."""
    for name in _LOOKED_INTO:
        if queues and name not in queues:
            continue
        try:
            os.scandir(os.path.join(root, name)).close()
        except OSError as error:
            raise Stop(f"scan_dir_push: open directory {name}: {error.strerror}") from error


def _fatal(log: SystemLog | None, text: str) -> int:
    if log is not None:
        log.refuse(text)
    else:
        tell(_PROGRAM, f"fatal: {text}")
    return 1


class _Work:
    """What the options ask for."""

    def __init__(
        self, log: SystemLog, actions: MessageActions, repair: QueueRepair, queues: list[str]
    ) -> None:
        self._log = log
        self._actions = actions
        self._repair = repair
        self._queues = queues
        self._counts: dict[str, int] = {}

    def run(self, given: list[tuple[str, str]]) -> None:
        """Carry out everything, then count."""
        wanted = [(letter, value) for letter, value in given if letter in _ACTIONS]
        letters = {letter for letter, _ in given}
        structure = bool(letters & {"-s", "-S"})
        purge = "-p" in letters
        if not wanted and not structure and not purge:
            structure = purge = True
        if structure or purge:
            renamed = self._repair.run(self._queues, structure=structure, purge=purge)
            if renamed:
                self._renamed(renamed, others=bool(wanted))
        for letter, name in wanted:
            for action in _ACTIONS[letter]:
                self._counts.setdefault(action.done, 0)
            for queue_id in _names(name, self._log):
                self._act(_ACTIONS[letter], queue_id)
        for done, heading in _COUNTED.items():
            if done in self._counts:
                self._log.note(f"{heading}: {_messages(self._counts[done])}")

    def _act(self, actions: tuple[Action, ...], queue_id: str) -> None:
        for turn, action in enumerate(actions):
            if queue_id == "ALL":
                self._counts[action.done] += self._actions.all(action, self._queues, quiet=turn > 0)
            elif self._actions.one(action, QueueId(queue_id), self._queues):
                self._counts[action.done] += 1
                self._log.note(f"{queue_id}: {action.done}")

    def _renamed(self, count: int, *, others: bool) -> None:
        if others:
            raise Renamed
        self._log.note(f"Renamed to match inode number: {_messages(count)}")
        self._log.caution(_RENAMED)


def _names(name: str, log: SystemLog) -> Iterator[str]:
    """The ids that an option's argument stands for."""
    lines = (line.removesuffix("\n") for line in sys.stdin) if name == "-" else iter((name,))
    for line in lines:
        if line == "ALL" or is_queue_id(line):
            yield line
        else:
            log.caution(f"invalid mail queue id: {line}")


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


if __name__ == "__main__":
    run_command(main)
