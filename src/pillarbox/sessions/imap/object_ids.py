"""Names of mailboxes, messages and threads that stay the same (OBJECTID).

DESCRIPTION
    None of them is kept: each follows from what the Maildir itself holds, so that it is the same after a
    restart, a move, a lost cache and a change of server back and forth.

    MAILBOXID   the GUID of the mailbox, which stands in dovecot-uidlist and goes with it when it is renamed
    EMAILID     the GUID of the message, which a copy has from its original
    THREADID    a hash of the first message of the thread: the eldest of the references, or else the message

STANDARDS
    RFC 8474 §4 (MAILBOXID), §5 (EMAILID, THREADID), §7 (objectid)
"""

import hashlib
from collections.abc import Sequence

from pillarbox.mailstore.mailbox import Mailbox, SortColumn
from pillarbox.vocabulary.identifiers import Uid


def mailbox_id(guid: bytes) -> bytes:
    """`F` and the GUID: "an objectid SHOULD start with a letter" of its kind, as RFC 8474's examples do"""
    return b"F" + guid


def email_id(guid: bytes) -> bytes:
    """`M` and the GUID: "SHOULD NOT … only digits" (RFC 8474 §8.1)"""
    return b"M" + guid


async def thread_ids(mailbox: Mailbox, uids: Sequence[int]) -> dict[int, bytes]:
    """THREADID of each message that is there."""
    columns = (SortColumn.MESSAGE_ID, SortColumn.REFERENCES)
    rows = await mailbox.sort_columns([Uid(uid) for uid in uids], columns)
    roots: dict[int, bytes] = {}
    for uid, message_id, references in rows:
        if not isinstance(uid, int) or not isinstance(message_id, bytes) or not isinstance(references, bytes):
            raise TypeError("columns of another kind")
        if mailbox.messages.row(uid) is not None:
            roots[uid] = references.partition(b" ")[0] or message_id
    alone = [uid for uid, root in roots.items() if not root]
    roots.update(zip(alone, await mailbox.email_ids(alone), strict=True))
    found: dict[int, bytes] = {}
    for uid, root in roots.items():
        if not root:  # it went meanwhile
            continue
        found[uid] = b"T" + hashlib.sha1(root, usedforsecurity=False).hexdigest()[:32].encode("ascii")
    return found
