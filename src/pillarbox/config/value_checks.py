"""Whether all values are of their parameters' types, before any role is touched.

DESCRIPTION
    `check_values()` is for a start, a reload and `postfix check`.  Beside types and bounds it knows what texts
    Postfix's programs take: most may be empty, some must not be.  Postfix's programs each look at what they read,
    when they start; what one of them ends for is refused here as a whole.

FAULTS
    ConfigurationFault  the first value that is wrong, with its place

STANDARDS
    postconf(5)
"""

import re
from typing import Final

from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.config.reading import Configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import items
from pillarbox.vocabulary.faults import ConfigurationFault

_HOST_NAME: Final = re.compile(r"(?=.{1,255}\Z)(?!-)[\w-]{1,63}(?<!-)(?:\.(?!-)[\w-]{1,63}(?<!-))*", re.ASCII)
"""As Postfix has it: RFC 1123 §2.1, and underscores."""
_FIELD: Final = re.compile(r"[!-9;-~]+[ \t]*:")

NEVER_EMPTY: Final = """
    2bounce_notice_recipient address_verify_default_transport address_verify_local_transport
    address_verify_relay_transport address_verify_service_name address_verify_virtual_transport
    bounce_notice_recipient canonical_classes cleanup_service_name command_directory command_expansion_filter
    data_directory
    default_database_type default_destination_concurrency_negative_feedback
    default_destination_concurrency_positive_feedback default_privs default_rbl_reply delay_notice_recipient
    double_bounce_sender empty_address_default_transport_maps_lookup_key empty_address_recipient
    empty_address_relayhost_maps_lookup_key error_notice_recipient execution_directory_expansion_filter
    forward_expansion_filter hash_queue_names lmtp_host_lookup lmtp_lhlo_name lmtp_tls_fingerprint_digest
    lmtp_tls_secure_cert_match lmtp_tls_verify_cert_match mail_name mail_owner mail_version
    mailbox_delivery_lock maillog_file_compressor maillog_file_prefixes maillog_file_rotate_suffix mydomain
    myhostname mynetworks_style myorigin process_id_directory queue_directory recipient_canonical_classes
    sender_canonical_classes setgid_group smtp_helo_name smtp_host_lookup smtp_tls_fingerprint_digest
    smtp_tls_secure_cert_match smtp_tls_verify_cert_match smtpd_banner smtpd_expansion_filter
    smtpd_policy_service_default_action smtpd_sasl_path smtpd_sasl_service smtpd_tls_fingerprint_digest
    smtputf8_autodetect_classes syslog_facility syslog_name verp_delimiter_filter
""".split()
"""Parameters that some program of Postfix's ends for when they are empty."""


def check_values(configuration: Configuration) -> None:
    """ConfigurationFault for the first value, of main.cf or of a service, that is wrong.

    So a start is refused, and a reload keeps the settings of before.
    """
    snapshots = [configuration.snapshot]
    snapshots += [configuration.for_service(s) for s in configuration.master_cf.services if s.overrides]
    for snapshot in snapshots:
        for group in GROUPS:
            snapshot.group(group)
        for name in sorted(NEVER_EMPTY, key=lambda name: snapshot.explicit(name) is None):
            if not snapshot.value(name):
                raise ConfigurationFault(snapshot.where(name), f"bad string length 0 < 1: {name} =")
        _check_delimiters(snapshot)
        for name in ("myhostname", "mydomain"):
            value = snapshot.value(name)
            if _HOST_NAME.fullmatch(value) is None or value.replace(".", "").isdigit():
                raise ConfigurationFault(
                    snapshot.where(name),
                    f"parameter {name}: bad parameter value: {value}",
                    mend="letters, digits and hyphens, with single dots between them",
                )
        _check_words(snapshot)


def _check_words(snapshot: Snapshot) -> None:
    shown = snapshot.value("undisclosed_recipients_header")
    if shown and _FIELD.match(shown) is None:
        raise ConfigurationFault(
            snapshot.where("undisclosed_recipients_header"),
            f'parameter undisclosed_recipients_header: bad header text "{shown}"',
            mend="a field's name, a colon and its value",
        )
    origin = snapshot.value("myorigin")
    if len(items(origin)) > 1:
        raise ConfigurationFault(
            snapshot.where("myorigin"),
            f"myorigin parameter setting must not contain multiple values: {origin}",
        )
    style = snapshot.value("mynetworks_style")
    if snapshot.explicit("mynetworks") is None and style not in ("class", "subnet", "host"):
        raise ConfigurationFault(
            snapshot.where("mynetworks_style"),
            f'unknown mynetworks mask style value "{style}" in "{style}"',
            mend="class, subnet or host",
        )


def _check_delimiters(snapshot: Snapshot) -> None:
    """Two characters, both of them allowed."""
    name, by = "default_verp_delimiters", "verp_delimiter_filter"
    value, allowed = snapshot.value(name), snapshot.value(by)
    if len(value) != 2:
        sign = "<" if len(value) < 2 else ">"
        raise ConfigurationFault(
            snapshot.where(name), f"bad string length {len(value)} {sign} 2: {name} = {value}".rstrip()
        )
    for which, character in zip(("first", "second"), value, strict=True):
        if character not in allowed:
            changed = name if snapshot.explicit(name) is not None else by
            raise ConfigurationFault(
                snapshot.where(changed), f"parameters {name} and {by}: bad {which} VERP delimiter character"
            )
