"""Messages of maildrop on their way into the queue: what is believed, what is refused, what is kept."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.bounce.configured import configured_bounces
from pillarbox.bounce.submission import Notifier
from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.reading import read_configuration
from pillarbox.filters.configured_checks import configured_content_tables
from pillarbox.observability import events
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.content_lines import read_content
from pillarbox.queue.incoming import IncomingQueue
from pillarbox.queue.new_queue_file import NewEnvelope
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_file import QueueMessage, read_message
from pillarbox.queue.records import (
    ATTRIBUTE,
    END,
    EXTRACTED,
    FULL_NAME,
    LINE,
    MESSAGE,
    POINTER,
    RECIPIENT,
    SENDER,
    VERP,
    BytesSource,
    encode_record,
)
from pillarbox.queue_manager.pickup import Pickup, PickupRules
from pillarbox.routing.configured_mappings import configured_mappings
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.routing.rewriting import remote_rewriting
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

MAIN_CF = """\
compatibility_level = 3.6
myhostname = mx.test
mydestination = mx.test
alias_maps =
local_recipient_maps =
virtual_alias_maps = inline:{ list@mx.test=one@x.test, loop@mx.test=loop1@mx.test, loop1@mx.test=loop@mx.test }
message_size_limit = 5000
virtual_alias_recursion_limit = 3
"""


class Mail:
    """A queue with a pickup."""

    def __init__(self, root: Path) -> None:
        (root / "main.cf").write_text(MAIN_CF)
        self.root = root
        self.told: list[events.Event] = []
        self.queued: list[QueueId] = []
        self.directories = QueueDirectories(str(root))
        self.directories.create()

    def configure(self, text: str) -> None:
        """More for main.cf."""
        with (self.root / "main.cf").open("a") as file:
            file.write(text)

    async def _scan(self) -> None:
        clock = ManualClock()
        snapshot = read_configuration(str(self.root), facts=host_facts()).snapshot
        queue = IncomingQueue(self.directories, clock=clock)
        rules = configured_rules(snapshot)
        resolver = Resolver(configured_routes(snapshot, clock=clock))
        mappings = configured_mappings(snapshot, resolver=resolver, clock=clock)
        pickup = Pickup(
            self.directories,
            queue,
            rules=PickupRules(
                submission=rules,
                mail_name=b"Postfix",
                mappings=mappings,
                content_tables=configured_content_tables(snapshot, clock=clock),
                remote_rewriting=remote_rewriting(mappings.rewriting, snapshot),
                always_add_missing_headers=snapshot.group(Cleanup).always_add_missing_headers,
                soft_bounce=snapshot.group(QueueManager).soft_bounce,
                verp_bounces=not snapshot.group(QueueManager).disable_verp_bounces,
            ),
            notifier=Notifier(
                queue,
                rules=configured_bounces(snapshot, warn=pytest.fail),
                submission=rules,
                mappings=mappings,
                tell=self.told.append,
                clock=clock,
            ),
            clock=clock,
            queued=self.queued.extend,
            tell=self.told.append,
        )
        await pickup.scan()
        queue.close()

    def pick_up(self) -> list[QueueMessage]:
        """Look at maildrop; the messages in incoming, in the order in which they were told of."""
        asyncio.run(self._scan())
        return [read_message(BytesSource(self.content(queue_id))) for queue_id in self.queued]

    def content(self, queue_id: QueueId) -> bytes:
        return (self.root / "incoming" / queue_id).read_bytes()

    def lines(self, number: int = 0) -> list[bytes]:
        source = BytesSource(self.content(self.queued[number]))
        return list(read_content(source, read_message(source).data_offset))

    def drop(self, data: bytes, name: str = "A0000000001", mode: int = 0o744) -> Path:
        path = self.root / "maildrop" / name
        path.write_bytes(data)
        path.chmod(mode)
        os.utime(path, (1_800_000_000, 1_800_000_000))
        return path

    def names(self, queue: str = "maildrop") -> list[str]:
        return sorted(path.name for path in (self.root / queue).iterdir())


@pytest.fixture
def mail(tmp_path: Path) -> Mail:
    return Mail(tmp_path)


def message(
    recipients: Iterable[bytes] = (b"one@x.test",),
    *,
    sender: bytes = b"me",
    attributes: Iterable[bytes] = (b"rewrite_context=local",),
    full_name: bytes = b"Some One",
    lines: Iterable[bytes] = (b"Subject: x", b"", b"body"),
    verp: bytes = b"",
) -> bytes:
    return b"".join(
        [
            *(encode_record(ATTRIBUTE, attribute) for attribute in attributes),
            encode_record(FULL_NAME, full_name),
            encode_record(SENDER, sender),
            *([encode_record(VERP, verp)] if verp else []),
            *(encode_record(RECIPIENT, recipient) for recipient in recipients),
            encode_record(MESSAGE, b""),
            *(encode_record(LINE, line) for line in lines),
            encode_record(EXTRACTED, b""),
            encode_record(END, b""),
        ]
    )


def test_a_users_message(mail: Mail) -> None:
    """Addresses are completed, header fields added, and its file has gone."""
    mail.drop(message([b"one@x.test", b"two"]))
    (queued,) = mail.pick_up()
    assert queued.sender == b"me@mx.test"
    assert [recipient.address for recipient in queued.recipients] == [b"one@x.test", b"two@mx.test"]
    assert [recipient.original for recipient in queued.recipients] == [b"one@x.test", b"two"]
    assert mail.names() == []
    lines = mail.lines()
    assert lines[0] == b"Received: by mx.test (Postfix, from userid %d)" % os.getuid()
    assert lines[1].startswith(b"\tid %s; Fri, 15 Jan 2027" % mail.queued[0].encode())
    assert b"From: Some One <me@mx.test>" in lines
    picked_up = next(event for event in mail.told if isinstance(event, events.MessagePickedUp))
    assert (picked_up.uid, picked_up.sender, picked_up.original_id) == (os.getuid(), b"me", "")


def test_postfixs_own_file(mail: Mail) -> None:
    """What Debian's postdrop wrote, with recipients behind the content."""
    mail.drop(golden.B_MAILDROP)
    (queued,) = mail.pick_up()
    assert queued.arrival_time == pytest.approx(1795354341.596357)
    assert queued.attributes[b"envelope_id"] == b"env9"
    assert [int(recipient.notify) for recipient in queued.recipients] == [8, 8, 8]
    assert not [line for line in mail.lines() if line.startswith(b"Bcc:")]
    assert b"with cr and \0nul" in [line.replace(b"\r", b" ") for line in mail.lines()]


def test_what_a_user_may_not_say(mail: Mail) -> None:
    """Attributes that only the mail system sets are left out; so is what would end a line."""
    attributes = (
        b"rewrite_context=local",
        b"log_client_name=trusted.example",
        b"sasl_username=admin",
        b"trace_flags=256",
        b"ret_flags=2",
    )
    mail.drop(message(attributes=attributes, lines=[b"Subject: x", b"", b"a\r\n.\r\nb\n"]))
    (queued,) = mail.pick_up()
    assert {name: value for name, value in queued.attributes.items() if name != b"message_id"} == {
        b"log_ident": mail.queued[0].encode(),
        b"rewrite_context": b"local",
        b"ret_flags": b"2",
    }
    assert mail.lines()[-1] == b"a  .  b "


def test_requeued_mail(mail: Mail) -> None:
    """It is the mail system's: it keeps what it had, and who has got it does not get it again."""
    mail.drop(golden.A_TWO_RECIPIENTS, "10F512301A4", 0o700)
    (queued,) = mail.pick_up()
    assert queued.attributes[b"log_client_name"] == b"localhost"
    assert [recipient.address for recipient in queued.to_do] == [b"defer+ext@dest.example"]
    assert queued.create_time > queued.arrival_time
    picked_up = next(event for event in mail.told if isinstance(event, events.MessagePickedUp))
    assert picked_up.original_id == "10F512301A4"


def test_what_is_refused_waits_with_soft_bounce(mail: Mail) -> None:
    """As with Postfix: in maildrop, for who tries out the configuration."""
    mail.configure("hopcount_limit = 1\nsoft_bounce = yes\n")
    mail.drop(message())
    assert mail.pick_up() == []
    assert mail.names() == ["A0000000001"]


REMOTE = [
    ("", [b"From: someone"], False),
    ("always_add_missing_headers = yes\n", [b"From: someone"], True),
    ("remote_header_rewrite_domain = domain.invalid\n", [b"From: someone@domain.invalid"], True),
]


@pytest.mark.parametrize(("settings", "fields", "added"), REMOTE)
def test_mail_from_elsewhere(settings: str, fields: list[bytes], added: bool, mail: Mail) -> None:
    """sendmail -G: its header is completed as main.cf says for mail of others."""
    mail.configure(settings)
    mail.drop(message(attributes=[b"rewrite_context=remote"], lines=[b"From: someone", b"", b"body"]))
    assert mail.pick_up()
    header = mail.lines()[2:-2]
    assert header[:1] == fields
    assert bool(header[1:]) == added


def test_aliases_are_expanded(mail: Mail) -> None:
    """As for a client's message: each once for whom it was."""
    mail.drop(message([b"list@mx.test", b"one@x.test", b"one@x.test"]))
    (queued,) = mail.pick_up()
    assert [(recipient.address, recipient.original) for recipient in queued.recipients] == [
        (b"one@x.test", b"list@mx.test"),
        (b"one@x.test", b"one@x.test"),
    ]


def test_aliases_without_end_wait(mail: Mail) -> None:
    """For an admin to mend them: the message stays in maildrop, and the log says why."""
    mail.configure(
        "virtual_alias_recursion_limit = 2\nvirtual_alias_maps = inline:{ a@mx.test=b@mx.test, b@mx.test=a@mx.test }\n"
    )
    mail.drop(message([b"a@mx.test"]))
    assert mail.pick_up() == []
    assert len(mail.names()) == 1
    cleanup, pickup = [event for event in mail.told if isinstance(event, events.Warned)]
    assert ("cleanup", "pickup") == (cleanup.program, pickup.program)
    assert "unreasonable virtual_alias_maps map nesting" in cleanup.reason
    name, queue_id = mail.names()[0], cleanup.reason.partition(":")[0]
    assert f"maildrop/{name}: error writing {queue_id}: queue file write error" == pickup.reason


@pytest.mark.parametrize(
    ("data", "reason", "returned"),
    [
        (message(lines=[b"Received: x"] * 60 + [b"", b"body"]), b"too many hops", True),
        (message(lines=[b"To: x", b"", b"body"] + [b"x" * 1000] * 6), b"message file too big", False),
        (message(lines=[b"X-Bad: x", b"", b"body"]), b"not this", False),
    ],
    ids=["loop", "size", "content"],
)
def test_what_cannot_be_queued_goes_back(data: bytes, reason: bytes, returned: bool, mail: Mail) -> None:
    """A notice to the sender, without a body that must not come in, and nothing in maildrop."""
    mail.configure("header_checks = pcre:{ {/^X-Bad:/ REJECT not this} }\n")
    mail.drop(data)
    (notice,) = mail.pick_up()
    assert (notice.sender, [recipient.address for recipient in notice.recipients]) == (b"", [b"me@mx.test"])
    assert any(reason in line for line in mail.lines())
    assert (b"body" in mail.lines()) is returned
    assert mail.names() == []
    (made,) = [event for event in mail.told if isinstance(event, events.AttemptMade)]
    assert (made.relay, made.status, made.text) == ("none", "bounced", reason.decode())


@pytest.mark.parametrize("disabled", ["no", "yes"])
def test_what_goes_back_to_an_address_for_each_recipient(disabled: str, mail: Mail) -> None:
    """VERP, but for disable_verp_bounces."""
    mail.configure(f"disable_verp_bounces = {disabled}\n")
    mail.drop(message([b"o..ne@x.test", b"two@y.test"], lines=[b"Received: x"] * 60, verp=b"+="))
    told = sorted(notice.recipients[0].address for notice in mail.pick_up())
    each = [b'me+"o..ne"=x.test@mx.test', b"me+two=y.test@mx.test"]
    assert told == (each if disabled == "no" else [b"me@mx.test"])


@pytest.mark.parametrize(("detects", "encoding"), [("yes", b"8bit"), ("no", None)])
def test_what_a_notice_is_declared_to_be(detects: str, encoding: bytes | None, mail: Mail) -> None:
    """BODY= of a notice is what detect_8bit_encoding_header makes of its header, as of any other message's."""
    mail.configure(f"detect_8bit_encoding_header = {detects}\n")
    mail.drop(message(lines=[b"x" * 1000] * 6))
    (notice,) = mail.pick_up()
    assert b"Content-Transfer-Encoding: 8bit" in mail.lines()
    assert notice.attributes.get(b"encoding") == encoding


def test_who_gets_a_copy_is_reported_too(mail: Mail) -> None:
    """A message that is refused after a check has added a recipient comes back for that one as well."""
    mail.configure("header_checks = pcre:{ {/^X-Copy:/ BCC other@y.test} {/^X-Bad:/ REJECT no} }\n")
    mail.drop(message(lines=[b"X-Copy: x", b"X-Bad: x", b"", b"body"]))
    mail.pick_up()
    made = [event.recipient for event in mail.told if isinstance(event, events.AttemptMade)]
    assert made == [b"one@x.test", b"other@y.test"]


def test_a_user_who_needs_tls(mail: Mail) -> None:
    """sendmail -O requiretls=yes; what the mail system alone may say is left out."""
    mail.drop(message(attributes=(b"rewrite_context=local", b"sendopts=63")))
    (queued,) = mail.pick_up()
    assert queued.send_options == 1 + 32
    assert b"sendopts" not in queued.attributes


@pytest.mark.parametrize(("settings", "options"), [("", 0), ("requiretls_redact_dsn = no\n", 32)])
def test_a_notice_of_what_needed_tls(mail: Mail, settings: str, options: int) -> None:
    """RFC 8689 §4.3: the header alone, which may travel without."""
    mail.configure(settings)
    mail.drop(
        message(
            attributes=(b"rewrite_context=local", b"sendopts=32"),
            lines=[b"TLS-Required: no", b"Subject: known", *[b"Received: x"] * 60, b"", b"secret"],
        )
    )
    (notice,) = mail.pick_up()
    assert notice.send_options == options
    assert b"Subject: known" in mail.lines()
    assert (b"secret" in mail.lines()) is bool(options)
    assert b"Content-Description: Undelivered Message" + b" Headers" * (not options) in mail.lines()
    assert b"TLS-Required: no" not in mail.lines()[:8]


def test_what_is_no_message_is_kept(mail: Mail) -> None:
    """In corrupt/, for the admin."""
    mail.drop(b"junk" * 10)
    mail.drop(golden.B_MAILDROP[:200], "A0000000002")
    assert mail.pick_up() == []
    assert (mail.names(), mail.names("corrupt")) == ([], ["A0000000001", "A0000000002"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message([b"a\r\nRCPT TO:<x@y.test>\r\n@x.test"]), "line break or NUL"),
        (message(sender=b"me\nX-Mine: yes"), "line break or NUL"),
        (message(attributes=[b"dsn_orig_rcpt=rfc822;a\r\nDATA"]), "line break or NUL"),
        (message(attributes=[b"envelope_id=a\0b"]), "line break or NUL"),
        (message(attributes=[b"notify_flags=64"]), "malformed attribute"),
        (message(lines=[b"x" * 1000] * 5000), "message file too big"),
    ],
    ids=["recipient", "sender", "attribute", "NUL", "flags", "file"],
)
def test_records_that_no_user_may_write(data: bytes, reason: str, mail: Mail) -> None:
    """Everybody may put files there without postdrop(1), which refuses them: line ends would be commands."""
    mail.drop(data)
    assert mail.pick_up() == []
    assert mail.names("corrupt") == ["A0000000001"]
    (corrupt,) = [event for event in mail.told if isinstance(event, events.MessageCorrupt)]
    assert reason in corrupt.reason


def test_a_users_name_is_put_on_one_line(mail: Mail) -> None:
    """Debian's sendmail(1) passes on what -F or NAME say as it is: that costs nobody's message."""
    mail.drop(message(full_name=b"Some\nBcc: One\r\0"))
    mail.pick_up()
    assert b'From: "SomeBcc: One" <me@mx.test>' in mail.lines()


@pytest.mark.parametrize("vanishes", [True, False])
def test_a_file_that_cannot_be_set_aside(vanishes: bool, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are taken all the same."""
    path = mail.drop(b"no records")

    def rename(source: str, target: str) -> None:
        assert (source, target) == (str(path), f"{mail.root}/corrupt/{path.name}")
        if vanishes:
            path.unlink()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    mail.drop(message(), "A0000000002")
    with monkeypatch.context() as patch:
        patch.setattr("pillarbox.queue_manager.pickup.os.rename", only(path, rename))
        assert len(mail.pick_up()) == 1
    warned = [event.reason for event in mail.told if isinstance(event, events.Warned)]
    assert warned == ([] if vanishes else ["move maildrop/A0000000001 to corrupt: No space left on device"])
    assert mail.names() == ([] if vanishes else [path.name])


def only(path: Path, rename: Callable[[str, str], None]) -> Callable[..., None]:
    """os.rename(), but for one file."""
    real = os.rename

    def either(source: str, target: str, **more: int) -> None:
        if source == str(path):
            rename(source, target)
        else:
            real(source, target, **more)

    return either


@pytest.mark.parametrize("place", ["envelope", "content", "behind it"])
def test_a_user_cannot_have_records_read_again(place: str, mail: Mail) -> None:
    """A pointer back would make gigabytes of recipients of some kilobytes of file."""
    where = {"envelope": (MESSAGE, b""), "content": (EXTRACTED, b""), "behind it": (END, b"")}
    before = encode_record(*where[place])
    back = encode_record(POINTER, b"%15d" % len(encode_record(ATTRIBUTE, b"rewrite_context=local")))
    data = message([b"one@x.test"] * 50)
    mail.drop(data.replace(before, back + before))
    assert mail.pick_up() == []
    assert mail.names("corrupt") == ["A0000000001"]
    (corrupt,) = [event for event in mail.told if isinstance(event, events.MessageCorrupt)]
    assert corrupt.reason.startswith("pointer record at ")


def test_a_mistake_of_ours_costs_one_message(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays where it is, and the others are taken."""
    real = Pickup._envelope

    def broken(self: Pickup, message: QueueMessage, *more: str | float, requeued: bool) -> NewEnvelope:
        if message.sender == b"odd":
            raise KeyError("odd")
        return real(self, message, *more, requeued=requeued)  # type: ignore[arg-type]

    monkeypatch.setattr(Pickup, "_envelope", broken)
    mail.drop(message(sender=b"odd"))
    mail.drop(message(), "A0000000002")
    (queued,) = mail.pick_up()
    assert queued.sender == b"me@mx.test"
    assert mail.names() == ["A0000000001"]
    (warned,) = [event.reason for event in mail.told if isinstance(event, events.Warned)]
    assert warned.startswith("maildrop/A0000000001: KeyError: 'odd' at ")


def test_files_that_are_not_taken(mail: Mail, tmp_path: Path) -> None:
    """One that is being written, a link, a second name of a file, a directory, a FIFO."""
    mail.drop(message(), "A0000000001", 0o600)
    outside = tmp_path / "outside"
    outside.write_bytes(message())
    outside.chmod(0o744)
    (mail.root / "maildrop" / "A0000000002").symlink_to(outside)
    os.link(outside, mail.root / "maildrop" / "A0000000003")
    (mail.root / "maildrop" / "A0000000004").mkdir()
    os.mkfifo(mail.root / "maildrop" / "A0000000005", 0o744)
    (mail.root / "maildrop" / "12.34").write_bytes(message())
    before = mail.names()
    assert mail.pick_up() == []
    assert mail.names() == before
    assert sorted(
        event.reason.partition(": ")[2] for event in mail.told if isinstance(event, events.Warned)
    ) == [
        "Too many levels of symbolic links",
        f"uid {os.getuid()}: file has 2 links",
        f"uid {os.getuid()}: not a regular file",
        f"uid {os.getuid()}: not a regular file",
    ]


CHECKED = [
    # action, where the message is, who gets it, what the log says
    ("REJECT no x here", "incoming", [b"me@mx.test"], "reject"),
    ("HOLD", "hold", [b"one@x.test"], "hold"),
    ("DISCARD", "", [], "discard"),
    ("REDIRECT other@y.test", "incoming", [b"one@x.test"], "redirect"),
    ("BCC other@y.test", "incoming", [b"one@x.test", b"other@y.test"], "bcc"),
    ("IGNORE", "incoming", [b"one@x.test"], ""),
]


@pytest.mark.parametrize(("action", "queue", "recipients", "verb"), CHECKED)
def test_header_checks(action: str, queue: str, recipients: list[bytes], verb: str, mail: Mail) -> None:
    """cleanup(8) checks local mail, too."""
    mail.configure(f"header_checks = pcre:{{ {{/^Subject:/ {action}}} }}\n")
    mail.drop(message())
    if queue == "hold":
        asyncio.run(mail._scan())
        (name,) = mail.names("hold")
        found = [read_message(BytesSource((mail.root / "hold" / name).read_bytes()))]
    else:
        found = mail.pick_up()
    assert [recipient.address for one in found for recipient in one.recipients] == recipients
    assert [event.verb for event in mail.told if isinstance(event, events.ContentInspected)] == (
        [verb] if verb else []
    )
    assert [one.redirect for one in found if one.redirect] == [b"other@y.test"] * (verb == "redirect")
    if action == "IGNORE":
        assert not [line for line in mail.lines() if line.startswith(b"Subject:")]
    if action.startswith("REJECT"):
        assert any(b"no x here" in line for line in mail.lines())
    assert mail.names() == []
