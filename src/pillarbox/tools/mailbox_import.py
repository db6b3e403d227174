"""`pillarbox import mbox FILE`: an mbox file's messages into a mailbox, with their flags and dates.

    pillarbox import mbox FILE [--user USER] [--mailbox NAME] [--config DOVECOT.CONF]

DESCRIPTION
    Without --user, messages go into the mailbox of whoever types it; root names the user.  Where his mail lies is
    what dovecot.conf and the userdb say; without a running system, a user of the host is looked up in passwd(5).
    A child with the user's rights does the work.  FILE stays as it is: remove it when you have looked.

FAULTS
    ImportFault  one line: what is wrong and what to do
"""

import asyncio
import calendar
import fcntl
import os
import pwd
import sys
import time
import traceback

from pillarbox.config.dovecot.interpretation import mailbox_settings
from pillarbox.config.dovecot.mail_location import place_of
from pillarbox.config.dovecot.reading import read_configuration
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.mailstore.mailbox import (
    MailboxExists,
    MailboxNameRefused,
    NewMessage,
    OverQuota,
    StoreUnavailable,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.namespaces.namespaced_account import as_named
from pillarbox.message.mbox import FromDate, MboxMessage, NotAnMbox, messages
from pillarbox.net.rights import become
from pillarbox.tools.auth_sockets import NoAnswer
from pillarbox.tools.doveadm_commands.users import fields_of, lookup
from pillarbox.vocabulary.faults import ConfigurationFault

_AT_ONCE = 64
_LOCK_SECONDS = 30


class ImportFault(Exception):
    """It cannot be done."""


def import_mbox(path: str, *, user: str, mailbox: str, configuration: str) -> int:
    """Import the file; the exit status."""
    user = user or pwd.getpwuid(os.getuid()).pw_name
    try:
        read = read_configuration(configuration)
        settings = mailbox_settings(read, hostname="localhost")
        try:
            answer = lookup(read, user)
            fields = fields_of(answer) if answer.word == "USER" else {}
            name = answer.fields[0] if fields else user
        except NoAnswer:
            fields, name = _of_the_host(user), user
        if not fields:
            raise ImportFault(f"there is no user {user}")
        place = place_of(
            settings.storage,
            fields.get("mail", ""),
            user=name,
            home=fields.get("home", ""),
            fields=fields,
        )
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except ConfigurationFault as fault:
        raise ImportFault(str(fault)) from fault
    except OSError as error:
        raise ImportFault(f"cannot read {path}: {error.strerror}") from error
    if fields["uid"] == "0":
        raise ImportFault("root has no mailbox: name the user with --user")
    child = os.fork()
    if child:
        os.close(descriptor)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
    status = 1
    try:
        _become(fields)
        status = _import(descriptor, path, place, mailbox, settings)
    except ImportFault as fault:
        sys.stderr.write(f"pillarbox: {fault}\n")
    except Exception:  # the child's last word
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _of_the_host(user: str) -> dict[str, str]:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return {}
    return {
        "uid": str(entry.pw_uid),
        "gid": str(entry.pw_gid),
        "home": entry.pw_dir,
        "system_groups_user": entry.pw_name,
    }


def _become(fields: dict[str, str]) -> None:
    if os.getuid() != 0:
        return
    uid, gid = int(fields["uid"]), int(fields["gid"])
    groups = os.getgrouplist(fields["system_groups_user"], gid) if "system_groups_user" in fields else [gid]
    become(uid, gid, groups)
    os.umask(0o077)


def _import(descriptor: int, path: str, place: Storage, mailbox: str, settings: MailboxSettings) -> int:
    """In the child: all messages, a few dozen at a time."""

    async def run() -> int:
        store = MaildirAccount(place, mailboxes=settings.namespaces[0].mailboxes)
        await store.ensure_defaults()
        account = as_named(store, settings.namespaces[0])
        try:
            await account.create(mailbox)
            await account.subscribe(mailbox)
        except MailboxExists:
            pass  # into the one that is there
        target = await account.open(mailbox)
        done = 0
        waiting: list[NewMessage] = []
        try:
            with open(descriptor, "rb") as file:  # noqa: ASYNC230 - a command with nothing else to do
                _lock(file.fileno(), path)
                for message in messages(file):
                    waiting.append(_new(message))
                    if len(waiting) == _AT_ONCE:
                        done += len(await target.append(waiting))
                        waiting = []
            if waiting:
                done += len(await target.append(waiting))
        except NotAnMbox:
            raise ImportFault(f"{path} is no mbox file: it does not begin with `From `") from None
        except (OverQuota, StoreUnavailable) as fault:
            raise ImportFault(f"{fault}; {done} messages were imported before") from fault
        finally:
            target.close()
            await account.close()
        return done

    try:
        done = asyncio.run(run())
    except MailboxNameRefused as fault:
        raise ImportFault(f"--mailbox {mailbox}: {fault}") from fault
    except StoreUnavailable as fault:
        raise ImportFault(str(fault)) from fault
    print(f"{done} messages imported from {path} into {mailbox} ({place.path})")
    return 0


def _lock(descriptor: int, path: str) -> None:
    """Nobody delivers into the file meanwhile (fcntl, as local(8) and Dovecot lock it)."""
    for _ in range(_LOCK_SECONDS * 10):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise ImportFault(f"{path} is locked by another program")


def _new(message: MboxMessage) -> NewMessage:
    return NewMessage(
        message.content,
        flags=message.flags,
        keywords=message.keywords,
        internal_date=None if message.date is None else _seconds(message.date),
    )


def _seconds(date: FromDate) -> float:
    moment = (date.year, date.month, date.day, date.hour, date.minute, date.second, 0, 0, -1)
    if date.offset is None:
        return time.mktime(moment)
    return calendar.timegm(moment) - date.offset * 60
