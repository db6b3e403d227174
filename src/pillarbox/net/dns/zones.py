"""A resolver whose answers are data: for tests, and for networks that exist only on paper.

DESCRIPTION
    Zones are a dictionary of names, each with its records by type.  A name that is not in it does not exist,
    unless names below it do (RFC 8020).  `failing` names cannot be looked up.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from pillarbox.net.dns.records import Answer, DnsFault, Outcome, Record, RecordType

Zones = Mapping[str, Mapping[RecordType, Sequence[Record]]]

_TTL: Final = 300
_ALIASES: Final = 8


class ZoneResolver:
    """A `Resolver` over a dictionary."""

    def __init__(self, zones: Zones, *, failing: Collection[str] = ()) -> None:
        self.zones = zones
        self.failing = failing
        self.asked: list[tuple[str, RecordType]] = []

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What the dictionary says.  DnsFault for a name that fails."""
        self.asked.append((name, kind))
        end = name
        for _ in range(_ALIASES):
            if end in self.failing:
                raise DnsFault(name, kind, "the server says SERVFAIL")
            records = self.zones.get(end)
            if records is None:
                below = any(other.endswith(f".{end}") for other in self.zones)
                outcome = Outcome.NO_DATA if below else Outcome.NO_NAME
                return Answer(name=end, kind=kind, outcome=outcome, ttl=_TTL)
            if kind in records:
                return Answer(
                    name=end, kind=kind, outcome=Outcome.FOUND, records=tuple(records[kind]), ttl=_TTL
                )
            alias = records.get(RecordType.CNAME)
            if not alias or not isinstance(alias[0], str):
                return Answer(name=end, kind=kind, outcome=Outcome.NO_DATA, ttl=_TTL)
            end = alias[0]
        raise DnsFault(name, kind, "too many aliases in a row")
