"""What a message on its way in is found to be: its ids, and whether it needs SMTPUTF8."""

import asyncio

import pytest

from fakes.crash_file_system import CrashFileSystem
from fakes.immediate_fsyncs import ImmediateFsyncs
from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.submission import Submission
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

MADE = b"<20010909014640.ID@mx.here.test>"


def submitted(
    header: bytes, *, recipient: str = "b@here.test", before: str = "", options: int = 0, source: str = "sendmail", long_ids: bool = False, **settings: str
) -> Submission:  # fmt: skip
    files = CrashFileSystem()
    files.make_directories("/q/incoming")
    directories = QueueDirectories("/q", file_system=files)

    async def submit() -> Submission:
        queue = IncomingQueue(
            directories,
            clock=ManualClock(),
            long_ids=long_ids,
            file_system=files,
            fsyncs=lambda: ImmediateFsyncs(files),
        )
        submission = Submission(
            queue,
            configured_rules(
                Snapshot.of({"myhostname": "mx.here.test", "smtputf8_enable": "yes"} | settings)
            ),
        )
        address = recipient.encode()
        envelope = NewEnvelope(
            arrival_time=1_000_000_000.0,
            sender=b"a@here.test",
            recipients=[NewRecipient(address, address, before_aliases=before.encode())],
            attributes=[],
        )
        submission.begin(envelope, trace=[], add_missing=True, send_options=options, source=source)
        await submission.feed(header + b"\r\nbody\r\n")
        await submission.commit()
        return submission

    return asyncio.run(submit())


IDS = [
    (b"Message-ID: <1@x>\r\n", [(b"<1@x>", False)]),
    (b"Message-ID: <1@x>\r\nMessage-ID: <2@x>\r\n", [(b"<1@x>", False), (b"<2@x>", False)]),
    (b"Message-ID:\r\n <1@x>\r\nResent-Message-Id: <2@x>\r\n", [(b"<1@x>", False), (b"<2@x>", True)]),
    (b"Message-ID: <1@x> \t\r\n", [(b"<1@x> \t", False)]),
    (b"Subject: none\r\n", [(MADE, False)]),
    (b"Resent-To: x\r\n", [(MADE, True), (b"", False)]),
    (b"Resent-To: x\r\nMessage-ID: <1@x>\r\n", [(b"<1@x>", False), (MADE, True)]),
]


@pytest.mark.parametrize(("header", "ids"), IDS, ids=[repr(row[0]) for row in IDS])
def test_message_ids(header: bytes, ids: list[tuple[bytes, bool]]) -> None:
    """Every one is logged, and that there is none."""
    submission = submitted(header)
    own = submission.queue_id.encode()
    assert [(found.replace(own, b"ID"), resent) for found, resent in submission.message_ids] == ids


def test_the_id_of_a_message_with_a_long_queue_id() -> None:
    """enable_long_queue_ids: the time is in the id already."""
    submission = submitted(b"Subject: none\r\n", long_ids=True)
    assert submission.message_id == b"<%s@mx.here.test>" % submission.queue_id.encode()


UTF8 = [  # header, recipient, send options, source, send options afterwards
    ("Subject: plain\r\n", "b@here.test", 0, "sendmail", 0),
    ("Subject: gr\u00fcn\r\n", "b@here.test", 0, "sendmail", 1 | 2),
    ("Subject: plain\r\n", "gr\u00fcn@here.test", 0, "sendmail", 1),
    ("Subject: gr\u00fcn\r\n", "gr\u00fcn@here.test", 0, "smtpd", 0),
    ("Subject: gr\u00fcn\r\n", "b@here.test", 1, "smtpd", 1 | 2),
    ("Subject: plain\r\n", "b@here.test", 1, "smtpd", 1),
    ("Subject: gr\u00fcn\r\n", "b@here.test", 0, "bounce", 0),
    ("Bcc: gr\u00fcn@x.test\r\n", "b@here.test", 1, "smtpd", 1),
]


@pytest.mark.parametrize(("header", "recipient", "options", "source", "found"), UTF8)
def test_what_needs_smtputf8(header: str, recipient: str, options: int, source: str, found: int) -> None:
    """smtputf8_autodetect_classes = sendmail, verify; a header that is not ASCII needs it, too (RFC 6531 §3.6)."""
    submission = submitted(header.encode(), recipient=recipient, options=options, source=source)
    assert submission.send_options == found
    off = submitted(
        header.encode(), recipient=recipient, options=options, source=source, smtputf8_enable="no"
    )
    assert off.send_options & 1 == options


def test_who_was_named_counts_for_smtputf8_and_not_whom_aliases_name() -> None:
    """Detection is before virtual_alias_maps, as in cleanup(8)."""
    for before, after, found in (
        ("a@here.test", "gr\u00fcn@x.test", 0),
        ("gr\u00fcn@alias.test", "b@x.test", 1),
    ):
        submission = submitted(b"Subject: x\r\n", before=before, recipient=after)
        assert submission.send_options == found


def test_headers_of_parts_that_are_not_read() -> None:
    """disable_mime_input_processing: what is behind the header is text, and needs no SMTPUTF8."""
    header = "Content-Type: message/rfc822\r\n\r\nSubject: gr\u00fcn\r\n".encode()
    assert submitted(header, options=1).send_options == 1 | 2
    assert submitted(header, options=1, disable_mime_input_processing="yes").send_options == 1


def test_a_class_that_there_is_not() -> None:
    """smtputf8_autodetect_classes."""
    with pytest.raises(ConfigurationFault, match="smtputf8_autodetect_classes"):
        configured_rules(Snapshot.of({"smtputf8_autodetect_classes": "sendmail, nobody"}))


def test_classes_that_are_detected() -> None:
    """`all` is every source."""
    found = submitted("Subject: gr\u00fcn\r\n".encode(), source="bounce", smtputf8_autodetect_classes="all")
    assert found.send_options == 1 | 2
