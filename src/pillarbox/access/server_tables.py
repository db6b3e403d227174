"""check_SUBJECT_mx_access, _ns_access and _a_access: access tables asked for the servers of a domain.

DESCRIPTION
    The mail servers, name servers or addresses of the domain of a client, HELO name, sender or recipient are
    looked up in the DNS; then the table is asked for each server's name, and for each of its addresses.
    A domain without MX records is its own mail server; one without NS records has its parent's.  An address literal
    is its own mail server, too, and has no name server.

    For safety such a table may refuse and may not permit (postconf(5)): a permitting result is passed over, with
    a warning.  A name that the DNS does not know, or cannot tell of now, has no servers.
"""

from collections.abc import Awaitable
from ipaddress import ip_address
from typing import Final, Literal

from pillarbox.access.access_tables import AccessKeys, AccessResults, find, table_failed
from pillarbox.access.question import Outcome, Question, Restriction, Subject
from pillarbox.net.dns.records import DnsFault, RecordType, host_name
from pillarbox.routing.address_lookup import text_of
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.wire.smtp.paths import address_of_literal

Servers = Literal["mx", "ns", "a"]

BY_NAME: Final[dict[str, tuple[Subject, Servers]]] = {
    f"check_{name}_{servers}_access": (subject, servers)
    for name, subject in (
        ("client", Subject.CLIENT),
        ("reverse_client_hostname", Subject.REVERSE_CLIENT),
        ("helo", Subject.HELO),
        ("sender", Subject.SENDER),
        ("recipient", Subject.RECIPIENT),
    )
    for servers in ("mx", "ns", "a")
}
"""Restrictions that take a table, what they are about and which servers they look at."""


def check_server_access(
    table: LookupTable, about: Subject, servers: Servers, keys: AccessKeys, results: AccessResults
) -> Restriction:
    """The restriction."""

    async def check(question: Question, subject: Subject) -> Outcome:
        domain = _domain(question, about)
        if not domain:
            return None
        for host in await _hosts(question, domain, servers):
            try:
                value = await _value(question, host, by_name=servers != "a")
            except LookupFault as fault:
                return table_failed(question, fault, question.name_of(about), about)
            if value is None:
                continue
            outcome = results.act(
                value, question, name=question.name_of(about), about=about, source=table.name
            )
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            if outcome is True:
                question.tell_warning(
                    f"{table.name}: a permitting result is not used for the servers of {domain}"
                )
                return None
            return outcome
        return None

    async def _value(question: Question, host: str, *, by_name: bool) -> str | None:
        """What the table says of a server: by its name, then by its addresses."""
        addresses = (host,) if _is_address(host) else await _addresses(question, host)
        if by_name and addresses != (host,) and (value := find(table, keys.of_domain(host))) is not None:
            return value
        for address in addresses:
            if (value := find(table, keys.of_network(ip_address(address)))) is not None:
                return value
        return None

    return check


def _domain(question: Question, about: Subject) -> str:
    """What is looked up: a domain, or an address without the brackets of a literal."""
    client = question.client
    if about is Subject.CLIENT:
        name = client.name
    elif about is Subject.REVERSE_CLIENT:
        name = client.reverse_name
    elif about is Subject.HELO:
        name = text_of(client.helo)
    else:
        address = client.sender if about is Subject.SENDER else question.recipient
        name = text_of(address.internal) if address is not None else ""
    name = name.rpartition("@")[2]
    if name.startswith("["):
        return address_of_literal(name)
    try:
        return "" if name in ("", "unknown") else host_name(name)
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _hosts(question: Question, domain: str, servers: Servers) -> tuple[str, ...]:
    try:
        if servers == "a" or (servers == "mx" and _is_address(domain)):
            return (domain,)
        if servers == "mx":
            exchanges = (await question.dns.resolve(domain, RecordType.MX)).exchanges
            return tuple(exchange.host for exchange in exchanges if exchange.host) if exchanges else (domain,)
        while domain and not _is_address(domain):
            names = (await question.dns.resolve(domain, RecordType.NS)).texts
            if names:
                return names
            domain = domain.partition(".")[2]
    except DnsFault as fault:
        question.tell_warning(fault.reason)
    return ()


async def _addresses(question: Question, host: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for kind in (RecordType.A, RecordType.AAAA):
        try:
            found += (await question.dns.resolve(host, kind)).texts
        except DnsFault as fault:
            question.tell_warning(fault.reason)
    return found
