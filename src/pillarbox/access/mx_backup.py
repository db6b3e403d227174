"""permit_mx_backup: mail for domains that have named us as one of their mail servers.

DESCRIPTION
    Permits a recipient that is ours anyway, and one whose domain has an MX record that names this host, if not
    with the best preference: by myhostname, by a name of mydestination, or by an address of ours.  A domain whose
    first mail server this host is without knowing of it is no backup.  With permit_mx_backup_networks, the domain's
    first mail servers have to be in those networks, with all of their addresses: otherwise anybody could make us
    his relay.

    Anything strange is no permission.

FAULTS
    An exchange that cannot be looked up makes refusals temporary (450 4.4.4).

STANDARDS
    postconf(5), permit_mx_backup; RFC 5321 §5.1
"""

from collections.abc import Sequence
from ipaddress import ip_address

import msgspec

from pillarbox.access.address_checks import permit_auth_destination
from pillarbox.access.question import PERMIT, Outcome, Question, Subject, rejected
from pillarbox.config.value_types import NetworkList
from pillarbox.net.dns.records import DnsFault, RecordType, host_name
from pillarbox.routing.address_lookup import text_of
from pillarbox.routing.resolution import AddressClass


class MxBackup(msgspec.Struct, frozen=True):
    """The restriction, for one configuration."""

    host: str  # myhostname
    networks: NetworkList  # permit_mx_backup_networks

    async def check(self, question: Question, subject: Subject) -> Outcome:
        """Permit, or say nothing."""
        recipient, resolution = question.recipient, question.resolved
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
            _defer(question, f"Unable to look up mail exchanger information: {fault.known}")
            return None
        best = min((exchange.preference for exchange in exchanges), default=0)
        first = [exchange.host for exchange in exchanges if exchange.preference == best and exchange.host]
        others = [exchange.host for exchange in exchanges if exchange.preference != best and exchange.host]
        if await self._is_listed(question, first) or not await self._is_listed(question, others):
            return None
        if self.networks.entries and not await self._has_known(question, first):
            return None
        return PERMIT

    async def _is_listed(self, question: Question, hosts: Sequence[str]) -> bool:
        """Whether this system is among the hosts, by its name or by an address."""
        own_addresses = question.resolver.routes.own_addresses
        for host in hosts:
            name = host.lower()
            if name == self.host.lower() or question.resolver.classify(name) is AddressClass.LOCAL:
                return True
        for host in hosts:
            if any(found in own_addresses for found in await _addresses(question, host)):
                return True
        return False

    async def _has_known(self, question: Question, hosts: Sequence[str]) -> bool:
        """Whether the hosts' addresses are all in the networks."""
        for host in hosts:
            found = await _records(question, host)
            if not found or not all(self.networks.contains(ip_address(address), host) for address in found):
                return False
        return True


async def _addresses(question: Question, host: str) -> tuple[str, ...]:
    """Of a mail server; a refusal is temporary if it has none."""
    found = await question.hosts.addresses(host)
    if not found.addresses:
        _defer(question, f"Unable to look up mail exchanger host {host}: {found.trouble}")
    return found.addresses


async def _records(question: Question, host: str) -> tuple[str, ...]:
    """The addresses that the DNS has of a mail server; a refusal is temporary if it has none."""
    found: tuple[str, ...] = ()
    trouble = ""
    for kind in (RecordType.A, RecordType.AAAA):
        try:
            answer = await question.dns.resolve(host, kind)
            found += answer.texts
            trouble = answer.outcome.value
        except DnsFault as fault:
            trouble = fault.known
    if not found:
        _defer(question, f"Unable to look up host {host} as mail exchanger: {trouble}")
    return found


def _defer(question: Question, what: str) -> None:
    name = question.name_of(Subject.RECIPIENT)
    question.defer_if_refused(rejected(450, "4.4.4", name, Subject.RECIPIENT, what.encode()))
