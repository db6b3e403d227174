"""permit_mx_backup: mail for domains that have named us as one of their mail servers.

DESCRIPTION
    Permits a recipient that is ours anyway, and one whose domain has an MX record that names this host: by
    myhostname, by a name of mydestination, or by an address of ours.  With permit_mx_backup_networks, the domain's
    first mail servers have to be in those networks, with all of their addresses: otherwise anybody could make us
    his relay.

    Anything strange is no permission.

FAULTS
    An exchange that cannot be looked up makes refusals temporary (450 4.4.4).

STANDARDS
    postconf(5), permit_mx_backup; RFC 5321 §5.1
"""

from ipaddress import ip_address

import msgspec

from pillarbox.access.address_checks import permit_auth_destination
from pillarbox.access.question import PERMIT, Outcome, Question, Subject, rejected
from pillarbox.config.value_types import NetworkList
from pillarbox.net.dns.records import DnsFault, Mx, RecordType, host_name
from pillarbox.routing.address_lookup import text_of
from pillarbox.routing.resolution import AddressClass


class MxBackup(msgspec.Struct, frozen=True):
    """The restriction, for one configuration."""

    host: str  # myhostname
    networks: NetworkList  # permit_mx_backup_networks

    async def check(self, question: Question, subject: Subject) -> Outcome:
        """Permit, or say nothing."""
        recipient, resolution = question.recipient, question.resolution
        if recipient is None or resolution is None:
            return None
        if permit_auth_destination(question, subject) is PERMIT or not resolution.recipient.domain:
            return PERMIT
        local_part = resolution.recipient.local_part
        if b"@" in local_part or b"%" in local_part or b"!" in local_part:
            return None  # it would lead through us to somewhere else
        try:
            domain = host_name(text_of(resolution.recipient.domain))
            exchanges = (await question.dns.resolve(domain, RecordType.MX)).exchanges
        except ValueError:
            return None
        except DnsFault as fault:
            _defer(question, b"Unable to look up mail exchanger information", fault)
            return None
        try:
            if not await self._is_listed(question, exchanges):
                return None
            if self.networks.entries and not await self._has_known_first(question, exchanges):
                return None
        except DnsFault as fault:
            _defer(question, b"Unable to look up mail exchanger host %s" % fault.name.encode(), fault)
            return None
        return PERMIT

    async def _is_listed(self, question: Question, exchanges: tuple[Mx, ...]) -> bool:
        routes = question.resolver.routes
        for exchange in exchanges:
            host = exchange.host.lower()
            if host == self.host.lower() or question.resolver.classify(host) is AddressClass.LOCAL:
                return True
            if any(found in routes.own_addresses for found in await _addresses(question, host)):
                return True
        return False

    async def _has_known_first(self, question: Question, exchanges: tuple[Mx, ...]) -> bool:
        """Whether the mail servers with the best preference are all in the networks."""
        best = min(exchange.preference for exchange in exchanges)
        found: list[str] = []
        for exchange in exchanges:
            if exchange.preference == best:
                found += await _addresses(question, exchange.host)
        return bool(found) and all(self.networks.contains(ip_address(address)) for address in found)


async def _addresses(question: Question, host: str) -> list[str]:
    found: list[str] = []
    for kind in (RecordType.A, RecordType.AAAA):
        found += (await question.dns.resolve(host, kind)).texts
    return found


def _defer(question: Question, what: bytes, fault: DnsFault) -> None:
    question.tell_warning(fault.reason)
    name = question.name_of(Subject.RECIPIENT)
    question.defer_if_refused(rejected(450, "4.4.4", name, Subject.RECIPIENT, what))
