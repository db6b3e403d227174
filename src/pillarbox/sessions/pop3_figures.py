"""What a POP3 session has done, as pop3_logout_format tells it.

STANDARDS
    Dovecot 2.3, pop3_logout_format
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from pillarbox.config.dovecot.logout_format import POP3_FIGURES, expand
from pillarbox.sessions.pop3_unique_ids import checksum


class Pop3Figures(msgspec.Struct):
    """Counts and octets."""

    top_count: int = 0
    top_bytes: int = 0
    retr_count: int = 0
    retr_bytes: int = 0
    """Octets of answers, without the dot at their end."""
    deleted_count: int = 0
    deleted_bytes: int = 0
    """Of what QUIT has deleted."""
    message_count: int = 0
    message_bytes: int = 0
    """At login."""
    input: int = 0
    output: int = 0
    """Octets of commands and answers."""

    def text(self, format_text: str, *, uidl_change: str, user: Mapping[str, str]) -> str:
        """The figures as the format has them."""
        values = {**msgspec.structs.asdict(self), "uidl_change": uidl_change}
        return expand(format_text, POP3_FIGURES, values, user)


def uidl_change(
    unique_ids: Sequence[bytes] | None, *, lowest_retrieved: int, deleted: Collection[int]
) -> str:
    """`count/checksum -> count/checksum`: what the client had at its last session, and what it has after this one.

    Messages below the first that was retrieved are what it had; without RETR, all.
    """
    if unique_ids is None:
        return ""
    before = unique_ids[: lowest_retrieved - 1] if lowest_retrieved else unique_ids
    after = [unique_id for number, unique_id in enumerate(unique_ids, 1) if number not in deleted]
    texts = [f"{len(ids)}/{checksum(ids):08x}" for ids in (before, after)]
    return texts[0] if texts[0] == texts[1] else " -> ".join(texts)
