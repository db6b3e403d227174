"""qshape(1): which domains the queue waits for, and since when.

DESCRIPTION
    qshape [-s] [-p] [-m min_subdomains] [-b bucket_count] [-t bucket_time] [-l] [-w terminal_width]
           [-N batch_msg_count] [-n batch_top_domains] [-c config_directory] [queue_name …]

    -s  senders' domains        -p  parent domains, too, with -m subdomains or more (5)
    -b  number of buckets (10)  -t  minutes of the first one (5)       -l  buckets of equal size
    -w  columns, if more than 80

    Without names the queues incoming and active are counted.  On a terminal the table is drawn again after -N
    messages (1000) with the -n largest domains (20).

FAULTS
    exit 255  bad options; 1  main.cf cannot be read
    A queue that is not there is told of, and counts nothing.
"""

import getopt
import os
import stat
import sys
from collections.abc import Iterator
from typing import Final

from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.maildrop import is_put_back
from pillarbox.queue.queue_directories import READY
from pillarbox.queue.queue_file import QueueMessage, read_message
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.queue.queue_shape import QueueShape, ShapeRules
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.tools import run_command
from pillarbox.tools.command_settings import Stop, fatal, read_settings, tell
from pillarbox.vocabulary.digits import is_decimal_text

_PROGRAM: Final = "qshape"
_USAGE: Final = (
    "usage: qshape [-s (senders)] [-p (parent domains)] [-m min_subdomains] [-l (linear)] [-b bucket_count] "
    "[-t bucket_time] [-w terminal_width] [-N batch_msg_count] [-n batch_top_domains] [-c config_directory] "
    "[queue_name...]"
)
_BAD_USE: Final = 255
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CLEAR: Final = "\x1b[H\x1b[2J"


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except Stop as stop:
        return fatal(_PROGRAM, stop)
    return 0


def _run(argv: list[str]) -> None:
    try:
        given, names = getopt.getopt(argv, "lhc:psw:b:t:m:n:N:")
    except getopt.GetoptError as error:
        tell(_PROGRAM, f"Unknown option: {error.opt}")
        raise Stop(_USAGE, _BAD_USE) from error
    options = dict(given)
    if "-h" in options:
        raise Stop(_USAGE, _BAD_USE)
    rules = ShapeRules(
        buckets=_number(options, "-b") or 10,
        first=_number(options, "-t") or 5,
        linear="-l" in options,
        parents="-p" in options,
        least_subdomains=_number(options, "-m") or 5,
        width=max(80, _number(options, "-w")),
    )
    is_terminal = sys.stdout.isatty()
    batch = (_number(options, "-N") if "-N" in options else 1000) if is_terminal else 0
    top = (_number(options, "-n") if "-n" in options else 20) if is_terminal else 0
    shape = QueueShape(rules)
    now = SystemClock().now()
    for count, (message, written) in enumerate(_messages(_places(names, options.get("-c", ""))), 1):
        addresses = [message.sender] if "-s" in options else [one.address for one in message.to_do]
        age = now - (message.arrival_time or written)
        shape.add((address.decode("utf-8", "replace") for address in addresses), age=age)
        if batch and count % batch == 0:
            print(_CLEAR, end="")
            _draw(shape, top)
    if batch:
        print(_CLEAR, end="")
    _draw(shape, top)


def _draw(shape: QueueShape, top: int) -> None:
    for line in shape.table(top=top):
        print(line)


def _number(options: dict[str, str], letter: str) -> int:
    text = options.get(letter, "0")
    if not (is_decimal_text(text, max_digits=9)):
        raise Stop(f"option {letter} needs a number, not {text}", _BAD_USE)
    return int(text)


def _places(names: list[str], directory: str) -> list[str]:
    """The directories; main.cf is read if a name is relative to the queue."""
    names = names or ["incoming", "active"]
    if all(name.startswith("/") for name in names):
        return names
    root = read_settings(directory).value("queue_directory")
    return [os.path.join(root, name) for name in names]


def _messages(places: list[str]) -> Iterator[tuple[QueueMessage, float]]:
    """Messages with recipients who have not got them, and when their files were written."""
    for place in places:
        if not os.path.lexists(place):
            tell(_PROGRAM, f"Can't stat {os.path.basename(place)}: No such file or directory")
        maildrop = os.path.basename(place) == "maildrop"
        for directory, _, files in os.walk(place):
            for name in files:
                if is_queue_id(name):
                    found = _read(os.path.join(directory, name), maildrop=maildrop)
                    if found is not None and found[0].to_do:
                        yield found


def _read(path: str, *, maildrop: bool) -> tuple[QueueMessage, float] | None:
    """None for files that are being written, that went on meanwhile, or that are damaged."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & READY != READY:
            return None
        by_user = maildrop and not is_put_back(status, os.stat(os.path.dirname(path)).st_uid)
        message = read_message(FileSource(descriptor), maildrop=maildrop, by_user=by_user)
        return message, status.st_mtime
    except (CorruptQueueFile, OSError):
        return None
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    run_command(main)
