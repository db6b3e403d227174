"""doveadm commands that work on users' mailboxes: whose, with whose rights, and what is said when it fails.

DESCRIPTION
    A child becomes the mailboxes' owner and works on the store itself, as a session would: whether the system
    runs makes no difference but that the userdb is asked over its socket.

    -S WHERE  a doveadm service works on them instead (remote_commands.py)
    -u USER   that user; a mask with * or ? is all users that it fits
    -A        all users
    -F FILE   those whose names are in the file, one a line
    neither   the user of the environment, with the rights of who asks, and no userdb

FAULTS
    MailFault  the user does not exist, or nobody knows; the exit status is the worst of all users'
"""

import asyncio
import grp
import os
import pwd
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from fnmatch import fnmatchcase
from typing import IO, Final

import msgspec

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.attribute_file import attribute_file_of
from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.daemons.account_namespaces import AccountNamespaces, SessionUser
from pillarbox.mailstore.cache.text_searching import IndexPolicy
from pillarbox.mailstore.mailbox import (
    Account,
    MailboxExists,
    MailboxNameRefused,
    NoSuchMailbox,
    OverQuota,
    PermissionDenied,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.namespaces.united_account import UnitedAccount
from pillarbox.mailstore.quota.user_quota import user_quota
from pillarbox.mailstore.sharing.acl_file import Rights
from pillarbox.net.rights import become
from pillarbox.tools.auth_sockets import AuthSocket, NoAnswer
from pillarbox.tools.doveadm_commands.common_output import Columns, CommonOutput, RowSender
from pillarbox.tools.doveadm_commands.faults import (
    EX_DATAERR,
    EX_NOPERM,
    EX_NOTFOUND,
    EX_NOUSER,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    MailFault,
    NoList,
)
from pillarbox.tools.doveadm_commands.options import SERVED_USER, WHOSE, read_options
from pillarbox.tools.doveadm_commands.output import Cell
from pillarbox.tools.doveadm_commands.users import fields_of, lookup
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

COMMON: Final = "[-u <user>|-A] [-S <socket_path>]"


class MailCommand:
    """One command's options and words, and for whom it is."""

    def __init__(
        self, configuration: Configuration, form: str, usage: str, flags: str, arguments: Sequence[str]
    ) -> None:
        """`usage`: the command's name, then its synopsis; `flags`: its options besides -u, -A, -F and -S,
        for getopt."""
        self.name = usage.partition(" [")[0]
        self.usage = usage
        self.form = form
        self.configuration = configuration
        self.settings: MailboxSettings = mailbox_settings(configuration, hostname="localhost")
        pairs, self.words = read_options(self.name, arguments, f"{WHOSE}{flags}")
        self.pairs = pairs
        """Options that may be given several times, too."""
        self.options = dict(pairs)
        self.columns: Columns | None = None
        """What it prints, if it prints anything."""
        self.sender: RowSender | None = None
        """In the child of a command that is for many."""
        self.message: IO[bytes] | None = None
        """What it saves."""
        self.owner: Owner | None = None
        """In the child: whose mailboxes it works on."""
        self.before_rights_are_dropped: Callable[[Owner], None] | None = None
        """Called in the child that is to work for the owner."""

    @property
    def shown_columns(self) -> Columns | None:
        """`columns` in the form that is asked for."""
        if self.columns is None:
            return None
        columns = msgspec.structs.replace(self.columns, form=self.form or self.columns.form)
        return columns.with_users() if self.is_for_many else columns

    @property
    def is_for_many(self) -> bool:
        """Whether lines say whose they are."""
        return bool({"-A", "-F"} & self.options.keys()) or bool({"*", "?"} & set(self.options.get("-u", "")))

    @property
    def is_for_oneself(self) -> bool:
        """Whether nobody is named."""
        return not SERVED_USER.get() and not {"-u", "-A", "-F"} & self.options.keys()

    def users(self) -> list[str]:
        """Whose mailboxes.  NoAnswer, NoList."""
        if served := SERVED_USER.get():
            return [served]
        if "-F" in self.options:
            return _listed_users(self.options["-F"])
        if not self.is_for_many:
            found = self.options.get("-u") or os.environ.get("USER", "")
            if not found:
                raise Fatal("USER environment is missing and -u option not used", status=EX_USAGE)
            return [found]
        path = f"{self.configuration.value('base_dir')}/auth-userdb"
        with AuthSocket(path, label="auth-master: userdb list", is_master=True) as sock:
            return [name for name in sock.users() if fnmatchcase(name, self.options.get("-u", "*"))]


Work = Callable[[str, Account], Awaitable[int | None]]
"""What is done for a user, on his account; the exit status if it is not 0."""


class Prepared(msgspec.Struct, frozen=True):
    """A command whose words have been read, and what it does for each user."""

    command: MailCommand
    work: Work


def _listed_users(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line.strip("\r\n") for line in file if line.strip()]
    except OSError as error:
        raise NoList(path, error.strerror or "") from error


def for_users(command: MailCommand, work: Work, *, failed: set[str] | None = None) -> int:
    """Do it for each of them, but for those in `failed`.

    Others are added to these for whom it could not be done.
    """
    status = 0
    failed = set() if failed is None else failed
    output = CommonOutput() if command.is_for_many else None
    try:
        users = command.users()
    except NoList:
        if output is not None:
            output.finish(command.shown_columns)
        raise
    if "-S" in command.options:
        return _for_users_there(command, [user for user in users if user not in failed], failed)
    for user in users:
        if user in failed:
            continue
        try:
            ended = _as_owner(command, user, work, output)
            if ended:
                status = ended
                failed.add(user)
        except MailFault as fault:
            failed.add(user)
            if fault.status == EX_NOUSER and output is not None:
                sys.stderr.write(f"doveadm({user}): Info: User no longer exists, skipping\n")
                continue
            if output is None and command.columns is not None:
                writer(command, user)(None)
            status = told(fault.user, str(fault), fault.status)
    if output is not None:
        output.finish(command.shown_columns)
    return status


def _for_users_there(command: MailCommand, users: Sequence[str], failed: set[str]) -> int:
    """By the doveadm service that -S names."""
    from pillarbox.tools.doveadm_commands.remote_commands import RemoteCommands

    status = 0
    remote = RemoteCommands(command)
    for user in users:
        try:
            ended = remote.run(user)
        except Fatal as fault:
            sys.stdout.flush()
            sys.stderr.write(f"doveadm({user}): Fatal: {fault}\n")
            return fault.status
        if ended:
            status = ended
            failed.add(user)
    remote.finish()
    return status


def told(user: str, text: str, status: int) -> int:
    """Say what is wrong; `status`."""
    sys.stdout.flush()
    sys.stderr.write(f"doveadm({user}): Error: {text}\n")
    return status


class Owner:
    """Whose files an account's are, and where they lie."""

    def __init__(
        self,
        user: str,
        place: Storage,
        *,
        attributes: str,
        uid: int,
        gid: int,
        groups: list[int],
        fields: Mapping[str, str],
    ) -> None:
        """`attributes`: the file of the annotations, if it is not in the Maildir; `fields`: what the userdb
        says."""
        self.fields = fields
        self.attributes = attributes
        self.user = user
        self.place = place
        self._uid, self._gid, self._groups = uid, gid, groups

    @classmethod
    def find(cls, command: MailCommand, user: str) -> "Owner":
        """What the userdb says, or for who asks himself, the configuration.  MailFault."""
        if command.is_for_oneself:
            return cls._oneself(command, user)
        try:
            answer = lookup(command.configuration, user)
        except NoAnswer as fault:
            raise MailFault(user, str(fault), EX_TEMPFAIL) from fault
        if answer.word == "NOTFOUND":
            raise MailFault(user, "User doesn't exist", EX_NOUSER)
        if answer.word != "USER":
            raise MailFault(user, "userdb lookup failed", EX_TEMPFAIL)
        fields, name = fields_of(answer), answer.fields[0]
        settings = command.settings  # what the userdb of a Dovecot leaves out
        fields.setdefault("home", variables.expand(settings.mail_home, variables.user_values(name)))
        if "uid" not in fields and settings.mail_uid:
            fields["uid"] = str(_number(settings.mail_uid, gid=False))
            fields.setdefault("gid", str(_number(settings.mail_gid or "0", gid=True)))
        if "uid" not in fields:
            raise MailFault(user, "userdb didn't return uid, and mail_uid isn't set", EX_TEMPFAIL)
        place, attributes = cls._place(command, name, fields)
        uid, gid = int(fields["uid"]), int(fields["gid"])
        if uid == 0:
            text = "Mail access for users with UID 0 not permitted (this is always denied)"
            raise MailFault(user, text, EX_TEMPFAIL)
        groups_of = fields.get("system_groups_user")
        groups = os.getgrouplist(groups_of, gid) if groups_of and os.getuid() == 0 else [gid]
        groups = [*groups, *settings.mail_access_groups]
        return cls(name, place, attributes=attributes, uid=uid, gid=gid, groups=groups, fields=fields)

    @classmethod
    def _oneself(cls, command: MailCommand, user: str) -> "Owner":
        settings = command.settings
        values = variables.user_values(user)
        home = variables.expand(settings.mail_home, values) or os.environ.get("HOME", "")
        place, attributes = cls._place(command, user, {"home": home})
        uid, gid = os.getuid(), os.getgid()
        if uid == 0 and not settings.mail_uid:
            raise MailFault(user, "Mail access for users with UID 0 not permitted: use -u", EX_TEMPFAIL)
        if uid == 0:
            uid, gid = _number(settings.mail_uid, gid=False), _number(settings.mail_gid or "0", gid=True)
        return cls(user, place, attributes=attributes, uid=uid, gid=gid, groups=[gid], fields={"home": home})

    @staticmethod
    def _place(command: MailCommand, user: str, fields: Mapping[str, str]) -> tuple[Storage, str]:
        mail, home = fields.get("mail", ""), fields.get("home", "")
        try:
            return (
                place_of(command.settings.storage, mail, user=user, home=home, fields=fields),
                attribute_file_of(command.settings.mail_attribute_dict, user=user, home=home),
            )
        except ConfigurationFault as fault:
            raise MailFault(user, str(fault), EX_TEMPFAIL) from fault

    def become(self) -> None:
        """Drop root's rights for the owner's; without them, the store says it if the files are not ours."""
        os.environ["USER"] = self.user
        os.umask(0o077)
        if os.getuid() == 0:
            become(self._uid, self._gid, self._groups)


def _number(text: str, *, gid: bool) -> int:
    if is_decimal_text(text, max_digits=10):
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid if gid else pwd.getpwnam(text).pw_uid
    except KeyError:
        raise Fatal(
            f"mail_gid: no such group: {text}" if gid else f"mail_uid: no such user: {text}"
        ) from None


def open_store(command: MailCommand, owner: Owner) -> MaildirAccount:
    """The owner's account, as the configuration's namespace has it."""
    home = owner.fields.get("home", "")
    try:
        quota = user_quota(command.settings, owner.place, owner.fields, user=owner.user, home=home)
    except ConfigurationFault as fault:
        raise MailFault(owner.user, str(fault), EX_TEMPFAIL) from fault
    return MaildirAccount(
        owner.place,
        mailboxes=command.settings.namespaces[0].mailboxes,
        attributes=owner.attributes,
        quota=quota,
        packing=command.settings.packing,
        index_policy=IndexPolicy(command.settings.search_index),
    )


@asynccontextmanager
async def seen_by(command: MailCommand, owner: Owner, store: MaildirAccount) -> AsyncIterator[Account]:
    """All that the owner sees: his own mail, public trees and what others share; closed in the end.

    Access lists hide what may not be looked up, and forbid to make, to rename and to delete, and to put something
    somewhere; for the rest whatever is named is worked on.
    """
    fault: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        plugins = command.configuration.for_protocol("doveadm").words("mail_plugins")
        namespaces = AccountNamespaces(
            command.settings,
            executor=None,
            inotify=None,
            tasks=tasks,
            has_lists="acl" in plugins,
            asked=Rights.CREATE | Rights.DELETE | Rights.INSERT,
        )
        home = owner.fields.get("home", "")
        namespaces.keep_expunged(store, SessionUser(owner.user, home, owner.place), owner.fields)
        account = namespaces.account(owner.user, home, owner.place, owner.fields, store)
        try:
            yield account
        except Exception as error:  # as it is, not as one of a group
            fault = error
        finally:
            if isinstance(account, UnitedAccount):
                await account.close()
            await store.close()
            namespaces.close()
    if fault is not None:
        raise fault


def _as_owner(command: MailCommand, user: str, work: Work, output: CommonOutput | None) -> int:
    """Do it in a child with the rights of the mailboxes' owner."""
    owner = Owner.find(command, user)
    pipe = os.pipe() if output is not None else None
    sys.stdout.flush()
    child = os.fork()
    if child:
        try:
            if output is not None and pipe is not None:
                os.close(pipe[1])
                with open(pipe[0], "rb") as rows:
                    output.take(rows)
        finally:
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else EX_TEMPFAIL
    status = EX_TEMPFAIL
    try:
        if pipe is not None:
            command.sender = RowSender(open(pipe[1], "wb"))
        if command.before_rights_are_dropped is not None:
            command.before_rights_are_dropped(owner)
        owner.become()
        command.owner = owner
        status = _work(command, owner, work)
        sys.stdout.flush()
        if command.sender is not None:
            command.sender.close()
    except Exception:  # the child's last word
        traceback.print_exc()
    finally:
        os._exit(status)


def _work(command: MailCommand, owner: Owner, work: Work) -> int:
    async def run() -> int | None:
        # Named here so that it is loaded before the rights are dropped that may be needed to read it.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="store"))
        store = open_store(command, owner)
        await store.ensure_defaults()
        async with AsyncExitStack() as opened:
            account = await opened.enter_async_context(seen_by(command, owner, store))
            return await work(owner.user, account)

    try:
        return asyncio.run(run()) or 0
    except MailFault as fault:
        return told(owner.user, str(fault), fault.status)
    except Fatal as fault:
        sys.stdout.flush()
        sys.stderr.write(f"doveadm({owner.user}): Fatal: {fault}\n")
        return fault.status
    except (NoSuchMailbox, MailboxExists, MailboxNameRefused, StoreUnavailable, OverQuota) as fault:
        return told(owner.user, str(fault), status_of(fault))
    except PermissionDenied:
        return told(owner.user, "Permission denied", EX_NOPERM)


def status_of(fault: Exception) -> int:
    """The exit status for what a store says."""
    if isinstance(fault, NoSuchMailbox):
        return EX_NOTFOUND
    if isinstance(fault, PermissionDenied):
        return EX_NOPERM
    if isinstance(fault, MailboxNameRefused) and not any(
        word in str(fault) for word in ("INBOX", "Renaming", "itself")
    ):
        return EX_USAGE
    return EX_DATAERR if isinstance(fault, MailboxExists | MailboxNameRefused) else EX_TEMPFAIL


def missing(name: str) -> str:
    """The end of many messages."""
    return f"Mailbox doesn't exist: {name}"


def writer(command: MailCommand, user: str) -> Callable[[Sequence[Cell] | None], None]:
    """Prints the rows that it is called with, None at the end; in front whose they are, if it is for many."""
    columns = command.shown_columns
    if columns is None:
        raise AssertionError("a command that prints says what before it works")
    if command.sender is None:
        rows = columns.writer()
        return lambda row: rows.finish() if row is None else rows.add(row)
    sender = command.sender
    sender.begin(columns)
    return lambda row: None if row is None else sender.add([user, *row])


def show(command: MailCommand, user: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows; in front whose they are, if the command is for many."""
    write = writer(command, user)
    for row in rows:
        write(row)
    write(None)
