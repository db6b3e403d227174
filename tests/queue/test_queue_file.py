"""The record format, against files that Postfix wrote."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import postfix_queue_files as golden
from pillarbox.queue import known_attributes, queue_file
from pillarbox.queue.content_blocks import content_text
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.new_queue_file import (
    NewEnvelope,
    NewRecipient,
    encode_attributes,
    encode_end,
    encode_envelope,
    qmgr_flags,
    size_record,
)
from pillarbox.queue.queue_file import QueueMessage, read_message, read_recipients
from pillarbox.queue.records import (
    END,
    EXTRACTED,
    SIZE,
    BytesSource,
    ContentEncoder,
    CorruptQueueFile,
    RecordReader,
    encode_length,
    encode_record,
)
from pillarbox.vocabulary.envelope import Notify

CLIENT_A = [
    (b"log_client_name", b"localhost"),
    (b"log_client_address", b"127.0.0.1"),
    (b"log_client_port", b"58206"),
    (b"log_message_origin", b"localhost[127.0.0.1]"),
    (b"log_helo_name", b"client.example.org"),
    (b"log_protocol_name", b"ESMTP"),
    (b"client_name", b"localhost"),
    (b"reverse_client_name", b"localhost"),
    (b"client_address", b"127.0.0.1"),
    (b"client_port", b"58206"),
    (b"server_address", b"127.0.0.1"),
    (b"server_port", b"24025"),
    (b"helo_name", b"client.example.org"),
    (b"protocol_name", b"ESMTP"),
    (b"client_address_type", b"2"),
]


def test_the_writer_makes_the_very_bytes_of_postfix() -> None:
    """The file of a message with two recipients, but for the one marked done, byte by byte."""
    recipients = [
        NewRecipient(b"ok@dest.example", b"ok@dest.example", dsn_original=b"rfc822;ok@dest.example"),
        NewRecipient(
            b"defer+ext@dest.example",
            b"defer+ext@dest.example",
            dsn_original=b"rfc822;defer+ext@dest.example",
        ),
    ]
    envelope = NewEnvelope(
        arrival_time=1795353636.059208,
        sender=b"alice@example.org",
        recipients=recipients,
        attributes=[(b"log_ident", b"10F512301A4"), (b"rewrite_context", b"local")],
        client_records=encode_attributes(CLIENT_A),
        warn_after=14400,
    )
    head = encode_envelope(envelope)
    encoder = ContentEncoder()
    content = b"".join(line + b"\r\n" for line in read_content(BytesSource(golden.A_TWO_RECIPIENTS), 786))
    body = encoder.feed(content) + encoder.finish()
    size = size_record(
        data_size=len(body),
        data_offset=97 + len(head),
        recipients=2,
        flags=qmgr_flags(recipients),
        content_size=len(body),
        send_options=0,
    )
    written = bytearray(size + head + body + encode_end())
    written[0x2A2] = ord("D")
    assert bytes(written) == golden.A_TWO_RECIPIENTS


@pytest.mark.parametrize(("sender", "found"), [(b"a@b.test", True), (b"", False)])
def test_nobody_is_warned_of_mail_without_a_sender(sender: bytes, found: bool) -> None:
    """Its file has no time for a warning, as by cleanup(8)."""
    envelope = NewEnvelope(
        arrival_time=0,
        sender=sender,
        recipients=[NewRecipient(b"c@d.test", b"c@d.test")],
        attributes=[],
        warn_after=1,
    )
    assert (b"W\x0f" in encode_envelope(envelope)) is found


@pytest.mark.parametrize("length", [100, 113, 114, 127, 128, 300])
@pytest.mark.parametrize("which", ["address", "original", "dsn_original"])
def test_recipients_of_any_length(which: str, length: int) -> None:
    """From 128 octets on the length of a record takes two, with `dsn_orig_rcpt=` from 114."""
    long = b"x" * (length - 7) + b"@b.test"
    texts = {"address": b"a@b.test", "original": b"o@b.test", "dsn_original": b"rfc822;a@b", which: long}
    one = NewRecipient(texts["address"], texts["original"], dsn_original=texts["dsn_original"])
    envelope = NewEnvelope(arrival_time=0, sender=b"s@b.test", recipients=[one], attributes=[])
    records = [
        encode_record(ord("A"), b"dsn_orig_rcpt=" + one.dsn_original),
        encode_record(ord("O"), one.original),
        encode_record(ord("R"), one.address),
    ]
    assert encode_envelope(envelope).endswith(b"".join(records) + b"M\0")


def test_a_file_with_a_deferred_recipient() -> None:
    """What is done stays done; what is to do keeps the offset of its record."""
    message = read_message(BytesSource(golden.A_TWO_RECIPIENTS))
    assert message.sender == b"alice@example.org"
    assert [(r.address, r.done) for r in message.recipients] == [
        (b"ok@dest.example", True),
        (b"defer+ext@dest.example", False),
    ]
    assert [r.offset for r in message.to_do] == [760]
    assert message.create_time == 1795353636
    assert message.warn_time == 1795368036
    assert message.attributes[b"log_helo_name"] == b"client.example.org"
    lines = list(read_content(BytesSource(golden.A_TWO_RECIPIENTS), message.data_offset))
    assert lines[-4:] == [b"line one", b".dot line", b"", b"last"]


def _usual_file() -> bytes:
    """A message as it comes by SMTP, with what cleanup(8) finds in its header."""
    one = NewRecipient(b"me@b.test", b"me@b.test", dsn_original=b"rfc822;me@b.test")
    client = [(b"log_ident", b"10F512301A4"), (b"rewrite_context", b"local"), *CLIENT_A]
    envelope = NewEnvelope(arrival_time=1.7e9, sender=b"s@b.test", recipients=[one], attributes=client)
    head, content = encode_envelope(envelope), encode_record(ord("N"), b"Message-Id: <1@b.test>")
    size = size_record(
        data_size=len(content),
        data_offset=97 + len(head),
        recipients=1,
        flags=0,
        content_size=len(content),
        send_options=0,
    )
    return size + head + content + encode_end([(b"message_id", b"<1@b.test>")])


def test_a_usual_file_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its first records nor its last ones are looked at one by one."""
    looked_at: list[int] = []
    one_by_one = queue_file._take_envelope

    def take(
        message: QueueMessage, seen: queue_file._EnvelopeFacts, kind: int, offset: int, payload: bytes
    ) -> None:
        looked_at.append(kind)
        one_by_one(message, seen, kind, offset, payload)

    monkeypatch.setattr(queue_file, "_take_envelope", take)
    monkeypatch.delattr(queue_file, "_take_extracted")
    message = read_message(BytesSource(_usual_file()))
    assert bytes(looked_at) == b"SOR"
    assert (message.arrival_time, message.create_time) == (1.7e9, 1.7e9)
    assert message.attributes[b"log_ident"] == b"10F512301A4"
    assert message.attributes[b"message_id"] == b"<1@b.test>"
    assert message.end == len(_usual_file())


@given(
    st.sampled_from((_usual_file(), golden.A_TWO_RECIPIENTS)),
    st.lists(st.tuples(st.integers(0, 160), st.integers(0, 255)), max_size=2),
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 255)), max_size=2),
    st.integers(0, 2),
)
def test_what_is_read_at_once_is_what_the_records_say(
    data: bytes, at_the_beginning: list[tuple[int, int]], at_the_end: list[tuple[int, int]], limit: int
) -> None:
    """Whatever octets are others than usual; if the file is refused, it is in both ways."""
    octets = bytearray(data)
    for at, octet in at_the_beginning:
        octets[at] = octet
    for at, octet in at_the_end:
        octets[-at] = octet
    source = BytesSource(bytes(octets))

    def read() -> QueueMessage | None:
        try:
            message = read_message(source, limit=limit)
        except CorruptQueueFile:
            return None
        if message.unread and not read_recipients(source, message, 1):  # nothing but attributes followed
            message.recipient_count = len(message.recipients)
        return message

    at_once = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue_file, "_take_beginning", lambda *_: 0)
        patch.setattr(queue_file, "_take_short_end", lambda *_: False)
        assert at_once == read()


def test_recipients_are_held_once() -> None:
    """Of a message nobody has got yet, those to come are all there are: thousands may wait in memory."""
    octets = bytearray(golden.A_TWO_RECIPIENTS)
    octets[0x2A2] = ord("R")
    message = read_message(BytesSource(bytes(octets)))
    assert [r.offset for r in message.to_do] == [674, 760]
    assert message.to_do is message.recipients


def test_a_maildrop_file() -> None:
    """postdrop's files have no size record, raw CR and NUL, and recipients behind the content."""
    message = read_message(BytesSource(golden.B_MAILDROP), maildrop=True)
    assert message.full_name == b'Alice "Q" X'
    assert [r.address for r in message.recipients] == [
        b"defer@dest.example",
        b"otherdefer@dest.example",
        b"defer3@dest.example",
    ]
    assert {r.notify for r in message.recipients} == {Notify.DELAY}
    assert message.attributes[b"envelope_id"] == b"env9"
    lines = list(read_content(BytesSource(golden.B_MAILDROP), message.data_offset))
    assert lines[-2:] == [b"with\rcr and \0nul", b"noeol"]


def test_a_maildrop_file_is_no_queue_file() -> None:
    """Outside maildrop, a file without a size record is corrupt."""
    with pytest.raises(CorruptQueueFile, match="size record"):
        read_message(BytesSource(golden.B_MAILDROP))


def test_utf8_addresses_options_and_long_lines() -> None:
    """UTF-8 as it is, DSN options, and a line of 5,000 octets in three records."""
    message = read_message(BytesSource(golden.C_SMTPUTF8))
    assert message.sender == "jörg@exämple.org".encode()
    assert message.recipients[0].dsn_original == "utf-8;josé@x.example".encode()
    assert [int(r.notify) for r in message.recipients] == [14, 1]
    assert message.send_options == 7
    lines = list(read_content(BytesSource(golden.C_SMTPUTF8), message.data_offset))
    assert lines[-2:] == [b"x" * 5000, "é".encode()]


def test_a_milter_edited_file_is_read_along_its_pointers() -> None:
    """Sender, recipients, headers and body are the edited ones."""
    message = read_message(BytesSource(golden.D_MILTER))
    assert message.sender.startswith(b"newsender")
    assert [r.address.partition(b"@")[0] for r in message.recipients] == [b"defer-keep", b"defer-added"]
    lines = list(read_content(BytesSource(golden.D_MILTER), message.data_offset))
    assert lines[0] == b"X-Inserted: first"
    assert b"Subject: replaced subject that is quite a bit longer than before" in lines
    assert lines[-2:] == [b"new body line 1", b"new body 2"]


CORRUPT = [
    ("cut off", golden.A_TWO_RECIPIENTS[:-2], "no end record"),
    ("cut in the envelope", golden.A_TWO_RECIPIENTS[:200], "."),
    ("unknown record type", golden.A_TWO_RECIPIENTS[:97] + b"Z\x00" + golden.A_TWO_RECIPIENTS[97:], "type"),
    (
        "size leads astray",
        golden.A_TWO_RECIPIENTS.replace(b"            348  ", b"            347  ", 1),
        ".",
    ),
    ("impossible length", b"C\xff\xff\xff\xff\x7f", "length"),
    ("empty", b"", "content"),
    ("pointer loop", b"p\x0f" + b"%15d" % 17 + b"p\x0f" + b"%15d" % 1, "."),
]


@pytest.mark.parametrize(("name", "data", "why"), CORRUPT, ids=[case[0] for case in CORRUPT])
def test_corrupt_files_are_told(name: str, data: bytes, why: str) -> None:
    """Damage is found, and said."""
    with pytest.raises(CorruptQueueFile, match=why):
        read_message(BytesSource(data))


@pytest.mark.parametrize(
    ("length", "encoded"), [(0, "00"), (95, "5f"), (904, "8807"), (2048, "8010"), (128, "8001")]
)
def test_lengths_are_base_128_low_bits_first(length: int, encoded: str) -> None:
    """RFC-less, but in every Postfix queue file."""
    assert encode_length(length).hex() == encoded
    assert RecordReader(BytesSource(encode_record(SIZE, b"x" * length))).record_at(0)[1] == b"x" * length


@given(st.lists(st.binary(max_size=40), max_size=12), st.lists(st.integers(1, 60), max_size=12))
def test_any_chunking_gives_the_same_records(lines: list[bytes], cuts: list[int]) -> None:
    """Content may arrive in any pieces; stray CR and LF become blanks."""
    lines = [line.replace(b"\r", b"").replace(b"\n", b"") for line in lines]
    content = b"\r\n".join(lines)
    encoder = ContentEncoder()
    out = b""
    at = 0
    for cut in cuts:
        out += encoder.feed(content[at : at + cut])
        at += cut
    out += encoder.feed(content[at:]) + encoder.finish()
    got = list(read_content(BytesSource(out + encode_end()), 0))
    expected = lines if content and lines[-1] else lines[:-1]
    assert got == expected


@given(
    st.lists(
        st.tuples(st.sampled_from([b"N", b"L", b"N", b"p"]), st.sampled_from([0, 1, 127, 128, 2048, 16_383])),
        max_size=60,
    ),
    st.sampled_from([b"X\0E\0", b"X", b"E\0", b"", b"N\x05abc", b"N\xff\xff"]),
)
def test_windows_of_content_are_read_like_single_records(shapes: list[tuple[bytes, int]], end: bytes) -> None:
    """Lines, parts of lines, pointers to nowhere, damaged ends: the same lines, or the same fault."""
    data = b""
    for number, (kind, length) in enumerate(shapes):
        payload = b"%15d" % 0 if kind == b"p" else bytes((97 + number % 26,)) * length
        data += encode_record(kind[0], payload)
    data += end

    def one_by_one() -> Iterator[bytes]:
        held: list[bytes] = []
        for kind, _, payload in RecordReader(BytesSource(data)).records(0):
            if kind == ord("X"):
                if held:
                    yield b"".join(held)
                return
            if kind not in b"NL":
                raise CorruptQueueFile("unexpected")
            held.append(payload)
            if kind == ord("N"):
                yield b"".join(held)
                held.clear()
        raise CorruptQueueFile("no end")

    def lines_of(content: Iterator[bytes]) -> list[bytes] | None:
        try:
            return list(content)
        except CorruptQueueFile:
            return None

    assert lines_of(read_content(BytesSource(data), 0)) == lines_of(one_by_one())


@given(st.integers(0, 100_000), st.integers(700, 70_000))
def test_long_lines_come_back_whole(length: int, step: int) -> None:
    """A line of any length survives, in records of at most 2048 octets."""
    content = b"a" * length + b"\r\nb\r\n"
    encoder = ContentEncoder()
    out = b"".join(encoder.feed(content[at : at + step]) for at in range(0, len(content), step))
    out += encoder.finish() + encode_end()
    assert list(read_content(BytesSource(out), 0)) == [b"a" * length, b"b"]
    assert all(len(payload) <= 2048 for _, _, payload in RecordReader(BytesSource(out)).records())


@given(
    st.lists(st.integers(0, 400) | st.sampled_from([2047, 2048, 2049, 5000, 70000]), max_size=40),
    st.integers(0, 3),
)
def test_the_whole_text_is_its_lines(lengths: list[int], offset: int) -> None:
    """The quick way gives what the lines one by one give; an octet too few is told."""
    encoder = ContentEncoder()
    content = b"".join(b"%s\r\n" % (b"x" * length) for length in lengths)
    data = encoder.feed(content) + encoder.finish() + encode_record(EXTRACTED, b"")
    source = BytesSource(bytes(offset) + data + encode_record(END, b""))
    assert content_text(source, offset) == content.replace(b"\r\n", b"\n")
    assert list(read_content(source, offset)) == content.split(b"\r\n")[:-1]
    with pytest.raises(CorruptQueueFile):
        content_text(BytesSource(bytes(offset) + data[:-2]), offset)


def test_stray_carriage_returns_become_blanks() -> None:
    """cleanup_replace_stray_cr_lf: no record holds a CR or LF."""
    encoder = ContentEncoder()
    out = encoder.feed(b"a\rb\r\n\rc\r\r\nd\ne\r\n") + encoder.finish() + encode_end()
    assert list(read_content(BytesSource(out), 0)) == [b"a b", b" c ", b"d e"]


def test_attributes_of_many_messages_are_held_once() -> None:
    """Thousands of messages may be active; what is alike in them is one object, and what is not is soon forgotten."""
    first, second = (read_message(BytesSource(golden.A_TWO_RECIPIENTS)).attributes for _ in range(2))
    assert first == second
    assert all(first[name] is second[name] for name in first)
    assert all(mine is theirs for mine, theirs in zip(first, second, strict=True))
    for number in range(5000):
        content = golden.A_TWO_RECIPIENTS.replace(b"58206", b"%05d" % number)
        assert read_message(BytesSource(content)).attributes[b"client_port"] == b"%05d" % number
    assert len(known_attributes._SHARED) <= known_attributes._MOST
    assert len(known_attributes._KNOWN) <= known_attributes._MOST
    assert len(known_attributes._RUNS) <= known_attributes._MOST_RUNS
