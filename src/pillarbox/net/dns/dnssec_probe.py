"""dnssec_probe: a warning when the DNS proves nothing, so that nobody takes DANE to be at work.

DESCRIPTION
    After the first answer without a proof, if there was none with one before, the probe is asked for: a type and a
    name that every resolver which validates has a proof for.  That is done once in a process.

FAULTS
    ValueError  the probe is not `type:name`

STANDARDS
    postconf(5): dnssec_probe; RFC 4035 §4.9.3 (AD)
"""

from collections.abc import Callable
from typing import Final

from pillarbox.net.dns.records import Answer, DnsFault, RecordType, Resolver

_TYPES: Final = {kind.value.lower(): kind for kind in RecordType}


class ProbedResolver:
    """A `Resolver` over one that asks for proofs."""

    def __init__(self, resolver: Resolver, probe: str) -> None:
        """`probe` is `type:name`; empty: none is asked for.  ValueError."""
        self._resolver = resolver
        self._probe = probe
        self._is_settled = not probe
        self.warn: Callable[[str], None] = lambda _: None
        kind, colon, name = probe.partition(":")
        if probe and (not colon or not name or kind.lower() not in _TYPES):
            raise ValueError(
                f"malformed DNSSEC probe: {probe}; one of {', '.join(sorted(_TYPES))}, a colon, a name"
            )
        self._kind = _TYPES.get(kind.lower(), RecordType.NS)
        self._name = name.rstrip(".") or "."

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What the other one says.  DnsFault."""
        answer = await self._resolver.resolve(name, kind)
        if not self._is_settled:
            self._is_settled = True
            if not answer.authentic:
                await self._ask()
        return answer

    async def _ask(self) -> None:
        try:
            answer = await self._resolver.resolve(self._name, self._kind)
        except DnsFault as fault:
            reason = f"received no response: {fault.public}"
        else:
            if answer.authentic:
                return
            reason = "received a response that is not DNSSEC validated"
        self.warn("DNSSEC validation may be unavailable")
        self.warn(f"reason: dnssec_probe '{self._probe}' {reason}")
