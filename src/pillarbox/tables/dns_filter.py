"""smtp_dns_reply_filter and smtpd_dns_reply_filter: records of the DNS that are not to be seen.

DESCRIPTION
    Each record of an answer is a line for the tables, names with a dot at the end:

        example.org. 300 IN MX 10 mx.example.org.
        mx.example.org. 300 IN AAAA 2001:db8::1

    IGNORE takes it away.  An answer of which all records are taken away is no answer: it is neither there nor
    missing, so mail on its way out waits, and what comes in is not refused for it.  That a domain takes no mail
    (null MX) cannot be taken away.

FAULTS
    FilteredOut  all records were taken away
    DnsFault     a table cannot answer, or says something else than IGNORE

STANDARDS
    postconf(5)
"""

from collections.abc import Sequence

import msgspec

from pillarbox.net.dns.records import Answer, DnsFault, Mx, Record, RecordType, Resolver, Srv, Tlsa
from pillarbox.observability.events import EventSink, Noted, Warned
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.status import EnhancedStatus

_NAMES = (RecordType.CNAME, RecordType.NS, RecordType.PTR)


class FilteredOut(DnsFault):
    """Nothing is left of an answer."""

    def __init__(self, name: str, kind: RecordType, why: str) -> None:
        super().__init__(name, kind, why)
        self.public = f"Error looking up name={name} type={kind.value}: {why}"
        self.reason = ""  # the log has it already
        self.status = EnhancedStatus(4, 7, 0)
        self.known = "DNS reply filter policy"


class FilteredResolver:
    """A `Resolver` that asks another one, and tables."""

    def __init__(self, resolver: Resolver, tables: Sequence[LookupTable], *, parameter: str) -> None:
        """`tell` is to be set when there is a log."""
        self._below = resolver
        self._tables = tables
        self._parameter = parameter
        self.tell: EventSink = lambda _: None

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What is left of the answer.  DnsFault."""
        answer = await self._below.resolve(name, kind)
        if not answer.records or answer.records == (Mx(0, ""),):
            return answer
        kept = tuple(record for record in answer.records if not self._is_ignored(answer, record))
        if not kept:
            raise FilteredOut(name, kind, "DNS reply filter drops all results")
        return msgspec.structs.replace(answer, records=kept)

    def _is_ignored(self, answer: Answer, record: Record) -> bool:
        line = f"{answer.name}. {answer.ttl} IN {answer.kind.value} {_text(answer.kind, record)}"
        try:
            action = next((found for table in self._tables if (found := table.query(line)) is not None), None)
        except LookupFault as fault:
            self.tell(Warned(fault.reason))
            raise _unreadable(answer) from fault
        if action is None:
            return False
        if action.partition(" ")[0].strip().upper() != "IGNORE":
            self.tell(Warned(f'{self._parameter}: unknown DNS filter action: "{action}"'))
            raise _unreadable(answer)
        self.tell(Noted(f"ignoring DNS RR: {line}"))
        return True


def _unreadable(answer: Answer) -> DnsFault:
    """Nobody knows what the filter would have taken away."""
    fault = DnsFault(answer.name, answer.kind, "")
    fault.public = (
        f"Error looking up name={answer.name} type={answer.kind.value}: Invalid DNS reply filter syntax"
    )
    fault.reason = ""  # the log has it already
    return fault


def _text(kind: RecordType, record: Record) -> str:
    if isinstance(record, Mx):
        return f"{record.preference} {record.host}."
    if isinstance(record, Srv):
        return f"{record.priority} {record.weight} {record.port} {record.host}."
    if isinstance(record, Tlsa):
        return f"{record.usage} {record.selector} {record.matching} {record.data.hex().upper()}"
    if isinstance(record, bytes):
        return record.decode("utf-8", "replace")
    return f"{record}." if kind in _NAMES else record
