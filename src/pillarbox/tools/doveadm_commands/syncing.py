"""doveadm backup and sync: a user's mail and a copy of it elsewhere on this host are made the same.

DESCRIPTION
    The destination is a mail_location: maildir:/backup/%u, with options.  What is done with the mail is told in
    mailstore/synchronizing/account_exchange.py.  Both read each mailbox as a whole, so that -f is what is done
    anyway; in a Maildir there is nothing for -P to purge; -a, -r and -T are of other kinds of mail and of remote
    destinations, which are refused.

    A mailbox whose name the other place cannot have is told, and stays as it is; the others are done all the same.
    It ends with 2 where something went while it was to be copied: run it again.

FAULTS
    Fatal, Usage  a destination, or an option, that is none or is not served

STANDARDS
    doveadm-sync(1)
"""

import asyncio
import fcntl
import os
import re
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from pillarbox.config.dovecot import value_types
from pillarbox.config.dovecot.mail_location import place_of, storage
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mailbox_settings import Namespace, Storage
from pillarbox.mailstore.mailbox import Account, StoreUnavailable
from pillarbox.mailstore.mailbox_names import normalise
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames
from pillarbox.mailstore.synchronizing.account_exchange import Choice, Direction, Exchange
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.net.system_clock import SystemClock
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner, Work, for_users
from pillarbox.tools.doveadm_commands.faults import (
    EX_DATAERR,
    EX_NOTFOUND,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    Usage,
)
from pillarbox.tools.doveadm_commands.query import day_of
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.imap.flag_grammar import SYSTEM_FLAGS

_OPTIONS: Final = (
    "[-l <secs>] [-r <rawlog path>] [-m <mailbox>] [-g <mailbox guid>] [-n <namespace> | -N] [-x <exclude>] "
    "[-a <all mailbox>] [-s <state>] [-T <secs>] [-t <start date>] [-e <end date>] [-O <sync flag>] "
    "[-I <max size>] -d|<dest>"
)
USAGE: Final = {"backup": f"[-fPRU] {_OPTIONS}", "sync": f"[-1fPRU] {_OPTIONS}"}
_LETTERS: Final = "fPRUl:r:m:g:n:Nx:a:s:T:dt:e:O:I:"
_REMOTE: Final = re.compile(r"(?:remote|remoteprefix|tcps?):")
_GUID: Final = re.compile(r"[0-9a-f]{32}")
_LOCK: Final = ".dovecot-sync.lock"
_DAY: Final = 86400
IMPERFECT: Final = 2
"""Exit status: another run is needed."""


def run(name: str, configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    letters = _LETTERS + ("1" if name == "sync" else "")
    command = MailCommand(configuration, form, f"{name} {USAGE[name]}", letters, arguments)
    return for_users(command, _synchronizing(command))


def _synchronizing(command: MailCommand) -> Work:
    options = command.options
    _refuse_unserved(command)
    is_default = "-d" in options
    if bool(command.words) == is_default:
        raise Usage(command.usage)
    choice = _choice(command)
    lock_seconds = _number(options["-l"], "-l") if "-l" in options else None
    if not is_default:
        _check_destination(command.words)

    async def work(user: str, account: Account) -> int:
        owner = command.owner
        assert owner is not None
        if "-N" in options:
            raise Fatal("-N parameter requires syncing with remote host")
        location = owner.fields.get("mail_replica", "") if is_default else command.words[0]
        if not location:
            sys.stderr.write(f"doveadm({user}): Error: User has no mail_replica in userdb\n")
            return EX_NOTFOUND
        _check_destination([location])
        lock = _locked(owner, lock_seconds)
        try:
            exchange = _exchange(command, owner, location, choice)
            await asyncio.to_thread(exchange.run)
            is_reverse = "-R" in options
            if exchange.changed_source or is_reverse:
                await account.recalculate_quotas()
        except _Refused as refused:
            return _told(user, str(refused), refused.status)
        except (OSError, StoreUnavailable) as fault:
            return _told(user, str(fault), EX_TEMPFAIL)
        except OverflowError as fault:
            return _told(user, f"{fault}: a mailbox has room for no more", EX_TEMPFAIL)
        finally:
            if lock is not None:
                os.close(lock)
        for name, why in exchange.refused.items():
            _told(user, f"Mailbox {name}: the name cannot be had at the other place: {why}", EX_DATAERR)
        if exchange.refused:
            return EX_DATAERR
        if exchange.missed:
            sys.stderr.write(
                f"dsync({user}): Warning: Mailbox changes caused a desync. You may want to run dsync again\n"
            )
            return IMPERFECT
        return 0

    return work


class _Refused(Exception):
    """Nothing was done."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def _told(user: str, text: str, status: int) -> int:
    sys.stderr.write(f"dsync({user}): Error: {text}\n")
    return status


def _exchange(command: MailCommand, owner: Owner, location: str, choice: Choice) -> Exchange:
    """What is to be done between the user's place and the other; _Refused."""
    place = _place(command, owner, location)
    if place.path == owner.place.path:
        raise _Refused(
            f"Both source and destination mail_location points to same directory: {place.path}", EX_TEMPFAIL
        )
    local, remote = Place(owner.place, attributes=owner.attributes), Place(place, attributes=owner.attributes)
    if command.name == "backup":
        direction = Direction.BACKUP
    else:
        direction = Direction.ONE_WAY if "-1" in command.options else Direction.MERGE
    if "-R" not in command.options:
        return Exchange(local, remote, direction, choice)
    if not remote.exists:
        raise _Refused(
            f"There is no mail to get: stat({place.path}/cur) failed: No such file or directory", EX_DATAERR
        )
    return Exchange(remote, local, direction, choice)


def _place(command: MailCommand, owner: Owner, location: str) -> Storage:
    home = owner.fields.get("home", "")
    escaping = command.settings.storage.escaping
    where = "Namespace ''"
    try:
        chosen = storage(location, where=where, escaping=escaping)
        place = place_of(chosen, "", user=owner.user, home=home)
    except ConfigurationFault as fault:
        raise _Refused(f"Failed to initialize user: {where}: {fault.what}", EX_TEMPFAIL) from fault
    return msgspec.structs.replace(place, escaping=escaping)


def _check_destination(words: Sequence[str]) -> None:
    """Fatal if it is none on this host."""
    what = words[0]
    if _REMOTE.match(what):
        raise Fatal(
            f"{what}: remote destinations are not served: mount the mail here, or copy it with rsync -a"
        )
    if len(words) > 1 or ":" not in what:
        raise Fatal(
            f"{' '.join(words)}: a command as destination is not served: name a place, maildir:{what}"
            if len(words) == 1
            else f"{' '.join(words)}: a command as destination is not served: name a place, maildir:/path"
        )


def _refuse_unserved(command: MailCommand) -> None:
    if "-s" in command.options:
        raise Fatal(f"{command.name}: -s is not served: what was the same last is remembered beside the copy")
    if "-U" in command.options:
        raise Fatal(f"{command.name}: -U is not served: there is no replicator to be told")


# --- what is synchronized -------------------------------------------------------------------------------


def _choice(command: MailCommand) -> Choice:
    """Which mailboxes and messages.  Fatal."""
    options = command.options
    public = PublicNames(command.settings.namespaces[0])
    _check_namespaces(command)
    guid = options.get("-g", "")
    if "-g" in options and not _GUID.fullmatch(guid):
        raise Fatal(f"Invalid -g parameter: {guid}")
    only = normalise(options["-m"]) if "-m" in options else ""
    excluded = [value for flag, value in command.pairs if flag == "-x"]
    uses = {
        normalise(one.name): {use.lower() for use in one.special_use}
        for one in command.settings.namespaces[0].mailboxes
    }

    def includes(name: str, own_guid: bytes) -> bool:
        named = public.to_client(name)
        if (only and named != only) or (guid and own_guid.decode("ascii") != guid):
            return False
        return not any(
            mask.lower() in uses.get(name, ())
            if mask.startswith("\\")
            else fnmatchcase(named, mask.replace("[", "[[]"))
            for mask in excluded
        )

    flag = options.get("-O", "")
    return Choice(
        includes=includes,
        subscriptions=lambda name: not guid and (not only or public.to_client(name) == only),
        flag=_flag(flag.removeprefix("-")) if flag else None,
        is_without_flag=flag.startswith("-"),
        max_size=_size(options["-I"]) if "-I" in options else None,
        since=_moment(options["-t"], "-t") if "-t" in options else None,
        before=_moment(options["-e"], "-e") if "-e" in options else None,
    )


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


def _number(text: str, option: str) -> int:
    if not (is_decimal_text(text, max_digits=10)):
        raise Fatal(f"Invalid {option} parameter: {text}")
    return int(text)


def _locked(owner: Owner, seconds: int | None) -> int | None:
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
