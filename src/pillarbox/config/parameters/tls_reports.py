"""TLSRPT: what TLS with other servers was like, for the reports that their owners want."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class TlsReports:
    """Reports of TLS sessions (RFC 8460), which a program of its own gathers and sends."""

    smtp_tlsrpt_enable: bool = parameter(
        "no",
        doc="Tell the program at smtp_tlsrpt_socket_name of each TLS session with a domain that wants reports.",
    )
    smtp_tlsrpt_socket_name: str = parameter(
        "",
        doc="Unix datagram socket of that program, such as tlsrpt-collectd; below queue_directory if relative.",
    )
