"""The certificate for the name that a client asks for: tls_server_sni_maps.

DESCRIPTION
    A `ServerNames` is the `sni_callback` of a service's TLS context.  It asks the tables for the name, then for
    each domain above it with a dot in front, and gives the session the chains that are found: private keys, each
    before its certificates.  A name that no table has gets the service's own certificate.

    The handshake has no log: what there is to tell of it is kept until the session asks (`take()`).

FAULTS
    A table that cannot answer, or chains that cannot be loaded, end the handshake with the alert internal_error.

STANDARDS
    RFC 6066 §3 (server_name); postconf(5): tls_server_sni_maps
"""

import ssl
from collections.abc import Callable, Sequence
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from pillarbox.net.tls_contexts import BadChain, load_chains
from pillarbox.observability import events
from pillarbox.tables.file_values import FileValueFault, decoded_files
from pillarbox.tables.indexed_table import dictionary_name
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.smtp.paths import is_host_name

_KEPT: Final = 1000
"""Contexts that are remembered, by what the tables say."""


class Asked(msgspec.Struct):
    """What a handshake has to tell."""

    name: str = ""  # that the tables have
    warnings: list[str] = []
    invalid: str = ""
    unmatched: str = ""

    def told(self, client: str) -> list[events.Event]:
        """For the log."""
        found: list[events.Event] = [events.Warned(text) for text in self.warnings]
        if self.invalid:
            found.append(events.Warned(f"TLS SNI from {client} is invalid: {self.invalid}"))
        if self.unmatched:
            text = f"TLS SNI {self.unmatched} from {client} not matched, using default chain"
            found.append(events.Noted(text))
        return found


class ServerNames:
    """Of one service."""

    def __init__(self, tables: Sequence[LookupTable], make_context: Callable[[], ssl.SSLContext]) -> None:
        """`make_context` gives one as the service's, without a certificate.  ConfigurationFault."""
        self._tables = tables
        self._make = make_context
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._asked: WeakKeyDictionary[ssl.SSLObject, Asked] = WeakKeyDictionary()

    def __call__(self, tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        """The callback: a number is the alert that ends the handshake."""
        if not name:
            return None
        before = self._asked.get(tls)
        if before is not None and before.name == name:
            return None  # the client was asked for another key share (RFC 8446 §4.1.4) and has begun again
        asked = self._asked[tls] = Asked()
        if not is_host_name(name.encode()):
            asked.invalid = name
            return None
        try:
            chains = self._find(name, asked)
            if chains is None:
                asked.unmatched = name
                return None
            tls.context = self._context(name, chains)
        except LookupFault:
            asked.warnings.append(f"tls_server_sni_maps: {name} map lookup problem")
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        except (BadChain, ConfigurationFault) as fault:
            asked.warnings += fault.warnings if isinstance(fault, BadChain) else (str(fault),)
            asked.warnings.append(
                f"error loading private keys and certificates from: {_source(name)}: aborting TLS handshake"
            )
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        asked.name = name
        return None

    def take(self, tls: ssl.SSLObject) -> Asked:
        """What became of the name in a handshake, once."""
        return self._asked.pop(tls, None) or Asked()

    def _find(self, name: str, asked: Asked) -> str | None:
        """The first answer: for the name, then for the domains above it, each of all tables.  LookupFault."""
        key, at = name, 0
        while at >= 0:
            for table in self._tables:
                try:
                    value = table.query(key)
                    if value is not None:
                        return decoded_files(value).decode("ascii", "replace")
                except LookupFault:
                    asked.warnings.append(f'{table.name} lookup error for "{key}"')
                    raise
                except FileValueFault as fault:
                    asked.warnings.append(f"table {dictionary_name(table.name)}: key {key}: {fault}")
                    raise LookupFault(table.name, str(fault)) from fault
            at = key.find(".", 1)
            key = key[at:]
        return None

    def _context(self, name: str, chains: str) -> ssl.SSLContext:
        context = self._contexts.get(chains)
        if context is None:
            context = self._make()
            load_chains(context, (_source(name), chains))
            if len(self._contexts) >= _KEPT:
                self._contexts.clear()
            self._contexts[chains] = context
        return context


def _source(name: str) -> str:
    """Where a chain is from, in Postfix's words."""
    return f"SNI data for {name}"
