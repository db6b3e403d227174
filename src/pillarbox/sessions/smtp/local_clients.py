"""local_header_rewrite_clients: whose message headers are completed with our own domain.

FAULTS
    ConfigurationFault  a word that is none of the list's, a table that cannot be opened
    LookupFault         a table cannot answer

STANDARDS
    postconf(5), local_header_rewrite_clients
"""

from typing import Final

import msgspec

from pillarbox.access.client import ClientFacts
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.snapshot import Snapshot
from pillarbox.net.client_certificates import ClientCertificate
from pillarbox.routing.address_lookup import find_first
from pillarbox.tables.opening import do_without, open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault

_WORDS: Final = (
    "permit_inet_interfaces",
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_tls_clientcerts",
    "permit_tls_all_clientcerts",
)


class LocalClients(msgspec.Struct, frozen=True):
    """The list, compiled."""

    words: frozenset[str]
    tables: tuple[LookupTable, ...]  # by the client's address
    certificates: tuple[LookupTable, ...] = ()  # relay_clientcerts

    def holds(self, client: ClientFacts, own_addresses: frozenset[str]) -> bool:
        """Whether the client is one of them.  LookupFault."""
        address = client.address_text
        return (
            ("permit_mynetworks" in self.words and client.is_mynetworks)
            or ("permit_sasl_authenticated" in self.words and bool(client.sasl_username))
            or ("permit_inet_interfaces" in self.words and address in own_addresses)
            or any(table.query(address) is not None for table in self.tables)
            or self._knows(client.certificate)
        )

    def _knows(self, certificate: ClientCertificate | None) -> bool:
        if certificate is None:
            return False
        everybody = "permit_tls_all_clientcerts" in self.words
        if certificate.is_trusted and everybody:
            return True
        return (everybody or "permit_tls_clientcerts" in self.words) and any(
            find_first(self.certificates, fingerprint) is not None
            for fingerprint in (certificate.fingerprint, certificate.key_fingerprint)
        )


def configured_local_clients(snapshot: Snapshot, *, clock: Clock) -> LocalClients:
    """The list of one configuration."""
    parameter = "local_header_rewrite_clients"
    where = snapshot.place_of(parameter)
    words: set[str] = set()
    tables: list[str] = []
    for word in snapshot.group(Cleanup).local_header_rewrite_clients:
        if word.lower() in _WORDS:
            words.add(word.lower())
        elif ":" in word:
            tables.append(word)
        elif word.lower() != "check_address_map":
            fault = ConfigurationFault(
                where,
                f"invalid request: {word}",
                mend=f"served are {', '.join(_WORDS)}, check_address_map type:table and type:table",
            )
            do_without(f"{parameter} {word}", fault)  # it makes nobody local
    known = (
        snapshot.group(SmtpAccess).relay_clientcerts if any("clientcerts" in word for word in words) else ()
    )
    return LocalClients(
        frozenset(words),
        open_tables(tables, where=where, clock=clock),
        open_tables(known, where=f"{snapshot.where('relay_clientcerts')}, relay_clientcerts", clock=clock),
    )
