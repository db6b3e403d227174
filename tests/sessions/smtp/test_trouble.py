"""Which class a refusal has, and when postmaster hears of a session."""

import asyncio

import pytest

from pillarbox.sessions.smtp.trouble import Report, Trouble
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Auth, Noop, Refused
from pillarbox.wire.smtp.server import EndOfContent

NOOP = Noop()
REFUSED = Refused(b"FOO", Reply(500, (b"5.5.2 Error: command not recognized",)), b"FOO")
CLASSES = [
    (NOOP, 554, b"5.5.1 Error: no valid recipients", False, ""),
    (NOOP, 554, b"5.7.1 <x>: Relay access denied", True, "policy"),
    (NOOP, 550, b"5.7.1 <x>: Recipient address rejected: User unknown in my table", True, "policy"),
    (NOOP, 451, b"4.3.0 <x>: Temporary lookup failure", True, "data"),
    (NOOP, 452, b"4.3.1 Insufficient system storage", True, "resource"),
    (EndOfContent(last=True), 451, b"4.3.0 Error: queue file write error", False, "resource"),
    (EndOfContent(last=True), 552, b"5.3.4 Error: message file too big", False, "bounce"),
    (EndOfContent(last=True), 554, b"5.4.0 Error: too many hops", False, "bounce"),
    (EndOfContent(last=True), 550, b"5.7.1 message content rejected", False, "policy"),
    (NOOP, 451, b"4.3.5 Server configuration error", True, "software"),
    (NOOP, 450, b"4.7.1 Error: too much mail from 192.0.2.1", False, "policy"),
    (REFUSED, 500, b"5.5.2 Error: command not recognized", False, "protocol"),
    (NOOP, 503, b"5.5.1 Error: nested MAIL command", False, "protocol"),
    (Auth(b"PLAIN", None), 535, b"5.7.8 Error: authentication failed", False, ""),
]


def heard(trouble: Trouble, reports: list[Report]) -> list[Report]:
    """What postmaster hears when the session ends."""
    asyncio.run(trouble.ended("client[192.0.2.1]"))
    return reports


def trouble_of(*wanted: str, threshold: int = 100) -> tuple[Trouble, list[Report]]:
    """A session, and what postmaster hears of it."""
    reports: list[Report] = []

    async def report(one: Report) -> None:
        reports.append(one)

    trouble = Trouble(report, wanted=frozenset(wanted), threshold=threshold)
    trouble.transcript.came(b"HELLO")
    return trouble, reports


@pytest.mark.parametrize(("command", "code", "text", "is_refusal", "expected"), CLASSES)
def test_classes(command: object, code: int, text: bytes, is_refusal: bool, expected: str) -> None:
    """One class, and no other."""
    for wanted in ("bounce", "data", "policy", "protocol", "resource", "software"):
        trouble, reports = trouble_of(wanted)
        trouble.is_refusal = is_refusal
        trouble.answered(command, Reply(code, (text,)))
        assert bool(heard(trouble, reports)) == (wanted == expected)


def test_who_hears() -> None:
    """bounce_notice_recipient, if a recipient was unknown; nobody of what was taken."""
    trouble, reports = trouble_of("bounce", "policy")
    trouble.answered(NOOP, Reply(250, (b"2.0.0 Ok",)))
    assert heard(trouble, reports) == []
    trouble, reports = trouble_of("bounce", "policy")
    trouble.next_class = "bounce"
    trouble.answered(NOOP, Reply(550, (b"5.1.1 <x>: User unknown in virtual alias table",)))
    (report,) = heard(trouble, reports)
    assert (report.to_bounce_recipient, report.transcript) == (True, [b"In:  HELLO"])


def test_a_message_that_is_taken_makes_up_for_what_was_before() -> None:
    """As in smtpd(8), which counts errors anew from there; a chunk with more to come is no message."""
    unknown = Reply(550, (b"5.1.1 <x>: User unknown in virtual alias table",))
    taken = Reply(250, (b"2.0.0 Ok",))
    for end, told in ((EndOfContent(last=False), 1), (EndOfContent(last=True), 0)):
        trouble, reports = trouble_of("bounce")
        trouble.next_class = "bounce"
        trouble.answered(NOOP, unknown)
        trouble.answered(end, taken)
        assert len(heard(trouble, reports)) == told


def test_a_session_that_goes_on() -> None:
    """smtpd_history_flush_threshold: what is told or forgotten is not told again."""
    trouble, reports = trouble_of("protocol", threshold=3)
    trouble.answered(REFUSED, REFUSED.reply)
    asyncio.run(trouble.transaction_ended("client"))
    assert reports == []
    for _ in range(3):
        trouble.transcript.came(b"NOOP")
    asyncio.run(trouble.transaction_ended("client"))
    assert [len(report.transcript) for report in reports] == [4]
    asyncio.run(trouble.ended("client"))
    assert len(reports) == 1
