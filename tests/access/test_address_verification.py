"""What the SMTP server makes of what is known of an address."""

import asyncio
from collections.abc import Awaitable
from ipaddress import ip_address

import pytest

from pillarbox.access.address_verification import VerificationFault, verification_checks
from pillarbox.access.client import ClientFacts
from pillarbox.access.question import Actions, Codes, Outcome, Question, Subject
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.dns.host_lookup import HostLookup
from pillarbox.net.dns.stub_resolver import StubResolver
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.verification import AddressStatus
from pillarbox.routing.configured_routes import configured_routes
from pillarbox.routing.probe_sender import probe_sender, probe_senders
from pillarbox.routing.resolution import Resolver
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.reply import Reply

OK, DEFER, BOUNCE, TODO = AddressStatus.OK, AddressStatus.DEFER, AddressStatus.BOUNCE, AddressStatus.TODO
_HARD, _SOFT = b"host x said: 550 No", b"host x said: 450 Later"
_LONG = b"x" * 300

Answer = tuple[AddressStatus, bytes]


class Known:
    """An asker who knows one answer; None: it cannot be asked."""

    def __init__(self, answer: Answer | None) -> None:
        self._answer = answer
        self.asked: list[bytes] = []

    async def ask(self, address: bytes) -> Answer:
        """The answer."""
        self.asked.append(address)
        if self._answer is None:
            raise VerificationFault("nobody there")
        return self._answer


class Case:
    """One decision about a message from a@x.test to b@y.test."""

    def __init__(self, answer: Answer | None, *, sender: str = "a@x.test", **settings: str) -> None:
        snapshot = Snapshot.of({"compatibility_level": "3.6", "alias_maps": "", **settings})
        self.known = Known(answer)
        self._checks = verification_checks(snapshot.group(AddressVerification), self.known)
        self.warnings: list[str] = []
        self.question = Question(
            client=ClientFacts(
                address=ip_address("192.0.2.7"), port=1, sender=Address.parse(sender.encode())
            ),
            resolver=Resolver(configured_routes(snapshot, clock=SystemClock())),
            dns=(dns := StubResolver(clock=SystemClock())),
            hosts=HostLookup(dns, clock=SystemClock()),
            codes=Codes(),
            tell=lambda verb, text: None,
            tell_warning=self.warnings.append,
            tell_note=self.warnings.append,
            note_unlisted=lambda: None,
            actions=Actions(),
            recipient=Address.parse(b"b@y.test"),
        )

    def decide(self, word: str) -> tuple[bytes, bytes]:
        """What is replied at once, and what at the end if nobody refuses."""

        async def run() -> Outcome:
            outcome = self._checks[word](self.question, Subject.RECIPIENT)
            return await outcome if isinstance(outcome, Awaitable) else outcome

        return _line(asyncio.run(run())), _line(self.question.if_permitted)


def _line(outcome: Outcome) -> bytes:
    return outcome.first_line if isinstance(outcome, Reply) else b""


_OF_RECIPIENT = b"<b@y.test>: Recipient address rejected: "
_OF_SENDER = b"<a@x.test>: Sender address rejected: "


@pytest.mark.parametrize(
    ("word", "answer", "settings", "at_once", "in_the_end"),
    [
        ("recipient", (OK, b"250 Ok"), {}, b"", b""),
        (
            "recipient",
            (BOUNCE, _HARD),
            {},
            b"",
            b"450 4.1.1 " + _OF_RECIPIENT + b"unverified address: " + _HARD,
        ),
        (
            "recipient",
            (DEFER, _SOFT),
            {},
            b"",
            b"450 4.1.1 " + _OF_RECIPIENT + b"unverified address: " + _SOFT,
        ),
        ("recipient", (TODO, b"wait"), {}, b"", b"450 4.1.1 " + _OF_RECIPIENT + b"unverified address: wait"),
        (
            "recipient",
            (DEFER, _LONG),
            {},
            b"",
            b"450 4.1.1 " + _OF_RECIPIENT + b"unverified address: " + _LONG[:250],
        ),
        ("recipient", None, {}, b"", b"450 4.1.1 " + _OF_RECIPIENT + b"address verification problem"),
        (
            "recipient",
            (BOUNCE, _HARD),
            {"unverified_recipient_reject_code": "550"},
            b"550 5.1.1 " + _OF_RECIPIENT + b"undeliverable address: " + _HARD,
            b"",
        ),
        (
            "recipient",
            (BOUNCE, _HARD),
            {"unverified_recipient_reject_code": "550", "unverified_recipient_reject_reason": "no such user"},
            b"550 5.1.1 " + _OF_RECIPIENT + b"undeliverable address: no such user",
            b"",
        ),
        ("recipient", (BOUNCE, _HARD), {"unverified_recipient_reject_code": "250"}, b"", b""),
        ("recipient", (DEFER, _SOFT), {"unverified_recipient_defer_code": "250"}, b"", b""),
        (
            "recipient",
            (DEFER, _SOFT),
            {"unverified_recipient_defer_code": "451", "unverified_recipient_tempfail_action": "defer"},
            b"451 4.1.1 " + _OF_RECIPIENT + b"unverified address: " + _SOFT,
            b"",
        ),
        (
            "recipient",
            None,
            {"unverified_recipient_tempfail_action": "defer"},
            b"450 4.1.1 " + _OF_RECIPIENT + b"address verification problem",
            b"",
        ),
        ("sender", (OK, b"250 Ok"), {}, b"", b""),
        ("sender", (BOUNCE, _HARD), {}, b"", b"450 4.1.7 " + _OF_SENDER + b"unverified address: " + _HARD),
        (
            "sender",
            (BOUNCE, _HARD),
            {"unverified_sender_reject_code": "551", "unverified_recipient_reject_code": "599"},
            b"551 5.1.7 " + _OF_SENDER + b"undeliverable address: " + _HARD,
            b"",
        ),
        ("sender", None, {}, b"", b"450 4.1.7 " + _OF_SENDER + b"address verification problem"),
    ],
)
def test_replies(
    word: str, answer: Answer | None, settings: dict[str, str], at_once: bytes, in_the_end: bytes
) -> None:
    """What is wrong for now defers if nothing else refuses; codes, texts and actions are main.cf's."""
    case = Case(answer, **settings)
    assert case.decide(f"reject_unverified_{word}") == (at_once, in_the_end)
    assert case.known.asked == [b"b@y.test" if word == "recipient" else b"a@x.test"]
    assert bool(case.warnings) is (answer is None)


def test_the_null_sender_exists() -> None:
    """Notices have no sender that could be asked about."""
    case = Case((BOUNCE, b"no"), sender="")
    assert case.decide("reject_unverified_sender") == (b"", b"")
    assert case.known.asked == []


def test_senders_of_probes() -> None:
    """address_verify_sender_ttl: base 31 without vowels at the end of the local part, with the spans around it."""
    assert probe_sender("double-bounce", ttl=0, now=1e9) == b"double-bounce"
    assert probe_sender("<>", ttl=10, now=1e9) == probe_sender("", ttl=0, now=1e9) == b""
    assert probe_senders("<>", ttl=0, now=1e9) == []
    assert probe_senders("x@y.test", ttl=0, now=1e9) == [b"x@y.test"]
    assert probe_senders("x@y.test", ttl=10, now=310.0) == [b"xZ@y.test", b"x10@y.test", b"x11@y.test"]
    assert probe_sender("x", ttl=1, now=11.0) == b"xC"
