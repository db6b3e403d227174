"""The command line of postmap and postalias, and what main.cf says to it.

FAULTS
    Stop    a wrong option, a configuration that cannot be read: `postmap: fatal: …` and exit status 1
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.net.system_clock import SystemClock
from pillarbox.tables.indexed_table import Nulls
from pillarbox.tables.table import Opening
from pillarbox.tools.command_line import parsed_options
from pillarbox.tools.command_settings import Stop, read_settings, tell

_ONE_OF: Final = "specify only one of -s -q or -d"

Entries = Callable[..., Iterator[tuple[int, str, str]]]


class Command(msgspec.Struct, frozen=True):
    """What postmap and postalias do not have in common."""

    program: str
    letters: str
    usage: str
    entries: Entries  # how a source is read
    key_end: str  # what follows a key that is printed
    signs_aliases: bool = False  # `@:@` and the NIS keys at the end


class Duplicates(msgspec.Struct, frozen=True):
    """What becomes of a key that is there already."""

    replace: bool = False
    warn: bool = True


class Request(msgspec.Struct, kw_only=True):
    """A parsed command line."""

    command: Command
    query: str | None = None
    delete: str | None = None
    sequence: bool = False
    incremental: bool = False
    duplicates: Duplicates = Duplicates()
    fold: bool = True
    files: bool = False  # values name files
    nulls: Nulls = Nulls.EITHER
    as_owner: bool = True
    copy_mode: bool = True
    utf8: bool = True
    header: bool = False
    body: bool = False
    mime: bool = False
    verbose: bool = False
    names: list[str] = []
    myhostname: str = ""
    header_size_limit: int = 102400  # octets of a field of a message that is asked for

    def warn(self, text: str) -> None:
        """A warning on standard error, after what was printed before it."""
        tell(self.command.program, f"warning: {text}")

    def tell(self, text: str) -> None:
        """A line of -v."""
        if self.verbose:
            print(f"{self.command.program}: {text}", file=sys.stderr)

    def opening(self) -> Opening:
        """How tables are opened; the messages name no place."""
        return Opening(
            where="", clock=SystemClock(), warn=self.warn, utf8=self.utf8, fold=self.fold, files=self.files
        )


def parse_request(command: Command, argv: list[str]) -> Request:
    """The request of a command line, with main.cf read."""
    given, names = parsed_options(command.program, argv, command.letters, usage=command.usage)
    request = Request(command=command)
    directory, force_utf8, no_utf8 = "", False, False
    for letter, value in given:
        match letter:
            case "-c":
                directory = value
            case "-U":
                force_utf8 = True
            case "-u":
                no_utf8 = True
            case "-q" | "-d" | "-s":
                _set_action(request, letter, value)
            case _:
                _SETTERS[letter](request)
    snapshot = read_settings(directory)
    request.utf8 = snapshot.group(SmtpServer).smtputf8_enable and not no_utf8
    request.myhostname = snapshot.group(Identity).myhostname
    request.header_size_limit = snapshot.group(Cleanup).header_size_limit
    _check_message_options(request)
    if (request.header or request.body) and not force_utf8:
        request.utf8 = False
    kind = snapshot.group(LocalRecipients).default_database_type
    request.names = [name if ":" in name else f"{kind}:{name}" for name in names]
    if not names and not request.sequence:
        raise Stop(command.usage)
    return request


def _set_action(request: Request, letter: str, value: str) -> None:
    taken = request.query is not None or request.delete is not None
    if letter == "-s":
        if taken:
            raise Stop("specify only one of -s or -q or -d")
        request.sequence = True
        return
    if taken or request.sequence:
        raise Stop(_ONE_OF)
    if letter == "-q":
        request.query = value
    else:
        request.delete = value


def _check_message_options(request: Request) -> None:
    if (request.header or request.body or request.mime) and request.query != "-":
        raise Stop('specify -b -h or -m only with "-q -"')
    if request.mime and not (request.header or request.body):
        request.warn("ignoring -m option without -b or -h")


_SETTERS: Final[dict[str, Callable[[Request], None]]] = {
    "-F": lambda request: setattr(request, "files", True),
    "-N": lambda request: setattr(request, "nulls", Nulls.WITH),
    "-b": lambda request: setattr(request, "body", True),
    "-f": lambda request: setattr(request, "fold", False),
    "-h": lambda request: setattr(request, "header", True),
    "-i": lambda request: setattr(request, "incremental", True),
    "-m": lambda request: setattr(request, "mime", True),
    "-n": lambda request: setattr(request, "nulls", Nulls.WITHOUT),
    "-o": lambda request: setattr(request, "as_owner", False),
    "-p": lambda request: setattr(request, "copy_mode", False),
    "-r": lambda request: setattr(request, "duplicates", Duplicates(replace=True, warn=False)),
    "-v": lambda request: setattr(request, "verbose", True),
    "-w": lambda request: setattr(request, "duplicates", Duplicates(warn=False)),
}
