"""What dovecot-uidlist says of messages for POP3, and by what else a unique id may name them.

STANDARDS
    Dovecot 2.3, dovecot-uidlist: `P` unique id (empty: the file's base name), `O` order
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pillarbox.mailstore.mailbox import Pop3Fields
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import base_at
from pillarbox.vocabulary.digits import decimal, is_decimal

_WRITABLE: Final = re.compile(rb"[!-~\x80-\xff]+")
"""A blank would end the field, and a line end the line."""


def fields_of(folder: FolderFiles) -> dict[int, Pop3Fields]:
    """Those of messages that have any."""
    found = {}
    with folder.mutex:
        for uid, text in folder.uidlist.fields.items():
            if (b"P" in text or b"O" in text) and (row := folder.row(uid)) >= 0:
                fields = {field[:1]: field[1:] for field in text.split(b" ")}
                unique_id, order = fields.get(b"P"), fields.get(b"O", b"")
                if unique_id == b"":
                    unique_id = base_at(folder.paths[row])
                if unique_id is not None or is_decimal(order):
                    found[uid] = Pop3Fields(unique_id or b"", decimal(order) if is_decimal(order) else 0)
    return found


def save_unique_ids(folder: FolderFiles, unique_ids: Mapping[int, bytes]) -> None:
    """Write field `P` of messages that have none; a unique id that no uidlist can hold is left out.

    The whole file is written anew, as by Dovecot.
    """
    new = {uid: unique_id for uid, unique_id in unique_ids.items() if _WRITABLE.fullmatch(unique_id)}
    if not new:
        return
    with folder.mutex, folder.lock():
        folder.refresh_uidlist()
        folder.ensure_header()
        fields = folder.uidlist.fields
        for uid in sorted(new):
            before = fields.get(uid, b"")
            if not any(field.startswith(b"P") for field in before.split(b" ")):
                fields[uid] = before + b"P%b " % new[uid]
        folder.uidlist.rewrite(list(folder.uidlist.uids))


def identities(folder: FolderFiles, uids: Sequence[int]) -> list[tuple[bytes, bytes]]:
    """Base name and GUID of each; those of a message that is gone are empty."""
    with folder.mutex:
        rows = [(uid, folder.row(uid)) for uid in uids]
        return [
            (base_at(path := folder.paths[row]), folder.guid_of(uid, path)) if row >= 0 else (b"", b"")
            for uid, row in rows
        ]
