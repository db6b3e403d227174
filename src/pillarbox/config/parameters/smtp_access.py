"""Who may send what to whom: the SMTP server's restriction lists, and the reply codes of refusals."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import NetworkList, Seconds


@settings_group
class SmtpAccess:
    """Restriction lists, policy services and reply codes."""

    smtpd_client_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions on clients, by address and name, in the order in which they are tried."
    )
    smtpd_helo_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions on the name given with HELO or EHLO."
    )
    smtpd_sender_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions on the address given with MAIL."
    )
    smtpd_relay_restrictions: tuple[str, ...] = parameter(
        "${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, permit_sasl_authenticated, "
        "defer_unauth_destination}}",
        doc="Restrictions that keep strangers from sending mail through this host to elsewhere. Either "
        "this list or smtpd_recipient_restrictions must end the matter for destinations that are not "
        "ours.",
    )
    smtpd_recipient_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions on the address given with RCPT, after smtpd_relay_restrictions."
    )
    smtpd_data_restrictions: tuple[str, ...] = parameter("", doc="Restrictions at DATA.")
    smtpd_end_of_data_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions when the message has been received, before it is accepted."
    )
    smtpd_etrn_restrictions: tuple[str, ...] = parameter(
        "", doc="Restrictions on the domain given with ETRN."
    )
    smtpd_restriction_classes: tuple[str, ...] = parameter(
        "", doc="Names of further parameters that hold restrictions and may be used in the lists as one."
    )
    smtpd_relay_before_recipient_restrictions: bool = parameter(
        "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
        doc="Try smtpd_relay_restrictions before smtpd_recipient_restrictions, and not after.",
    )
    smtpd_delay_reject: bool = parameter(
        "yes",
        doc="Try client, helo and sender restrictions at RCPT, so that the log shows sender and recipient.",
    )
    smtpd_reject_unlisted_recipient: bool = parameter(
        "yes", doc="Refuse recipients that do not exist, even if no restriction asks for it."
    )
    smtpd_reject_unlisted_sender: bool = parameter(
        "no", doc="Refuse senders in our domains that do not exist, even if no restriction asks for it."
    )
    smtpd_sender_login_maps: tuple[str, ...] = parameter(
        "", doc="Tables from sender address to the logins that own it, for reject_sender_login_mismatch."
    )
    maps_rbl_domains: tuple[str, ...] = parameter("", doc="Zones of the old restriction reject_maps_rbl.")
    permit_mx_backup_networks: NetworkList = parameter(
        "",
        doc="Networks in which the first mail servers of a domain have to be for permit_mx_backup to hold. Empty: "
        "anywhere.",
    )
    relay_clientcerts: tuple[str, ...] = parameter(
        "",
        doc="Tables of fingerprints, of certificates or public keys, that permit_tls_clientcerts knows.",
    )
    smtpd_null_access_lookup_key: str = parameter(
        "<>", doc="What stands for the null sender in access tables."
    )
    smtpd_log_access_permit_actions: tuple[str, ...] = parameter(
        "",
        doc="Names of restrictions and of results of access tables, or tables of them, whose permission is logged. "
        "static:all is all of them.",
    )
    show_user_unknown_table_name: bool = parameter(
        "yes", doc='Name the table in the reply "User unknown in … table".'
    )
    smtpd_policy_service_timeout: Seconds = parameter(
        "100s", minimum=1, doc="Time to connect to, write to or read from a policy service."
    )
    smtpd_policy_service_max_idle: Seconds = parameter(
        "300s", minimum=1, doc="Time after which an unused connection to a policy service is closed."
    )
    smtpd_policy_service_max_ttl: Seconds = parameter(
        "1000s", minimum=1, doc="Time after which any connection to a policy service is closed."
    )
    smtpd_policy_service_request_limit: int = parameter(
        "0", minimum=0, doc="Requests over one connection to a policy service. 0: no limit."
    )
    smtpd_policy_service_try_limit: int = parameter(
        "2", minimum=1, doc="How often a request to a policy service is tried."
    )
    smtpd_policy_service_retry_delay: Seconds = parameter(
        "1s", minimum=1, doc="Time between two attempts to ask a policy service."
    )
    smtpd_policy_service_default_action: str = parameter(
        "451 4.3.5 Server configuration problem", doc="What is done when a policy service cannot be asked."
    )
    smtpd_policy_service_policy_context: str = parameter(
        "", doc="Text that is given to policy services as policy_context."
    )
    access_map_reject_code: int = parameter(
        "554", minimum=400, maximum=599, doc="Reply code for REJECT in an access table."
    )
    access_map_defer_code: int = parameter(
        "450", minimum=400, maximum=599, doc="Reply code for DEFER in an access table."
    )
    reject_code: int = parameter("554", minimum=400, maximum=599, doc="Reply code of the restriction reject.")
    defer_code: int = parameter("450", minimum=400, maximum=599, doc="Reply code of the restriction defer.")
    relay_domains_reject_code: int = parameter(
        "554", minimum=400, maximum=599, doc="Reply code of reject_unauth_destination."
    )
    maps_rbl_reject_code: int = parameter(
        "554", minimum=400, maximum=599, doc="Reply code for clients found in a DNS block list."
    )
    rbl_reply_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from a DNS block list, as it stands in a restriction, to what its clients are told; "
        "in place of default_rbl_reply.",
    )
    default_rbl_reply: str = parameter(
        "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using "
        "$rbl_domain${rbl_reason?; $rbl_reason}",
        doc="What a client is told that a DNS block list has: a code, and perhaps an enhanced one, in front. "
        "`$rbl_code`, `$rbl_class`, `$rbl_what`, `$rbl_domain` and `$rbl_reason` stand for what was found, "
        "`$client`, `$helo_name`, `$sender`, `$recipient` and others for the session.",
    )
    invalid_hostname_reject_code: int = parameter(
        "501", minimum=400, maximum=599, doc="Reply code of reject_invalid_helo_hostname."
    )
    non_fqdn_reject_code: int = parameter(
        "504", minimum=400, maximum=599, doc="Reply code of the reject_non_fqdn_ restrictions."
    )
    unknown_address_reject_code: int = parameter(
        "450",
        minimum=400,
        maximum=599,
        doc="Reply code for a sender's or recipient's domain without DNS records.",
    )
    unknown_client_reject_code: int = parameter(
        "450", minimum=400, maximum=599, doc="Reply code of reject_unknown_client_hostname."
    )
    unknown_hostname_reject_code: int = parameter(
        "450", minimum=400, maximum=599, doc="Reply code of reject_unknown_helo_hostname."
    )
    unknown_local_recipient_reject_code: int = parameter(
        "550", minimum=400, maximum=599, doc="Reply code for a recipient that is not in local_recipient_maps."
    )
    unknown_relay_recipient_reject_code: int = parameter(
        "550", minimum=400, maximum=599, doc="Reply code for a recipient that is not in relay_recipient_maps."
    )
    unknown_virtual_alias_reject_code: int = parameter(
        "550", minimum=400, maximum=599, doc="Reply code for a recipient that is not in virtual_alias_maps."
    )
    unknown_virtual_mailbox_reject_code: int = parameter(
        "550", minimum=400, maximum=599, doc="Reply code for a recipient that is not in virtual_mailbox_maps."
    )
    multi_recipient_bounce_reject_code: int = parameter(
        "550", minimum=400, maximum=599, doc="Reply code of reject_multi_recipient_bounce."
    )
    reject_tempfail_action: Literal["defer", "defer_if_permit"] = parameter(
        "defer_if_permit",
        doc="What a restriction does when the DNS or a probe cannot say whether to refuse. defer: tell the client "
        "to come again, at once. defer_if_permit: the same, if nothing else refuses it.",
    )
    unknown_address_tempfail_action: Literal["defer", "defer_if_permit"] = parameter(
        "$reject_tempfail_action",
        doc="The same for reject_unknown_sender_domain and reject_unknown_recipient_domain.",
    )
    unknown_helo_hostname_tempfail_action: Literal["defer", "defer_if_permit"] = parameter(
        "$reject_tempfail_action", doc="The same for reject_unknown_helo_hostname."
    )
    plaintext_reject_code: int = parameter(
        "450", minimum=400, maximum=599, doc="Reply code of reject_plaintext_session."
    )
