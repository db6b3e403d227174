"""The SMTP server's conversation: what it offers, its limits and timeouts, and what it is strict about."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import NetworkList, Octets, Seconds


@settings_group
class SmtpServer:
    """SMTP conversation: offers, limits, timeouts, strictness, content after DATA."""

    message_size_limit: Octets = parameter(
        "10240000",
        minimum=0,
        doc="Largest message in octets, with its envelope. Told to clients with SIZE. 0: no limit.",
    )
    queue_minfree: Octets = parameter(
        "0",
        minimum=0,
        doc="Octets that must be free in the queue's file system for a message to be taken; in any case "
        "one and a half times message_size_limit.",
    )
    line_length_limit: int = parameter(
        "2048",
        minimum=512,
        doc="Octets of a line that are handled at once: the longest SMTP command, and pieces of long "
        "lines of a message.",
    )
    stress: str = parameter(
        "",
        doc="Yes for new sessions of an inet service that other hosts reach, from when the last place of its "
        "process limit was taken until that has not been so for 1000 s; else what is set here. For "
        "`${stress?{…}:{…}}`.",
    )
    smtpd_timeout: Seconds = parameter(
        "${stress?{10}:{300}}s",
        minimum=1,
        doc="Time for a client to send a command, and for us to send a reply.",
    )
    smtpd_per_record_deadline: bool = parameter(
        "${stress?{yes}:{no}}", doc="Old name of smtpd_per_request_deadline."
    )
    smtpd_per_request_deadline: bool = parameter(
        "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}",
        doc="Let smtpd_timeout bound a whole command, or the waits of a message, and not each wait.",
    )
    smtpd_min_data_rate: int = parameter(
        "500",
        minimum=1,
        doc="Octets per second of a message that extend its deadline, with smtpd_per_request_deadline.",
    )
    smtpd_recipient_limit: int = parameter(
        "1000", minimum=1, doc="Most recipients of one message; more get 452."
    )
    smtpd_recipient_overshoot_limit: int = parameter(
        "1000", minimum=1, doc="Recipients beyond smtpd_recipient_limit that do not count as errors."
    )
    smtpd_soft_error_limit: int = parameter(
        "10", minimum=1, doc="Errors of a client after which replies are held back by smtpd_error_sleep_time."
    )
    smtpd_hard_error_limit: int = parameter(
        "${stress?{1}:{20}}", minimum=1, doc="Errors of a client after which it is disconnected."
    )
    smtpd_error_sleep_time: Seconds = parameter(
        "1s", minimum=0, doc="Pause before a reply to a client with more than smtpd_soft_error_limit errors."
    )
    smtpd_junk_command_limit: int = parameter(
        "${stress?{1}:{100}}",
        minimum=1,
        doc="NOOP, VRFY, ETRN, RSET, HELO and EHLO between two messages before they count as errors.",
    )
    smtpd_history_flush_threshold: int = parameter(
        "100",
        minimum=1,
        doc="Lines of the conversation kept for notices to postmaster before they are dropped.",
    )
    smtpd_client_connection_count_limit: int = parameter(
        "50", minimum=0, doc="Most connections of one client at a time. 0: no limit."
    )
    smtpd_client_connection_rate_limit: int = parameter(
        "0", minimum=0, doc="Most connections of one client per anvil_rate_time_unit. 0: no limit."
    )
    smtpd_client_message_rate_limit: int = parameter(
        "0", minimum=0, doc="Most messages of one client per anvil_rate_time_unit. 0: no limit."
    )
    smtpd_client_recipient_rate_limit: int = parameter(
        "0", minimum=0, doc="Most recipients of one client per anvil_rate_time_unit. 0: no limit."
    )
    smtpd_client_auth_rate_limit: int = parameter(
        "0", minimum=0, doc="Most AUTH commands of one client per anvil_rate_time_unit. 0: no limit."
    )
    smtpd_client_new_tls_session_rate_limit: int = parameter(
        "0", minimum=0, doc="Most new TLS sessions of one client per anvil_rate_time_unit. 0: no limit."
    )
    smtpd_client_event_limit_exceptions: NetworkList = parameter(
        "${smtpd_client_connection_limit_exceptions:$mynetworks}",
        doc="Clients to which the limits above do not apply.",
    )
    smtpd_client_ipv4_prefix_length: int = parameter(
        "32", minimum=0, maximum=32, doc="IPv4 clients with so many leading bits in common count as one."
    )
    smtpd_client_ipv6_prefix_length: int = parameter(
        "84", minimum=0, maximum=128, doc="IPv6 clients with so many leading bits in common count as one."
    )
    anvil_rate_time_unit: Seconds = parameter(
        "60s", minimum=1, doc="The span of time over which the rates of clients are counted."
    )
    anvil_status_update_time: Seconds = parameter(
        "600s", minimum=1, doc="How often the most that clients have done is logged (statistics: max …)."
    )
    smtpd_discard_ehlo_keywords: tuple[str, ...] = parameter(
        "",
        doc="EHLO keywords that are not offered, in any case of letters; silent-discard keeps this out of "
        "the log.",
    )
    smtpd_discard_ehlo_keyword_address_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from a client's address to keywords that are not offered to it, in place of "
        "smtpd_discard_ehlo_keywords.",
    )
    smtpd_command_filter: tuple[str, ...] = parameter(
        "", doc="Tables from a client's command line to the one that is obeyed in its place."
    )
    smtpd_dns_reply_filter: tuple[str, ...] = parameter(
        "",
        doc="Tables that take records out of DNS answers: the key is a record as in a zone file, the value IGNORE.",
    )
    smtpd_expansion_filter: str = parameter(
        r"""\t\40!"#$%&'()*"""
        r"""+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~""",
        doc="Characters that $names in smtpd_reject_footer and replies of block lists may bring in, with the "
        "escapes of C; others become underscores.",
    )
    smtpd_upstream_proxy_protocol: Literal["", "haproxy"] = parameter(
        "", doc="With haproxy clients come through a proxy, which says who they are before anything else."
    )
    smtpd_upstream_proxy_timeout: Seconds = parameter("5s", minimum=1, doc="Time for the proxy to say so.")
    smtpd_authorized_xclient_hosts: NetworkList = parameter(
        "", doc="Clients that may say with XCLIENT for whom they speak: proxies, tests."
    )
    authorized_verp_clients: NetworkList = parameter("", doc="Old spelling of smtpd_authorized_verp_clients.")
    smtpd_authorized_verp_clients: NetworkList = parameter(
        "$authorized_verp_clients",
        doc="Clients that may ask with XVERP for an envelope sender for each recipient.",
    )
    smtpd_authorized_xforward_hosts: NetworkList = parameter(
        "", doc="Clients that may say with XFORWARD whose mail they bring: content filters."
    )
    smtpd_noop_commands: tuple[str, ...] = parameter(
        "", doc="Commands that are answered with 250 and do nothing, be it MAIL or QUIT."
    )
    smtpd_forbidden_commands: tuple[str, ...] = parameter(
        "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}",
        doc="Commands of other protocols; a client that sends one is disconnected. Words or type:table.",
    )
    smtpd_forbid_bare_newline: Literal["normalize", "yes", "reject", "note", "no"] = parameter(
        "normalize",
        doc="What is done with LF that has no CR before it: normalize takes it as a line end but never as "
        "part of the end of a message; reject refuses the message; note logs it; no takes every form "
        "of line end, which lets mail be smuggled past us.",
    )
    smtpd_forbid_bare_newline_exclusions: NetworkList = parameter(
        "$mynetworks", doc="Clients to which smtpd_forbid_bare_newline does not apply."
    )
    smtpd_forbid_bare_newline_reject_code: int = parameter(
        "550", minimum=500, maximum=599, doc="Reply code for smtpd_forbid_bare_newline=reject."
    )
    smtpd_forbid_unauth_pipelining: bool = parameter(
        "yes", doc="Disconnect a client that sends commands ahead where RFC 2920 does not allow it."
    )
    strict_rfc821_envelopes: bool = parameter(
        "no", doc="Refuse addresses in MAIL and RCPT without <> or with comments and phrases around them."
    )
    disable_vrfy_command: bool = parameter("no", doc="Refuse VRFY, so that nobody can try out addresses.")
    smtpd_helo_required: bool = parameter(
        "no", doc="Refuse mail from a client that has not said HELO or EHLO."
    )
    smtputf8_enable: bool = parameter(
        "${{$compatibility_level} <level {1} ? {no} : {yes}}",
        doc="Offer SMTPUTF8 and take addresses outside ASCII (RFC 6531).",
    )
    smtputf8_autodetect_classes: tuple[str, ...] = parameter(
        "sendmail, verify",
        words=("sendmail", "smtpd", "qmqpd", "forward", "bounce", "notify", "verify", "all"),
        doc="Sources of mail that needs SMTPUTF8 if an address or the header is not ASCII, though nobody said so: "
        "sendmail, smtpd, forward, bounce, notify, verify, all.",
    )
    strict_smtputf8: bool = parameter(
        "no", doc="Refuse addresses and headers outside ASCII from a client that has not said SMTPUTF8."
    )
    smtpd_peername_lookup: bool = parameter(
        "yes", doc="Look up the host name of clients. With no, every client is unknown."
    )
    smtpd_delay_open_until_valid_rcpt: bool = parameter(
        "yes", doc="Begin a queue file when the first recipient has been accepted, and not at MAIL."
    )
    smtpd_reject_footer: str = parameter(
        "",
        doc="Text added to every 4xx and 5xx reply. \\c at its beginning joins it to the reply's last "
        "line; \\n begins a line.",
    )
    smtpd_reject_footer_maps: tuple[str, ...] = parameter(
        "", doc="Tables from a whole 4xx or 5xx reply to such a text, in place of smtpd_reject_footer."
    )
    smtpd_client_port_logging: bool = parameter(
        "no", doc="Show the client's port behind its address in log lines."
    )
    smtpd_hide_client_session: bool = parameter(
        "no",
        doc="Leave the client's name, address and protocol out of the Received: header. For submission "
        "services only.",
    )
