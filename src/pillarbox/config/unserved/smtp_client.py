"""The SMTP and LMTP clients: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.NO_EFFECT,
        "there are no DSA certificates and no choices of curves to make",
        """
lmtp_tls_dcert_file =
lmtp_tls_dkey_file = $lmtp_tls_dcert_file
smtp_tls_dcert_file =
smtp_tls_dkey_file = $smtp_tls_dcert_file
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "connections are kept by the process that made them",
        """
connection_cache_protocol_timeout = 5s
connection_cache_service_name = scache
connection_cache_status_update_time = 600s
connection_cache_ttl_limit = 2s
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the C library's resolver is not asked",
        """
dns_ncache_ttl_fix_enable = no
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the login mechanisms are built in",
        """
send_cyrus_sasl_authzid = no
smtp_sasl_path =
lmtp_sasl_path =
smtp_sasl_type = cyrus
lmtp_sasl_type = cyrus
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "each connection to a server has a handshake of its own",
        """
smtp_tls_session_cache_database =
lmtp_tls_session_cache_database =
smtp_tls_session_cache_timeout = 3600s
lmtp_tls_session_cache_timeout = 3600s
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "OpenSSL renegotiates no handshake that somebody else has begun (RFC 5746)",
        """
smtp_tls_block_early_mail_reply = no
lmtp_tls_block_early_mail_reply = no
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "each connection to a server has a handshake of its own, which is told",
        """
smtp_tlsrpt_skip_reused_handshakes = no
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "nobody publishes a wish for reports of TLS with LMTP servers",
        """
lmtp_tlsrpt_enable = no
lmtp_tlsrpt_skip_reused_handshakes = no
lmtp_tlsrpt_socket_name =
""",
    ),
    Section(
        Kind.LATER,
        "this part of the SMTP client is not served yet",
        """
smtp_log_tls_feature_status = yes
smtp_tls_enable_rpk = no
""",
    ),
    Section(
        Kind.LATER,
        "this part of the LMTP client is not served yet",
        """
lmtp_log_tls_feature_status = yes
lmtp_tls_enable_rpk = no
""",
    ),
)
