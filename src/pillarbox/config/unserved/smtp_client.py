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
        Kind.LATER,
        "the SMTP client is not served yet",
        """
allow_srv_lookup_fallback = no
connection_cache_protocol_timeout = 5s
connection_cache_service_name = scache
connection_cache_status_update_time = 600s
connection_cache_ttl_limit = 2s
dns_ncache_ttl_fix_enable = no
dnssec_probe = ns:.
ignore_srv_lookup_error = no
send_cyrus_sasl_authzid = no
smtp_address_verify_target = rcpt
smtp_bind_address_enforce = no
smtp_cname_overrides_servername = no
smtp_dns_resolver_options =
smtp_log_tls_feature_status = yes
smtp_pix_workaround_delay_time = 10s
smtp_pix_workaround_maps =
smtp_pix_workaround_threshold_time = 500s
smtp_pix_workarounds = disable_esmtp,delay_dotcrlf
smtp_quote_rfc821_envelope = yes
smtp_sasl_path =
smtp_sasl_type = cyrus
smtp_tls_block_early_mail_reply = no
smtp_tls_enable_rpk = no
smtp_tls_enforce_sts_mx_patterns = yes
smtp_tls_per_site =
smtp_tls_scert_verifydepth = 9
smtp_tls_session_cache_database =
smtp_tls_session_cache_timeout = 3600s
smtp_tls_trust_anchor_file =
smtp_tlsrpt_enable = no
smtp_tlsrpt_skip_reused_handshakes = no
smtp_tlsrpt_socket_name =
tcp_windowsize = 0
use_srv_lookup =
""",
    ),
    Section(
        Kind.LATER,
        "the LMTP client is not served yet",
        """
lmtp_address_verify_target = rcpt
lmtp_assume_final = no
lmtp_bind_address_enforce = no
lmtp_cname_overrides_servername = no
lmtp_dns_resolver_options =
lmtp_log_tls_feature_status = yes
lmtp_pix_workaround_delay_time = 10s
lmtp_pix_workaround_maps =
lmtp_pix_workaround_threshold_time = 500s
lmtp_pix_workarounds = disable_esmtp,delay_dotcrlf
lmtp_quote_rfc821_envelope = yes
lmtp_sasl_path =
lmtp_sasl_type = cyrus
lmtp_tls_block_early_mail_reply = no
lmtp_tls_enable_rpk = no
lmtp_tls_enforce_sts_mx_patterns = yes
lmtp_tls_per_site =
lmtp_tls_scert_verifydepth = 9
lmtp_tls_session_cache_database =
lmtp_tls_session_cache_timeout = 3600s
lmtp_tls_trust_anchor_file =
lmtp_tlsrpt_enable = no
lmtp_tlsrpt_skip_reused_handshakes = no
lmtp_tlsrpt_socket_name =
""",
    ),
)
