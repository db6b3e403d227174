"""The SMTP client: where mail goes, what is said, and how long it is waited for."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class MailExchange:
    """Settings that the SMTP and LMTP clients share."""

    ignore_mx_lookup_error: bool = parameter(
        "no", doc="Deliver to the domain's own address when its MX records cannot be looked up."
    )
    dnssec_probe: str = parameter(
        "ns:.",
        doc="Type and name of a DNS record that has a proof: when an answer came without one, this is asked for, "
        "and a warning tells if it has none either. Empty: nothing is asked.",
    )
    disable_dns_lookups: bool = parameter(
        "no", doc="Look up no MX records: mail goes to the host of that name, found as smtp_host_lookup says."
    )
    use_srv_lookup: tuple[str, ...] = parameter(
        "",
        doc="Services, such as submission, whose servers are looked up as SRV records of a domain: with nexthop "
        "example.org:submission those of _submission._tcp.example.org.",
    )
    ignore_srv_lookup_error: bool = parameter(
        "no", doc="When SRV records cannot be looked up, go on as without use_srv_lookup."
    )
    allow_srv_lookup_fallback: bool = parameter(
        "no", doc="The same when there are none, too, or none with an address."
    )
    best_mx_transport: str = parameter(
        "",
        doc="transport:nexthop for mail whose best mail exchanger is this host, instead of returning it as a loop.",
    )
    fallback_relay: tuple[str, ...] = parameter("", doc="Old name of smtp_fallback_relay.")
    known_tcp_ports: tuple[str, ...] = parameter(
        "lmtp=24, smtp=25, smtps=submissions=465, submission=587", doc="Ports of service names."
    )
    disable_mime_output_conversion: bool = parameter(
        "no",
        doc="Send 8-bit MIME as it is to servers that do not offer 8BITMIME, instead of converting it to "
        "quoted-printable.",
    )
    smtp_always_send_ehlo: bool = parameter("yes", doc="Begin with EHLO whatever the greeting says.")
    smtp_never_send_ehlo: bool = parameter("no", doc="Begin with HELO, and so do without all extensions.")


@settings_group
class SmtpClient:
    """Destinations, conversations and their time limits.  lmtp_… parameters are the same for LMTP."""

    smtp_helo_name: str = parameter("$myhostname", doc="The name given with EHLO or HELO.")
    smtp_host_lookup: tuple[str, ...] = parameter(
        "dns",
        words=("dns", "native"),
        doc="Where addresses of hosts are looked up: dns, or native for /etc/hosts before the DNS, or both.",
    )
    smtp_dns_support_level: Literal["", "disabled", "enabled", "dnssec"] = parameter(
        "",
        doc="How much is asked of the DNS. disabled: no more than with disable_dns_lookups: addresses of "
        "hosts are found as other programs find them. dnssec: with proofs, as DANE needs them. Empty: as "
        "disable_dns_lookups says.",
    )
    smtp_dns_resolver_options: tuple[str, ...] = parameter(
        "",
        words=("res_defnames", "res_dnsrch"),
        doc="How names are looked for in resolv.conf's domains. res_defnames: one without a dot is in the first of "
        "them. res_dnsrch: one that is not found is looked for in each.",
    )
    smtp_dns_reply_filter: tuple[str, ...] = parameter(
        "",
        doc="Tables that are asked for each record that the DNS gives, such as "
        "`mx.example.org. 300 IN AAAA 2001:db8::1`. IGNORE: as if it was not there.",
    )
    smtp_cname_overrides_servername: bool = parameter(
        "no",
        doc="Know a server by the name behind its aliases, in log lines and where passwords, certificates and TLS "
        "policies are asked for.",
    )
    smtp_address_preference: Literal["any", "ipv4", "ipv6"] = parameter(
        "any", doc="Which addresses of equally preferred hosts are tried first. any: by lot."
    )
    smtp_balance_inet_protocols: bool = parameter(
        "yes",
        doc="Make sure that IPv4 and IPv6 addresses are both among those that smtp_mx_address_limit leaves.",
    )
    smtp_randomize_addresses: bool = parameter("yes", doc="Draw lots among hosts of equal preference.")
    smtp_mx_address_limit: int = parameter(
        "5", minimum=0, doc="Most addresses that are tried in one delivery. 0: no limit."
    )
    smtp_mx_session_limit: int = parameter(
        "2",
        minimum=0,
        doc="Most servers that are talked to in one delivery; those that cannot be connected to do not "
        "count. 0: no limit.",
    )
    smtp_defer_if_no_mx_address_found: bool = parameter(
        "no",
        doc="Keep mail queued when none of a domain's mail exchangers has an address, instead of returning it.",
    )
    smtp_fallback_relay: tuple[str, ...] = parameter(
        "$fallback_relay", doc="Hosts that get mail whose own destinations cannot be found or reached."
    )
    smtp_tcp_port: str = parameter("smtp", doc="Port, or service name, that is connected to.")
    smtp_bind_address: str = parameter("", doc="IPv4 address that connections come from.")
    smtp_bind_address6: str = parameter("", doc="IPv6 address that connections come from.")
    smtp_bind_address_enforce: bool = parameter(
        "no",
        doc="Put mail off when connections cannot come from those addresses. no: say so in the log, and connect "
        "all the same.",
    )
    smtp_skip_5xx_greeting: bool = parameter(
        "yes", doc="Try the next mail exchanger when one greets with 5xx, instead of returning the mail."
    )
    smtp_skip_quit_response: bool = parameter("yes", doc="Do not wait for the answer to QUIT.")
    smtp_line_length_limit: int = parameter(
        "998", minimum=0, doc="Octets after which a line is broken with a line end and a blank. 0: never."
    )
    smtp_discard_ehlo_keywords: tuple[str, ...] = parameter(
        "", doc="Keywords in a server's answer to EHLO that are passed over."
    )
    smtp_discard_ehlo_keyword_address_maps: tuple[str, ...] = parameter(
        "", doc="The same by the server's address, from tables."
    )
    smtp_generic_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables from an address, in the envelope or the header of mail that is sent, to the one that takes its "
        "place, such as user@host.local to somebody@provider.example. Keys are those of canonical_maps.",
    )
    smtp_header_checks: tuple[str, ...] = parameter(
        "",
        doc="Tables (regexp, pcre) that are asked for each header of mail that is sent; they may answer IGNORE, "
        "INFO, PREPEND, REPLACE, STRIP or WARN.",
    )
    smtp_mime_header_checks: tuple[str, ...] = parameter(
        "", doc="The same for MIME headers, of the message and of its parts."
    )
    smtp_nested_header_checks: tuple[str, ...] = parameter(
        "", doc="The same for the other headers of attached messages."
    )
    smtp_body_checks: tuple[str, ...] = parameter(
        "", doc="The same for each line of a body, up to body_checks_size_limit of each part."
    )
    smtp_reply_filter: str = parameter(
        "", doc="Table that is asked for each line of a server's replies; its answer takes the line's place."
    )
    smtp_delivery_status_filter: tuple[str, ...] = parameter(
        "$default_delivery_status_filter",
        doc="Tables from the status code and text of a delivery to those that take their place.",
    )
    smtp_address_verify_target: Literal["rcpt", "data"] = parameter(
        "rcpt",
        doc="How far an address probe goes. data: servers that refuse recipients only then are asked for DATA, and "
        "the connection is dropped when they would take a message.",
    )
    smtp_quote_rfc821_envelope: bool = parameter(
        "yes",
        doc="Quote local parts in MAIL and RCPT as RFC 5321 wants it. no: for servers that do not understand it.",
    )
    smtp_pix_workarounds: tuple[str, ...] = parameter(
        "disable_esmtp,delay_dotcrlf",
        doc="What is done for servers whose greeting a Cisco PIX firewall has covered with stars. disable_esmtp: "
        "say HELO. delay_dotcrlf: wait before the final dot, so that it has a packet of its own. Empty: nothing.",
    )
    smtp_pix_workaround_maps: tuple[str, ...] = parameter(
        "", doc="Tables of such words by the server's address, in place of smtp_pix_workarounds."
    )
    smtp_pix_workaround_threshold_time: Seconds = parameter(
        "500s", minimum=0, doc="Age of a message from which delay_dotcrlf counts."
    )
    smtp_pix_workaround_delay_time: Seconds = parameter(
        "10s", minimum=1, doc="How long delay_dotcrlf waits before the final dot."
    )
    smtp_send_xforward_command: bool = parameter(
        "no", doc="Tell servers that offer XFORWARD which client the message came from, for their logs."
    )
    smtp_connect_timeout: Seconds = parameter("30s", minimum=0, doc="Time to connect. 0: the system's limit.")
    smtp_helo_timeout: Seconds = parameter("300s", minimum=1, doc="Time for the greeting and for EHLO.")
    smtp_xforward_timeout: Seconds = parameter(
        "300s", minimum=1, doc="Time within which the server has to answer XFORWARD."
    )
    smtp_mail_timeout: Seconds = parameter(
        "300s", minimum=1, doc="Time within which the server has to answer MAIL FROM."
    )
    smtp_rcpt_timeout: Seconds = parameter(
        "300s", minimum=1, doc="Time within which the server has to answer RCPT TO."
    )
    smtp_data_init_timeout: Seconds = parameter(
        "120s", minimum=1, doc="Time within which the server has to answer DATA."
    )
    smtp_data_xfer_timeout: Seconds = parameter(
        "180s", minimum=1, doc="Time within which the server has to take some of the content."
    )
    smtp_data_done_timeout: Seconds = parameter(
        "600s", minimum=1, doc="Time for the answer to the final dot."
    )
    smtp_per_record_deadline: bool = parameter("no", doc="Old name of smtp_per_request_deadline.")
    smtp_per_request_deadline: bool = parameter(
        "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}",
        doc="Count the time limits above for a whole command and its whole reply, so that a server that sends an "
        "octet now and then does not hold a delivery up.",
    )
    smtp_min_data_rate: int = parameter(
        "500",
        minimum=1,
        doc="Octets per second of content that extend its time limit, with smtp_per_request_deadline.",
    )
    smtp_rset_timeout: Seconds = parameter(
        "20s", minimum=1, doc="Time for RSET, by which a kept connection is tested."
    )
    smtp_quit_timeout: Seconds = parameter(
        "300s", minimum=1, doc="Time within which the server has to answer QUIT."
    )
    smtp_connection_cache_on_demand: bool = parameter(
        "yes",
        doc="Keep connections for a moment while more mail waits for the same destination, or has just gone there.",
    )
    smtp_connection_cache_destinations: tuple[str, ...] = parameter(
        "", doc="Destinations whose connections are always kept for a moment: names and tables."
    )
    smtp_connection_cache_time_limit: Seconds = parameter(
        "2s", minimum=1, doc="How long an idle connection is kept."
    )
    smtp_connection_reuse_time_limit: Seconds = parameter(
        "300s", minimum=1, doc="Age at which a connection is not used again."
    )
    smtp_connection_reuse_count_limit: int = parameter(
        "0", minimum=0, doc="Deliveries after which a connection is not used again. 0: no limit."
    )
