"""The trash plugin: what is over quota makes room for itself, at the cost of old messages in Trash and the like.

DESCRIPTION
        plugin {
          trash = /etc/dovecot/trash.conf
        }

    trash.conf (config/trash_settings.py) has a line for each mailbox, a priority and the mailbox's name.
    Messages of the lowest number go first; of one priority, those that came first.  As many go as are needed, and
    none if all of them are not enough.

    Blocks; called in worker threads.

FAULTS
    TrashFault  the file cannot be read, or a line makes no sense

STANDARDS
    Dovecot 2.3, Plugins.Trash
"""

from collections.abc import Callable

import msgspec

from pillarbox.config.trash_settings import MAX_FILE, TrashFault, parse_trash
from pillarbox.files.file_system import FileSystem
from pillarbox.mailstore.content.message_files import message_at
from pillarbox.mailstore.mailbox import StoreUnavailable
from pillarbox.mailstore.mailbox_names import INBOX
from pillarbox.mailstore.maildir.file_names import base, sizes
from pillarbox.mailstore.maildir.mailbox_tree import MailboxTree
from pillarbox.mailstore.quota.maildirsize import Size, Usage
from pillarbox.message.line_ends import crlf_size


class Removed(msgspec.Struct, frozen=True):
    """A message that may go, or has gone."""

    mailbox: str
    path: bytes
    came: int
    """Nanoseconds since the epoch."""
    size: Size


class Trash:
    """Of one account."""

    def __init__(
        self, path: str, tree: MailboxTree, *, files: FileSystem, public_name: Callable[[str], str]
    ) -> None:
        """`public_name` gives a mailbox's name as trash.conf has it."""
        self._path = path
        self._tree = tree
        self._files = files
        self._public_name = public_name

    def enough(
        self, excess: Usage, *, counts: Callable[[str], bool], octets: Callable[[Size], int]
    ) -> list[Removed]:
        """Messages that make room for that much, of mailboxes that count; none: there are not enough.

        TrashFault; OSError.
        """
        chosen: list[Removed] = []
        freed = Usage()
        for names in self._by_priority():
            there = [one for name in names if counts(self._public_name(name)) for one in self._messages(name)]
            for one in sorted(there, key=lambda one: one.came):
                chosen.append(one)
                freed += Usage(octets(one.size), 1)
                if freed.octets >= excess.octets and freed.messages >= excess.messages:
                    return chosen
        return []

    def remove(self, chosen: list[Removed]) -> list[Removed]:
        """Those that were still there, and are gone now.  OSError."""
        gone = []
        for one in chosen:
            try:
                self._files.unlink(one.path)
            except FileNotFoundError:
                continue
            gone.append(one)
        return gone

    def _by_priority(self) -> list[list[str]]:
        try:
            text = self._files.read_file(self._path.encode("utf-8", "surrogateescape"))[:MAX_FILE]
        except OSError as error:
            raise TrashFault(f"open({self._path}) failed: {error.strerror}") from error
        try:
            wanted = parse_trash(text.decode("utf-8", "surrogateescape"))
        except TrashFault as fault:
            raise TrashFault(f"{self._path} {fault}") from fault
        names = [INBOX, *(name for name, holds in self._tree.entries().items() if holds)]
        stored = {self._public_name(name): name for name in names}
        by_priority: dict[int, list[str]] = {}
        for one in wanted:
            if one.name in stored:
                by_priority.setdefault(one.priority, []).append(stored[one.name])
        return [names for _, names in sorted(by_priority.items())]

    def _messages(self, name: str) -> list[Removed]:
        directory = self._tree.directory(name)
        found = []
        for place in (b"new", b"cur"):
            try:
                entries = self._files.listdir(directory + b"/" + place)
            except FileNotFoundError:
                continue
            for entry in entries:
                path = b"%b/%b/%b" % (directory, place, entry)
                if entry.startswith(b"."):
                    continue
                try:
                    came = self._files.stat(path).st_mtime_ns
                    found.append(Removed(name, path, came, self._size(path, base(entry))))
                except (FileNotFoundError, StoreUnavailable):
                    continue
        return found

    def _size(self, path: bytes, identity: bytes) -> Size:
        stored, with_crlf = sizes(identity)
        if stored is None or with_crlf is None:
            content, _ = message_at(self._files, path)
            length = len(content)
            return Size(length, crlf_size(content) if isinstance(content, bytes) else length)
        return Size(stored, with_crlf)
