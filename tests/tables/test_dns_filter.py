"""smtp_dns_reply_filter: records that are not to be seen."""

import asyncio
import re
from pathlib import Path

import pytest

from fakes.zones import ZoneResolver, Zones
from pillarbox.net.dns.records import Answer, DnsFault, Mx, RecordType, Tlsa
from pillarbox.observability.events import Event, Noted, Warned
from pillarbox.tables.dns_filter import FilteredOut, FilteredResolver
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock

ZONES: Zones = {
    "x.test": {
        RecordType.MX: [Mx(10, "a.test"), Mx(20, "b.test")],
        RecordType.A: ["192.0.2.1", "192.0.2.2"],
        RecordType.TXT: [b"text"],
        RecordType.NS: ["ns.test"],
        RecordType.TLSA: [Tlsa(3, 1, 1, b"\xab")],
    },
    "null.test": {RecordType.MX: [Mx(0, "")]},
    "alias.test": {RecordType.CNAME: ["x.test"]},
}


def ask(table: str, kind: RecordType, name: str = "x.test") -> tuple[Answer | DnsFault, list[Event]]:
    """With one table; what was said."""
    events: list[Event] = []
    tables = open_tables([table] if table else [], where="main.cf", clock=ManualClock())
    resolver = FilteredResolver(ZoneResolver(ZONES), tables, parameter="smtp_dns_reply_filter")
    resolver.tell = events.append
    try:
        return asyncio.run(resolver.resolve(name, kind)), events
    except DnsFault as fault:
        return fault, events


def ignoring(directory: Path, line: str) -> str:
    """A table that has a record's line."""
    path = directory / "lines"
    path.write_text(f"/^{re.escape(line)}$/ ignore\n")
    return f"pcre:{path}"


LINES = [
    (RecordType.MX, "x.test. 300 IN MX 10 a.test.", (Mx(20, "b.test"),)),
    (RecordType.A, "x.test. 300 IN A 192.0.2.1", ("192.0.2.2",)),
]


@pytest.mark.parametrize(("kind", "line", "left"), LINES)
def test_a_record_is_taken_away(
    tmp_path: Path, kind: RecordType, line: str, left: tuple[object, ...]
) -> None:
    """Its whole line is the key, in any case; the log says it."""
    for key in (line, line.lower()):
        answer, events = ask(ignoring(tmp_path, key), kind)
        assert isinstance(answer, Answer)
        assert answer.records == left
        assert events == [Noted(f"ignoring DNS RR: {line}")]


def test_lines_have_the_name_at_the_end_of_aliases(tmp_path: Path) -> None:
    """As the record has it."""
    answer, events = ask(ignoring(tmp_path, "x.test. 300 IN A 192.0.2.1"), RecordType.A, "alias.test")
    assert isinstance(answer, Answer)
    assert len(answer.records) == 1
    assert len(events) == 1


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (RecordType.TXT, "x.test. 300 IN TXT text"),
        (RecordType.NS, "x.test. 300 IN NS ns.test."),
        (RecordType.TLSA, "x.test. 300 IN TLSA 3 1 1 AB"),
    ],
)
def test_nothing_left_is_not_nothing_there(tmp_path: Path, kind: RecordType, line: str) -> None:
    """Mail waits (4.7.0)."""
    fault, events = ask(ignoring(tmp_path, line), kind)
    assert isinstance(fault, DnsFault)
    assert (
        fault.public == f"Error looking up name=x.test type={kind.value}: DNS reply filter drops all results"
    )
    assert str(fault.status) == "4.7.0"
    assert events == [Noted(f"ignoring DNS RR: {line}")]


def test_other_actions_are_mistakes() -> None:
    """And keep mail waiting, not going where it may not go."""
    fault, events = ask("static:DROP it", RecordType.A)
    assert isinstance(fault, DnsFault)
    assert fault.public == "Error looking up name=x.test type=A: Invalid DNS reply filter syntax"
    assert str(fault.status) == "4.4.3"
    assert not isinstance(fault, FilteredOut)
    assert events == [Warned('smtp_dns_reply_filter: unknown DNS filter action: "DROP it"')]


def test_a_table_that_cannot_answer_keeps_mail_waiting() -> None:
    """As if the name server had not answered; the log says whose fault it is."""
    fault, events = ask("fail:broken", RecordType.A)
    assert isinstance(fault, DnsFault)
    assert not isinstance(fault, FilteredOut)
    assert str(fault.status) == "4.4.3"
    assert [type(event) for event in events] == [Warned]


def test_that_a_domain_takes_no_mail_stays() -> None:
    """Null MX (RFC 7505) is an answer of its own, as in Postfix."""
    answer, events = ask("static:IGNORE", RecordType.MX, "null.test")
    assert isinstance(answer, Answer)
    assert answer.exchanges == (Mx(0, ""),)
    assert events == []


def test_answers_without_records_go_by() -> None:
    """Nothing to be filtered."""
    answer, events = ask("static:IGNORE", RecordType.A, "nowhere.test")
    assert isinstance(answer, Answer)
    assert not answer.records
    assert events == []
