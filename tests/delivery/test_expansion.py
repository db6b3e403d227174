"""Aliases and users, with tables in memory and agents that only note what they are asked."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local.earlier_recipients import named_in
from pillarbox.delivery.local.expansion import LocalExpansion
from pillarbox.delivery.local.forwarding import ForwardFault
from pillarbox.delivery.local.frames import (
    Account,
    CommandMail,
    DeliverLocally,
    FileMail,
    LocalJobDone,
    Piece,
    Readdressed,
    UserMail,
)
from pillarbox.delivery.local.means import Means, Tables
from pillarbox.delivery.local.recipient_state import split_extension
from pillarbox.delivery.request import DeliverRecipients, Forwarding, JobRecipient, Outcome
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.resolution import Resolver
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.identifiers import QueueId

USERS = {
    name: Account(1000 + at, 1000 + at, name, b"/home/" + name)
    for at, name in enumerate((b"al", b"bo", b"cy"))
}
DEFAULT = Account(65534, 65534)


class Table:
    """A lookup table in memory; a value of None stands for a table that cannot answer."""

    name = "memory:x"
    partial_keys = True
    owner_uid = 0

    def __init__(self, values: Mapping[str, str | None]) -> None:
        self._values = values

    def query(self, key: str) -> str | None:
        """The value."""
        if key in self._values and self._values[key] is None:
            raise LookupFault(self.name, "gone")
        return self._values.get(key)


class Host:
    """Everything that local delivery works with."""

    def __init__(
        self, aliases: Mapping[str, str | None], forwards: Mapping[str, Sequence[str]], **values: str
    ) -> None:
        snapshot = Snapshot.of(
            {
                "mydestination": "h.test",
                "myorigin": "h.test",
                "local_recipient_maps": "",
                "alias_maps": "",
                **values,
            }
        )
        self.forwards = {
            name.encode(): [text.encode() for text in listed] for name, listed in forwards.items()
        }
        self.done: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.full = False
        self.means = Means(
            settings=snapshot.group(LocalDelivery),
            soft_bounce=False,
            delimiters=snapshot.value("recipient_delimiter").encode(),
            propagate=frozenset(snapshot.value("propagate_unmatched_extensions").replace(",", " ").split()),
            default_account=DEFAULT,
            tables=Tables((Table(aliases),)),
            resolver=Resolver(configured_routes(snapshot, clock=ManualClock())),
            agents=self,
            find_user=self.find_user,
            forwarder=self,
            warn=self.warnings.append,
            note=self.notes.append,
            line_limit=2048,
            is_postmaster_sender=b"double-bounce@h.test".__eq__,
        )

    async def find_user(self, name: bytes) -> Account | None:
        """One of USERS."""
        return USERS.get(name)

    async def local(self, request: DeliverLocally, descriptor: int) -> LocalJobDone:
        """Note it; a user's .forward is in `forwards`."""
        work, who = request.work, request.recipient
        seen = set(request.seen)
        done = LocalJobDone(1, [], [], [], True, b"", [])
        if isinstance(work, UserMail):
            listed = self.forwards.get(who.user)
            key = b"forward " + who.user
            if listed and key not in seen:
                seen.add(key)
                done.forward_path = who.user
                done.addresses = [
                    Readdressed(text, from_include=False, keep_extension=False) for text in listed
                ]
            elif b"mailbox " + who.local not in seen:
                seen.add(b"mailbox " + who.local)
                self.done.append(f"mailbox {who.local.decode()} for {who.delivered.decode()}")
                done.pieces = [Piece("sent", "2.0.0", "delivered to maildir")]
        elif isinstance(work, CommandMail):
            self.done.append(f"command {work.command.decode()} as {request.account.uid}")
            failed = work.command == b"wait"
            done.pieces = [Piece("deferred" if failed else "sent", "4.3.0" if failed else "2.0.0", "ran")]
        elif isinstance(work, FileMail):
            self.done.append(f"file {work.path.decode()} as {request.account.uid}")
            done.pieces = [Piece("sent", "2.0.0", "written")]
        done.seen = sorted(seen)
        return done

    async def forward(self, request: DeliverRecipients, descriptor: int, forwarding: Forwarding) -> QueueId:
        """Note it."""
        if self.full:
            raise ForwardFault("no space")
        addresses = " ".join(one.address.decode() for one in forwarding.recipients)
        sender = forwarding.sender.decode() or "<>"
        self.done.append(f"forward to {addresses} from {sender} for {forwarding.delivered.decode()}")
        return QueueId("NEW")

    def deliver(
        self, to: str, *, header: bytes = b"", sender: str = "s@x.test", is_report: bool = False
    ) -> Outcome:
        """One message."""
        recipient = JobRecipient(to.encode(), to.encode())
        expansion = self.expansion(recipient, sender, header, is_report=is_report)
        return asyncio.run(expansion.deliver(recipient))

    def expansion(
        self,
        recipient: JobRecipient,
        sender: str = "s@x.test",
        header: bytes = b"",
        *,
        is_report: bool = False,
    ) -> LocalExpansion:
        """Of one message."""
        request = DeliverRecipients(
            1, "local", "", "ID", 0, 100, sender.encode(), [recipient], {b"log_client_address": b"192.0.2.1"}
        )
        return LocalExpansion(self.means, request, -1, named_in(header), is_report=is_report)


def results(outcome: Outcome) -> list[str]:
    """`recipient: code text` for each attempt."""
    assert outcome.attempts is not None
    return [f"{attempt.recipient.decode()}: {attempt.dsn} {attempt.text}" for attempt in outcome.attempts]


CASES: list[tuple[str, dict[str, str | None], dict[str, list[str]], str, list[str], list[str]]] = [
    ("user", {}, {}, "al", ["mailbox al for al@h.test"], ["al@h.test: 2.0.0 delivered to maildir"]),
    ("nobody", {}, {}, "xy", [], ['xy@h.test: 5.1.1 unknown user: "xy"']),
    ("alias", {"a": "al"}, {}, "a", ["mailbox al for a@h.test"], ["al@h.test: 2.0.0 delivered to maildir"]),
    (
        "alias of several",
        {"a": "al, b, s@o.test", "b": "bo, al, t@o.test"},
        {},
        "a",
        [
            "mailbox al for a@h.test",
            "mailbox bo for a@h.test",
            "forward to t@o.test s@o.test from s@x.test for a@h.test",
        ],
        [
            "al@h.test: 2.0.0 delivered to maildir",
            "bo@h.test: 2.0.0 delivered to maildir",
            "a@h.test: 2.0.0 forwarded as NEW",
        ],
    ),
    ("itself", {"al": "al, bo"}, {}, "al", ["mailbox al for al@h.test", "mailbox bo for al@h.test"], []),
    ("command", {"a": '"|run x"'}, {}, "a", ["command run x as 65534"], ["a@h.test: 2.0.0 ran"]),
    ("file", {"a": "/x, /x"}, {}, "a", ["file /x as 65534", "file /x as 65534"], []),
    ("table is gone", {"a": None}, {}, "a", [], ["a@h.test: 4.3.0 alias database unavailable"]),
    ("nothing", {"a": " , "}, {}, "a", [], ["a@h.test: 4.3.0 alias database unavailable"]),
    ("loop", {"a": "b", "b": "a"}, {}, "a", [], ["b@h.test: 5.4.6 alias database loop for b"]),
    (
        "owner",
        {"a": "al, s@o.test", "owner-a": "bo"},
        {},
        "a",
        ["forward to al@h.test s@o.test from owner-a@h.test for a@h.test"],
        ["a@h.test: 2.0.0 forwarded as NEW"],
    ),
    ("forward", {}, {"al": ["bo"]}, "al", ["forward to bo@h.test from s@x.test for al@h.test"], []),
    ("forward and keep", {}, {"al": ["al"]}, "al", ["mailbox al for al@h.test"], []),
    (
        "forward to an alias",
        {"a": "cy"},
        {"al": ["a"]},
        "al",
        ["forward to cy@h.test from s@x.test for al@h.test"],
        ["al@h.test: 2.0.0 forwarded as NEW"],
    ),
    (
        "another piece waits",
        {"a": '"|wait", al'},
        {"al": ["|x", "|y"]},
        "a",
        ["command wait as 65534", "command x as 65534", "command y as 65534"],
        [],
    ),
    (
        "a piece waits",
        {"a": '"|wait", s@o.test'},
        {},
        "a",
        ["command wait as 65534"],
        ["a@h.test: 4.3.0 ran"],
    ),
]


@pytest.mark.parametrize(
    ("aliases", "forwards", "to", "done", "expected"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_expansion(
    aliases: dict[str, str | None],
    forwards: dict[str, list[str]],
    to: str,
    done: list[str],
    expected: list[str],
) -> None:
    """What is asked of agents, in order, and what is told of it."""
    host = Host(aliases, forwards)
    outcome = host.deliver(f"{to}@h.test")
    assert host.done == done
    if expected:
        assert results(outcome) == expected
    waits = any(": 4." in line for line in results(outcome))
    assert outcome.status == ("deferred" if waits else "sent")


EXTENSIONS = [
    ({"a": "al"}, "a+x", "virtual", "mailbox al for a+x@h.test"),
    ({"a": "al"}, "a+x", "alias", "mailbox al+x for a+x@h.test"),
    ({"a": "al", "a+x": "bo"}, "a+x", "alias", "mailbox bo for a+x@h.test"),
    ({"a": "s@o.test"}, "a+x", "alias", "forward to s+x@o.test from s@x.test for a+x@h.test"),
    ({}, "al+x", "", "mailbox al+x for al+x@h.test"),
]


@pytest.mark.parametrize(("aliases", "to", "propagate", "done"), EXTENSIONS)
def test_extensions(aliases: dict[str, str | None], to: str, propagate: str, done: str) -> None:
    """propagate_unmatched_extensions decides what goes on."""
    host = Host(aliases, {}, recipient_delimiter="+", propagate_unmatched_extensions=propagate)
    host.deliver(f"{to}@h.test")
    assert host.done == [done]


@pytest.mark.parametrize(
    ("to", "done"),
    [("a+x", "al+x"), ("a_x", "al_x"), ("a-", "al-"), ("a_", "al_")],
)
def test_an_extension_goes_on_with_its_delimiter(to: str, done: str) -> None:
    """Whichever of recipient_delimiter it is, and an empty one, too."""
    host = Host({"a": "al"}, {}, recipient_delimiter="-_+", propagate_unmatched_extensions="alias")
    host.deliver(f"{to}@h.test")
    assert host.done == [f"mailbox {done} for {to}@h.test"]


def test_a_loop_by_delivered_to() -> None:
    """A message that was here before is bounced, whatever the case of letters."""
    host = Host({}, {})
    outcome = host.deliver("al@h.test", header=b"Subject: x\nDELIVERED-TO:  AL@h.test\n")
    assert results(outcome) == ["al@h.test: 5.4.6 mail forwarding loop for al@h.test"]
    assert host.done == []


def test_bounces_go_to_the_owner() -> None:
    """Of a list that has one; the original recipient is nobody's business."""
    host = Host({"a": "b", "b": "al", "owner-a": "bo"}, {})
    (attempt,) = host.deliver("a@h.test", header=b"Delivered-To: b@h.test\n").attempts or []
    assert (attempt.report_to, attempt.original, attempt.dsn) == (b"owner-a@h.test", b"", "5.4.6")


KEPT_SENDERS = [
    # sender, is_report, expand_owner_alias, to, the forwarded message's sender
    ("", False, "no", "list", "owner-list@h.test"),
    ("", True, "no", "list", "<>"),
    ("", True, "no", "owner-list", "<>"),
    ("", False, "no", "owner-list", "<>"),  # a bounce that is no report, and would come back
    ("", False, "yes", "list", "<>"),
    ("double-bounce@h.test", False, "no", "list", "double-bounce@h.test"),
    ("s@x.test", True, "no", "list", "owner-list@h.test"),
]


@pytest.mark.parametrize(("sender", "is_report", "expands", "to", "kept"), KEPT_SENDERS)
def test_reports_keep_their_senders(
    sender: str, expands: str, to: str, kept: str, *, is_report: bool
) -> None:
    """Or else the owner of a list would get reports on reports without end."""
    host = Host({"list": "al", "owner-list": "list"}, {}, expand_owner_alias=expands)
    outcome = host.deliver(f"{to}@h.test", sender=sender, is_report=is_report)
    assert host.done == [f"forward to al@h.test from {kept} for {to}@h.test"]
    assert [attempt.report_to for attempt in outcome.attempts or ()] == [None]


def test_messages_are_forwarded_when_others_have_what_was_passed_to_them() -> None:
    """What is left to do is told, and done when it is asked for."""
    host = Host({"a": "xy, s@o.test, t@o.test"}, {}, fallback_transport="lmtp:unix:x")
    outcome = host.deliver("a@h.test")
    assert results(outcome) == ["xy@h.test: 2.0.0 lmtp:unix:x"]
    assert host.done == []
    recipient = JobRecipient(b"a@h.test", b"a@h.test")
    forwarded = asyncio.run(host.expansion(recipient).forward(recipient, outcome.forwards or ()))
    assert results(forwarded) == ["a@h.test: 2.0.0 forwarded as NEW"]
    assert host.done == ["forward to s@o.test t@o.test from s@x.test for a@h.test"]


def test_a_message_that_cannot_be_forwarded_waits() -> None:
    """What was delivered is delivered again: better twice than lost."""
    host = Host({"a": "al, s@o.test"}, {})
    host.full = True
    outcome = host.deliver("a@h.test")
    assert outcome.status == "deferred"
    assert results(outcome)[-1] == "a@h.test: 4.3.0 unable to forward message"


def test_who_is_unknown_is_not_relayed_to_itself() -> None:
    """A luser_relay that nobody knows either: the message is returned, not lost."""
    host = Host({}, {}, luser_relay="NoBody")
    assert results(host.deliver("xy@h.test")) == ['NoBody@h.test: 5.1.1 unknown user: "nobody"']
    itself = Host({}, {}, luser_relay="$local").deliver("Mailer-Daemon@h.test")
    assert results(itself) == ['Mailer-Daemon@h.test: 5.1.1 unknown user: "mailer-daemon"']


SETTINGS = [
    ({"luser_relay": "$user@o.test"}, "xy", "forward to xy@o.test from s@x.test for xy@h.test", ""),
    ({"luser_relay": "cy"}, "xy", "mailbox cy for xy@h.test", ""),
    ({"fallback_transport": "lmtp:unix:x"}, "xy", "", "xy@h.test: 2.0.0 lmtp:unix:x"),
    ({"mailbox_transport": "lmtp:unix:x"}, "al", "mailbox al for al@h.test", ""),
    ({"allow_mail_to_commands": "forward"}, "cmd", "", "cmd@h.test: 5.7.1 mail to command is restricted"),
    ({"allow_mail_to_files": "forward"}, "file", "", "file@h.test: 5.7.1 mail to file is restricted"),
    ({"owner_request_special": "no"}, "list", "mailbox al for list@h.test", ""),
    ({"expand_owner_alias": "yes"}, "list", "forward to al@h.test from bo@h.test for list@h.test", ""),
    ({"frozen_delivered_to": "no"}, "outer", "mailbox al for al@h.test", ""),
]


@pytest.mark.parametrize(("values", "to", "done", "told"), SETTINGS)
def test_settings(values: dict[str, str], to: str, done: str, told: str) -> None:
    """Each of main.cf's changes what it says."""
    aliases: dict[str, str | None] = {
        "cmd": '"|x"', "file": "/x", "list": "al", "owner-list": "bo", "outer": "inner", "inner": "al",
    }  # fmt: skip
    host = Host(aliases, {}, **values)
    outcome = host.deliver(f"{to}@h.test")
    assert host.done == ([done] if done else [])
    assert told in (results(outcome) or [""])[0]


SPLITS = [
    ("me", "+", False, ("me", "", None)),
    ("me+x", "+", False, ("me", "+", "x")),
    ("me+x-y", "+-", False, ("me", "+", "x-y")),
    ("me-x+y", "+-", False, ("me", "-", "x+y")),
    ("me+", "+", False, ("me", "+", "")),
    ("+x", "+", False, ("+x", "", None)),
    ("+x+y", "+", False, ("+x+y", "", None)),
    ("+x-y", "+-", False, ("+x-y", "", None)),
    ("owner-me", "-", True, ("owner-me", "", None)),
    ("me-request", "-", True, ("me-request", "", None)),
    ("owner-me", "-", False, ("owner", "-", "me")),
    ("owner-me+x", "+", True, ("owner-me", "+", "x")),
    ("mailer-daemon", "-", False, ("mailer-daemon", "", None)),
    ("double-bounce", "-", False, ("double-bounce", "", None)),
]


@pytest.mark.parametrize(("local", "delimiters", "special", "expected"), SPLITS)
def test_split(local: str, delimiters: str, *, special: bool, expected: tuple[str, str, str | None]) -> None:
    """User, delimiter, extension."""
    user, delimiter, extension = split_extension(
        local.encode(), delimiters.encode(), owner_request_special=special
    )
    assert (
        user.decode(),
        delimiter.decode(),
        extension if extension is None else extension.decode(),
    ) == expected


NAME = st.sampled_from(["a", "b", "c", "d", "al", "bo", "xy", "owner-a", "s@o.test", '"|x"', "/f"])


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "owner-a", "al"]), st.lists(NAME, max_size=4), max_size=6
    ),
    st.sampled_from(["a", "al", "xy"]),
)
def test_any_aliases_come_to_an_end(aliases: dict[str, list[str]], to: str) -> None:
    """And every message is told of, whatever lists whatever."""
    host = Host({name: ", ".join(listed) for name, listed in aliases.items()}, {"al": ["a", "al"]})
    outcome = host.deliver(f"{to}@h.test")
    assert outcome.attempts
    assert len(host.done) < 1000
