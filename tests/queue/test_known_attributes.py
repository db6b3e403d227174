"""Attributes that are read in runs are those that the file has, whatever messages came before."""

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.queue import known_attributes
from pillarbox.queue.known_attributes import known_run
from pillarbox.queue.new_queue_file import (
    NewEnvelope,
    NewRecipient,
    encode_attributes,
    encode_end,
    encode_envelope,
    size_record,
)
from pillarbox.queue.queue_file import SIZE_RECORD, read_message
from pillarbox.queue.records import BytesSource, encode_record

NAMES = (b"client_name", b"client_port", b"helo_name", b"log_ident", b"encoding", b"rewrite_context")
ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from((b"a", b"b", b"c" * 70, b"d" * 130))), max_size=8
)


def a_file(attributes: list[tuple[bytes, bytes]]) -> bytes:
    """A queue file with these attributes, in this order."""
    recipient = NewRecipient(b"r@x.test", b"r@x.test", dsn_original=b"rfc822;r@x.test")
    envelope = NewEnvelope(
        arrival_time=1.7e9, sender=b"s@x.test", recipients=[recipient], attributes=attributes
    )
    head, content = encode_envelope(envelope), encode_record(ord("N"), b"Subject: x")
    sizes = size_record(
        data_size=len(content),
        data_offset=SIZE_RECORD + len(head),
        recipients=1,
        flags=0,
        content_size=len(content),
        send_options=0,
    )
    return sizes + head + content + encode_end()


@given(st.lists(ATTRIBUTES, min_size=1, max_size=12))
def test_what_was_read_before_changes_nothing(files: list[list[tuple[bytes, bytes]]]) -> None:
    """Each message has its own attributes, the last one of a name, and its recipient behind them."""
    for attributes in files:
        message = read_message(BytesSource(a_file(attributes)))
        assert message.attributes == dict(attributes)
        assert list(message.attributes) == list(dict(attributes))
        (recipient,) = message.recipients
        assert (recipient.address, recipient.dsn_original) == (b"r@x.test", b"rfc822;r@x.test")


def test_clients_share_what_they_have_in_common() -> None:
    """A run ends where another client's attributes are others, and each goes on with a run of its own."""
    known_attributes._KNOWN.clear()
    known_attributes._RUNS.clear()
    name, host = (b"client_name", b"mx.shared.test"), (b"server_port", b"25")
    clients = [[name, (b"client_port", b"%d" % port), host] for port in (1, 2)]
    for client in clients * 3:
        assert read_message(BytesSource(a_file(client))).attributes == dict(client)
    for client in clients:
        records = encode_attributes(client)
        common = known_run(records, 0)
        assert common is not None
        assert common.attributes == dict([name])
        own = known_run(records, len(common.records))
        assert own is not None
        assert own.attributes == dict(client[1:])
