"""doveadm import: messages of another Maildir, copied with flags and dates.

FAULTS
    MailFault  the place is none that is served, or nothing is there

STANDARDS
    doveadm-import(1)
"""

import os
from typing import Final

import msgspec

from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.mailstore.mailbox import (
    Account,
    Mailbox,
    MailboxNameRefused,
    MessageGone,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Work
from pillarbox.tools.doveadm_commands.choosing import (
    closed_target,
    query_of,
    refusing,
    search,
    target_mailbox,
)
from pillarbox.tools.doveadm_commands.faults import EX_TEMPFAIL, EX_USAGE, Fatal, MailFault, Usage
from pillarbox.vocabulary.faults import ConfigurationFault

_UNUSABLE: Final = (
    "Import namespace initialization failed: Initializing mail storage from mail_location parameter failed"
)


def importing(command: MailCommand) -> Work:
    """Messages of a Maildir into mailboxes of the same names, below a parent if it is not empty."""
    if len(command.words) < 3:
        raise Usage(command.usage)
    if "-U" in command.options:
        raise Fatal("import: -U is not served: name the place of that user's mail", status=EX_USAGE)
    location, parent, *words = command.words
    query = query_of(command, words)

    async def work(user: str, account: Account) -> None:
        source = _source(command, user, location)
        try:
            async for found in search(source, query):
                if not found.uids:
                    continue
                name = found.name.replace(source.separator, account.separator)
                name = f"{parent}{account.separator}{name}" if parent else name
                target = await _target(account, user, name)
                try:
                    await found.view.mailbox.copy(found.uids, target)
                finally:
                    target.close()
                if "-s" in command.options:
                    await account.subscribe(name)
        except (NoSuchMailbox, MailboxNameRefused) as fault:
            raise refusing("Mailbox {}: Mailbox sync failed", user, fault) from fault
        except MessageGone as gone:
            text = f"Copying message UID {gone} failed: Message was expunged"
            raise MailFault(user, text, EX_TEMPFAIL) from gone
        finally:
            await source.close()

    return work


def _source(command: MailCommand, user: str, location: str) -> MaildirAccount:
    home = os.environ.get("HOME", "")
    try:
        place = place_of(command.settings.storage, location, user=user, home=home)
    except ConfigurationFault as fault:
        raise Fatal(f"{_UNUSABLE}: {fault.what}") from fault
    try:
        os.stat(f"{place.path}/cur")
    except OSError as error:
        raise MailFault(
            user, f"Import: there is no Maildir: stat({place.path}/cur) failed: {error.strerror}", EX_TEMPFAIL
        ) from error
    return MaildirAccount(msgspec.structs.replace(place, escaping=command.settings.storage.escaping))


async def _target(account: Account, user: str, name: str) -> Mailbox:
    try:
        try:
            return await target_mailbox(account, name)
        except NoSuchMailbox:
            await account.create(name)
            return await target_mailbox(account, name)
    except (NoSuchMailbox, PermissionDenied) as fault:
        raise closed_target(user, f"Couldn't open mailbox '{name}'", name, fault) from fault
