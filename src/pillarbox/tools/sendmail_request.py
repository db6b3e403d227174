"""The command line of sendmail(1).

DESCRIPTION
    Options that sendmail programs have had over forty years are known; those that say nothing to us are taken and
    ignored, as Postfix does it.  The first word that is no option ends the options.

FAULTS
    Stop   `sendmail: fatal: …`, or mailq or newaliases, and exit status 75, as Postfix's

STANDARDS
    Postfix sendmail(1)
"""

import os
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from pillarbox.tools.command_settings import EX_TEMPFAIL, Stop, tell
from pillarbox.vocabulary.envelope import Notify, Ret

_WITHOUT_ARGUMENT: Final = frozenset("GIUcimntvx")
_WITH_ARGUMENT: Final = frozenset("ABCFLNORVXbefhopqr")
_OPTIONAL_ARGUMENT: Final = frozenset("q")
_LONGEST_ENVELOPE_ID: Final = 100
_DELIMITERS: Final = 2


class Mode(Enum):
    """What is to be done."""

    SUBMIT = auto()
    LIST_QUEUE = auto()  # -bp, mailq
    NEW_ALIASES = auto()  # -bi, -I, newaliases
    SMTP = auto()  # -bs
    DAEMON = auto()  # -bd, -bl
    FLUSH = auto()  # -q
    NOTHING = auto()  # -bh, -q15m


_NO_RECIPIENT: Final = {
    Mode.LIST_QUEUE: "display queue mode requires no recipient",
    Mode.FLUSH: "flush queue mode requires no recipient",
    Mode.DAEMON: "daemon mode requires no recipient",
    Mode.NEW_ALIASES: "alias initialization mode requires no recipient",
    Mode.SMTP: "stand-alone mode requires no recipient",
}
_MODES: Final = {
    "d": Mode.DAEMON,
    "h": Mode.NOTHING,
    "H": Mode.NOTHING,
    "i": Mode.NEW_ALIASES,
    "l": Mode.DAEMON,
    "m": Mode.SUBMIT,
    "p": Mode.LIST_QUEUE,
    "s": Mode.SMTP,
    "v": Mode.SUBMIT,
}


class Request(msgspec.Struct, kw_only=True):
    """A parsed command line."""

    program: str = "sendmail"  # the name by which it was called
    mode: Mode = Mode.SUBMIT
    recipients: list[str] = []
    sender: str | None = None  # -f; None: whoever calls
    full_name: str | None = None  # -F
    config: str = ""  # -C: the directory of main.cf
    alias_database: str = ""  # -oA
    from_header: bool = False  # -t
    dots_are_text: bool = False  # -i
    remote: bool = False  # -G
    verify_only: bool = False  # -bv
    report: bool = False  # -v
    notify: Notify = Notify.DEFAULT
    ret: Ret = Ret.DEFAULT
    envelope_id: str = ""
    encoding: str = ""
    one_by_one: bool = False  # an envelope sender for each recipient (VERP)
    verp: str | None = None  # with these two delimiters; None: those of main.cf
    queue_id: str = ""  # -qI
    site: str = ""  # -qR
    at_intervals: bool = False  # -q15m: what the queue manager does anyway
    requires_tls: bool = False  # -O requiretls=yes
    smtputf8: bool = False  # -O smtputf8=yes
    verbose: int = 0


def program_of(mode: Mode) -> str:
    """The name of the command whose mode this is without any option."""
    return {Mode.LIST_QUEUE: "mailq", Mode.NEW_ALIASES: "newaliases"}.get(mode, "sendmail")


def fatal(text: str) -> Stop:
    """What ends the command: whoever called it may try again."""
    return Stop(text, EX_TEMPFAIL)


def parse_request(argv: list[str], mode: Mode) -> Request:
    """The request of a command line; `mode` is what the command's name says."""
    request = Request(program=program_of(mode), mode=mode, recipients=[])
    words = list(argv)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if _took_old_verp(request, word, words):
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _WITH_ARGUMENT:
                if not letters and letter not in _OPTIONAL_ARGUMENT:
                    if not words:
                        tell(request.program, f"option requires an argument -- '{letter}'")
                        raise fatal(f"usage: {request.program} [options]")
                    letters = words.pop(0)
                _take(request, letter, letters)
                letters = ""
            elif letter in _WITHOUT_ARGUMENT:
                _take(request, letter, "")
            else:
                tell(request.program, f"invalid option -- '{letter}'")
                raise fatal(f"usage: {request.program} [options]")
    request.recipients = words
    _check(request)
    return request


def _took_old_verp(request: Request, word: str, following: list[str]) -> bool:
    """`-V` of before Postfix 2.3, with or without its two delimiters.

    Alone, it stands before a word of two octets, which is a recipient then.
    """
    if word == "-V" and following and len(os.fsencode(following[0])) == _DELIMITERS:
        tell(request.program, "warning: option -V is deprecated with Postfix 2.3; specify -XV instead")
        request.one_by_one = True
    elif word.startswith("-V") and len(os.fsencode(word[2:])) == _DELIMITERS:
        tell(
            request.program,
            f"warning: option {word} is deprecated with Postfix 2.3; specify -X{word[1:]} instead",
        )
        _take_verp(request, word[1:])
    elif word == "-XV":  # else it would take the next word along
        request.one_by_one = True
    else:
        return False
    return True


def _take(request: Request, letter: str, value: str) -> None:
    taker = _TAKERS.get(letter)
    if taker is not None:
        taker(request, value)


def _take_mode(request: Request, value: str) -> None:
    mode = _MODES.get(value[:1])
    if mode is None:
        raise fatal(f"unsupported: -b{value[:1]}")
    if mode is Mode.DAEMON and request.mode is Mode.FLUSH:
        tell(request.program, "warning: ignoring -q option in daemon mode")
    request.mode = mode
    request.verify_only = value[:1] == "v"


def _take_queue(request: Request, value: str) -> None:
    kind, rest = value[:1], value[1:]
    if kind.isdigit():
        request.at_intervals = True
    elif not kind:
        if request.mode is Mode.DAEMON:
            tell(request.program, "warning: ignoring -q option in daemon mode")
        else:
            request.mode = Mode.FLUSH
    elif kind in "IR":
        if not rest:
            raise fatal("specify: -qRsitename" if kind == "R" else "specify: -qIqueueid")
        if kind == "I":
            request.queue_id = rest
        else:
            request.site = rest
    else:
        raise fatal(f"-q{kind} is not implemented")


def _take_old_option(request: Request, value: str) -> None:
    if value[:1] == "A":
        if len(value) < 2:
            raise fatal("-oA requires pathname")
        request.alias_database = value[1:]
    elif value[:1] == "i":
        request.dots_are_text = True


def _take_named_option(request: Request, value: str) -> None:
    """`-O name=value`, of which Postfix knows two; others were for other programs."""
    name, _, given = value.partition("=")
    attribute = {"requiretls": "requires_tls", "smtputf8": "smtputf8"}.get(name.strip().lower())
    if attribute is None:
        return
    if given.strip().lower() not in ("yes", "no"):
        raise fatal(f"bad -O option value: {value}")
    setattr(request, attribute, given.strip().lower() == "yes")


def _take_encoding(request: Request, value: str) -> None:
    request.encoding = {"8BITMIME": "8bit", "7BIT": "7bit"}.get(value, "")
    if not request.encoding:
        raise fatal("-B option needs 8BITMIME or 7BIT")


def _take_notify(request: Request, value: str) -> None:
    notify = Notify.DEFAULT
    for word in value.replace(",", " ").split():
        try:
            notify |= Notify[word.upper()]
        except KeyError:
            tell(request.program, f'warning: unknown DSN NOTIFY command value "{word}" in "{value}"')
            notify = Notify.DEFAULT
            break
    if notify and not (notify & Notify.NEVER and notify != Notify.NEVER):
        request.notify = notify
    else:
        request.notify = Notify.DEFAULT
        tell(request.program, "warning: bad -N option value -- ignored")


def _take_ret(request: Request, value: str) -> None:
    request.ret = {"full": Ret.FULL, "hdrs": Ret.HEADERS}.get(value.lower(), Ret.DEFAULT)
    if not request.ret:
        tell(request.program, "warning: bad -R option value -- ignored")


def _take_envelope_id(request: Request, value: str) -> None:
    if len(value) > _LONGEST_ENVELOPE_ID:
        tell(request.program, "warning: too long -V option value -- ignored")
    elif not value or any(not " " <= letter <= "~" for letter in value):
        tell(request.program, "warning: bad syntax in -V option value -- ignored")
    else:
        request.envelope_id = value


def _take_verp(request: Request, value: str) -> None:
    if value[:1] != "V":
        raise fatal(f"unsupported: -X{value[:1]}")
    request.verp = value[1:]
    request.one_by_one = True


def _refuse(letter: str) -> Callable[[Request, str], None]:
    def taker(_request: Request, _value: str) -> None:
        raise fatal(f"-{letter} option not supported")

    return taker


def _set(name: str) -> Callable[[Request, str], None]:
    return lambda request, value: setattr(request, name, value)


def _turn_on(name: str) -> Callable[[Request, str], None]:
    return lambda request, _value: setattr(request, name, True)


def _take_config(request: Request, value: str) -> None:
    """A directory, or the main.cf in it."""
    request.config = "." if value == "main.cf" else value.removesuffix("/main.cf") or "/"


def _take_verbose(request: Request, _value: str) -> None:
    request.verbose += 1
    request.report = request.verbose == 1  # more of them ask for debugging


_TAKERS: Final[dict[str, Callable[[Request, str], None]]] = {
    "B": _take_encoding,
    "C": _take_config,
    "F": _set("full_name"),
    "G": _turn_on("remote"),
    "I": lambda request, _value: setattr(request, "mode", Mode.NEW_ALIASES),
    "N": _take_notify,
    "O": _take_named_option,
    "R": _take_ret,
    "V": _take_envelope_id,
    "X": _take_verp,
    "b": _take_mode,
    "f": _set("sender"),
    "i": _turn_on("dots_are_text"),
    "n": _refuse("n"),
    "o": _take_old_option,
    "q": _take_queue,
    "r": _set("sender"),
    "t": _turn_on("from_header"),
    "v": _take_verbose,
}


def _check(request: Request) -> None:
    if request.at_intervals and request.mode is not Mode.DAEMON:
        request.mode = Mode.NOTHING
        return
    for wanted, letter in ((request.site, "R"), (request.queue_id, "I")):
        if wanted and request.mode is not Mode.SUBMIT:
            raise fatal(f"-q{letter} can be used only in delivery mode")
    if request.site or request.queue_id:
        request.mode = Mode.FLUSH
    if request.from_header and request.mode is not Mode.SUBMIT:
        raise fatal("-t can be used only in delivery mode")
    if request.verify_only:
        for given, letter in (
            (request.from_header, "t"),
            (request.notify, "N"),
            (request.ret, "R"),
            (request.report, "v"),
        ):
            if given:
                raise fatal(f"-{letter} option cannot be used with -bv")
    if request.recipients and request.mode in _NO_RECIPIENT:
        text = _NO_RECIPIENT[request.mode]
        if request.site:
            text = "flush site requires no recipient"
        elif request.queue_id:
            text = "flush queue_id requires no recipient"
        raise fatal(text)
