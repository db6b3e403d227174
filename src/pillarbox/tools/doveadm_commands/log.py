"""doveadm log: where the log is, what went wrong, begin a new file.

DESCRIPTION
    `find` has a line of each severity logged where the log goes to syslog, and looks which files below /var/log it
    comes to: only syslogd's configuration says where mail's lines are.
    `errors` reads the files of mail that usual configurations of syslogd have, with both of their forms of time:
    `Nov 28 15:15:30` and, as rsyslog of Debian 12 writes it, `2026-11-28T15:15:30.818664+00:00`.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.log_formats import TIMESTAMP
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import MailboxNotice
from pillarbox.observability.log_file import LogFile
from pillarbox.supervisor import dovecot_control
from pillarbox.supervisor.dovecot_control import NotRunning
from pillarbox.supervisor.dovecot_master import log_target
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import Fatal, Usage
from pillarbox.tools.doveadm_commands.options import extraneous, no_words, read_options

USAGE: Final = {"errors": "[-s <min_timestamp>]", "find": "[<dir>]", "reopen": "", "test": ""}
_SEVERITIES: Final = ("Debug", "Info", "Warning", "Error", "Fatal")
_TOLD: Final = ("Warning", "Error", "Fatal")
_SAID: Final = re.compile(r": (?:Warning|Error|Fatal): ")
_SLACK: Final = 6
_FILES: Final = ("mail.log", "maillog", "syslog", "messages")
_DIRECTORY: Final = "/var/log"
_STAMP: Final = re.compile(r"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d ", re.ASCII)
_LONG_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ", re.ASCII)
_TEST_LINE: Final = re.compile(r"This is Dovecot's ([a-z]+) log \(")
_UNTIL_WRITTEN: Final = 1.0
"""Seconds that syslogd has to write a line."""
_STEP: Final = 0.05
_NEWEST: Final = 1000


def log(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm log."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("log <command> [<args>]", USAGE)
    base_dir = configuration.value("base_dir")
    match arguments[0]:
        case "reopen":
            no_words("log reopen", arguments[1:])
            try:
                dovecot_control.reopen_log(base_dir)
            except NotRunning as fault:
                raise Fatal(str(fault)) from fault
        case "find":
            _, words = read_options("log find", arguments[1:], "")
            if len(words) > 1:
                raise extraneous("log find", words[1:])
            _find(configuration, words[0] if words else _DIRECTORY)
        case "errors":
            no_words("log errors", arguments[1:], "s:")
            if dovecot_control.running(base_dir) is None:
                raise Fatal(f"Dovecot is not running (read from {base_dir}/master.pid)")
            _show_errors(configuration, form, arguments[1:])
        case "test":
            no_words("log test", arguments[1:])
            _test(configuration)
    return 0


def _setting(configuration: Configuration, severity: str) -> str:
    """log_path, info_log_path or debug_log_path."""
    path = configuration.value("log_path")
    info = configuration.value("info_log_path") or path
    own = {"Info": info, "Debug": configuration.value("debug_log_path") or info}
    return own.get(severity, path)


def _paths(configuration: Configuration) -> list[str]:
    """Where errors may be."""
    path = _setting(configuration, "Error")
    if path != "syslog":
        return [path]
    paths = [os.path.join(_DIRECTORY, name) for name in _FILES]
    return [path for path in paths if os.access(path, os.R_OK) and _has_lines(path)]


def _has_lines(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return any(" dovecot: " in line for line in file)


def _find(configuration: Configuration, directory: str) -> None:
    settings = {severity: _setting(configuration, severity) for severity in _SEVERITIES}
    written: Mapping[str, set[str]] = {}
    if "syslog" in settings.values():
        print(f"Looking for log files from {directory}", flush=True)
        _complain_of(directory)
        sizes = dict(_files_below(directory))
        _test(configuration)
        written = _until_written(directory, sizes)
    for severity, setting in settings.items():
        paths = [setting] if setting != "syslog" else sorted(written.get(severity, ()))
        for path in paths or ["Not found"]:
            print(f"{severity}: {path}")


def _complain_of(directory: str) -> None:
    try:
        os.scandir(directory).close()
    except OSError as error:
        sys.stderr.write(f"Error: opendir({directory}) failed: {error.strerror}\n")


def _files_below(directory: str) -> Iterator[tuple[str, int]]:
    """Paths and sizes, also of directories in directories; without names that begin with a dot."""
    try:
        with os.scandir(directory) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path)
        elif entry.is_file():
            yield entry.path, entry.stat().st_size


def _until_written(directory: str, sizes: Mapping[str, int]) -> dict[str, set[str]]:
    """The files that each severity's line has come to, `sizes` ago; not all of them if syslogd is slow."""
    end = SystemClock.monotonic() + _UNTIL_WRITTEN
    while True:
        written: dict[str, set[str]] = {}
        for path, size in _files_below(directory):
            if size > sizes.get(path, 0):
                for severity in _severities_in(path, sizes.get(path, 0)):
                    written.setdefault(severity, set()).add(path)
        if SystemClock.monotonic() >= end:
            return written
        time.sleep(_STEP)


def _severities_in(path: str, offset: int) -> set[str]:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            text = file.read().decode(errors="replace")
    except OSError:
        return set()
    return {found[1].capitalize() for found in _TEST_LINE.finditer(text)}


def _show_errors(configuration: Configuration, form: str, arguments: Sequence[str]) -> None:
    """The newest, or those since a time; as lines of the log, if no form is asked for."""
    pairs = no_words("log errors", arguments, "s:")
    try:
        since = int(dict(pairs).get("-s", "0"))
    except ValueError as error:
        raise Usage(f"log errors {USAGE['errors']}") from error
    form_ = configuration.value("log_timestamp")
    found = [one for one in _errors(configuration) if not since or _seconds(one[0], form_) >= since]
    found = found[-_NEWEST:]
    if form:
        output.show(("timestamp", "prefix", "type", "text"), found, form)
    else:
        for stamp, program, severity, text in found:
            print(f"{stamp} {severity}: {program}: {text}")


def _stamp(line: str, form: str) -> str:
    """What log_timestamp has put before a line; empty if it is none of Dovecot's."""
    if form == TIMESTAMP:
        found = _STAMP.match(line) or _LONG_STAMP.match(line)
        return "" if found is None else found[0]
    usual = len(time.strftime(form))
    for length in range(usual + _SLACK, max(0, usual - _SLACK) - 1, -1):  # names of months differ in length
        try:
            time.strptime(line[:length], form)
        except ValueError:
            continue
        return line[:length]
    return ""


def _short(stamp: str) -> str:
    """Without year, in local time, as Dovecot shows it."""
    if _LONG_STAMP.fullmatch(f"{stamp} "):
        return datetime.fromisoformat(stamp).astimezone().strftime("%b %d %H:%M:%S")
    return stamp


def _seconds(stamp: str, form: str) -> float:
    """Since 1970; the log may say no year, and nothing in it is of the future."""
    if form != TIMESTAMP:
        return time.mktime(time.strptime(stamp.strip(), form.strip()))
    now = time.localtime()
    for year in (now.tm_year, now.tm_year - 1):
        try:
            found = time.mktime(time.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S"))
        except ValueError:  # the 29th of February
            continue
        if found <= time.mktime(now) + 86400:
            return found
    return 0.0


def _errors(configuration: Configuration) -> Iterator[tuple[str, str, str, str]]:
    """(`Nov 25 17:52:39`, `auth`, `Error`, text), of the files that can be read."""
    form = TIMESTAMP if configuration.value("log_path") == "syslog" else configuration.value("log_timestamp")
    for path in _paths(configuration):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if not _SAID.search(line):
                        continue
                    stamp = _stamp(line, form)
                    text = line.rstrip("\n").partition(" dovecot: ")[2] or line.rstrip("\n")[len(stamp) :]
                    program, _, rest = text.partition(": ")
                    severity, _, rest = rest.partition(": ")
                    if (stamp or not form) and severity in _TOLD:
                        yield _short(stamp.rstrip()), program, severity, rest
        except OSError as error:
            raise Fatal(f"open({path}) failed: {error.strerror}") from error


def _test(configuration: Configuration) -> None:
    target = log_target(mailbox_settings(configuration, hostname="localhost"))
    clock = SystemClock()
    tell = LogFile(*target.descriptors, program="dovecot", clock=clock, form=target.form)
    for severity in _SEVERITIES:
        text = f"This is Dovecot's {severity.lower()} log ({int(clock.now())})"
        tell(MailboxNotice("doveadm", severity, text))
