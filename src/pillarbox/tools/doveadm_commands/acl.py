"""doveadm acl: who may do what with a user's mailboxes.

    doveadm acl get    [-m] MAILBOX            a line for each identifier; with -m only for those that are the user
    doveadm acl rights MAILBOX                 what the user may do
    doveadm acl set    MAILBOX ID RIGHT...     these rights, whatever was said before; -RIGHT takes one away
    doveadm acl add    MAILBOX ID RIGHT...     these, too
    doveadm acl remove MAILBOX ID RIGHT...     no longer these
    doveadm acl delete MAILBOX ID              nothing is said of it any more
    doveadm acl recalc                         tell anew with whom mailboxes are shared (acl_shared_dict)
    doveadm acl debug  MAILBOX                 why the user sees the mailbox, or does not

    ID: anyone, authenticated, owner, user=NAME, group=NAME, group-override=NAME.
    RIGHT: lookup read write write-seen write-deleted insert post expunge create delete admin, or all.
    What stands in a list for all mailboxes (acl = vfile:PATH) is shown, and cannot be changed here.

FAULTS
    Fatal      no such identifier or right; lists are not in use
    MailFault  no such mailbox

STANDARDS
    doveadm-acl(1); dovecot-acl
"""

import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import Account, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.sharing.acl_file import (
    ALL,
    LETTERS,
    Entry,
    Identifier,
    Rights,
    changed,
    identifier,
    identifier_text,
)
from pillarbox.tools.doveadm_commands.accounts import (
    COMMON,
    MailCommand,
    Prepared,
    Work,
    for_users,
    missing,
    show,
    status_of,
)
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.faults import EX_NOTFOUND, EX_USAGE, Fatal, MailFault, Usage
from pillarbox.tools.doveadm_commands.options import extraneous

USAGE: Final = {
    "add": f"{COMMON} <mailbox> <id> <right> [<right> ...]",
    "debug": f"{COMMON} <mailbox>",
    "delete": f"{COMMON} <mailbox> <id>",
    "get": f"{COMMON} [-m] <mailbox>",
    "recalc": f"{COMMON} ",
    "remove": f"{COMMON} <mailbox> <id> <right> [<right> ...]",
    "rights": f"{COMMON} <mailbox>",
    "set": f"{COMMON} <mailbox> <id> <right> [<right> ...]",
}
_NAMES: Final = {
    "lookup": "l", "read": "r", "write": "w", "write-seen": "s", "write-deleted": "t", "insert": "i", "post": "p",
    "expunge": "e", "create": "k", "delete": "x", "admin": "a",
}  # fmt: skip
"""Right → its letter, in the order in which `rights` shows them; lists show them by the alphabet."""
_COLUMNS: Final = Columns(("id", "global", "rights"), "table", titles=("ID", "Global", "Rights"))
_CHANGES: Final = ("set", "add", "remove")


def acl(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The command."""
    prepared = prepared_acl(configuration, form, arguments)
    return for_users(prepared.command, prepared.work)


def prepared_acl(configuration: Configuration, form: str, arguments: Sequence[str]) -> Prepared:
    """What it is to do.  Usage, Fatal."""
    if "acl" not in configuration.for_protocol("doveadm").words("mail_plugins"):
        raise Fatal("Unknown command 'acl', but plugin acl exists. Try to set mail_plugins=acl")
    if not arguments or arguments[0] not in USAGE:
        raise Usage("acl <command> [<args>]", USAGE)
    verb = arguments[0]
    command = MailCommand(
        configuration, form, f"acl {verb} {USAGE[verb]}", "m" if verb == "get" else "", arguments[1:]
    )
    fewest = {"delete": 2, "recalc": 0}.get(verb, 3 if verb in _CHANGES else 1)
    if len(command.words) < fewest:
        raise Usage(command.usage)
    if verb not in _CHANGES and len(command.words) > fewest:
        raise extraneous(f"acl {verb}", command.words[fewest:])
    mailbox, *rest = command.words or [""]
    return Prepared(command, _on_lists(_worker(command, verb, mailbox, rest)))


_Worker = Callable[[str, UnitedAccount], Coroutine[Any, Any, int | None]]


def _worker(command: MailCommand, verb: str, mailbox: str, rest: Sequence[str]) -> _Worker:
    match verb:
        case "get":
            command.columns = _COLUMNS
            return partial(_get, command, mailbox)
        case "rights":
            command.columns = Columns(("rights",), "table", titles=("Rights",))
            return partial(_rights, command, mailbox)
        case "debug":
            return partial(_debug, mailbox)
        case "recalc":
            return _recalculate
        case "delete":
            return partial(_set, mailbox, rest[0], ())
        case "set":
            return partial(_set, mailbox, rest[0], rest[1:])
        case _:
            return partial(_change, verb == "add", mailbox, rest[0], rest[1:])


def _on_lists(work: _Worker) -> Work:
    async def checked(user: str, account: Account) -> int | None:
        if not isinstance(account, UnitedAccount) or not account.has_lists:
            raise MailFault(user, f"ACL not enabled for {user}", EX_NOTFOUND)
        return await work(user, account)

    return checked


async def _get(command: MailCommand, mailbox: str, user: str, account: UnitedAccount) -> int | None:
    own, of_all, fault = await _lists(user, account, mailbox)
    if fault is not None:
        sys.stderr.write(f"doveadm({user}): Error: {fault}\n")
    found = [*(("", entry) for entry in own), *(("global", entry) for entry in of_all)]
    if "-m" in command.options:
        found = [one for one in found if await account.counts(mailbox, one[1].who)]
    show(command, user, [(identifier_text(entry.who), where, _shown(entry)) for where, entry in found])
    return fault.status if fault is not None else None


async def _rights(command: MailCommand, mailbox: str, user: str, account: UnitedAccount) -> int | None:
    _, _, fault = await _lists(user, account, mailbox)
    if fault is not None:
        sys.stderr.write(f"doveadm({user}): Error: {fault}\n")
    rights = Rights.NONE if fault is not None else await account.rights(mailbox)
    show(command, user, [] if fault is not None else [(" ".join(_names_of(rights)),)])
    return fault.status if fault is not None else None


async def _set(mailbox: str, who: str, words: Sequence[str], user: str, account: UnitedAccount) -> None:
    whom = _identifier(who)
    given, taken = _rights_of(words)
    await _existing(user, account, mailbox)

    def change(entries: Sequence[Entry]) -> Sequence[Entry]:
        without = changed(entries, whom, taken or None, taken=True)
        return changed(without, whom, given or None, taken=False)

    await account.change_access(mailbox, change)


async def _change(
    adds: bool, mailbox: str, who: str, words: Sequence[str], user: str, account: UnitedAccount
) -> None:
    whom, asked = _identifier(who), _rights_of(words)
    await _existing(user, account, mailbox)

    def change(entries: Sequence[Entry]) -> Sequence[Entry]:
        before = next((entry for entry in entries if entry.who == whom), Entry(whom))
        for rights, is_taken, had in zip(asked, (False, True), (before.given, before.taken), strict=True):
            if rights and (adds or had is not None):
                kept = had or Rights.NONE
                entries = changed(entries, whom, kept | rights if adds else kept & ~rights, taken=is_taken)
        return entries

    await account.change_access(mailbox, change)


async def _recalculate(_user: str, account: UnitedAccount) -> None:
    await account.publish_lists()


async def _debug(mailbox: str, user: str, account: UnitedAccount) -> int | None:
    def tell(text: str, kind: str = "Info") -> None:
        sys.stderr.write(f"doveadm({user}): {kind}: {text}\n")

    namespace = await account.prefix_of(mailbox)
    path = await account.path(mailbox)
    if not await account.exists(mailbox):
        text = f"Mailbox '{mailbox}' in namespace '{namespace}' doesn't exist in {path}"
        raise MailFault(user, text, EX_NOTFOUND)
    tell(f"Mailbox '{mailbox}' is in namespace '{namespace}'")
    tell(f"Mailbox path: {path}")
    tell("All message flags are shared across users in mailbox")
    rights = await account.rights(mailbox)
    tell(f"User {user} has rights: {' '.join(_names_of(rights))}")
    if Rights.LOOKUP not in rights:
        tell(f"User {user} is missing 'lookup' right", "Error")
    elif account.is_owner(mailbox):
        tell("Mailbox in user's private namespace")
    else:
        tell(f"Mailbox in a {'shared' if account.is_of_another(mailbox) else 'public'} namespace")
    tell(f"Mailbox {mailbox} is {'visible' if Rights.LOOKUP in rights else 'NOT visible'} in LIST")
    return None


async def _existing(user: str, account: UnitedAccount, mailbox: str) -> list[Entry]:
    """The mailbox's own list.  MailFault."""
    own, _, fault = await _lists(user, account, mailbox)
    if fault is not None:
        raise fault
    return own


async def _lists(
    user: str, account: UnitedAccount, mailbox: str
) -> tuple[list[Entry], list[Entry], MailFault | None]:
    """The mailbox's own, what is said of it in that for all, or why there is neither."""
    try:
        if not mailbox:
            raise MailboxNameRefused("Invalid mailbox name: Name is empty")
        await account.path(mailbox)  # which refuses what cannot be a name
        return *await account.access_lists(mailbox), None
    except NoSuchMailbox as fault:
        text, status = missing(mailbox), status_of(fault)
    except MailboxNameRefused as fault:
        text, status = str(fault), EX_USAGE
    return [], [], MailFault(user, f"Can't open mailbox {mailbox}: {text}", status)


def _identifier(text: str) -> Identifier:
    try:
        return identifier(text)
    except ValueError:
        raise Fatal(f"Invalid ID: {text}", status=EX_USAGE) from None


def _rights_of(words: Sequence[str]) -> tuple[Rights, Rights]:
    """Those that are given and those that are taken away."""
    given = taken = Rights.NONE
    for word in words:
        name = word.removeprefix("-")
        if name != "all" and name not in _NAMES:
            raise Fatal(f"Invalid right '{name}'", status=EX_USAGE)
        rights = ALL if name == "all" else LETTERS[_NAMES[name]]
        if word.startswith("-"):
            taken |= rights
        else:
            given |= rights
    return given, taken


def _names_of(rights: Rights) -> list[str]:
    return [name for name, letter in _NAMES.items() if LETTERS[letter] in rights]


def _shown(entry: Entry) -> str:
    words = sorted(_names_of(entry.given or Rights.NONE))
    if entry.taken is not None:
        words += [f"-{name}" for name in sorted(_names_of(entry.taken)) or ("",)]
    return " ".join(words)
