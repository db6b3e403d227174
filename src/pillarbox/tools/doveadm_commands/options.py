"""Options of doveadm's commands, by getopt_long(3): letters and long names, before, between and behind the words.

DESCRIPTION
    `doveadm search ALL -u alice`, `doveadm mailbox list --user=alice` and `doveadm mailbox create --mailbox Work`
    are all taken.  A word's own name says which of the words it is.  What begins with a hyphen behind `--` is one.

FAULTS
    Usage  what getopt_long says of an option that there is not, in place of the synopsis

STANDARDS
    Names of Dovecot 2.3; glibc's texts
"""

import getopt
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from itertools import islice, pairwise
from typing import Final

from pillarbox.tools.doveadm_commands.faults import Usage

WHOSE: Final = "u:AF:S:"
"""Letters that say for whom a command on mailboxes is."""
SERVED_USER: ContextVar[str | None] = ContextVar("SERVED_USER", default=None)
"""Whom a client of the doveadm service has named, empty for nobody; None: there is no such client."""
_WHOSE_NAMES: Final = {"user": "u", "all-users": "A", "user-file": "F", "socket-path": "S"}
_SUBSCRIPTIONS: Final = {"subscriptions": "s"}
_EMPTY_NAME: Final = {"allow-empty-mailbox-name": "s"}
_SOURCE: Final = ("destination-mailbox", "source-type", "source-user", "query")

_DICT: Final = {"user": "u"}
_SYNC: Final = {
    "full-sync": "f",
    "purge-remote": "P",
    "reverse-sync": "R",
    "replicator-notify": "U",
    "lock-timeout": "l",
    "rawlog": "r",
    "mailbox": "m",
    "mailbox-guid": "g",
    "namespace": "n",
    "all-namespaces": "N",
    "exclude-mailbox": "x",
    "all-mailbox": "a",
    "state": "s",
    "timeout": "T",
    "default-destination": "d",
    "sync-since-time": "t",
    "sync-until-time": "e",
    "sync-flags": "O",
    "sync-max-size": "I",
}

_LETTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "acl get": {"match-me": "m"},
    "altmove": {"reverse": "r"},
    "auth cache flush": {"socket-path": "a"},
    "auth login": {
        "auth-login-socket-path": "a",
        "auth-master-socket-path": "m",
        "auth-info": "x",
        "master-user": "M",
    },
    "auth lookup": {"socket-path": "a", "auth-info": "x", "field": "f"},
    "auth test": {"socket-path": "a", "auth-info": "x", "master-user": "M"},
    "backup": _SYNC,
    "deduplicate": {"by-msgid": "m"},
    "dict get": _DICT,
    "dict inc": _DICT,
    "dict iter": {**_DICT, "exact": "1", "recurse": "R", "no-value": "V"},
    "dict set": _DICT,
    "dict unset": _DICT,
    "expunge": {"delete-empty-mailbox": "d"},
    "force-resync": {"fsck": "f"},
    "fs delete": {"recursive": "R", "max-parallel": "n"},
    "fs iter": {"no-cache": "C", "object-ids": "O"},
    "fs put": {"hash": "h"},
    "import": {"source-user": "U", "subscribe": "s"},
    "index": {"max-recent": "n", "queue": "q"},
    "instance list": {"show-config": "c"},
    "kick": {"socket-path": "a", "force": "f"},
    "log errors": {"since": "s"},
    "mailbox create": {"guid": "g", **_SUBSCRIPTIONS},
    "mailbox delete": {"require-empty": "e", "recursive": "r", "unsafe": "Z", **_SUBSCRIPTIONS},
    "mailbox list": {"mutf7": "7", "utf8": "8", **_SUBSCRIPTIONS},
    "mailbox metadata get": _EMPTY_NAME,
    "mailbox metadata list": {"prepend-prefix": "p", **_EMPTY_NAME},
    "mailbox metadata set": _EMPTY_NAME,
    "mailbox metadata unset": _EMPTY_NAME,
    "mailbox mutf7": {"to-utf8": "7", "from-utf8": "8"},
    "mailbox path": {"type": "t"},
    "mailbox rename": _SUBSCRIPTIONS,
    "mailbox update": {
        "mailbox-guid": "g",
        "uid-validity": "V",
        "min-next-uid": "N",
        "min-first-recent-uid": "R",
        "min-highest-modseq": "H",
        "min-highest-pvt-modseq": "P",
    },
    "mailbox status": {"total-sum": "t"},
    "pw": {
        "list": "l",
        "plaintext": "p",
        "rounds": "r",
        "scheme": "s",
        "test-hash": "t",
        "user": "u",
        "reverse-verify": "V",
    },
    "save": {"mailbox": "m"},
    "sync": {**_SYNC, "oneway-sync": "1"},
    "user": {"socket-path": "a", "auth-info": "x", "expand-field": "e", "field": "f", "userdb-only": "u"},
    "who": {"socket-path": "a", "separate-connections": "1"},
}
"""Command → the long names of its letters, without those of WHOSE."""

_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "acl add": ("mailbox", "id", "right"),
    "acl debug": ("mailbox",),
    "acl delete": ("mailbox", "id"),
    "acl get": ("mailbox",),
    "acl remove": ("mailbox", "id", "right"),
    "acl rights": ("mailbox",),
    "acl set": ("mailbox", "id", "right"),
    "altmove": ("query",),
    "auth cache flush": ("user",),
    "auth login": ("user", "password"),
    "auth lookup": ("user",),
    "auth test": ("user", "password"),
    "backup": ("destination",),
    "copy": _SOURCE,
    "deduplicate": ("query",),
    "expunge": ("query",),
    "fetch": ("field", "query"),
    "flags add": ("flag", "query"),
    "flags remove": ("flag", "query"),
    "flags replace": ("flag", "query"),
    "force-resync": ("mailbox-mask",),
    "import": ("source-location", "dest-parent-mailbox", "query"),
    "index": ("mailbox-mask",),
    "instance list": ("name",),
    "instance remove": ("name",),
    "kick": ("mask",),
    "log find": ("log-dir",),
    "mailbox create": ("mailbox",),
    "mailbox delete": ("mailbox",),
    "mailbox list": ("mailbox-mask",),
    "mailbox metadata get": ("mailbox", "key"),
    "mailbox metadata list": ("mailbox", "key-prefix"),
    "mailbox metadata set": ("mailbox", "key", "value"),
    "mailbox metadata unset": ("mailbox", "key"),
    "mailbox mutf7": ("name",),
    "mailbox path": ("mailbox",),
    "mailbox rename": ("mailbox", "new-name"),
    "mailbox status": ("fieldstr", "mailbox-mask"),
    "mailbox subscribe": ("mailbox",),
    "mailbox unsubscribe": ("mailbox",),
    "mailbox update": ("mailbox",),
    "move": _SOURCE,
    "save": ("file",),
    "search": ("query",),
    "sync": ("destination",),
    "user": ("user-mask",),
    "who": ("mask",),
}
"""Command → the names of its words, in their order."""


def read_options(
    command: str, arguments: Sequence[str], letters: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """Options as `-x` with their values, in order, and the words.  `letters` as for getopt(3)."""
    names = dict(_LETTERS.get(command, {}))
    if letters.startswith(WHOSE):
        names |= _WHOSE_NAMES
    words = _WORDS.get(command, ())
    takes_value = {letter for letter, mark in pairwise(letters) if mark == ":"}
    long = [f"{name}=" if letter in takes_value else name for name, letter in names.items()]
    try:
        given, rest = getopt.gnu_getopt(
            list(arguments), letters, [*long, *(f"{name}=" for name in words if name not in names)]
        )
    except getopt.GetoptError as error:
        raise Usage(command, complaint=f"{command.split()[-1]}: {_complaint(error)}") from error
    pairs: list[tuple[str, str]] = []
    named: dict[str, list[str]] = {}
    for option, value in given:
        name = option.removeprefix("--")
        if name == option:
            pairs.append((option, value))
        elif name in names:
            pairs.append((f"-{names[name]}", value))
        else:
            named.setdefault(name, []).append(value)
    return pairs, _in_their_places(words, named, rest)


def _in_their_places(words: Sequence[str], named: Mapping[str, list[str]], rest: list[str]) -> list[str]:
    """Words without names go where no named one is."""
    unnamed = iter(rest)
    found: list[str] = []
    for word in words if named else ():
        found += named[word] if word in named else list(islice(unnamed, 1))
    return [*found, *unnamed]


def no_words(command: str, arguments: Sequence[str], letters: str = "") -> list[tuple[str, str]]:
    """Options of a command that takes nothing else."""
    pairs, words = read_options(command, arguments, letters)
    if words:
        raise extraneous(command, words)
    return pairs


def extraneous(command: str, words: Sequence[str]) -> Usage:
    """More words than a command takes."""
    return Usage(command, complaint=f"Error: Extraneous arguments found: {' '.join(words)}")


def _complaint(error: getopt.GetoptError) -> str:
    """What getopt_long(3) says of it."""
    if not error.msg.startswith("option --"):
        if "requires" in error.msg:
            return f"option requires an argument -- '{error.opt}'"
        return f"invalid option -- '{error.opt}'"
    if "not recognized" in error.msg:
        return f"unrecognized option '--{error.opt}'"
    if "must not have" in error.msg:
        return f"option '--{error.opt}' doesn't allow an argument"
    if "requires" in error.msg:
        return f"option '--{error.opt}' requires an argument"
    return f"option '--{error.opt}' is ambiguous"
