"""doveadm dict: keys and values of a `file` dict.

DESCRIPTION
    `file:PATH` is read and written as it is; other drivers (redis, memcached, proxy) are refused.  A key begins
    with `shared/`, or with `priv/` and -u, which says whose it is.

FAULTS
    75  the dict cannot be opened; 68  there is no such key; 64  wrong use
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.dict_file import DictFile
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.net.system_clock import SystemClock
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import EX_NOTFOUND, EX_TEMPFAIL, Usage
from pillarbox.tools.doveadm_commands.options import extraneous, read_options

USAGE: Final = {
    "get": "[-u <user>] <dict uri> <key>",
    "inc": "[-u <user>] <dict uri> <key> <diff>",
    "iter": "[-u <user>] [-1RV] <dict uri> <prefix>",
    "set": "[-u <user>] <dict uri> <key> <value>",
    "unset": "[-u <user>] <dict uri> <key>",
}
_MISSING: Final = {
    "get": "dict-get: Missing key",
    "inc": "dict-inc: Missing parameters",
    "iter": "dict-iter: Missing prefix",
    "set": "dict set: Missing parameters",
    "unset": "dict unset: Missing key",
}
_WORDS: Final = {"get": 2, "inc": 3, "iter": 2, "set": 3, "unset": 2}
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_UNSERVED: Final = ("cdb", "fs", "ldap", "memcached", "memcached_ascii", "proxy", "redis")
"""Drivers of Dovecot's besides."""


class _Complaint(Exception):
    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def dictionary(_configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm dict."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("dict <command> [<args>]", USAGE)
    name = arguments[0]
    pairs, words = read_options(f"dict {name}", arguments[1:], "u:1RV" if name == "iter" else "u:")
    expected = _WORDS[name]
    if len(words) < expected or (name == "inc" and not _NUMBER.fullmatch(words[2])):
        raise Usage("", complaint=f"Error: {_MISSING[name]}")
    if len(words) > expected:
        raise extraneous(f"dict {name}", words[expected:])
    options = dict(pairs)
    try:
        _check_key(words[1], options)
        return _COMMANDS[name](_open(words[0]), words[1:], options, form)
    except _Complaint as fault:
        sys.stderr.write(f"Error: {fault}\n")
        return fault.status
    except (OSError, StoreUnavailable) as fault:
        sys.stderr.write(f"Error: {fault}\n")
        return EX_TEMPFAIL


def _check_key(key: str, options: Mapping[str, str]) -> None:
    if not key.startswith(("priv/", "shared/")):
        raise Usage("", complaint=f"Error: Key must begin with 'priv/' or 'shared/': {key}")
    if key.startswith("priv/") and not options.get("-u"):
        raise Usage("", complaint="Error: -u must be specified for priv/ keys")


def _open(uri: str) -> DictFile:
    driver, colon, path = uri.partition(":")
    if not colon:
        raise _Complaint(f"dict_init({uri}) failed: Dictionary URI is missing ':': {uri}", EX_TEMPFAIL)
    if driver != "file":
        what = "is not served" if driver in _UNSERVED else ""
        reason = f"Dict module {what}: {driver}" if what else f"Unknown dict module: {driver}"
        raise _Complaint(f"dict_init({uri}) failed: {reason}", EX_TEMPFAIL)
    return DictFile(os.fsencode(path), DISK, SystemClock())


def _get(opened: DictFile, words: Sequence[str], _options: Mapping[str, str], form: str) -> int:
    value = opened.entries().get(os.fsencode(words[0]))
    if value is None:
        raise _Complaint(f"{words[0]} doesn't exist", EX_NOTFOUND)
    titles = ("",) if form == "tab" else ()  # as Dovecot's
    writer = output.RowWriter(("value",), form or "table", hidden=("value",), titles=titles, wide="value")
    writer.add([_text(value)])
    writer.finish()
    return 0


def _inc(opened: DictFile, words: Sequence[str], _options: Mapping[str, str], _form: str) -> int:
    def added(value: bytes | None) -> bytes:
        if value is None:
            raise _Complaint(f"{words[0]} doesn't exist", EX_NOTFOUND)
        text = _text(value)
        if not _NUMBER.fullmatch(text):
            raise _Complaint(f"{words[0]} is no number: {text}", EX_TEMPFAIL)
        return str(int(text) + int(words[1])).encode("ascii")

    opened.change(os.fsencode(words[0]), added)
    return 0


def _set(opened: DictFile, words: Sequence[str], _options: Mapping[str, str], _form: str) -> int:
    opened.change(os.fsencode(words[0]), lambda _: os.fsencode(words[1]))
    return 0


def _unset(opened: DictFile, words: Sequence[str], _options: Mapping[str, str], _form: str) -> int:
    opened.change(os.fsencode(words[0]), lambda _: None)
    return 0


def _iter(opened: DictFile, words: Sequence[str], options: Mapping[str, str], form: str) -> int:
    """-1: that key alone; -R: what is below, too; -V: without values."""
    prefix = os.fsencode(words[0])
    found = [
        (_text(key), _text(value))
        for key, value in opened.entries().items()
        if (key == prefix if "-1" in options else key.startswith(prefix))
        and ("-R" in options or b"/" not in key[len(prefix) :])
    ]
    if "-V" in options:
        output.show(("key",), [row[:1] for row in found], form or "tab")
    else:
        output.show(("key", "value"), found, form or "tab", wide="value")
    return 0


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


_COMMANDS: Final[Mapping[str, Callable[[DictFile, Sequence[str], Mapping[str, str], str], int]]] = {
    "get": _get,
    "inc": _inc,
    "iter": _iter,
    "set": _set,
    "unset": _unset,
}
