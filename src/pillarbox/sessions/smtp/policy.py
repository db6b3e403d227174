"""What main.cf and the service's `-o` options say of SMTP sessions, read once at start.

FAULTS
    ConfigurationFault  a value or restriction that cannot be served
"""

from ipaddress import ip_address

import msgspec

from pillarbox.access.restrictions import Codes, RestrictionList, compile_list
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.parameters.smtp_server import SmtpServer as SmtpServerSettings
from pillarbox.config.parameters.smtp_server_sasl import SmtpServerSasl
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import NetworkList
from pillarbox.queue.configured_rules import configured_rules
from pillarbox.queue.submission import Rules
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.smtp.commands import is_header
from pillarbox.wire.smtp.dot_stream import BareNewline


class SmtpPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One service's rules for its sessions."""

    service: str
    identity: Identity
    server: SmtpServerSettings
    access: SmtpAccess
    sasl: SmtpServerSasl
    tls: SmtpServerTls
    virtual: VirtualDelivery
    codes: Codes
    rules: Rules
    client_restrictions: RestrictionList
    helo_restrictions: RestrictionList
    sender_restrictions: RestrictionList
    relay_restrictions: RestrictionList
    recipient_restrictions: RestrictionList
    data_restrictions: RestrictionList
    end_of_data_restrictions: RestrictionList
    bare_newline: BareNewline
    discarded_keywords: frozenset[str]  # smtpd_discard_ehlo_keywords
    forbidden_commands: frozenset[bytes]
    forbids_other_letters: bool
    always_add_missing_headers: bool
    add_missing_for: tuple[str, ...]  # local_header_rewrite_clients

    @property
    def host(self) -> bytes:
        """myhostname as it goes on the wire."""
        return self.identity.myhostname.encode()

    def is_forbidden(self, line: bytes) -> bool:
        """smtpd_forbidden_commands, for a line that is no command: a browser, or a client that does not listen."""
        word = (line.split(None, 1) or [b""])[0].upper()
        if is_header(line) or word in self.forbidden_commands:
            return True
        return self.forbids_other_letters and bool(word) and not word[:1].isalpha()

    def is_exempt_from_limits(self, address: str) -> bool:
        """smtpd_client_event_limit_exceptions."""
        return _holds(self.server.smtpd_client_event_limit_exceptions, address)


def configured_policy(snapshot: Snapshot, *, service: str) -> SmtpPolicy:
    """The policy of a service.  ConfigurationFault names what cannot be served."""
    identity = snapshot.group(Identity)
    server = snapshot.group(SmtpServerSettings)
    access = snapshot.group(SmtpAccess)
    cleanup = snapshot.group(Cleanup)

    def restrictions(parameter: str, words: tuple[str, ...], subject: str) -> RestrictionList:
        where = f"{snapshot.where(parameter)}, parameter {parameter}"
        return compile_list(words, subject=subject, where=where)

    _refuse_open_relay(snapshot, access)
    return SmtpPolicy(
        service=service,
        identity=identity,
        server=server,
        access=access,
        sasl=snapshot.group(SmtpServerSasl),
        tls=snapshot.group(SmtpServerTls),
        virtual=snapshot.group(VirtualDelivery),
        codes=_codes(access),
        rules=configured_rules(snapshot),
        client_restrictions=restrictions(
            "smtpd_client_restrictions", access.smtpd_client_restrictions, "client"
        ),
        helo_restrictions=restrictions("smtpd_helo_restrictions", access.smtpd_helo_restrictions, "helo"),
        sender_restrictions=restrictions(
            "smtpd_sender_restrictions", access.smtpd_sender_restrictions, "sender"
        ),
        relay_restrictions=restrictions(
            "smtpd_relay_restrictions", access.smtpd_relay_restrictions, "recipient"
        ),
        recipient_restrictions=restrictions(
            "smtpd_recipient_restrictions", access.smtpd_recipient_restrictions, "recipient"
        ),
        data_restrictions=restrictions("smtpd_data_restrictions", access.smtpd_data_restrictions, "client"),
        end_of_data_restrictions=restrictions(
            "smtpd_end_of_data_restrictions", access.smtpd_end_of_data_restrictions, "client"
        ),
        bare_newline=BareNewline(
            {"yes": "normalize"}.get(server.smtpd_forbid_bare_newline, server.smtpd_forbid_bare_newline)
        ),
        discarded_keywords=frozenset(word.upper() for word in server.smtpd_discard_ehlo_keywords),
        forbidden_commands=frozenset(
            word.upper().encode() for word in server.smtpd_forbidden_commands if ":" not in word
        ),
        forbids_other_letters=any(
            word.startswith("regexp:{{/^[^A-Z]/") for word in server.smtpd_forbidden_commands
        ),
        always_add_missing_headers=cleanup.always_add_missing_headers,
        add_missing_for=cleanup.local_header_rewrite_clients,
    )


def _refuse_open_relay(snapshot: Snapshot, access: SmtpAccess) -> None:
    """smtpd(8) does not start without a word that keeps strangers from relaying."""
    words = {
        word.lower() for word in (*access.smtpd_relay_restrictions, *access.smtpd_recipient_restrictions)
    }
    if not words & {"reject", "defer", "reject_unauth_destination", "defer_unauth_destination"}:
        raise ConfigurationFault(
            f"{snapshot.where('smtpd_relay_restrictions')}, parameter smtpd_relay_restrictions",
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working "
            "instance of: reject_unauth_destination, defer_unauth_destination, reject, or defer",
        )


def _codes(access: SmtpAccess) -> Codes:
    return Codes(
        reject_code=access.reject_code,
        defer_code=access.defer_code,
        relay_domains_reject_code=access.relay_domains_reject_code,
        non_fqdn_reject_code=access.non_fqdn_reject_code,
        invalid_hostname_reject_code=access.invalid_hostname_reject_code,
        plaintext_reject_code=access.plaintext_reject_code,
        unknown_local_recipient_reject_code=access.unknown_local_recipient_reject_code,
        unknown_relay_recipient_reject_code=access.unknown_relay_recipient_reject_code,
        unknown_virtual_alias_reject_code=access.unknown_virtual_alias_reject_code,
        unknown_virtual_mailbox_reject_code=access.unknown_virtual_mailbox_reject_code,
        show_user_unknown_table_name=access.show_user_unknown_table_name,
    )


def _holds(networks: NetworkList, address: str) -> bool:
    return networks.contains(ip_address(address))
