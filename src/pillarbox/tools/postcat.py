"""postcat(1): show the content of queue files.

DESCRIPTION
    postcat [-bdefhorv] [-s offset] [-c config_dir] [file …]
    postcat -q [-bdefhorv] [-s offset] [-c config_dir] queue_id …

    -e  the envelope        -d  the decimal type of each record     -q  names are queue ids
    -h  the header          -o  the offset of each record           -r  with -v: records in file order
    -b  the body            -f  the file name before each line      -s  begin at this offset
    -v  pointers and padding too, text with the names of its records

    Without -e, -h and -b all three are shown; without files, standard input.  -c or MAIL_CONFIG names the
    configuration directory; of its main.cf only queue_directory and the hashing of queues matter here.

FAULTS
    exit 1, with `postcat: fatal: …` on standard error: bad options, a file that cannot be opened, an id that
    no queue has, records that cannot be read.  `postcat: warning: …` leaves the exit status at 0.
"""

import getopt
import os
import sys
from typing import Final

from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.reading import read_configuration
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_ids import is_queue_id
from pillarbox.tools import run_command
from pillarbox.tools.postcat_listing import Listing, Options, Unreadable
from pillarbox.tools.wrong_options import complaint
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.identifiers import QueueId

_DEFAULT_DIRECTORY: Final = "/etc/postfix"
_QUEUES: Final = ("maildrop", "incoming", "active", "deferred", "hold", "saved")
_USAGE: Final = (
    "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] "
    "[-h (header text)] [-q (access queue)] [-v] [file(s)...]"
)


class Stop(Exception):
    """`postcat: fatal: …` and exit status 1."""


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="surrogateescape")
    try:
        _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.buffer.flush()
    except Stop as stop:
        return _fatal(str(stop))
    except Unreadable as unreadable:
        warning, fatal = unreadable.args
        sys.stdout.buffer.flush()
        print(f"postcat: warning: {warning}", file=sys.stderr)
        return _fatal(fatal)
    except ConfigurationFault as fault:
        return _fatal(f"{fault.where}: {fault.what}" if fault.where else fault.what)
    return 0


def _fatal(text: str) -> int:
    sys.stdout.buffer.flush()
    print(f"postcat: fatal: {text}", file=sys.stderr)
    return 1


def _run(argv: list[str]) -> None:
    try:
        given, names = getopt.getopt(argv, "bc:defhoqrs:v")
    except getopt.GetoptError as error:
        print(f"postcat: {complaint(error)}", file=sys.stderr)
        raise Stop(_USAGE) from error
    letters = {letter for letter, _value in given}
    directories = [value for letter, value in given if letter == "-c"]
    options = _options(letters, [value for letter, value in given if letter == "-s"])
    queue = _queue(directories)
    if not names:
        _show(_skip(sys.stdin.buffer.read(), options.start), b"stdin", options)
    for name in names:
        if "-q" in letters:
            path = _find(queue, name)
            _show(_read(os.path.join(queue.root, path)), os.fsencode(path), options)
        else:
            _show(_read(name), os.fsencode(name), options)


def _options(letters: set[str], starts: list[str]) -> Options:
    start = 0
    for text in starts:
        try:
            start = decimal(os.fsencode(text), max_digits=18)
        except ValueError as error:
            raise Stop(f"bad offset: {text}") from error
    everything = not letters & {"-e", "-h", "-b"}
    return Options(
        envelope=everything or "-e" in letters,
        header=everything or "-h" in letters,
        body=everything or "-b" in letters,
        decimal_types="-d" in letters,
        offsets="-o" in letters,
        file_names="-f" in letters,
        raw="-r" in letters,
        verbose="-v" in letters,
        start=start,
    )


def _queue(directories: list[str]) -> QueueDirectories:
    """The queue of the configuration; a directory that was named must have a main.cf."""
    named = directories[-1] if directories else os.environ.get("MAIL_CONFIG")
    directory = named or _DEFAULT_DIRECTORY
    main_cf = os.path.join(directory, "main.cf")
    if named is not None and not os.path.lexists(main_cf):
        raise Stop(f"open {main_cf}: No such file or directory")
    snapshot = read_configuration(directory, facts=host_facts()).snapshot
    manager = snapshot.group(QueueManager)
    return QueueDirectories(
        snapshot.group(Paths).queue_directory,
        hashed=manager.hash_queue_names,
        depth=manager.hash_queue_depth,
    )


def _find(queue: QueueDirectories, name: str) -> str:
    """The path below queue_directory.  A message may move while we look, so we look twice."""
    if not is_queue_id(name):
        raise Stop(f"bad mail queue ID: {name}")
    for directory in _QUEUES * 2:
        path = queue.path(directory, QueueId(name))
        if os.path.lexists(path):
            return os.path.relpath(path, queue.root)
    raise Stop(f"open queue file {name}: No such file or directory")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Stop(f"open {path}: {error.strerror}") from error


def _skip(data: bytes, octets: int) -> bytes:
    if len(data) < octets:
        raise Stop(f"stdin: skip {octets} bytes failed after {len(data)}")
    return data


def _show(data: bytes, name: bytes, options: Options) -> None:
    Listing(data, name, options, write=sys.stdout.buffer.write).show()


if __name__ == "__main__":
    run_command(main)
