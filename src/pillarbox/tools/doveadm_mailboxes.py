"""doveadm mailbox: list, status, create, delete, rename, subscribe, unsubscribe, path, mutf7.

DESCRIPTION
    A child becomes the mailboxes' owner and works on the store itself, as a session would: whether the system
    runs makes no difference but that the userdb is asked over its socket.
"""

import asyncio
import getopt
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.mailstore.mailbox import (
    Account,
    MailboxExists,
    MailboxNameRefused,
    NoSuchMailbox,
    StoreUnavailable,
)
from pillarbox.mailstore.mailbox_names import decode_utf7, encode_utf7
from pillarbox.mailstore.maildir_account import MaildirAccount
from pillarbox.mailstore.namespaced_account import as_named
from pillarbox.tools import doveadm_output
from pillarbox.tools.auth_sockets import AuthSocket, NoAnswer
from pillarbox.tools.doveadm_faults import EX_DATAERR, EX_NOTFOUND, EX_NOUSER, EX_TEMPFAIL, MailFault, Usage
from pillarbox.tools.doveadm_users import fields_of, lookup
from pillarbox.vocabulary.faults import ConfigurationFault

USAGE: Final = {
    "create": "[-u <user>|-A] [-S <socket_path>] [-s] [-g <guid>] <mailbox> [...]",
    "delete": "[-u <user>|-A] [-S <socket_path>] [-r] [-s] <mailbox> [...]",
    "list": "[-u <user>|-A] [-S <socket_path>] [-7|-8] [-s] [<mailbox mask> [...]]",
    "mutf7": "[-7|-8] <name>",
    "path": "[-u <user>|-A] [-S <socket_path>] <mailbox> [...]",
    "rename": "[-u <user>|-A] [-S <socket_path>] [-s] <old name> <new name>",
    "status": "[-u <user>|-A] [-S <socket_path>] [-t] <fields> <mailbox mask> [...]",
    "subscribe": "[-u <user>|-A] [-S <socket_path>] <mailbox> [...]",
    "unsubscribe": "[-u <user>|-A] [-S <socket_path>] <mailbox> [...]",
}
_FLAGS: Final = "u:AS:78srtg:F:"
_STATUS: Final = (
    "messages",
    "recent",
    "uidnext",
    "uidvalidity",
    "unseen",
    "highestmodseq",
    "vsize",
    "guid",
)

Work = Callable[[Account], Awaitable[None]]


class _Command:
    """One command for one user or more."""

    def __init__(self, configuration: Configuration, form: str, arguments: Sequence[str]) -> None:
        if not arguments or arguments[0] not in USAGE:
            raise Usage("mailbox <command> [<args>]", USAGE)
        self.name = arguments[0]
        self.usage = f"mailbox {self.name} {USAGE[self.name]}"
        try:
            pairs, self.words = getopt.getopt(list(arguments[1:]), _FLAGS)
        except getopt.GetoptError as error:
            raise Usage(self.usage) from error
        self.options = dict(pairs)
        self.form = form or "flow"
        self.path_of: Callable[[str], str] = str
        self.configuration = configuration
        self.settings: MailboxSettings = mailbox_settings(configuration, hostname="localhost")

    def users(self) -> list[str]:
        """Whose mailboxes."""
        if "-A" not in self.options and not {"*", "?"} & set(self.options.get("-u", "")):
            return [self.options.get("-u") or os.environ.get("USER", "")]
        path = f"{self.configuration.value('base_dir')}/auth-userdb"
        with AuthSocket(path, label="auth-master: userdb list", is_master=True) as sock:
            return [name for name in sock.users() if fnmatchcase(name, self.options.get("-u", "*"))]


def mailbox(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm mailbox."""
    command = _Command(configuration, form, arguments)
    if command.name == "mutf7":
        return _mutf7(command)
    work = _WORK[command.name](command)
    status = 0
    for user in command.users():
        try:
            status = _as_owner(command, user, work) or status
        except MailFault as fault:
            sys.stdout.flush()
            sys.stderr.write(f"doveadm({fault.user}): Error: {fault}\n")
            status = fault.status
    return status


def _as_owner(command: _Command, user: str, work: Work) -> int:
    """Do it in a child with the rights of the mailboxes' owner."""
    try:
        answer = lookup(command.configuration, user)
    except NoAnswer as fault:
        raise MailFault(user, str(fault), EX_TEMPFAIL) from fault
    if answer.word == "NOTFOUND":
        raise MailFault(user, "User doesn't exist", EX_NOUSER)
    if answer.word != "USER":
        raise MailFault(user, "userdb lookup failed", EX_TEMPFAIL)
    fields = fields_of(answer)
    try:
        place = place_of(
            command.settings.storage,
            fields.get("mail", ""),
            user=answer.fields[0],
            home=fields.get("home", ""),
        )
    except ConfigurationFault as fault:
        raise MailFault(user, str(fault), EX_TEMPFAIL) from fault
    sys.stdout.flush()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else EX_TEMPFAIL
    status = EX_TEMPFAIL
    try:
        _become(fields, answer.fields[0])
        status = _work(command, answer.fields[0], place, work)
        sys.stdout.flush()
    except Exception:  # the child's last word
        traceback.print_exc()
    finally:
        os._exit(status)


def _become(fields: dict[str, str], user: str) -> None:
    uid, gid = int(fields["uid"]), int(fields["gid"])
    if os.getuid() != 0:
        return  # the store says it if the files are not ours
    groups = os.getgrouplist(fields["system_groups_user"], gid) if "system_groups_user" in fields else [gid]
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.environ["USER"] = user
    os.umask(0o077)


def _work(command: _Command, user: str, place: Storage, work: Work) -> int:
    async def run() -> None:
        namespace = command.settings.namespaces[0]
        store = MaildirAccount.at(place, mailboxes=namespace.mailboxes)
        await store.ensure_defaults()
        account = as_named(store, namespace)
        command.path_of = lambda name: store.path(account.store_name(name))
        try:
            await work(account)
        finally:
            await account.close()

    verb = {"status": "get status for", "create": "create", "delete": "delete", "rename": "rename"}
    name = command.words[0] if command.words else ""
    try:
        asyncio.run(run())
    except MailboxExists as fault:
        return _told(
            user, f"Can't {verb.get(command.name, command.name)} mailbox {name}: {fault}", EX_DATAERR
        )
    except NoSuchMailbox as fault:
        text = f"Can't {verb.get(command.name, command.name)} mailbox {name}: {fault}"
        return _told(user, text, EX_NOTFOUND)
    except MailboxNameRefused as fault:
        return _told(
            user, f"Can't {verb.get(command.name, command.name)} mailbox {name}: {fault}", EX_DATAERR
        )
    except StoreUnavailable as fault:
        return _told(user, str(fault), EX_TEMPFAIL)
    return 0


def _told(user: str, text: str, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"doveadm({user}): Error: {text}\n")
    return status


def _matching(names: Sequence[str], masks: Sequence[str]) -> list[str]:
    """Names that fit a mask: `*` anything, `%` within a level; INBOX last, as Dovecot lists it."""
    found = [name for name in names if any(_fits(name, mask) for mask in masks or ("*",))]
    return [name for name in found if name != "INBOX"] + [name for name in found if name == "INBOX"]


def _fits(name: str, mask: str) -> bool:
    if mask.upper() == "INBOX":
        return name == "INBOX"
    return fnmatchcase(name, mask.replace("[", "[[]").replace("%", "*")) and (
        "%" not in mask or name.count("/") + name.count(".") == mask.count("/") + mask.count(".")
    )


def _list(command: _Command) -> Work:
    async def work(account: Account) -> None:
        if "-s" in command.options:
            names = await account.subscriptions()
        else:
            names = [entry.name for entry in await account.list_mailboxes()]
        encoded = "-7" in command.options
        rows = [[encode_utf7(name).decode() if encoded else name] for name in _matching(names, command.words)]
        doveadm_output.show(("mailbox",), rows, command.form, hidden=("mailbox",))

    return work


def _status(command: _Command) -> Work:
    if len(command.words) < 2:
        raise Usage(command.usage)
    wanted = command.words[0].split()
    if "all" in wanted:
        wanted = list(_STATUS)
    unknown = [name for name in wanted if name not in _STATUS]
    if unknown:
        raise Usage(command.usage)

    async def work(account: Account) -> None:
        entries = await account.list_mailboxes()
        names = _matching([entry.name for entry in entries if entry.selectable], command.words[1:])
        if not names and not any(letter in word for word in command.words[1:] for letter in "*%"):
            raise NoSuchMailbox(f"Mailbox doesn't exist: {command.words[1]}")
        rows = []
        for name in names:
            found = await account.status(name, with_modseq="highestmodseq" in wanted)
            values = dict(
                zip(
                    _STATUS,
                    (
                        found.messages,
                        found.recent,
                        found.uid_next,
                        found.uid_validity,
                        found.unseen,
                        found.highest_modseq,
                        found.size,
                        found.guid.decode("ascii"),
                    ),
                    strict=True,
                )
            )
            rows.append([name, *(str(values[field]) for field in wanted)])
        if "-t" in command.options:
            sums = [str(sum(int(row[at]) for row in rows)) for at in range(1, len(wanted) + 1)]
            doveadm_output.show(wanted, [sums], command.form)
            return
        doveadm_output.show(("mailbox", *wanted), rows, command.form, hidden=("mailbox",))

    return work


def _each(act: Callable[[Account, str], Awaitable[None]]) -> Callable[[_Command], Work]:
    def made(command: _Command) -> Work:
        if not command.words:
            raise Usage(command.usage)

        async def work(account: Account) -> None:
            for name in command.words:
                await act(account, name)
                if "-s" in command.options:
                    await (account.unsubscribe if command.name == "delete" else account.subscribe)(name)

        return work

    return made


async def _delete(account: Account, name: str) -> None:
    await account.delete(name)


def _rename(command: _Command) -> Work:
    if len(command.words) != 2:
        raise Usage(command.usage)

    async def work(account: Account) -> None:
        old, new = command.words
        await account.rename(old, new)
        if "-s" in command.options:
            await account.unsubscribe(old)
            await account.subscribe(new)

    return work


def _path(command: _Command) -> Work:
    if not command.words:
        raise Usage(command.usage)

    async def work(_account: Account) -> None:
        rows = [[command.path_of(name)] for name in command.words]
        doveadm_output.show(("path",), rows, command.form, hidden=("path",))

    return work


def _mutf7(command: _Command) -> int:
    for name in command.words:
        print(decode_utf7(name.encode()) if "-8" in command.options else encode_utf7(name).decode())
    return 0


_WORK: Final[dict[str, Callable[[_Command], Work]]] = {
    "list": _list,
    "status": _status,
    "create": _each(lambda account, name: account.create(name)),
    "delete": _each(_delete),
    "subscribe": _each(lambda account, name: account.subscribe(name)),
    "unsubscribe": _each(lambda account, name: account.unsubscribe(name)),
    "rename": _rename,
    "path": _path,
}
