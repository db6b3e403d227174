"""Restriction lists from main.cf: read, checked and compiled, with every table and service that they name.

FAULTS
    ConfigurationFault  a restriction that is not served, a table that cannot be opened, or lists that would
                        make an open relay
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from pillarbox.access.access_tables import AccessKeys
from pillarbox.access.address_verification import VerifyClient, verification_checks
from pillarbox.access.block_lists import parse_zone, reject_rbl_client
from pillarbox.access.decisions import AccessLists
from pillarbox.access.mx_backup import MxBackup
from pillarbox.access.old_restrictions import old_restrictions
from pillarbox.access.permit_log import PermitLog
from pillarbox.access.policy_service import PolicySettings
from pillarbox.access.question import Codes, Restriction, Subject
from pillarbox.access.rbl_replies import RblReplies
from pillarbox.access.restrictions import Compiler, RestrictionList
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.local_recipients import LocalRecipients
from pillarbox.config.parameters.smtp_access import SmtpAccess
from pillarbox.config.parameters.smtp_server_sasl import SmtpServerSasl
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import items, unescaped
from pillarbox.queue.receive_options import configured_receive_options
from pillarbox.routing.configured_routes import relay_domains
from pillarbox.routing.probe_sender import probe_senders
from pillarbox.routing.rewriting import configured_rewriting
from pillarbox.tables.networks import with_networks
from pillarbox.tables.opening import open_tables
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.faults import ConfigurationFault

_RELAY_DEFAULT = ("permit_mynetworks", "permit_sasl_authenticated", "defer_unauth_destination")
_NO_OPEN_RELAY = frozenset(
    (
        "reject",
        "defer",
        "defer_if_permit",
        "reject_unauth_destination",
        "defer_unauth_destination",
        "check_relay_domains",
    )
)


class Access(msgspec.Struct, frozen=True):
    """What a service's sessions are decided by."""

    lists: AccessLists
    codes: Codes
    notes: tuple[str, ...]  # for the log, at start


def configured_access(snapshot: Snapshot, *, clock: Clock) -> Access:
    """The lists of a service."""
    access = with_networks(SmtpAccess, snapshot, clock=clock)
    compiler = _compiler(snapshot, access, clock=clock)
    relay, notes = _relay_restrictions(snapshot, access)
    return Access(_lists(snapshot, access, relay, compiler, clock=clock), _codes(access), notes)


def _compiler(snapshot: Snapshot, access: SmtpAccess, *, clock: Clock) -> Compiler:
    """What restrictions are compiled with: tables, services, and what is asked of clients."""
    tls, verification = snapshot.group(SmtpServerTls), snapshot.group(AddressVerification)

    def tables(parameter: str, names: tuple[str, ...]) -> tuple[LookupTable, ...]:
        where = snapshot.place_of(parameter)
        return open_tables(names, where=where, clock=clock)

    matched = snapshot.group(LocalRecipients).parent_domain_matches_subdomains
    identity = snapshot.group(Identity)
    replies = RblReplies(
        identity.myhostname,
        clock,
        access.default_rbl_reply,
        unescaped(snapshot.value("smtpd_expansion_filter")),
        tables("rbl_reply_maps", access.rbl_reply_maps),
    )
    return Compiler(
        clock=clock,
        keys=AccessKeys(
            match_subdomains="smtpd_access_maps" in matched,
            null_sender=access.smtpd_null_access_lookup_key,
        ),
        sender_logins=tables("smtpd_sender_login_maps", access.smtpd_sender_login_maps),
        serves_logins=snapshot.group(SmtpServerSasl).smtpd_sasl_auth_enable,
        relay_certificates=tables("relay_clientcerts", access.relay_clientcerts),
        asks_for_certificates=tls.smtpd_tls_ask_ccert or tls.smtpd_tls_req_ccert,
        rbl_replies=replies,
        policy=_policy_settings(access),
        stress=snapshot.value("stress"),
        queue_directory=snapshot.value("queue_directory"),
        class_text=snapshot.value,
        classes=access.smtpd_restriction_classes,
        further=verification_checks(
            verification,
            VerifyClient(
                snapshot.value("queue_directory"),
                verification.address_verify_service_name,
                patience=(verification.address_verify_poll_count - 1)
                * verification.address_verify_poll_delay,
            ),
        )
        | old_restrictions(
            [_rbl_check(snapshot, zone, replies) for zone in access.maps_rbl_domains],
            relay_domains(snapshot, clock=clock),
        )
        | {"permit_mx_backup": MxBackup(identity.myhostname, access.permit_mx_backup_networks).check},
        permits=PermitLog(
            [word for word in access.smtpd_log_access_permit_actions if ":" not in word],
            tables(
                "smtpd_log_access_permit_actions",
                tuple(word for word in access.smtpd_log_access_permit_actions if ":" in word),
            ),
        ),
    )


def _lists(
    snapshot: Snapshot, access: SmtpAccess, relay: tuple[str, ...], compiler: Compiler, *, clock: Clock
) -> AccessLists:
    """All lists; `relay` are the words of smtpd_relay_restrictions."""

    def compiled(parameter: str, words: tuple[str, ...], subject: Subject) -> RestrictionList:
        where = snapshot.place_of(parameter)
        return compiler.compile(words, subject=subject, where=where)

    checks_users = configured_receive_options(
        snapshot
    ).unknown_recipient_checks  # senders, too, as in smtpd(8)
    return AccessLists(
        client=compiled("smtpd_client_restrictions", access.smtpd_client_restrictions, Subject.CLIENT),
        helo=compiled("smtpd_helo_restrictions", access.smtpd_helo_restrictions, Subject.HELO),
        sender=compiled("smtpd_sender_restrictions", access.smtpd_sender_restrictions, Subject.SENDER),
        relay=compiled("smtpd_relay_restrictions", relay, Subject.RECIPIENT),
        recipient=compiled(
            "smtpd_recipient_restrictions", access.smtpd_recipient_restrictions, Subject.RECIPIENT
        ),
        data=compiled("smtpd_data_restrictions", access.smtpd_data_restrictions, Subject.DATA),
        end_of_data=compiled(
            "smtpd_end_of_data_restrictions", access.smtpd_end_of_data_restrictions, Subject.END_OF_DATA
        ),
        etrn=compiled("smtpd_etrn_restrictions", access.smtpd_etrn_restrictions, Subject.ETRN),
        delay_reject=access.smtpd_delay_reject,
        relay_before_recipient=access.smtpd_relay_before_recipient_restrictions,
        reject_unlisted_recipient=access.smtpd_reject_unlisted_recipient and checks_users,
        reject_unlisted_sender=access.smtpd_reject_unlisted_sender and checks_users,
        is_probe_sender=_is_probe_sender(snapshot, snapshot.group(AddressVerification), clock=clock),
    )


def _rbl_check(snapshot: Snapshot, zone: str, replies: RblReplies) -> Restriction:
    try:
        return reject_rbl_client(parse_zone(zone), replies)
    except ValueError as error:
        where = snapshot.place_of("maps_rbl_domains")
        raise ConfigurationFault(where, str(error)) from error


def _is_probe_sender(
    snapshot: Snapshot, verification: AddressVerification, *, clock: Clock
) -> Callable[[Address], bool]:
    rewriting = configured_rewriting(snapshot)
    sender, ttl = verification.address_verify_sender, verification.address_verify_sender_ttl
    base = sender.partition("@")[0].lower().encode()

    def is_probe_sender(address: Address) -> bool:
        if not base or not address.local_part.lower().startswith(base):
            return False
        own = probe_senders(sender, ttl=ttl, now=clock.now())
        return any(rewriting.rewrite(Address.from_internal(one)).folded == address.folded for one in own)

    return is_probe_sender


def _relay_restrictions(snapshot: Snapshot, access: SmtpAccess) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """smtpd_relay_restrictions, safe even if a main.cf without compatibility_level does not set it."""
    relay = access.smtpd_relay_restrictions
    classes = {name: items(snapshot.value(name)) for name in access.smtpd_restriction_classes}
    if _refuses(relay, classes) or _refuses(access.smtpd_recipient_restrictions, classes):
        return relay, ()
    if not relay and snapshot.explicit("smtpd_relay_restrictions") is None:
        # Postfix's default is empty below level 1, and it refuses to serve until somebody has set the list.
        safe = ", ".join(_RELAY_DEFAULT)
        note = f"smtpd_relay_restrictions is not set, and compatibility_level is below 1: using {safe}"
        return _RELAY_DEFAULT, (note,)
    raise ConfigurationFault(
        snapshot.place_of("smtpd_relay_restrictions"),
        "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working "
        "instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or "
        "check_relay_domains",
    )


def _refuses(words: Iterable[str], classes: Mapping[str, Iterable[str]]) -> bool:
    """Whether a list has a refusal, be it in a restriction class; nothing behind `permit` counts."""
    left = iter(words)
    for word in left:
        match word.lower():
            case "permit":
                return False
            case "warn_if_reject":
                next(left, None)
            case name if name in _NO_OPEN_RELAY:
                return True
            case _ if word in classes:
                others = {name: text for name, text in classes.items() if name != word}
                if _refuses(classes[word], others):
                    return True
    return False


def _policy_settings(access: SmtpAccess) -> PolicySettings:
    return PolicySettings(
        timeout=access.smtpd_policy_service_timeout,
        max_idle=access.smtpd_policy_service_max_idle,
        max_ttl=access.smtpd_policy_service_max_ttl,
        request_limit=access.smtpd_policy_service_request_limit,
        try_limit=access.smtpd_policy_service_try_limit,
        retry_delay=access.smtpd_policy_service_retry_delay,
        default_action=access.smtpd_policy_service_default_action,
        policy_context=access.smtpd_policy_service_policy_context,
    )


def _codes(access: SmtpAccess) -> Codes:
    return Codes(
        reject_code=access.reject_code,
        defer_code=access.defer_code,
        access_map_reject_code=access.access_map_reject_code,
        access_map_defer_code=access.access_map_defer_code,
        maps_rbl_reject_code=access.maps_rbl_reject_code,
        relay_domains_reject_code=access.relay_domains_reject_code,
        non_fqdn_reject_code=access.non_fqdn_reject_code,
        invalid_hostname_reject_code=access.invalid_hostname_reject_code,
        plaintext_reject_code=access.plaintext_reject_code,
        unknown_address_reject_code=access.unknown_address_reject_code,
        unknown_client_reject_code=access.unknown_client_reject_code,
        unknown_hostname_reject_code=access.unknown_hostname_reject_code,
        multi_recipient_bounce_reject_code=access.multi_recipient_bounce_reject_code,
        unknown_local_recipient_reject_code=access.unknown_local_recipient_reject_code,
        unknown_relay_recipient_reject_code=access.unknown_relay_recipient_reject_code,
        unknown_virtual_alias_reject_code=access.unknown_virtual_alias_reject_code,
        unknown_virtual_mailbox_reject_code=access.unknown_virtual_mailbox_reject_code,
        show_user_unknown_table_name=access.show_user_unknown_table_name,
        unknown_address_tempfail_action=access.unknown_address_tempfail_action,
        unknown_helo_hostname_tempfail_action=access.unknown_helo_hostname_tempfail_action,
    )
