"""Directories of the MTA half: who owns them, and what `postfix check` and `set-permissions` do about it.

DESCRIPTION
    `Instance` is one configuration's directories and the ids that its names stand for.  `make_missing()` makes
    directories that are not there, `warnings()` names what has the wrong owner or mode, `mend()` puts it right.
    What others put into the queue directory (Dovecot's sockets in private/, a chroot's etc/) is left alone.

    directory                                          owner          group           mode
    queue_directory, its pid                           root           root            0755
    incoming active deferred hold corrupt bounce
    defer trace flush saved private                    mail_owner     root            0700
    public                                             mail_owner     setgid_group    0710
    maildrop                                           mail_owner     setgid_group    0730
    data_directory                                     mail_owner     mail_owner      0700

    Where no setgid postdrop(1) is installed, public is 0711 and maildrop 1733 (queue/maildrop.py).

FAULTS
    ConfigurationFault  an account or group that does not exist or has root's rights
    OSError             as the kernel gives it

STANDARDS
    Postfix's postfix-files(5)
"""

import os
import stat
from collections.abc import Iterable, Iterator

import msgspec

from pillarbox.config.parameters.paths import Paths
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.startup import User
from pillarbox.queue.maildrop import shared_modes
from pillarbox.queue.queue_directories import LOG_QUEUES, MESSAGE_QUEUES
from pillarbox.supervisor.host_values import mail_owner, setgid_group

_OWNED = tuple(name for name in (*MESSAGE_QUEUES, *LOG_QUEUES, "private") if name != "maildrop")
_SHARED = ("maildrop", "public")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Directory(msgspec.Struct, frozen=True):
    """A directory as it should be."""

    path: str
    uid: int
    gid: int
    mode: int


class Instance(msgspec.Struct, frozen=True):
    """Directories of one configuration."""

    config_directory: str
    queue_directory: str
    data_directory: str
    mail_owner: User
    mail_owner_name: str
    setgid_group: int
    setgid_group_name: str
    shared_modes: dict[str, int]  # of maildrop and public

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Instance":
        """The instance that the settings describe."""
        paths = snapshot.group(Paths)
        owner, group = mail_owner(snapshot), setgid_group(snapshot)
        return cls(
            paths.config_directory,
            paths.queue_directory,
            paths.data_directory,
            User(owner.pw_uid, owner.pw_gid, tuple(os.getgrouplist(owner.pw_name, owner.pw_gid))),
            paths.mail_owner,
            group.gr_gid,
            paths.setgid_group,
            shared_modes(paths),
        )

    @property
    def directories(self) -> Iterator[Directory]:
        """All of them, each before what is in it."""
        owner, queue = self.mail_owner, self.queue_directory
        yield Directory(queue, 0, 0, 0o755)
        yield Directory(f"{queue}/pid", 0, 0, 0o755)
        for name in _OWNED:
            yield Directory(f"{queue}/{name}", owner.uid, 0, 0o700)
        for name, mode in self.shared_modes.items():
            yield Directory(f"{queue}/{name}", owner.uid, self.setgid_group, mode)
        yield Directory(self.data_directory, owner.uid, owner.gid, 0o700)


def make_missing(instance: Instance) -> list[str]:
    """Make the directories that are not there; their paths."""
    made: list[str] = []
    for directory in instance.directories:
        if not os.path.lexists(directory.path):
            os.makedirs(os.path.dirname(directory.path), mode=0o755, exist_ok=True)
            os.mkdir(directory.path, 0o700)
            _set(directory)
            made.append(directory.path)
    return made


def planned(instance: Instance) -> list[str]:
    """What `mend()` would do to the directories themselves, in the infinitive."""
    return [
        f"set owner and mode of {directory.path}" if there else f"make {directory.path}"
        for directory in instance.directories
        if not (there := os.path.lexists(directory.path))
        or not _is_right(os.lstat(directory.path), directory)
    ]


def mend(instance: Instance) -> list[str]:
    """Make what is missing and give the rest its owner and mode; what was changed."""
    changed = [f"made {path}" for path in make_missing(instance)]
    for directory in instance.directories:
        if not _is_right(os.lstat(directory.path), directory):
            _set(directory)
            changed.append(f"set owner and mode of {directory.path}")
    for name in (*_OWNED, "public"):
        changed += _given_away(f"{instance.queue_directory}/{name}", instance.mail_owner.uid)
    return changed


def _given_away(top: str, uid: int) -> Iterator[str]:
    """Make all that is below a directory `uid`'s, sockets apart.

    It may be his already, who can put a link in the place of a directory at any time: names are looked up in the
    directory that is open, never by their path.
    """
    for path, directories, files, descriptor in os.fwalk(top, follow_symlinks=False):
        for name in (*directories, *files):
            try:
                facts = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if facts.st_uid != uid and not _is_others_place(facts):
                    os.chown(name, uid, -1, dir_fd=descriptor, follow_symlinks=False)
                    yield f"set owner of {path}/{name}"
            except FileNotFoundError:
                continue  # a message went on


def warnings(instance: Instance) -> Iterator[str]:
    """What is wrong, in the words of Postfix's own check."""
    queue = instance.queue_directory
    for path in (queue, f"{queue}/pid"):
        yield from _root_owned(path)
    for path in _config_files(instance.config_directory):
        yield from _root_owned(path)
    data = instance.data_directory
    owner, uid = instance.mail_owner_name, instance.mail_owner.uid
    for path in (data, *_below(data)):
        facts = os.lstat(path)
        if facts.st_uid != uid:
            yield f"not owned by {owner}: {path}"
        if facts.st_mode & _WRITABLE_BY_OTHERS and not stat.S_ISLNK(facts.st_mode):
            yield f"group or other writable: {path}"
    for name in (*_OWNED, *_SHARED):
        if os.lstat(f"{queue}/{name}").st_uid != uid:
            yield f"not owned by {owner}: {queue}/{name}"
    for path, facts in _contents(instance):
        if facts.st_uid != uid:
            yield f"not owned by {owner}: {path}"
    for name in _SHARED:
        if os.lstat(f"{queue}/{name}").st_gid != instance.setgid_group:
            yield f"not owned by group {instance.setgid_group_name}: {queue}/{name}"
    for name in sorted(os.listdir(f"{queue}/corrupt")):
        yield f"damaged message: corrupt/{name}"


def closed(instance: Instance) -> Iterator[str]:
    """Queue directories that mail_owner, as whom the queue manager runs, may not read and write."""
    uid = instance.mail_owner.uid
    for name in (*_OWNED, "maildrop"):
        path = f"{instance.queue_directory}/{name}"
        facts = os.lstat(path)
        if facts.st_uid != uid and facts.st_mode & 0o007 != 0o007:
            yield path


def _root_owned(path: str) -> Iterator[str]:
    facts = os.lstat(path)
    if facts.st_uid != 0:
        yield f"not owned by root: {path}"
    if facts.st_mode & _WRITABLE_BY_OTHERS and not stat.S_ISLNK(facts.st_mode):
        yield f"group or other writable: {path}"


def _config_files(directory: str) -> Iterable[str]:
    return (directory, *_below(directory)) if os.path.isdir(directory) else ()


def _contents(instance: Instance) -> Iterator[tuple[str, os.stat_result]]:
    """Files and directories in mail_owner's directories, without sockets and FIFOs."""
    for name in (*_OWNED, "public"):
        for path in _below(f"{instance.queue_directory}/{name}"):
            try:
                facts = os.lstat(path)
            except FileNotFoundError:
                continue  # a message went on
            if not _is_others_place(facts):
                yield path, facts


def _is_others_place(facts: os.stat_result) -> bool:
    """A socket or FIFO: services have their own there."""
    return stat.S_ISSOCK(facts.st_mode) or stat.S_ISFIFO(facts.st_mode)


def _below(directory: str) -> Iterator[str]:
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)


def _is_right(facts: os.stat_result, directory: Directory) -> bool:
    # Further bits (sticky, set-group-id) that a package has put there do no harm.
    mode = stat.S_IMODE(facts.st_mode) & 0o777
    wanted = directory.mode & 0o777
    return (facts.st_uid, facts.st_gid, mode) == (directory.uid, directory.gid, wanted)


def _set(directory: Directory) -> None:
    os.chown(directory.path, directory.uid, directory.gid, follow_symlinks=False)
    os.chmod(directory.path, directory.mode)
