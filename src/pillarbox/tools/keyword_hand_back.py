"""`pillarbox hand-back`: keywords that only our file knows are given to the Dovecot that has taken the mail back.

    pillarbox hand-back [--config DOVECOT.CONF] [--doveadm PROGRAM] [--dry-run] [USER]...

DESCRIPTION
    Keywords from a mailbox's 27th on have no letter in file names.  Dovecot keeps them in its index, we in
    `pillarbox-keywords` (mailstore/dovecot_files/keywords.py).  What differs is told to Dovecot by its own
    doveadm(1), which writes the index: run it when Dovecot is running again, and before users change much.  Without
    a USER it is done for all that the userdb lists.

    A child with the user's rights reads the files and opens no mailbox; nothing of ours is changed.  Done twice, it
    finds nothing more to do.

FAULTS
    HandBackFault  one line: what is wrong and what to do
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import read_configuration
from pillarbox.config.mailbox_settings import Namespace, Storage
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.dovecot_index import IndexState, NotAnIndex, read_state
from pillarbox.mailstore.dovecot_files.keywords import KeywordTable
from pillarbox.mailstore.dovecot_files.takeover import FILES
from pillarbox.mailstore.dovecot_files.uidlist import UidList
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.tools.auth_sockets import NoAnswer
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner
from pillarbox.tools.doveadm_commands.faults import Fatal, MailFault
from pillarbox.vocabulary.number_set import compact

MAX_UIDS: Final = 2000
"""UIDs of one command."""


class HandBackFault(Exception):
    """It cannot be done."""


class Change(msgspec.Struct, frozen=True):
    """`add` or `remove` of a keyword."""

    mailbox: str
    guid: str
    action: str
    keyword: str
    uids: tuple[int, ...]


def hand_back(users: Sequence[str], *, configuration: str, doveadm: str, dry_run: bool) -> int:
    """Tell Dovecot; the exit status."""
    if not dry_run:
        _check(doveadm)
    read = read_configuration(configuration)
    try:
        names = list(users) or MailCommand(read, "", "hand-back", "", ["-A"]).users()
    except (NoAnswer, Fatal) as fault:
        raise HandBackFault(f"{fault}: is Dovecot running?") from fault
    status = 0
    for user in names:
        command = MailCommand(read, "", "hand-back", "", ["-u", user])
        try:
            owner = Owner.find(command, user)
        except MailFault as fault:
            print(f"pillarbox: {user}: {fault}", file=sys.stderr)
            status = 1
            continue
        for change in _asked(owner, command.settings.namespaces[0]):
            count = f"{len(change.uids)} message{'s' * (len(change.uids) != 1)}"
            print(f"{user}: {change.mailbox}: {change.action} {change.keyword} ({count})")
            if not dry_run and not _tell(doveadm, configuration, owner.user, change):
                status = 1
    return status


def _check(doveadm: str) -> None:
    try:
        with open(doveadm, "rb") as file:
            is_program = file.read(4) == b"\x7fELF"
    except OSError as error:
        raise HandBackFault(
            f"cannot read {doveadm}: {error.strerror}; name Dovecot's with --doveadm"
        ) from error
    if not is_program:
        raise HandBackFault(f"{doveadm} is not Dovecot's doveadm; name it with --doveadm")


def _tell(doveadm: str, configuration: str, user: str, change: Change) -> bool:
    for start in range(0, len(change.uids), MAX_UIDS):
        uids = compact(change.uids[start : start + MAX_UIDS]).decode("ascii")
        words = ["flags", change.action, "-u", user, "--", change.keyword]
        query = ["mailbox-guid", change.guid, "uid", uids]
        done = subprocess.run([doveadm, "-c", configuration, *words, *query], check=False)
        if done.returncode:
            return False
    return True


def _asked(owner: Owner, namespace: Namespace) -> list[Change]:
    """What a child with the owner's rights finds.  HandBackFault."""
    receiver, sender = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(receiver)
            owner.become()
            with os.fdopen(sender, "wb") as pipe:
                pipe.write(msgspec.msgpack.encode(list(changes_of(owner.place, namespace.separator or "/"))))
            status = 0
        except OSError as error:
            sys.stderr.write(f"pillarbox: {owner.user}: {error.filename}: {error.strerror}\n")
        finally:
            os._exit(status)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        found = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise HandBackFault(f"the keywords of {owner.user} cannot be read")
    return msgspec.msgpack.decode(found, type=list[Change])


def changes_of(place: Storage, separator: str) -> Iterator[Change]:
    """What Dovecot's indexes do not know, or know otherwise, of the mailboxes of a tree.  OSError."""
    tree = tree_at(place)
    for name in (INBOX, *(name for name, holds in tree.entries().items() if holds and name != INBOX)):
        control = tree.control_directory(name)
        table = KeywordTable(control, DISK)
        table.refresh()
        if not table.has_surplus:
            continue
        uidlist = UidList(control, DISK)
        uidlist.refresh()
        state = _state(tree.index_directory(name), uidlist.uid_validity)
        alive = set(uidlist.uids.values())
        shown = name.replace("/", separator)
        for bit, keyword in enumerate(table.names):
            if not table.surplus_of(1 << bit):
                continue
            ours = {uid for uid, bits in table.surplus.items() if bits >> bit & 1} & alive
            theirs = _having(state, keyword)
            for action, uids in (("add", ours - theirs), ("remove", (theirs - ours) & alive)):
                if uids:
                    text = keyword.decode("utf-8", "surrogateescape")
                    yield Change(shown, uidlist.guid.decode("ascii"), action, text, tuple(sorted(uids)))


def _state(directory: bytes, uid_validity: int) -> IndexState:
    contents: list[bytes | None] = []
    for name in FILES:
        try:
            contents.append(DISK.read_file(directory + b"/" + name))
        except (FileNotFoundError, NotADirectoryError):
            contents.append(None)
    try:
        state = read_state(*contents)
    except NotAnIndex:
        return IndexState()
    return state if state.uid_validity == uid_validity else IndexState()


def _having(state: IndexState, keyword: bytes) -> set[int]:
    """UIDs that have a keyword in Dovecot's index."""
    folded = keyword.lower()
    bits = sum(1 << bit for bit, name in enumerate(state.keywords) if name.lower() == folded)
    return {uid for uid, mask in state.masks.items() if mask & bits}
