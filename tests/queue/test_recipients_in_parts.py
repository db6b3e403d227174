"""A queue file whose recipients are read in parts: all of them, once, with what belongs to each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import postfix_queue_files as golden
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient, encode_end, encode_envelope, size_record
from pillarbox.queue.queue_file import QueueRecipient, read_message, read_recipients
from pillarbox.queue.records import BytesSource, CorruptQueueFile, encode_record
from pillarbox.vocabulary.envelope import Notify

_MIXED = 1


def composed(recipients: list[NewRecipient], done: set[int], *, flags: int = 0) -> bytes:
    """A queue file, some of whose recipients are done."""
    envelope = NewEnvelope(arrival_time=1.7e9, sender=b"s@x.test", recipients=recipients, attributes=[])
    text, content = encode_envelope(envelope), encode_record(ord("N"), b"Subject: x")
    offset = 97 + len(text)
    head = size_record(
        data_size=len(content),
        data_offset=offset,
        recipients=len(recipients),
        flags=flags,
        content_size=len(content),
        send_options=0,
    )
    file = bytearray(head + text + content + encode_end([(b"helo_name", b"x")]))
    for number, recipient in enumerate(read_message(BytesSource(bytes(file))).recipients):
        if number in done:
            file[recipient.offset] = ord("D")
    return bytes(file)


def in_parts(file: bytes, first: int, then: int) -> list[list[QueueRecipient]]:
    """As the queue manager reads them."""
    source = BytesSource(file)
    message = read_message(source, limit=first)
    parts = [message.recipients]
    while message.unread:
        parts.append(read_recipients(source, message, then))
    return parts


RECIPIENTS = st.lists(
    st.builds(
        NewRecipient,
        st.integers(0, 999).map(lambda number: b"r%d@x.test" % number),
        st.integers(0, 999).map(lambda number: b"o%d@x.test" % number),
        st.sampled_from((Notify.DEFAULT, Notify.SUCCESS, Notify.NEVER)),
        st.sampled_from((b"", b"rfc822;asked@x.test")),
    ),
    min_size=1,
    max_size=30,
)


@given(
    RECIPIENTS, st.sets(st.integers(0, 29)), st.integers(1, 35), st.integers(1, 35), st.sampled_from((0, 1))
)
def test_parts_are_the_whole(
    recipients: list[NewRecipient], done: set[int], first: int, then: int, flags: int
) -> None:
    """Whatever the limits; no part is larger than its limit, and what else the file says is known from the first."""
    file = composed(recipients, done, flags=flags)
    whole = read_message(BytesSource(file))
    parts = in_parts(file, first, then)
    assert whole.to_do == [recipient for part in parts for recipient in part]
    assert len(parts[0]) <= first
    assert all(len(part) <= then for part in parts[1:])
    begun = read_message(BytesSource(file), limit=first)
    assert len(recipients) == begun.recipient_count == whole.recipient_count
    assert (whole.attributes, whole.sender, whole.end) == (begun.attributes, begun.sender, begun.end)


@pytest.mark.parametrize("file", [golden.A_TWO_RECIPIENTS, golden.D_MILTER], ids=["plain", "milter"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_files_of_postfix(file: bytes, limit: int) -> None:
    """Recipients among other records, and such as a milter has added behind the content."""
    whole = read_message(BytesSource(file))
    assert whole.to_do == [recipient for part in in_parts(file, limit, 1) for recipient in part]
    begun = read_message(BytesSource(file), limit=limit)
    assert (whole.attributes, whole.sender, whole.end) == (begun.attributes, begun.sender, begun.end)


def test_the_rest_is_damaged() -> None:
    """It is told when it is read, and there are no more."""
    recipients = [NewRecipient(b"r%d@x.test" % number, b"") for number in range(5)]
    file = bytearray(composed(recipients, set()))
    message = read_message(BytesSource(bytes(file)), limit=2)
    file[message.unread + 4] = 0x01
    file[message.unread] = ord("?")
    with pytest.raises(CorruptQueueFile):
        read_recipients(BytesSource(bytes(file)), message, 10)
    assert 0 == message.unread
