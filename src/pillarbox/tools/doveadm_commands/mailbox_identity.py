"""doveadm mailbox update, and mailbox cache: what a mailbox is known by, and what is known of its messages.

DESCRIPTION
    `update` gives a mailbox another GUID or UIDVALIDITY, or a higher UIDNEXT.  Mod-sequences are microseconds since
    1970, so that they are higher than any number that Dovecot has given; one that is higher still is refused.

    What Dovecot caches of messages is decided by field; Pillarbox's cache holds what it has seen of a message, and
    there is nothing to decide, and nothing that a purge would free.

FAULTS
    MailFault, Usage, Fatal

STANDARDS
    doveadm-mailbox(1), Dovecot 2.3.19
"""

import re
from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.deliver import fault_of
from pillarbox.mailstore.mailbox import Account, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.mailbox_names import normalise
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames
from pillarbox.mailstore.synchronizing.place import GuidTaken, Place
from pillarbox.net.system_clock import SystemClock
from pillarbox.tools.doveadm_commands.accounts import COMMON, MailCommand, Prepared, Work, missing
from pillarbox.tools.doveadm_commands.faults import EX_DATAERR, EX_NOTFOUND, Fatal, MailFault, Usage
from pillarbox.tools.doveadm_commands.options import extraneous
from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.number_set import MAX_NUMBER

UPDATE_USAGE: Final = (
    f"{COMMON} [--mailbox-guid guid] [--uid-validity uid] [--min-next-uid uid] [--min-first-recent-uid uid] "
    "[--min-highest-modseq seq] [--min-highest-pvt-modseq seq] <mailbox>"
)
UPDATE_LETTERS: Final = "g:V:N:R:H:P:"
CACHE_USAGE: Final = {
    "decision": f"{COMMON} [--all] [--fields <fields>] [--last-used <timestamp>] [--decision <decision>] <mailbox>",
    "purge": f"{COMMON} <mailbox> [...]",
    "remove": f"{COMMON} <search string>",
}
_GUID: Final = re.compile(r"[0-9a-fA-F]{32}")


def guid_of(command: MailCommand, option: str) -> bytes:
    """The GUID that an option gives; b"" without it.  Usage."""
    text = command.options.get(option)
    if text is None:
        return b""
    if not _GUID.fullmatch(text):
        raise Usage(command.usage)
    return text.lower().encode("ascii")


def updating(command: MailCommand) -> Work:
    """doveadm mailbox update."""
    if not command.words:
        raise Usage(command.usage)
    if len(command.words) > 1:
        raise extraneous(command.usage, command.words[1:])
    guid = guid_of(command, "-g")
    uid_validity, next_uid = _number(command, "-V"), _number(command, "-N")
    first_recent, modseq = _number(command, "-R"), _number(command, "-H", most=1 << 63)
    if first_recent > next_uid:
        raise Fatal("min_first_recent_uid > min_next_uid", status=EX_DATAERR)
    if first_recent or _number(command, "-P", most=1 << 63):
        raise Fatal(
            "mailbox update: which messages are recent, and for whom flags are private, is not kept so"
        )
    if modseq > int(SystemClock().now() * 1e6):
        raise Fatal(
            f"mailbox update: mod-sequences are microseconds since 1970, and cannot begin at {modseq}"
        )

    async def work(user: str, _account: Account) -> None:
        name = command.words[0]
        try:
            update(command, name, guid=guid, uid_validity=uid_validity, min_next_uid=next_uid)
        except (NoSuchMailbox, MailboxNameRefused) as fault:
            raise MailFault(user, f"Cannot update {name}: {missing(name)}", EX_NOTFOUND) from fault
        except GuidTaken as fault:
            raise MailFault(user, f"Cannot update {name}: {taken(command, fault)}", EX_DATAERR) from fault

    return work


def taken(command: MailCommand, fault: GuidTaken) -> str:
    """Why a mailbox cannot have a GUID."""
    return f"Mailbox {PublicNames(command.settings.namespaces[0]).to_client(str(fault))} has that GUID"


def check_free(command: MailCommand, guid: bytes) -> None:
    """Whether one of the owner's own mailboxes can be made with that GUID.  GuidTaken."""
    owner = command.owner
    assert owner is not None
    place = Place(owner.place, attributes=owner.attributes)
    for name, other in place.mailboxes().items():
        if other == guid:
            raise GuidTaken(name)


def update(
    command: MailCommand, name: str, *, guid: bytes = b"", uid_validity: int = 0, min_next_uid: int = 0
) -> None:
    """Do so to one of the owner's own mailboxes.  NoSuchMailbox, GuidTaken, StoreUnavailable."""
    owner = command.owner
    assert owner is not None
    place = Place(owner.place, attributes=owner.attributes)
    public = PublicNames(command.settings.namespaces[0])
    wanted = normalise(name)
    stored = next((one for one in place.mailboxes() if public.to_client(one) == wanted), None)
    if stored is None:
        raise NoSuchMailbox(name)
    try:
        place.update(stored, guid=guid, uid_validity=uid_validity, min_next_uid=min_next_uid)
    except OSError as error:
        raise fault_of(error, owner.place.path) from error
    finally:
        place.close()


def _number(command: MailCommand, option: str, *, most: int = MAX_NUMBER) -> int:
    text = command.options.get(option, "0").encode("utf-8", "surrogateescape")
    if not is_decimal(text, max_digits=19) or (number := decimal(text, max_digits=19)) > most:
        raise Usage(command.usage)
    return number


def prepared_cache(configuration: Configuration, form: str, verb: str, arguments: Sequence[str]) -> Prepared:
    """doveadm mailbox cache.  Usage, Fatal."""
    if verb == "decision":
        raise Fatal(
            "mailbox cache decision is not served: what has been seen of a message is cached, whatever field"
        )
    if verb == "remove":
        raise Fatal("mailbox cache remove is not served: delete pillarbox.cache.sqlite, which is made anew")
    command = MailCommand(configuration, form, f"mailbox cache {verb} {CACHE_USAGE[verb]}", "", arguments)

    async def work(user: str, account: Account) -> None:
        for name in command.words:
            try:
                await account.status(name, with_size=False)
            except (NoSuchMailbox, MailboxNameRefused) as fault:
                raise MailFault(user, f"Cannot open mailbox {name}: {missing(name)}", EX_NOTFOUND) from fault

    return Prepared(command, work)
