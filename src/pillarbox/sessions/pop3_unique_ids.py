"""Unique ids of POP3: those that dovecot-uidlist gives a message, else made as pop3_uidl_format says.

DESCRIPTION
    A client takes a message whose unique id it does not know for new.  So the ids of the server that was here
    before stay: those of other programs stand in dovecot-uidlist (field `P`), the others follow from UID,
    UIDVALIDITY, file name or GUID.

STANDARDS
    RFC 1939 §7 (UIDL: one to seventy printable characters); Dovecot 2.3, pop3_uidl_format, pop3_uidl_duplicates
"""

from collections.abc import Mapping, Sequence

from pillarbox.config.dovecot.uidl_format import expand
from pillarbox.mailstore.mailbox import Mailbox, Pop3Fields
from pillarbox.sessions.pop3_options import USUAL_FORMAT, Pop3Options


class UniqueIds:
    """Of the messages of one session."""

    def __init__(
        self, mailbox: Mailbox, uids: Sequence[int], own: Mapping[int, Pop3Fields], options: Pop3Options
    ) -> None:
        """`uids` in the order of the session's numbers; `own`: what the mailbox has written down for them."""
        self._mailbox = mailbox
        self._uids = uids
        self._own = {uid: fields.unique_id for uid, fields in own.items() if fields.unique_id}
        self._format = options.uidl_format
        self._renamed: list[bytes] | None = [] if options.renames_duplicates else None

    def of(self, rows: Sequence[int]) -> list[bytes]:
        """The unique ids of messages, by their rows (number - 1)."""
        if self._renamed is None:
            return self._made([self._uids[row] for row in rows])
        if not self._renamed:
            self._renamed = _numbered(self._made(self._uids))
        return [self._renamed[row] for row in rows]

    def _made(self, uids: Sequence[int]) -> list[bytes]:
        validity = self._mailbox.uid_validity
        if self._format == USUAL_FORMAT:
            made = [b"%08x%08x" % (uid, validity) for uid in uids]
        else:
            made = [
                expand(
                    self._format,
                    {
                        "uidvalidity": str(validity),
                        "uid": str(uid),
                        "filename": name.decode("latin-1"),
                        "guid": guid.decode("latin-1"),
                    },
                ).encode("latin-1")
                for uid, (name, guid) in zip(uids, self._mailbox.identities(uids), strict=True)
            ]
        if not self._own:
            return made
        return [self._own.get(uid, unique_id) for uid, unique_id in zip(uids, made, strict=True)]


def _numbered(made: Sequence[bytes]) -> list[bytes]:
    """The second of two equal ones gets `-2`, also if it is written down for the message."""
    times: dict[bytes, int] = {}
    numbered = []
    for unique_id in made:
        times[unique_id] = times.get(unique_id, 0) + 1
        numbered.append(b"%b-%d" % (unique_id, times[unique_id]) if times[unique_id] > 1 else unique_id)
    return numbered


def in_order(uids: Sequence[int], own: Mapping[int, Pop3Fields]) -> list[int]:
    """Rows in the order of their numbers: messages with an order of their own first, then by UID."""
    return sorted(
        range(len(uids)),
        key=lambda row: (own[uids[row]].order or 1 << 32 if uids[row] in own else 1 << 32, row),
    )
