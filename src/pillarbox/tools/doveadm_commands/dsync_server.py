"""doveadm dsync-server: the side of doveadm sync, on another host, that is told what is wanted.

DESCRIPTION
    It talks on standard input and output.  Locks of a run are taken by the host whose name is the smaller one, of
    one host by the side that leads.  There is no replicator to be told (-U).

FAULTS
    Usage; what goes wrong later is said on standard error, which the other side shows

STANDARDS
    doveadm-sync(1), Dovecot 2.3, dsync-server
"""

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import Account, OverQuota, StoreUnavailable
from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.place import GuidTaken, Place
from pillarbox.mailstore.synchronizing.remote.brain import Brain
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation
from pillarbox.mailstore.synchronizing.remote.run_settings import RunSettings
from pillarbox.net.duplex_stream import DuplexStream, StreamEnded
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner, Work, for_users
from pillarbox.tools.doveadm_commands.faults import EX_DATAERR, EX_TEMPFAIL, Fatal, Usage
from pillarbox.tools.doveadm_commands.remote_syncing import IO_SECONDS, level_names, part, tell_of_raw_log
from pillarbox.tools.doveadm_commands.sync_choice import choice_for, locked
from pillarbox.wire.dsync.fields import DsyncFault

USAGE: Final = "[-E] [-r <rawlog path>] [-T <timeout secs>] [-U]"


def run(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    command = MailCommand(configuration, form, f"dsync-server {USAGE}", "Er:T:U", arguments)
    if len(command.words) > 1 or not command.options.get("-T", "0").isdigit():
        raise Usage(command.usage)
    tell_of_raw_log(command)
    return for_users(command, _serving(command))


def _serving(command: MailCommand) -> Work:
    async def work(user: str, account: Account) -> int:
        owner = command.owner
        assert owner is not None
        status = await asyncio.to_thread(_serve, command, owner, user)
        await account.recalculate_quotas()
        return status

    return work


def _serve(command: MailCommand, owner: Owner, user: str) -> int:
    stream = DuplexStream(
        0,
        1,
        seconds=float(command.options.get("-T", 0) or IO_SECONDS),
        directory=command.configuration.value("mail_temp_dir"),
    )
    locks: list[int] = []

    def choose(settings: RunSettings) -> Choice:
        own = command.settings.namespaces[0].prefix
        for prefix in settings.namespaces or ():
            if prefix != own:
                raise DsyncFault(f"Namespace not found: '{prefix}'")
        if settings.lock_seconds and settings.hostname > socket.gethostname():
            lock = locked(owner, settings.lock_seconds)
            locks.extend([] if lock is None else [lock])
        return choice_for(command, settings)

    place = Place(owner.place, attributes=owner.attributes)
    talk = Conversation(stream)
    try:
        brain = Brain(talk, place, level_names(command, owner), packing=command.settings.packing)
        outcome = brain.follow(choose)
    except (
        DsyncFault,
        StreamEnded,
        StoreUnavailable,
        OverQuota,
        GuidTaken,
        OSError,
        OverflowError,
        Fatal,
    ) as fault:
        return _told(user, str(fault) or type(fault).__name__, EX_TEMPFAIL)
    finally:
        place.close()
        part(talk)
        stream.close()
        for lock in locks:
            os.close(lock)
    for name, why in outcome.refused.items():
        _told(user, f"Mailbox {name}: the name cannot be had: {why}", EX_DATAERR)
    return EX_DATAERR if outcome.refused else 0


def _told(user: str, text: str, status: int) -> int:
    sys.stderr.write(f"dsync-remote({user}): Error: {text}\n")
    return status
