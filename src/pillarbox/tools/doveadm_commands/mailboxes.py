"""doveadm mailbox: list, status, create, delete, rename, subscribe, unsubscribe, metadata, path, mutf7,
update, cache."""

from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import (
    Account,
    Fields,
    MailboxExists,
    MailboxNameRefused,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.mailstore.mailbox_names import decode_utf7, encode_utf7
from pillarbox.mailstore.maildir.account import MaildirAccount, PathKind
from pillarbox.mailstore.namespaces.namespaced_account import NamespacedAccount
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.synchronizing.place import GuidTaken
from pillarbox.tools.doveadm_commands import mailbox_identity
from pillarbox.tools.doveadm_commands.accounts import (
    COMMON,
    MailCommand,
    Prepared,
    Work,
    for_users,
    missing,
    show,
    status_of,
    told,
)
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.faults import EX_DATAERR, EX_NOTFOUND, EX_USAGE, Fatal, MailFault, Usage
from pillarbox.vocabulary.identifiers import Uid

USAGE: Final = {
    "cache": "decision|purge|remove",
    "create": f"{COMMON} [-s] [-g <guid>] <mailbox> [...]",
    "delete": f"{COMMON} [-e] [-r] [-s] [-Z] <mailbox> [...]",
    "list": f"{COMMON} [-7|-8] [-s] [<mailbox mask> [...]]",
    "metadata": "get|list|set|unset",
    "mutf7": "[-7|-8] <name> [...]",
    "path": f"{COMMON} [-t <type>] <mailbox>",
    "rename": f"{COMMON} [-s] <old name> <new name>",
    "status": f"{COMMON} [-t] <fields> <mailbox mask> [...]",
    "subscribe": f"{COMMON} <mailbox> [...]",
    "unsubscribe": f"{COMMON} <mailbox> [...]",
    "update": mailbox_identity.UPDATE_USAGE,
}
_FLAGS: Final = {
    "create": "sg:",
    "delete": "ersZ",
    "list": "78s",
    "mutf7": "78",
    "path": "t:",
    "rename": "s",
    "status": "t",
    "update": mailbox_identity.UPDATE_LETTERS,
}
_STATUS: Final = (
    "messages",
    "recent",
    "uidnext",
    "uidvalidity",
    "unseen",
    "highestmodseq",
    "vsize",
    "guid",
    "firstsaved",
)
_TOTALS: Final = ("messages", "recent", "unseen", "vsize")


def mailbox(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm mailbox."""
    if arguments and arguments[0] == "mutf7":
        return _mutf7(_command(configuration, form, arguments))
    prepared = prepared_mailbox(configuration, form, arguments)
    return for_users(prepared.command, prepared.work)


def _command(configuration: Configuration, form: str, arguments: Sequence[str]) -> MailCommand:
    name = arguments[0]
    return MailCommand(
        configuration, form, f"mailbox {name} {USAGE[name]}", _FLAGS.get(name, ""), arguments[1:]
    )


def prepared_mailbox(configuration: Configuration, form: str, arguments: Sequence[str]) -> Prepared:
    """What it is to do.  Usage, Fatal."""
    if not arguments or arguments[0] not in USAGE:
        raise Usage("mailbox <command> [<args>]", USAGE)
    name = arguments[0]
    if name == "metadata":
        from pillarbox.tools.doveadm_commands.metadata import USAGE as VERBS
        from pillarbox.tools.doveadm_commands.metadata import prepared_metadata

        if arguments[1:2] and arguments[1] in VERBS:
            return prepared_metadata(configuration, form, arguments[1], arguments[2:])
        raise Usage("mailbox <command> [<args>]", USAGE)
    if name == "cache":
        if arguments[1:2] and arguments[1] in mailbox_identity.CACHE_USAGE:
            return mailbox_identity.prepared_cache(configuration, form, arguments[1], arguments[2:])
        raise Usage("mailbox <command> [<args>]", USAGE)
    command = _command(configuration, form, arguments)
    return Prepared(command, _WORK[name](command))


def matching(names: Sequence[str], masks: Sequence[str]) -> list[str]:
    """Names that fit a mask: `*` anything, `%` within a level; INBOX last, as Dovecot lists it."""
    found = [name for name in names if any(_fits(name, mask) for mask in masks or ("*",))]
    return [name for name in found if name != "INBOX"] + [name for name in found if name == "INBOX"]


def within_reach(account: Account, names: Sequence[str], masks: Sequence[str], *, public: bool) -> list[str]:
    """Names that a command without a mailbox's name works on: not those of others, and those of public namespaces
    if they are asked for, or if `public`."""
    if not isinstance(account, UnitedAccount):
        return list(names)
    spaces = account.namespaces()
    asked = [
        prefix for prefix in spaces["public"] if public or any(mask.startswith(prefix) for mask in masks)
    ]
    left_out = [prefix for prefix in spaces["public"] if prefix not in asked] + spaces["shared"]
    roots = {prefix.removesuffix(account.separator) for prefix in left_out}
    return [name for name in names if name not in roots and not name.startswith(tuple(left_out))]


def is_mask(text: str) -> bool:
    """Whether it stands for many names."""
    return "*" in text or "%" in text


def _fits(name: str, mask: str) -> bool:
    if mask.upper() == "INBOX":
        return name == "INBOX"
    return fnmatchcase(name, mask.replace("[", "[[]").replace("%", "*")) and (
        "%" not in mask or name.count("/") + name.count(".") == mask.count("/") + mask.count(".")
    )


def _list(command: MailCommand) -> Work:
    command.columns = Columns(("mailbox",), hidden=("mailbox",))

    async def work(user: str, account: Account) -> None:
        if "-s" in command.options:
            names = matching(await account.subscriptions(), command.words)
        else:
            listed = [entry.name for entry in await account.list_mailboxes()]
            there = within_reach(account, listed, command.words, public=True) if command.words else listed
            plain = [word for word in command.words if not is_mask(word) and not matching(there, [word])]
            names = plain + matching(there, command.words)
        encoded = "-7" in command.options
        rows = [[encode_utf7(name).decode() if encoded else name] for name in names]
        show(command, user, rows)

    return work


def _status(command: MailCommand) -> Work:
    if len(command.words) < 2:
        raise Usage(command.usage)
    wanted = command.words[0].split()
    for name in wanted:
        if name not in (*_STATUS, "all"):
            raise Fatal(f"Unknown status field: {name}", status=EX_USAGE)
    totals = "-t" in command.options
    if "all" in wanted:
        wanted = list(_TOTALS if totals else _STATUS)
    wanted.sort(key=_STATUS.index)
    command.columns = Columns(wanted) if totals else Columns(("mailbox", *wanted), hidden=("mailbox",))

    async def work(user: str, account: Account) -> None:
        masks = command.words[1:]
        listed = [entry.name for entry in await account.list_mailboxes() if entry.selectable]
        names = matching(within_reach(account, listed, masks, public=False), masks)
        for mask in masks:
            if not is_mask(mask) and not names and await is_there(account, mask):
                names.append(mask)  # an access list hides it only
        if not names and not any(map(is_mask, command.words[1:])):
            name = command.words[1]
            text = f"Mailbox {name}: Failed to lookup mailbox status: {missing(name)}"
            raise MailFault(user, text, EX_NOTFOUND)
        rows = []
        for name in names:
            values = await _values(account, name, wanted)
            rows.append([name, *(values[field] for field in wanted)])
        if totals:
            sums = [str(sum(int(row[at]) for row in rows)) for at in range(1, len(wanted) + 1)]
            show(command, user, [sums])
        else:
            show(command, user, rows)

    return work


async def is_there(account: Account, name: str) -> bool:
    """Whether there is such a mailbox, be it one that an access list hides."""
    try:
        await account.status(name, with_size=False)
    except (NoSuchMailbox, MailboxNameRefused):
        return False
    return True


async def _values(account: Account, name: str, wanted: Sequence[str]) -> dict[str, str]:
    found = await account.status(name, with_modseq="highestmodseq" in wanted, with_size="vsize" in wanted)
    first = await _first_saved(account, name) if "firstsaved" in wanted else ""
    values: tuple[object, ...] = (
        found.messages,
        found.recent,
        found.uid_next,
        found.uid_validity,
        found.unseen,
        found.highest_modseq,
        found.size,
        found.guid.decode("ascii"),
        first,
    )
    return {field: str(value) for field, value in zip(_STATUS, values, strict=True)}


async def _first_saved(account: Account, name: str) -> str:
    """When the oldest message came into the mailbox, in seconds since 1970."""
    mailbox = await account.open(name, read_only=True)
    try:
        uids = [Uid(uid) for uid in mailbox.messages.uids[:1]]
        found = await mailbox.summaries(uids, Fields.SAVED)
        mailbox.failed_reads.check(0)
        return str(found[0].saved) if found else "never"
    finally:
        mailbox.close()


def _failing(command: MailCommand, what: str, fault: Exception, user: str) -> MailFault:
    verb = command.name.removeprefix("mailbox ")
    name = what.partition(" to ")[0]
    if isinstance(fault, NoSuchMailbox):
        text = missing(name)
    elif isinstance(fault, MailboxExists):
        text = "Target mailbox already exists" if verb == "rename" else "Mailbox already exists"
    elif isinstance(fault, PermissionDenied):
        text = "Permission denied"
    else:
        text = str(fault)
    return MailFault(user, f"Can't {verb} mailbox {what}: {text}", status_of(fault))


def _each(act: Callable[[Account, str], Awaitable[None]]) -> Callable[[MailCommand], Work]:
    def made(command: MailCommand) -> Work:
        if not command.words:
            raise Usage(command.usage)
        guid = mailbox_identity.guid_of(command, "-g") if command.name == "mailbox create" else b""
        deletes = command.name == "mailbox delete"

        async def one(user: str, account: Account, name: str) -> None:
            try:
                if "-e" in command.options and (await account.status(name, with_size=False)).messages:
                    raise MailFault(user, f"Can't delete mailbox {name}: Mailbox isn't empty", EX_DATAERR)
                if guid:
                    mailbox_identity.check_free(command, guid)
                await act(account, name)
                if guid:
                    mailbox_identity.update(command, name, guid=guid)
            except (NoSuchMailbox, MailboxExists, MailboxNameRefused, PermissionDenied) as fault:
                raise _failing(command, name, fault, user) from fault
            except GuidTaken as fault:
                problem = mailbox_identity.taken(command, fault)
                raise MailFault(user, f"Can't create mailbox {name}: {problem}", EX_DATAERR) from fault
            if "-s" in command.options:
                await (account.unsubscribe if deletes else account.subscribe)(name)

        async def work(user: str, account: Account) -> int:
            status = 0
            for name in await _named(command, account):
                try:
                    await one(user, account, name)
                except MailFault as fault:  # the others are done all the same
                    status = status or fault.status
                    told(user, str(fault), fault.status)
            return status

        return work

    return made


async def _named(command: MailCommand, account: Account) -> list[str]:
    """The mailboxes, those to be deleted from the last, and with -r the children of each before it."""
    if "-r" not in command.options:
        return sorted(command.words, reverse=True) if command.name == "mailbox delete" else command.words
    there = [entry.name for entry in await account.list_mailboxes() if entry.selectable]
    found: list[str] = []
    for word in command.words:
        children = [name for name in there if name.startswith(word + account.separator)]
        found += sorted(children, key=len, reverse=True)
        found.append(word)
    return found


def _rename(command: MailCommand) -> Work:
    if len(command.words) != 2:
        raise Usage(command.usage)

    async def work(user: str, account: Account) -> None:
        old, new = command.words
        try:
            await account.rename(old, new)
        except (NoSuchMailbox, MailboxExists, MailboxNameRefused, PermissionDenied) as fault:
            raise _failing(command, f"{old} to {new}", fault, user) from fault
        if "-s" in command.options:
            await account.unsubscribe(old)
            await account.subscribe(new)

    return work


def _path(command: MailCommand) -> Work:
    if len(command.words) != 1:
        raise Usage(command.usage)
    asked = command.options.get("-t", "mailbox")
    if asked not in _PATHS:
        raise Usage(command.usage)
    kind = _PATHS[asked]
    command.columns = Columns(("path",), hidden=("path",))

    async def work(user: str, account: Account) -> None:
        name = command.words[0]
        show(command, user, [[await _path_of(account, name, kind)]] if kind is not None else [])

    return work


_PATHS: Final[dict[str, PathKind | None]] = {
    "dir": "mailbox",
    "mailbox": "mailbox",
    "control": "control",
    "index": "index",
    "alt-dir": None,
    "alt-mailbox": None,
    "index-private": None,
}
"""Types of -t; None: a Maildir has none."""


async def _path_of(account: Account, name: str, kind: PathKind) -> str:
    """Where a mailbox lies, existing or not."""
    if isinstance(account, UnitedAccount):
        return await account.path(name, kind)
    return account.path(name, kind) if isinstance(account, NamespacedAccount | MaildirAccount) else ""


def _mutf7(command: MailCommand) -> int:
    for name in command.words:
        print(decode_utf7(name.encode()) if "-8" in command.options else encode_utf7(name).decode())
    return 0


_WORK: Final[dict[str, Callable[[MailCommand], Work]]] = {
    "list": _list,
    "status": _status,
    "create": _each(lambda account, name: account.create(name)),
    "delete": _each(lambda account, name: account.delete(name)),
    "subscribe": _each(lambda account, name: account.subscribe(name)),
    "unsubscribe": _each(lambda account, name: account.unsubscribe(name)),
    "rename": _rename,
    "path": _path,
    "update": mailbox_identity.updating,
}
