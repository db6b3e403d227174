"""Names that are looked for in the domains of resolv.conf, as the C library does: smtp_dns_resolver_options.

DESCRIPTION
        res_defnames    a name without a dot is one in the first of them
        res_dnsrch      a name with a dot is tried as it is, and then in each of them

    A name that ends in a dot is looked for as it is.  What is found elsewhere is told under the name that it has
    there; without anything found, the answer is that for the name as it is.

STANDARDS
    resolver(3): RES_DEFNAMES, RES_DNSRCH; resolv.conf(5): search
"""

from collections.abc import Callable, Iterable, Iterator

from pillarbox.net.dns.records import Answer, DnsFault, Outcome, RecordType, Resolver


class SearchingResolver:
    """A `Resolver` that asks another one for more than one name."""

    def __init__(
        self, resolver: Resolver, domains: Callable[[], Iterable[str]], *, defnames: bool, dnsrch: bool
    ) -> None:
        """`domains` are asked for at each question, since resolv.conf may change."""
        self._resolver = resolver
        self._domains = domains
        self._defnames = defnames
        self._dnsrch = dnsrch

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """The first answer that has something.  DnsFault."""
        first: Answer | None = None
        for tried in self._names(name):
            try:
                answer = await self._resolver.resolve(tried, kind)
            except DnsFault:
                if first is None:
                    raise
                break
            if answer.outcome is Outcome.FOUND:
                return answer
            first = first or answer
        assert first is not None, "there is always a name to try"
        return first

    def _names(self, name: str) -> Iterator[str]:
        if name.endswith("."):
            yield name.rstrip(".")
            return
        domains = list(self._domains())
        if "." in name:
            yield name
            if self._dnsrch:
                yield from (f"{name}.{domain}" for domain in domains)
            return
        if self._defnames:
            yield from (f"{name}.{domain}" for domain in (domains if self._dnsrch else domains[:1]))
        yield name
