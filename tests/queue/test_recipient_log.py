"""Logs of what became of recipients: text that nobody can forge."""

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue.recipient_log import LogEntry, encode_entry, read_entries


def entry(recipient: bytes, original: bytes, reason: str) -> LogEntry:
    return LogEntry(
        recipient=recipient, original_recipient=original, offset=760, dsn_original=b"rfc822;o@x", notify=8,
        status="4.2.0", action="delayed", reason=reason,
    )  # fmt: skip


def test_an_entry_is_postfixs() -> None:
    """A line for people, then names and values."""
    assert encode_entry(entry(b"a@b", b"o@b", "try again")) == (
        b"\n<a@b>: try again\nrecipient=a@b\noriginal_recipient=o@b\noffset=760\ndsn_orig_rcpt=rfc822;o@x\n"
        b"notify_flags=8\nstatus=4.2.0\naction=delayed\nreason=try again\n\n"
    )


@given(st.binary(max_size=30), st.binary(max_size=30), st.text(max_size=30))
def test_an_entry_stays_one(recipient: bytes, original: bytes, reason: str) -> None:
    """Line breaks in addresses and replies add no fields and no entries."""
    found = list(read_entries(encode_entry(entry(recipient, original, reason)) * 2))
    assert len(found) == 2
    assert found[0][b"status"] == b"4.2.0"
    assert set(found[0]) <= {
        b"recipient", b"original_recipient", b"offset", b"dsn_orig_rcpt", b"notify_flags", b"status",
        b"action", b"reason",
    }  # fmt: skip
