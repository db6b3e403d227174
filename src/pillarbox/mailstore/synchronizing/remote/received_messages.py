"""Messages that have come over a stream and wait in a mailbox's tmp/ until their UIDs are given.

DESCRIPTION
    Each is written to a file as it comes, so that a huge one needs no memory, and fsynced.  `bring` gives it a
    name of the mailbox by a hard link: two messages may have one GUID.  `discard` removes the files; after a crash
    whoever opens the mailbox does, 36 hours later.

FAULTS
    OverQuota, StoreUnavailable  it cannot be written
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pillarbox.mailstore.content.spool import SpoolFile
from pillarbox.mailstore.maildir.file_names import change_letters, with_sizes
from pillarbox.mailstore.maildir.folder_additions import define
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import CUR
from pillarbox.mailstore.synchronizing.exchange import Arriving
from pillarbox.mailstore.synchronizing.merging import Message
from pillarbox.mailstore.synchronizing.remote.values import number
from pillarbox.wire.dsync.fields import DsyncFault


class _Received(msgspec.Struct, frozen=True):
    spool: SpoolFile
    date: int
    fields: bytes
    """What the uidlist says of it, but for the GUID."""


class ReceivedMessages:
    """Those of one mailbox."""

    def __init__(self, folder: FolderFiles, *, packing: tuple[str, int] | None) -> None:
        self._folder = folder
        self._packing = packing
        self._by_guid: dict[bytes, _Received] = {}
        self._spools: list[SpoolFile] = []

    def take(
        self, values: Mapping[str, bytes], content: Iterable[bytes], uid_guids: Mapping[int, bytes]
    ) -> None:
        """One that comes; `uid_guids` for those that are named by their UIDs."""
        message_guid = values.get("guid", b"") or uid_guids.get(number(values, "uid"), b"")
        if not message_guid:
            raise DsyncFault("Remote sent mail without GUID")
        spool = SpoolFile(
            self._folder.directory,
            self._folder.new_names.take(),
            files=self._folder.files,
            executor=None,
            packing=self._packing,
        )
        self._spools.append(spool)
        for octets in content:
            spool.write(octets)
        spool.write(b"")
        spool.end()
        if spool.fault is not None:
            raise spool.fault
        fields = b""
        unique_id = values.get("pop3_uidl", b"")
        if unique_id and not set(unique_id) & set(b" \n"):
            fields += b"P%b " % unique_id
        if order := number(values, "pop3_order"):
            fields += b"O%d " % order
        self._by_guid[message_guid] = _Received(spool, number(values, "received_date"), fields)

    def bring(
        self, folder: FolderFiles, saved: Sequence[tuple[int, int]], messages: Mapping[int, Message]
    ) -> list[Arriving]:
        """`exchange.Bring`, of `messages` by their UIDs there."""
        arriving = []
        for there, uid in saved:
            message = messages[there]
            received = self._by_guid.get(message.guid)
            if received is None:
                continue
            mine = define(folder, sorted(message.keywords))
            base = with_sizes(folder.new_names.take(), received.spool.size, received.spool.crlf_size)
            temporary = folder.directory + b"/tmp/" + folder.new_names.take()
            folder.files.link(received.spool.path, temporary)
            folder.files.utime(temporary, modified_ns=received.date * 10**9)
            letters = change_letters(b"", message.flags, folder.keywords.to_letters(mine))
            path = b"%b%b:2,%b" % (CUR, base, letters)
            fields = b"G%b %b" % (message.guid, received.fields)
            arriving.append(Arriving(temporary, path, uid, fields, folder.keywords.surplus_of(mine)))
        return arriving

    def discard(self) -> None:
        """What is not wanted, or has its name."""
        for spool in self._spools:
            spool.remove()
