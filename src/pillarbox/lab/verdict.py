"""What came of each recipient, beside what should have.

DESCRIPTION
    Hosts say what they took, the sender's mailbox what came back, the log how many attempts it took; all three
    have to agree with the scenario.
"""

import email
from collections import Counter
from typing import Final

import msgspec

from pillarbox.lab.lab import Lab, Submitted, recipients
from pillarbox.lab.scenario import Expected, Scenario
from pillarbox.lab.timeline import Attempt

_SLACK: Final = 2.0
"""Seconds that reading the log to the second, and real work, may add."""

_LONGEST_PAUSE: Final = 4600.0
"""maximal_backoff_time, queue_run_delay, and some more."""


class Result(msgspec.Struct, kw_only=True):
    """One recipient of a scenario, of all its messages."""

    scenario: Scenario
    recipient: str
    expected: Expected
    got: int  # messages that hosts, or mailboxes, have for it
    sent: int  # messages that were submitted
    where: str = ""  # who has it
    attempts: int = 0
    finished: float = 0.0  # when the last attempt was made, seconds from the submission
    notices: list[str] = []  # action, status and reason
    objections: list[str] = []  # what is not as it should be

    @property
    def is_right(self) -> bool:
        """Whether everything is as expected."""
        return not self.objections


def results(lab: Lab) -> list[Result]:
    """All recipients, in the order of the scenarios."""
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in lab.attempts:
        attempts.setdefault((attempt.queue_id, attempt.recipient), []).append(attempt)
    by_scenario: dict[str, list[Submitted]] = {}
    for one in lab.submitted:
        by_scenario.setdefault(one.submission.scenario.name, []).append(one)
    notices: dict[str, list[str]] = {}
    for notice in lab.notices():
        text = f"{notice.action} {notice.status} {notice.diagnostic}"
        notices.setdefault(notice.recipient, []).append(text)
    inboxes = {user: lab.inside.mail(user) for user in ("alice", "postmaster")}
    found: list[Result] = []
    for scenario in lab.scenarios.values():
        submitted = by_scenario.get(scenario.name, [])
        for recipient, expected in zip(recipients(scenario), scenario.expected.values(), strict=True):
            tried = [attempts.get((one.queue_id, recipient), []) for one in submitted if one.queue_id]
            result = Result(
                scenario=scenario,
                recipient=recipient,
                expected=expected,
                got=0,
                sent=len(submitted),
                attempts=max((len(list_) for list_ in tried), default=0),
                finished=max(
                    (
                        list_[-1].at - one.at
                        for one, list_ in zip((s for s in submitted if s.queue_id), tried, strict=True)
                        if list_
                    ),
                    default=0.0,
                ),
                notices=notices.get(recipient, []),
            )
            _look_where(lab, result, inboxes)
            _judge(lab, result, [one.refusals.get(recipient, "") for one in submitted])
            found.append(result)
    return found


def _look_where(lab: Lab, result: Result, inboxes: dict[str, list[bytes]]) -> None:
    """Count the messages, and say who has them."""
    places: Counter[str] = Counter()
    subjects = {f"{result.scenario.name} {number}" for number in range(result.scenario.messages)}
    for hosts in (lab.internet.hosts(name) for name in lab.scenarios):
        for host in filter(None, hosts):
            for received in host.received:
                if result.recipient in received.recipients and _subject(received.content) in subjects:
                    places[host.name] += 1
    local_part, _, domain = result.recipient.partition("@")
    if domain == "pillarbox.test":
        mine = sum(_subject(content) in subjects for content in inboxes.get(local_part, []))
        if mine:
            places["its mailbox"] += mine
    result.got = places.total()
    result.where = ", ".join(places)


def _subject(content: bytes) -> str:
    return str(email.message_from_bytes(content)["Subject"])


def _judge(lab: Lab, result: Result, refusals: list[str]) -> None:
    expected, objections = result.expected, result.objections
    failures = [text for text in result.notices if text.startswith("failed ")]
    refused = [text for text in refusals if text]
    if expected.fate == "delivered":
        if result.got != result.sent:
            objections.append(f"{result.got} of {result.sent} messages arrived")
        if failures or refused:
            objections.append(f"and yet: {(failures + refused)[0]}")
        _judge_host(lab, result)
    elif expected.fate == "returned":
        if result.got:
            objections.append(f"{result.where} has got it")
        if len(failures) != result.sent:
            objections.append(f"{len(failures)} notices of failure for {result.sent} messages")
        objections += [
            f"the notice has {text!r}"
            for text in failures
            if text.split()[1] != expected.status or expected.text not in text
        ]
    elif result.got or len(refused) != result.sent or not all(expected.text in text for text in refused):
        objections.append(f"not refused with {expected.text!r}: {refused}")
    if expected.attempts is not None and expected.fate != "refused" and result.attempts != expected.attempts:
        objections.append(f"{result.attempts} attempts instead of {expected.attempts}")
    earliest, latest = (lab.lifetime, lab.lifetime + _LONGEST_PAUSE) if expected.expires else expected.after
    if latest and not earliest - _SLACK <= result.finished <= latest + _SLACK:
        objections.append(f"after {result.finished:.0f} seconds, not {earliest:.0f} to {latest:.0f}")
    delayed = sum(text.startswith("delayed ") for text in result.notices)
    if expected.late and delayed != result.sent:
        objections.append(f"{delayed} notices of delay for {result.sent} messages")


def _judge_host(lab: Lab, result: Result) -> None:
    expected, name = result.expected, result.scenario.name
    if expected.host is None:
        return
    host = lab.internet.host(name, expected.host)
    got = [received for received in host.received if result.recipient in received.recipients]
    if len(got) != result.sent:
        result.objections.append(f"{host.name} has {len(got)}; {result.where or 'nobody'} has the others")
    if expected.tls is not None and any(bool(received.tls) is not expected.tls for received in got):
        result.objections.append(
            "in clear text, not over TLS" if expected.tls else "over TLS, not in clear text"
        )
