"""doveadm fs: files, by the posix driver.

DESCRIPTION
    Arguments of the driver, between colons: `prefix=DIR/`, which stands before each path, `mode=0600` of new files
    (or auto), and dirs, no-fsync and accurate-mtime, which change nothing of what is done here.  Other drivers are
    refused.  `copy` makes a link, as Dovecot's does.

FAULTS
    75  it could not be done; 68  there is no such file; 64  wrong use
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import EX_NOTFOUND, EX_TEMPFAIL, Fatal, Usage
from pillarbox.tools.doveadm_commands.options import extraneous, read_options

USAGE: Final = {
    "copy": "<fs-driver> <fs-args> <source path> <dest path>",
    "delete": "[-R] [-n <count>] <fs-driver> <fs-args> <path> [<path> ...]",
    "get": "<fs-driver> <fs-args> <path>",
    "iter": "[--no-cache] [--object-ids] <fs-driver> <fs-args> <path>",
    "iter-dirs": "<fs-driver> <fs-args> <path>",
    "metadata": "<fs-driver> <fs-args> <path>",
    "put": "[-h <hash>] <fs-driver> <fs-args> <input path> <path>",
    "stat": "<fs-driver> <fs-args> <path>",
}
_LETTERS: Final = {"delete": "Rn:", "iter": "CO", "put": "h:"}
_UNSERVED: Final = ("compress", "crypt", "dict", "metawrap", "randomfail", "sis", "sis-queue", "test")
_FLAGS: Final = ("dirs", "no-fsync", "accurate-mtime")
_WITHOUT_EFFECT: Final = ("lock=",)
_MODE: Final = re.compile(r"[0-7]{1,6}", re.ASCII)
_BLOCK: Final = 1 << 16
_ORIGINAL_PATH: Final = ":/X-Dovecot-fs-api-OrigPath"


class _Complaint(Exception):
    def __init__(self, text: str, status: int = EX_TEMPFAIL) -> None:
        super().__init__(text)
        self.status = status


class _Place(msgspec.Struct, frozen=True):
    """Where the driver's files are."""

    prefix: str
    mode: int

    def path(self, name: str) -> str:
        return self.prefix + name


def file_access(_configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm fs."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("fs <command> [<args>]", USAGE)
    name = arguments[0]
    pairs, words = read_options(f"fs {name}", arguments[1:], _LETTERS.get(name, ""))
    expected = 4 if name in ("copy", "put") else 3
    if len(words) < expected:
        raise Usage(f"fs {name} {USAGE[name]}")
    if len(words) > expected and name != "delete":
        raise extraneous(f"fs {name}", words[expected:])
    place = _place(words[0], words[1])
    try:
        return _COMMANDS[name](place, words[2:], dict(pairs), form)
    except _Complaint as fault:
        sys.stdout.flush()
        sys.stderr.write(f"Error: {fault}\n")
        return fault.status


def _place(driver: str, arguments: str) -> _Place:
    """Fatal: another driver, or an argument that does not exist."""
    if driver != "posix":
        reason = "is not served" if driver in _UNSERVED else ""
        text = f"Fs driver {reason}: {driver}" if reason else f"Unknown fs driver: {driver}"
        raise Fatal(f"fs_init() failed: {text}")
    prefix, mode = "", 0o600
    for argument in filter(None, arguments.split(":")):
        key, _, value = argument.partition("=")
        if key == "prefix":
            prefix = value
        elif key == "mode":
            if value != "auto" and not _MODE.fullmatch(value):
                raise Fatal(f"fs_init() failed: posix: Invalid mode value: {value}")
            mode = 0o600 if value == "auto" else int(value, 8) & 0o666
        elif argument not in _FLAGS and not argument.startswith(_WITHOUT_EFFECT):
            raise Fatal(f"fs_init() failed: posix: Unknown arg '{argument}'")
    return _Place(prefix, mode)


def _failed(name: str, call: str, path: str, error: OSError, prefix: str = "") -> _Complaint:
    text = f"{call}({path}) failed: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return _Complaint(f"{name} doesn't exist: {text}", EX_NOTFOUND)
    return _Complaint(f"{prefix}{text}")


def _get(place: _Place, words: Sequence[str], _options: Mapping[str, str], form: str) -> int:
    path = place.path(words[0])
    try:
        with open(path, "rb") as file:
            if form:
                content = file.read().decode("utf-8", "surrogateescape")
                output.show(("content",), [[content]], form)
                return 0
            sys.stdout.flush()
            shutil.copyfileobj(file, sys.stdout.buffer, _BLOCK)
            sys.stdout.flush()
    except IsADirectoryError as error:
        raise _Complaint(f"read({words[0]}) failed: {path} is a directory, can't read it as file") from error
    except OSError as error:
        raise _failed(words[0], "open", path, error) from error
    return 0


def _put(place: _Place, words: Sequence[str], options: Mapping[str, str], _form: str) -> int:
    """The file is whole, or not there."""
    if "-h" in options:
        raise Fatal("-h is not served: nothing here checks a hash")
    source, name = words
    path = place.path(name)
    temporary = f"{path}.temp.{os.getpid()}"
    try:
        with open(source, "rb") as file:
            os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, place.mode)
            try:
                with open(descriptor, "wb") as written:
                    shutil.copyfileobj(file, written, _BLOCK)
                    written.flush()
                    os.fsync(written.fileno())
                os.rename(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise
    except OSError as error:
        if error.filename == source:
            text = f"nsend-istream: read({source}) failed: open({source}) failed: {error.strerror}"
            raise _Complaint(f"fs_write_stream_finish() failed: write({path}) failed: {text}") from error
        raise _Complaint(
            f"fs_write_stream_finish() failed: write({path}) failed: {error.strerror}"
        ) from error
    return 0


def _copy(place: _Place, words: Sequence[str], _options: Mapping[str, str], _form: str) -> int:
    source, target = map(place.path, words)
    temporary = f"{target}.temp.{os.getpid()}"
    try:
        os.stat(source)
        os.makedirs(os.path.dirname(target) or ".", mode=0o700, exist_ok=True)
        os.link(source, temporary)
        os.rename(temporary, target)
        if os.path.exists(temporary):  # both were the same file
            os.unlink(temporary)
    except OSError as error:
        raise _failed(words[0], "link", source, error, f"fs_copy({words[0]}) failed: ") from error
    return 0


def _stat(place: _Place, words: Sequence[str], _options: Mapping[str, str], form: str) -> int:
    path = place.path(words[0])
    try:
        size = str(os.stat(path).st_size)
    except OSError as error:
        raise _failed(words[0], "stat", path, error, f"fs_stat({words[0]}) failed: ") from error
    if not form or form == "flow":  # as Dovecot's, without a line's end
        print(f"{words[0]} size={size}", end="")
    elif form == "json":
        print(json.dumps([{"path": words[0], "size": int(size)}], separators=(",", ":")), end="")
    else:
        output.show(("path", "size"), [[words[0], size]], form)
    return 0


def _metadata(_here: _Place, words: Sequence[str], _options: Mapping[str, str], form: str) -> int:
    """A file of this driver has no other."""
    if not form or form == "flow":
        print(f"{_ORIGINAL_PATH}={words[0]}")
    else:
        output.show(("key", "value"), [(_ORIGINAL_PATH, words[0])], form)
    return 0


def _list(place: _Place, name: str, form: str, *, directories: bool) -> int:
    path = place.path(name)
    try:
        with os.scandir(path) as entries:
            found = [[entry.name] for entry in entries if entry.is_dir() is directories]
    except FileNotFoundError:
        found = []
    except OSError as error:
        text = f"fs_iter_deinit({name}) failed: opendir({path}) failed: {error.strerror}"
        raise _Complaint(text) from error
    if not form or form == "flow":
        for [entry] in found:
            print(entry)
    else:
        output.show(("path",), found, form)
    return 0


def _iter(place: _Place, words: Sequence[str], options: Mapping[str, str], form: str) -> int:
    if "-O" in options:
        raise Fatal("--object-ids is not served: files of the posix driver have none")
    return _list(place, words[0], form, directories=False)


def _iter_dirs(place: _Place, words: Sequence[str], _options: Mapping[str, str], form: str) -> int:
    return _list(place, words[0], form, directories=True)


def _delete(place: _Place, words: Sequence[str], options: Mapping[str, str], _form: str) -> int:
    """-n, how many to have under way at the same time, changes nothing: they are removed one by one."""
    status = 0
    for name in words:
        try:
            if "-R" in options:
                _remove_below(place, name)
            else:
                _remove(place, name)
        except _Complaint as fault:
            sys.stderr.write(f"Error: {fault}\n")
            status = max(status, fault.status)
    return status


def _remove(place: _Place, name: str) -> None:
    path = place.path(name)
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError as error:
        call = "rmdir" if os.path.isdir(path) else "unlink"
        raise _failed(name, call, path, error, f"fs_delete({name}) failed: ") from error


def _remove_below(place: _Place, name: str) -> None:
    path = place.path(name)
    if not os.path.isdir(path):
        if os.path.lexists(path):
            shown = name if name.endswith("/") else f"{name}/"
            raise _Complaint(
                f"fs_iter_deinit({shown}) failed: opendir({place.path(shown)}) failed: Not a directory"
            )
        return
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise _Complaint(f"fs_delete({name}) failed: {error.filename}: {error.strerror}") from error


_COMMANDS: Final[Mapping[str, Callable[[_Place, Sequence[str], Mapping[str, str], str], int]]] = {
    "copy": _copy,
    "delete": _delete,
    "get": _get,
    "iter": _iter,
    "iter-dirs": _iter_dirs,
    "metadata": _metadata,
    "put": _put,
    "stat": _stat,
}
