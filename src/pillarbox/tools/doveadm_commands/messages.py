"""doveadm commands on messages: search, fetch, expunge, flags, copy, move, altmove, deduplicate, save, import,
index, force-resync.

DESCRIPTION
    A query (tools/doveadm_commands/query.py) chooses messages of one mailbox after the other.  Nothing is printed
    by commands that change something.

    purge and altmove have nothing to do in a Maildir.  index -q works at once: there is no queue.
"""

import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from typing import IO, Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.mailstore.mailbox import (
    SPOOL_AT,
    Account,
    FlagAction,
    FlagChange,
    Mailbox,
    MailboxNameRefused,
    MessageGone,
    NewMessage,
    NoSuchMailbox,
    PermissionDenied,
)
from pillarbox.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.mailstore.view import MailboxView
from pillarbox.message.header_fields import first_value, header_end
from pillarbox.tools.doveadm_commands.accounts import (
    COMMON,
    MailCommand,
    Owner,
    Prepared,
    Work,
    for_users,
    open_store,
    seen_by,
    told,
    writer,
)
from pillarbox.tools.doveadm_commands.choosing import (
    Found,
    closed_target,
    opened_mailbox,
    query_of,
    refusing,
    search,
    target_mailbox,
)
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.faults import (
    EX_NOTFOUND,
    EX_TEMPFAIL,
    EX_USAGE,
    Fatal,
    MailFault,
    Usage,
)
from pillarbox.tools.doveadm_commands.fetch import FetchFields
from pillarbox.tools.doveadm_commands.importing import importing
from pillarbox.tools.doveadm_commands.mailboxes import matching, within_reach
from pillarbox.tools.doveadm_commands.query import Query
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.wire.imap.flag_grammar import SYSTEM_FLAGS

_QUERY: Final = "<search query>"
USAGE: Final = {
    "altmove": f"{COMMON} [-r] {_QUERY}",
    "copy": f"{COMMON} <destination> [user <source user>] {_QUERY}",
    "deduplicate": f"{COMMON} [-m] {_QUERY}",
    "expunge": f"{COMMON} [-d] {_QUERY}",
    "fetch": f"{COMMON} <fields> {_QUERY}",
    "flags": "add|remove|replace",
    "force-resync": f"{COMMON} [-f] <mailbox mask>",
    "import": f"{COMMON} [-U source-user] [-s] <source mail location> <dest parent mailbox> {_QUERY}",
    "index": f"{COMMON} [-q] [-n <max recent>] <mailbox mask>",
    "move": f"{COMMON} <destination> [user <source user>] {_QUERY}",
    "purge": COMMON,
    "save": f"{COMMON} [-m mailbox] [<file>]",
    "search": f"{COMMON} {_QUERY}",
}
_FLAGS: Final = {
    "altmove": "r",
    "deduplicate": "m",
    "expunge": "d",
    "force-resync": "f",
    "import": "U:s",
    "index": "qn:",
    "save": "m:",
}
FLAGS_USAGE: Final = dict.fromkeys(("add", "remove", "replace"), f"{COMMON} <flags> {_QUERY}")
_ACTIONS: Final = {"add": FlagAction.ADD, "remove": FlagAction.REMOVE, "replace": FlagAction.REPLACE}


def run(name: str, configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """One of them."""
    prepared = prepared_messages(name, configuration, form, arguments)
    return for_users(prepared.command, prepared.work)


def prepared_messages(
    name: str, configuration: Configuration, form: str, arguments: Sequence[str]
) -> Prepared:
    """What one of them is to do.  Usage, Fatal."""
    usage, flags = f"{name} {USAGE[name]}", _FLAGS.get(name, "")
    if name == "flags":
        if not arguments or arguments[0] not in FLAGS_USAGE:
            raise Usage("flags <command> [<args>]", FLAGS_USAGE)
        usage, flags = f"flags {arguments[0]} {FLAGS_USAGE[arguments[0]]}", ""
        arguments = arguments[1:]
    command = MailCommand(configuration, form, usage, flags, arguments)
    return Prepared(command, _WORK[name](command))


def _on_each(
    command: MailCommand, query: Query, act: Callable[[Account, Found], Awaitable[None]], complaint: str
) -> Work:
    """A command that changes what it finds."""

    async def work(user: str, account: Account) -> None:
        try:
            async for found in search(account, query):
                await act(account, found)
        except (NoSuchMailbox, MailboxNameRefused) as fault:
            raise refusing(complaint, user, fault) from fault

    return work


# -- looking ---------------------------------------------------------------------------------------------


def _print_search(command: MailCommand) -> Work:
    query = query_of(command, command.words)
    names = ("mailbox-guid", "uid")
    command.columns = Columns(names, hidden=names)

    async def work(user: str, account: Account) -> None:
        write = writer(command, user)
        try:
            async for found in search(account, query, read_only=True):
                guid = found.view.mailbox.guid.decode("ascii")
                for uid in found.uids:
                    write([guid, str(uid)])
        except (NoSuchMailbox, MailboxNameRefused) as fault:
            raise refusing("Couldn't get mailbox '{}' GUID", user, fault) from fault
        write(None)

    return work


def _fetch(command: MailCommand) -> Work:
    if len(command.words) < 2:
        raise Usage(command.usage)
    wanted = FetchFields(command.words[0].split())
    query = query_of(command, command.words[1:])
    command.columns = Columns(wanted.names, "pager", texts=wanted.texts)

    async def work(user: str, account: Account) -> None:
        write = writer(command, user)
        try:
            async for found in search(account, query, read_only=True):
                async for row in wanted.rows(user, found.name, found.view, found.uids):
                    write(row)
        except (NoSuchMailbox, MailboxNameRefused) as fault:
            raise refusing("Mailbox {}: Mailbox sync failed", user, fault) from fault
        write(None)

    return work


# -- changing --------------------------------------------------------------------------------------------


def _change_flags(command: MailCommand) -> Work:
    if len(command.words) < 2:
        raise Usage(command.usage)
    flags, keywords = Flag.NONE, list[bytes]()
    for name in command.words[0].split():
        octets = name.encode("utf-8", "surrogateescape")
        if not name.startswith("\\"):
            keywords.append(octets)
        elif octets.upper() in SYSTEM_FLAGS:
            flags |= SYSTEM_FLAGS[octets.upper()]
        else:
            raise Fatal(f"Invalid system flag: {name}")
    change = FlagChange(_ACTIONS[command.name.split()[-1]], flags, tuple(keywords))

    async def act(_account: Account, found: Found) -> None:
        await found.view.mailbox.change_flags(found.uids, change)

    query = query_of(command, command.words[1:])
    return _on_each(command, query, act, "Mailbox {}: Mailbox sync failed")


def _expunge(command: MailCommand) -> Work:
    query = query_of(command, command.words)
    query.check_expunge()

    async def act(account: Account, found: Found) -> None:
        mailbox = found.view.mailbox
        await mailbox.expunge(found.uids)
        if "-d" in command.options and not len(mailbox.messages) and found.name != "INBOX":
            await account.delete(found.name)

    return _on_each(command, query, act, "Syncing mailbox '{}' failed")


async def _header_of(mailbox: Mailbox, uid: Uid) -> bytes:
    content = await mailbox.content(uid)
    return content[: header_end(content)]


def _deduplicate(command: MailCommand) -> Work:
    """Of messages with the same GUID, or with -m the same Message-ID, the first stays."""
    query = query_of(command, command.words)

    async def act(_account: Account, found: Found) -> None:
        mailbox = found.view.mailbox
        known, more = set[bytes](), list[Uid]()
        for uid in found.uids:
            if "-m" in command.options:
                identity = first_value(await _header_of(mailbox, uid), b"message-id") or b""
            elif isinstance(mailbox, MaildirMailbox):
                identity = mailbox.folder.message_guid(uid)
            else:
                identity = b""
            if identity and identity in known:
                more.append(uid)
            known.add(identity)
        await mailbox.expunge(more)

    return _on_each(command, query, act, "Mailbox {}: Mailbox sync failed")


def _transfer(command: MailCommand) -> Work:
    """copy and move, of the user's own messages or another's."""
    if len(command.words) < 2:
        raise Usage(command.usage)
    target_name, *words = command.words
    source: Owner | None = None
    if words[0].lower() == "user" and len(words) > 1:
        if command.is_for_oneself:
            raise Fatal("Use -u parameter to specify destination user")
        source = Owner.find(command, words[1])
        words = words[2:]
    query = query_of(command, words)
    moves = command.name == "move"

    async def work(user: str, account: Account) -> None:
        try:
            target = await target_mailbox(account, target_name)
        except (NoSuchMailbox, PermissionDenied) as fault:
            raise closed_target(user, f"Can't open mailbox '{target_name}'", target_name, fault) from fault
        async with AsyncExitStack() as opened:
            origin = account
            if source is not None:
                origin = await opened.enter_async_context(
                    seen_by(command, source, open_store(command, source))
                )
            try:
                async for found in search(origin, query):
                    mailbox = found.view.mailbox
                    if moves:
                        await mailbox.move(found.uids, target)
                    else:
                        await mailbox.copy(found.uids, target)
            except (NoSuchMailbox, MailboxNameRefused) as fault:
                raise refusing("Mailbox {}: Mailbox sync failed", user, fault) from fault
            except MessageGone as gone:
                text = f"Copying message UID {gone} failed: Message was expunged"
                raise MailFault(user, text, EX_TEMPFAIL) from gone
            finally:
                target.close()

    return work


def _save(command: MailCommand) -> Work:
    """A message from a file, or from standard input."""
    if len(command.words) > 1:
        raise Usage(command.usage)
    command.message = source = _source(command)
    start = source.tell() if source.seekable() else 0
    name = command.options.get("-m", "INBOX")

    async def work(user: str, account: Account) -> None:
        try:
            mailbox = await target_mailbox(account, name)
            with closing(mailbox):
                if source.seekable():  # each user's child has the same open file
                    source.seek(start)
                begin = source.read(SPOOL_AT)
                if len(begin) < SPOOL_AT:
                    await mailbox.append([NewMessage(begin)])
                else:
                    await _save_large(mailbox, begin, source)
        except (NoSuchMailbox, PermissionDenied) as fault:
            raise closed_target(user, f"Failed to open mailbox {name}", name, fault) from fault

    return work


def _source(command: MailCommand) -> IO[bytes]:
    """Where the message is; for several users it has to be read several times."""
    try:
        source: IO[bytes] = open(command.words[0], "rb") if command.words else sys.stdin.buffer
    except OSError as error:
        raise Fatal(f"open({command.words[0]}) failed: {error.strerror}") from error
    if not command.is_for_many or source.seekable():
        return source
    kept = tempfile.TemporaryFile()
    shutil.copyfileobj(source, kept)
    kept.seek(0)
    return kept


async def _save_large(mailbox: Mailbox, begin: bytes, source: IO[bytes]) -> None:
    """A message that is too large for memory."""
    spool = await mailbox.spool(SPOOL_AT)
    try:
        await spool.add(begin)
        while piece := source.read(SPOOL_AT):
            await spool.add(piece)
        await spool.finish()
        await mailbox.append([NewMessage(spool)])
    finally:
        await spool.discard()


# -- looking after ---------------------------------------------------------------------------------------


def _index(command: MailCommand) -> Work:
    """Everything that a session would ask for goes into the cache, and texts into the index that SEARCH has.

    Nothing if more than -n are \\Recent.
    """
    if len(command.words) != 1:
        raise Usage(command.usage)
    most = command.options.get("-n", "")
    if most and not (is_decimal_text(most, max_digits=10)):
        raise Fatal(f"Invalid -n parameter number: {most}", status=EX_USAGE)

    async def work(user: str, account: Account) -> int:
        status = 0
        for name in await _masked(command, account):
            try:
                if most and (await account.status(name, with_size=False)).recent > int(most):
                    continue
                async with opened_mailbox(account, name, read_only=True) as mailbox:
                    fields = FetchFields(("imap.envelope", "imap.bodystructure", "body.snippet"))
                    view = MailboxView(mailbox, read_only=True)
                    async for _ in fields.rows(user, name, view, mailbox.messages.uids):
                        pass
                    if isinstance(mailbox, MaildirMailbox):
                        await mailbox.rows.texts.complete()
            except NoSuchMailbox as fault:
                status = told(user, f"Mailbox {name}: {fault}", EX_NOTFOUND)
        return status

    return work


def _resync(command: MailCommand) -> Work:
    """The directories are read anew, and uidlist and cache brought into line with them."""
    if len(command.words) != 1:
        raise Usage(command.usage)

    async def work(_user: str, account: Account) -> None:
        for name in await _masked(command, account):
            async with opened_mailbox(account, name) as mailbox:
                if isinstance(mailbox, MaildirMailbox):
                    mailbox.folder.rescan()
                await mailbox.refresh()

    return work


async def _masked(command: MailCommand, account: Account) -> list[str]:
    listed = [entry.name for entry in await account.list_mailboxes() if entry.selectable]
    return matching(within_reach(account, listed, command.words, public=False), command.words)


def _purge(command: MailCommand) -> Work:
    if command.words:
        raise Usage(command.usage)

    async def work(_user: str, _account: Account) -> None:
        return  # what is expunged is gone

    return work


def _altmove(command: MailCommand) -> Work:
    """A Maildir has no alternate storage: what is asked for is there, and stays where it is."""
    query = query_of(command, command.words)

    async def act(_account: Account, _found: Found) -> None:
        return

    return _on_each(command, query, act, "Mailbox {}: Mailbox sync failed")


_WORK: Final[dict[str, Callable[[MailCommand], Work]]] = {
    "altmove": _altmove,
    "copy": _transfer,
    "deduplicate": _deduplicate,
    "expunge": _expunge,
    "fetch": _fetch,
    "flags": _change_flags,
    "force-resync": _resync,
    "import": importing,
    "index": _index,
    "move": _transfer,
    "purge": _purge,
    "save": _save,
    "search": _print_search,
}
