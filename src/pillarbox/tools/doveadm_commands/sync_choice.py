"""What doveadm sync, backup and dsync-server work on: options, or what the other side says, as a `Choice`.

FAULTS
    Fatal  of an option that is none, or a lock that somebody else has

STANDARDS
    doveadm-sync(1)
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from pillarbox.config.dovecot import value_types
from pillarbox.config.mailbox_settings import Namespace
from pillarbox.mailstore.mailbox_names import normalise
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames
from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.remote.run_settings import RunSettings
from pillarbox.net.system_clock import SystemClock
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner
from pillarbox.tools.doveadm_commands.faults import EX_USAGE, Fatal
from pillarbox.tools.doveadm_commands.query import day_of
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.wire.imap.flag_grammar import SYSTEM_FLAGS

_GUID: Final = re.compile(r"[0-9a-f]{32}")
_LOCK: Final = ".dovecot-sync.lock"
_DAY: Final = 86400


def run_settings(command: MailCommand) -> RunSettings:
    """The options, as another host is told them.  Fatal."""
    options = command.options
    _check_namespaces(command)
    guid = options.get("-g", "")
    if guid and not _GUID.fullmatch(guid):
        raise Fatal(f"Invalid -g parameter: {guid}")
    named = [value for flag, value in command.pairs if flag == "-n"]
    return RunSettings(
        backs_up=command.name == "backup" or "-1" in options,
        is_reverse="-R" in options,
        keeps_additions="-1" in options,
        mailbox=options.get("-m", ""),
        mailbox_guid=guid.encode("ascii"),
        excluded=tuple(value for flag, value in command.pairs if flag == "-x"),
        namespaces=(command.settings.namespaces[0].prefix,) if named else None,
        is_for_visible="-N" in options,
        has_no_mail=options.get("-m") == "" or options.get("-g") == "",
        lock_seconds=number(options["-l"], "-l") if "-l" in options else 0,
        since=int(_moment(options["-t"], "-t")) if "-t" in options else 0,
        until=int(_moment(options["-e"], "-e")) if "-e" in options else 0,
        max_size=_size(options["-I"]) if "-I" in options else 0,
        flag=options.get("-O", ""),
        purges="-P" in options,
        replacement=command.configuration.value("dsync_alt_char")[:1] or "_",
    )


def choice_for(command: MailCommand, settings: RunSettings) -> Choice:
    """Which mailboxes and messages that are.  Fatal."""
    public = PublicNames(command.settings.namespaces[0])
    only = normalise(settings.mailbox)
    guid = settings.mailbox_guid
    flag = settings.flag
    return Choice(
        includes=_mailbox_test(command, only, guid, settings.excluded),
        subscriptions=lambda name: not guid and (not only or public.to_client(name) == only),
        flag=_flag(flag.removeprefix("-")) if flag else None,
        is_without_flag=flag.startswith("-"),
        max_size=settings.max_size or None,
        since=settings.since or None,
        before=settings.until or None,
    )


def _mailbox_test(
    command: MailCommand, only: str, guid: bytes, excluded: Sequence[str]
) -> Callable[[str, bytes], bool]:
    """Whether a mailbox of that name (the store's) and GUID is meant."""
    public = PublicNames(command.settings.namespaces[0])
    uses = {
        normalise(one.name): {use.lower() for use in one.special_use}
        for one in command.settings.namespaces[0].mailboxes
    }

    def is_meant(mask: str, name: str) -> bool:
        if mask.startswith("\\"):
            return mask.lower() in uses.get(name, ())
        return fnmatchcase(public.to_client(name), mask.replace("[", "[[]"))

    def includes(name: str, own_guid: bytes) -> bool:
        if guid and own_guid != guid:
            return False
        if only.startswith("\\"):
            return is_meant(only, name)
        if only and public.to_client(name) != only:
            return False
        return not any(is_meant(mask, name) for mask in excluded)

    return includes


def _check_namespaces(command: MailCommand) -> None:
    spaces: Sequence[Namespace] = command.settings.namespaces
    for flag, value in command.pairs:
        if flag != "-n" or value in ("inbox", spaces[0].prefix):
            continue
        if any(value == space.prefix for space in spaces[1:]):
            raise Fatal(
                f"{command.name}: -n {value}: a namespace with a location of its own is not synchronized"
            )
        raise Fatal(f"{command.name}: -n {value}: there is no such namespace", status=EX_USAGE)


def _flag(text: str) -> tuple[int, bytes]:
    octets = text.encode("utf-8", "surrogateescape")
    if not text.startswith("\\"):
        return 0, octets.lower()
    if octets.upper() not in SYSTEM_FLAGS:
        raise Fatal(f"Invalid -O parameter: Invalid system flag: {text}")
    return int(SYSTEM_FLAGS[octets.upper()]), b""


def _size(text: str) -> int:
    try:
        return value_types.octets(value_types.canonical("size", text))
    except ValueError:
        raise Fatal(f"Invalid -I parameter '{text}': Invalid size: {text}") from None


def _moment(text: str, option: str) -> float:
    """Seconds since 1970; a date is its midnight here."""
    try:
        day, is_utc = day_of(text, now=int(SystemClock().now()))
        return day * _DAY if is_utc else time.mktime((1970, 1, 1 + int(day), 0, 0, 0, 0, 0, -1))
    except (ValueError, OverflowError):
        raise Fatal(f"Invalid {option} parameter: {text}") from None


def number(text: str, option: str) -> int:
    """An option's number of at most ten digits.  Fatal if it is none."""
    if not (is_decimal_text(text, max_digits=10)):
        raise Fatal(f"Invalid {option} parameter: {text}")
    return int(text)


def locked(owner: Owner, seconds: int | None) -> int | None:
    """-l: nobody else synchronizes the user's mail meanwhile.  Fatal if somebody does for so long."""
    if seconds is None:
        return None
    path = f"{owner.fields.get('home', '') or owner.place.path}/{_LOCK}"
    end = time.monotonic() + seconds
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Fatal(f"Couldn't lock {path}: {error.strerror}") from error
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() >= end:
                os.close(descriptor)
                raise Fatal(f"Couldn't lock {path}: Timed out after {seconds} seconds") from error
            time.sleep(0.05)
        else:
            return descriptor
