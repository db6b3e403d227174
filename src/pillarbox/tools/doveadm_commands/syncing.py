"""doveadm backup and sync: a user's mail and a copy of it, here or on another host, are made the same.

DESCRIPTION
    The destination is a mail_location, maildir:/backup/%u, with options; or what leads to another host, as
    remote_syncing.py has it.  What is done with the mail is told in mailstore/synchronizing/account_exchange.py
    and mailstore/synchronizing/remote.  Each mailbox is compared as a whole, so that -f, and a state that -s is
    given, are what is done anyway; in a Maildir there is nothing for -P to purge; -a is of other kinds of mail,
    and nothing is logged for -r.

    A mailbox whose name the other place cannot have is told, and stays as it is; the others are done all the same.
    It ends with 2 where something went while it was to be copied: run it again.

FAULTS
    Fatal, Usage  a destination, or an option, that is none or is not served

STANDARDS
    doveadm-sync(1)
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from pillarbox.config.dovecot.mail_location import place_of, storage
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mailbox_settings import Storage
from pillarbox.mailstore.mailbox import Account, OverQuota, StoreUnavailable
from pillarbox.mailstore.synchronizing.account_exchange import Choice, Direction, Exchange
from pillarbox.mailstore.synchronizing.place import GuidTaken, Place
from pillarbox.mailstore.synchronizing.remote.brain import Outcome
from pillarbox.net.duplex_stream import StreamEnded
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner, for_users
from pillarbox.tools.doveadm_commands.faults import (
    EX_DATAERR,
    EX_NOTFOUND,
    EX_TEMPFAIL,
    Fatal,
    Usage,
)
from pillarbox.tools.doveadm_commands.remote_syncing import (
    Peer,
    check_state,
    destination_of,
    lead,
    print_states,
    reach,
    tell_of_raw_log,
)
from pillarbox.tools.doveadm_commands.sync_choice import choice_for, locked, number, run_settings
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.dsync.fields import DsyncFault

_OPTIONS: Final = (
    "[-l <secs>] [-r <rawlog path>] [-m <mailbox>] [-g <mailbox guid>] [-n <namespace> | -N] [-x <exclude>] "
    "[-a <all mailbox>] [-s <state>] [-T <secs>] [-t <start date>] [-e <end date>] [-O <sync flag>] "
    "[-I <max size>] -d|<dest>"
)
USAGE: Final = {"backup": f"[-fPRU] {_OPTIONS}", "sync": f"[-1fPRU] {_OPTIONS}"}
_LETTERS: Final = "fPRUl:r:m:g:n:Nx:a:s:T:dt:e:O:I:"
IMPERFECT: Final = 2
"""Exit status: another run is needed."""


def run(name: str, configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    letters = _LETTERS + ("1" if name == "sync" else "")
    command = MailCommand(configuration, form, f"{name} {USAGE[name]}", letters, arguments)
    if bool(command.words) == ("-d" in command.options):
        raise Usage(command.usage)
    tell_of_raw_log(command)
    return for_users(command, _Synchronizing(command).work)


class _Refused(Exception):
    """Nothing was done."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class _Synchronizing:
    """One command, for each of its users in a child."""

    def __init__(self, command: MailCommand) -> None:
        """Fatal."""
        self._command = command
        self._settings = run_settings(command)
        self._choice = choice_for(command, self._settings)
        self._lock_seconds = number(command.options["-l"], "-l") if "-l" in command.options else None
        if "-T" in command.options:
            number(command.options["-T"], "-T")
        if command.options.get("-s"):
            check_state(command.options["-s"])
        self._location = ""
        self._fault: Fatal | None = None
        self._peer: Peer | None = None
        command.before_rights_are_dropped = self._start
        if command.words:
            destination_of(command, command.words, "")  # what is none is told at once

    def _start(self, owner: Owner) -> None:
        """What leads to another host."""
        words = self._command.words or [owner.fields.get("mail_replica", "")]
        if not words[0]:
            return
        try:
            destination = destination_of(self._command, words, owner.user)
            if destination is None:
                self._location = words[0]
            else:
                self._peer = reach(self._command, destination, owner.user)
        except Fatal as fault:
            self._fault = fault

    async def work(self, user: str, account: Account) -> int:
        """What is done for one user."""
        owner = self._command.owner
        assert owner is not None
        if self._fault is not None:
            raise self._fault
        if self._peer is None and not self._location:
            sys.stderr.write(f"doveadm({user}): Error: User has no mail_replica in userdb\n")
            return EX_NOTFOUND
        if self._peer is None and "-N" in self._command.options:
            raise Fatal("-N parameter requires syncing with remote host")
        lock = locked(owner, self._lock_seconds)
        try:
            if self._peer is None:
                return await self._with_place(user, account, owner)
            return await self._with_host(user, account, owner, self._peer)
        finally:
            if lock is not None:
                os.close(lock)

    async def _with_place(self, user: str, account: Account, owner: Owner) -> int:
        try:
            exchange = _exchange(self._command, owner, self._location, self._choice)
            await asyncio.to_thread(exchange.run)
            if exchange.changed_source or "-R" in self._command.options:
                await account.recalculate_quotas()
        except _Refused as refused:
            return _told(user, str(refused), refused.status)
        except (OSError, StoreUnavailable) as fault:
            return _told(user, str(fault), EX_TEMPFAIL)
        except OverflowError as fault:
            return _told(user, f"{fault}: a mailbox has room for no more", EX_TEMPFAIL)
        return _ended(user, exchange.refused, exchange.missed)

    async def _with_host(self, user: str, account: Account, owner: Owner, peer: Peer) -> int:
        outcome, status = Outcome(), 0
        label = f"dsync-local({user})"
        try:
            outcome = await asyncio.to_thread(lead, self._command, owner, peer, self._settings, self._choice)
        except (DsyncFault, StreamEnded, OSError, StoreUnavailable, OverQuota, GuidTaken) as fault:
            status = _told(user, str(fault) or type(fault).__name__, EX_TEMPFAIL, label=label)
        except OverflowError as fault:
            status = _told(user, f"{fault}: a mailbox has room for no more", EX_TEMPFAIL, label=label)
        wrong = peer.end()
        if wrong and not status:
            status = _told(user, wrong, EX_TEMPFAIL, label=label)
        await account.recalculate_quotas()
        if "-s" in self._command.options:
            print_states(outcome)
        if status:
            return status
        return _ended(user, outcome.refused, outcome.missed)


def _ended(user: str, refused: dict[str, str], missed: int) -> int:
    for name, why in refused.items():
        _told(user, f"Mailbox {name}: the name cannot be had at the other place: {why}", EX_DATAERR)
    if refused:
        return EX_DATAERR
    if missed:
        sys.stderr.write(
            f"dsync({user}): Warning: Mailbox changes caused a desync. You may want to run dsync again\n"
        )
        return IMPERFECT
    return 0


def _told(user: str, text: str, status: int, *, label: str = "") -> int:
    sys.stderr.write(f"{label or f'dsync({user})'}: Error: {text}\n")
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
