"""check_SUBJECT_mx_access, _ns_access and _a_access: access tables asked for the servers of a domain.

DESCRIPTION
    The mail servers, name servers or addresses of the domain of a client, HELO name, sender or recipient are
    looked up in the DNS; then the table is asked for each server's name, and for each of its addresses, which are
    those of /etc/hosts if it has some.
    A domain without MX records is its own mail server; one without NS records has its parent's.  An address literal
    is its own mail server, too, and has no name server.

    For safety such a table may refuse and may not permit (postconf(5)): what it permits is 451, with warnings.
    A name that the DNS does not know, or cannot tell of now, has no servers; that is told in the log.
"""

from collections.abc import Awaitable
from ipaddress import ip_address
from typing import Final, Literal

from pillarbox.access.access_tables import (
    AccessKeys,
    AccessResults,
    find,
    looked_at,
    not_permitted,
    table_failed,
)
from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject
from pillarbox.net.dns.records import DnsFault, Mx, RecordType, host_name
from pillarbox.routing.address_lookup import text_of
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.ip_addresses import is_ip_address
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
    word: str, table: LookupTable, keys: AccessKeys, results: AccessResults
) -> Restriction:
    """The restriction of a name, `check_sender_mx_access` and its kin."""
    about, servers = BY_NAME[word]

    async def check(question: Question, subject: Subject) -> Outcome:
        domain = _domain(question, about)
        if not domain:
            return None
        name = question.name_of(about)
        for host in await _hosts(question, domain, servers, about):
            try:
                result = await _result(question, host, name)
            except LookupFault as fault:
                return table_failed(question, fault, name, about)
            if result is None:
                continue
            value, entry = result
            outcome = results.act(value, question, name=name, about=about, source=table.name, entry=entry)
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            return not_permitted(question, word, about) if outcome is PERMIT else outcome
        return None

    async def _result(question: Question, host: str, name: bytes) -> tuple[str, str] | None:
        """What the table says of a server, and of what in it: by its name, then by its addresses."""
        if is_ip_address(host):
            return find(table, keys.of_network(ip_address(host)))
        if servers != "a" and (result := find(table, keys.of_domain(host))) is not None:
            return result
        found = await question.hosts.addresses(host)
        if not found.addresses and servers != "a":
            whose = f"{about.value} {name.decode('utf-8', 'backslashreplace')}"
            question.tell_warning(
                f"Unable to look up {servers.upper()} host {host} for {whose}: {found.trouble}"
            )
        for address in found.addresses:
            if (result := find(table, keys.of_network(ip_address(address)))) is not None:
                return result
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


async def _hosts(question: Question, domain: str, servers: Servers, about: Subject) -> tuple[str, ...]:
    """The servers, of which the log hears if the DNS knows of none."""
    try:
        if servers == "a" or (servers == "mx" and is_ip_address(domain)):
            return (domain,)
        if servers == "mx":
            records = (await question.dns.resolve(domain, RecordType.MX)).records
            exchanges = [record.host for record in records if isinstance(record, Mx)]  # in the answer's order
            return tuple(filter(None, exchanges)) if exchanges else (domain,)
        if is_ip_address(domain):
            return ()
        answer = await question.dns.resolve(domain, RecordType.NS)
        while not answer.texts and "." in domain:
            domain = domain.partition(".")[2]
            answer = await question.dns.resolve(domain, RecordType.NS)
    except DnsFault as fault:
        question.tell_warning(f"Unable to look up {servers.upper()} host for {domain}: {fault.known}")
        return ()
    if not answer.texts:
        shown = looked_at(question, about)
        question.tell_warning(f"Unable to look up NS host for {shown}: {answer.outcome.value}")
    return answer.texts
