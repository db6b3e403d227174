"""The SMTP server: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.LATER,
        "this feature of the SMTP server is not served yet",
        r"""
enable_idna2003_compatibility = no
smtpd_client_connection_limit_exceptions =
smtpd_reject_filter_maps =
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the words that it chooses are postscreen's",
        """
respectful_logging = ${{$compatibility_level} <level {3.6} ? {no} : {yes}}
""",
    ),
    Section(
        Kind.LATER,
        "raw public keys and default authorities are not used",
        """
smtpd_tls_enable_rpk = no
tls_append_default_CA = no
""",
    ),
    Section(
        Kind.LATER,
        "OpenSSL has read its openssl.cnf before main.cf is read: set OPENSSL_CONF where the MTA is started",
        """
tls_config_file = default
tls_config_name =
""",
    ),
    Section(
        Kind.LATER,
        "this TLS setting is not served yet",
        """
tls_ffdhe_auto_groups = ffdhe2048 ffdhe3072
tls_legacy_public_key_fingerprints = no
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "sessions are resumed with TLS tickets, and there is no cache of them",
        """
smtpd_tls_always_issue_session_ids = yes
smtpd_tls_session_cache_database =
smtpd_tls_session_cache_timeout = 3600s
tls_session_ticket_cipher = aes-256-cbc
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "OpenSSL chooses these parameters itself",
        """
openssl_path = openssl
smtpd_tls_dh512_param_file =
smtpd_tls_eecdh_grade = auto
tls_daemon_random_bytes = 32
tls_eecdh_strong_curve = prime256v1
tls_eecdh_ultra_curve = secp384r1
tls_random_bytes = 32
tls_random_exchange_name = ${data_directory}/prng_exch
tls_random_prng_update_period = 3600s
tls_random_reseed_period = 3600s
tls_random_source = dev:/dev/urandom
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "DSA certificates are not used by any client today",
        """
smtpd_tls_dcert_file =
smtpd_tls_dkey_file = $smtpd_tls_dcert_file
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the peer's last word is not waited for when a TLS session ends",
        """
tls_fast_shutdown_enable = yes
""",
    ),
    Section(
        Kind.LATER,
        "QMQP is not served",
        """
qmqpd_authorized_clients =
qmqpd_client_port_logging = no
qmqpd_error_delay = 1s
qmqpd_timeout = 300s
""",
    ),
)
