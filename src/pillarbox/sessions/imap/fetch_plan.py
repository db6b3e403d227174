"""How what a FETCH asks for is answered, whatever the messages are; thought out once for all that ask for the same.

STANDARDS
    RFC 3501 §7.4.2 (FETCH responses)
"""

from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.mailstore.mailbox import Fields
from pillarbox.sessions.imap.sections import SectionRenderer
from pillarbox.wire.imap.fetch_items import FetchItems, Item

BATCH: Final = 256
"""Messages rendered in one go: about two milliseconds of the loop."""
FLAGS_BATCH: Final = 2048
"""The same where the tables in memory say all (FLAGS, UID): about one millisecond."""

_FIELDS: Final = {
    Item.INTERNAL_DATE: Fields.DATE,
    Item.SIZE: Fields.SIZE,
    Item.ENVELOPE: Fields.ENVELOPE,
    Item.BODY: Fields.BODY,
    Item.BODY_STRUCTURE: Fields.BODYSTRUCTURE,
    Item.SAVE_DATE: Fields.SAVED,
    Item.SAVE_DATE_BEFORE_RFC: Fields.SAVED,
    Item.PREVIEW: Fields.PREVIEW,
    Item.FUZZY_PREVIEW: Fields.PREVIEW,
    Item.SNIPPET: Fields.PREVIEW,
}
_FROM_TABLE: Final = frozenset((Item.FLAGS, Item.MODSEQ, Item.EMAIL_ID, Item.THREAD_ID, Item.GUID))
_TEMPLATES: Final = {
    Item.UID: b"UID %d",
    Item.FLAGS: b"FLAGS (%b)",
    Item.INTERNAL_DATE: b"INTERNALDATE %b",
    Item.SIZE: b"RFC822.SIZE %d",
    Item.ENVELOPE: b"ENVELOPE %b",
    Item.BODY: b"BODY %b",
    Item.BODY_STRUCTURE: b"BODYSTRUCTURE %b",
    Item.MODSEQ: b"MODSEQ (%d)",
    Item.SAVE_DATE: b"SAVEDATE %b",
    Item.PREVIEW: b"PREVIEW %b",
    Item.FUZZY_PREVIEW: b"PREVIEW (FUZZY %b)",
    Item.SNIPPET: b"SNIPPET (FUZZY %b)",
    Item.EMAIL_ID: b"EMAILID (%b)",
    Item.THREAD_ID: b"THREADID (%b)",
    Item.GUID: b"X-GUID %b",
    Item.MAILBOX: b"X-MAILBOX %b",
    Item.SAVE_DATE_BEFORE_RFC: b"X-SAVEDATE %b",
    Item.REAL_UID: b"X-REAL-UID %d",
}


class FetchPlan(msgspec.Struct, frozen=True):
    """What has to be known of each message, and how it is told."""

    fields: Fields
    from_table: bool
    """Whether a message has to be in the table still."""
    batch_size: int
    """Messages rendered in one go."""
    template: bytes
    """An answer, as far as the sections."""


@lru_cache(maxsize=64)
def plan_of(wanted: FetchItems) -> FetchPlan:
    """The plan for everything that one FETCH asks for."""
    fields = Fields(0)
    for item in wanted.items:
        fields |= _FIELDS.get(item, Fields(0))
    if wanted.sections and SectionRenderer(wanted.sections).needs_only_header:
        fields |= Fields.HEADER
    from_store = fields or wanted.sections or Item.THREAD_ID in wanted.items
    words = b" ".join([_TEMPLATES[item] for item in wanted.items])
    return FetchPlan(
        fields,
        from_table=not _FROM_TABLE.isdisjoint(wanted.items),
        batch_size=BATCH if from_store else FLAGS_BATCH,
        template=b"* %%d FETCH (%b%b" % (words, b"" if wanted.sections else b")\r\n"),
    )
