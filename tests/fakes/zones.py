"""A resolver whose answers are data.

DESCRIPTION
    Zones are a dictionary of names, each with its records by type.  A name that is not in it does not exist,
    unless names below it do (RFC 8020).  `failing` names cannot be looked up.  What is said of names at or below
    `signed` ones is authentic.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from pillarbox.net.dns.records import Answer, DnsFault, Outcome, Record, RecordType

Zones = Mapping[str, Mapping[RecordType, Sequence[Record]]]

_TTL: Final = 300
_ALIASES: Final = 8


class ZoneResolver:
    """A `Resolver` over a dictionary."""

    def __init__(self, zones: Zones, *, failing: Collection[str] = (), signed: Collection[str] = ()) -> None:
        self.zones = zones
        self.signed = signed
        self.failing = failing
        self.asked: list[tuple[str, RecordType]] = []

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What the dictionary says.  DnsFault for a name that fails."""
        self.asked.append((name, kind))
        end = name
        authentic = True
        for _ in range(_ALIASES):
            authentic &= self._is_signed(end)
            if end in self.failing:
                raise DnsFault(name, kind, "the server says SERVFAIL")
            records = self.zones.get(end)
            if records is None:
                below = any(other.endswith(f".{end}") for other in self.zones)
                outcome = Outcome.NO_DATA if below else Outcome.NO_NAME
                return Answer(name=end, kind=kind, outcome=outcome, ttl=_TTL, authentic=authentic)
            if kind in records:
                return Answer(
                    name=end,
                    kind=kind,
                    outcome=Outcome.FOUND,
                    records=tuple(records[kind]),
                    ttl=_TTL,
                    authentic=authentic,
                )
            alias = records.get(RecordType.CNAME)
            if not alias or not isinstance(alias[0], str):
                return Answer(name=end, kind=kind, outcome=Outcome.NO_DATA, ttl=_TTL, authentic=authentic)
            end = alias[0]
        raise DnsFault(name, kind, "too many aliases in a row")

    def _is_signed(self, name: str) -> bool:
        return any(name == zone or name.endswith(f".{zone}") for zone in self.signed)
