"""What a passdb of OAuth 2.0 asks whom, and what has to be in the answer.

STANDARDS
    RFC 6749 §4.3 (password grant), RFC 7662 (introspection), RFC 7519 (JSON Web Tokens)
    Dovecot 2.3, passdb oauth2
"""

import msgspec


class OAuth2Settings(msgspec.Struct, frozen=True, kw_only=True):
    """dovecot-oauth2.conf.ext; names and defaults are Dovecot's."""

    tokeninfo_url: str = ""
    grant_url: str = ""
    introspection_url: str = ""
    introspection_mode: str = "auth"
    """auth, get or post: how a token goes to introspection_url; local: it is a JSON Web Token."""
    force_introspection: bool = False
    use_grant_password: bool = False
    scope: str = ""
    audience: str = ""
    username_format: str = "%Lu"
    username_attribute: str = "email"
    active_attribute: str = "active"
    active_value: str = "true"
    pass_attrs: str = ""
    client_id: str = ""
    client_secret: str = ""
    issuers: tuple[str, ...] = ()
    key_directory: str = ""
    """local_validation_key_dict without `fs:posix:prefix=`; what follows it in the names of its files is added."""
    openid_configuration_url: str = ""
    send_auth_headers: bool = False
    timeout_msecs: int = 0
    max_idle_time_msecs: int = 60000
    max_parallel_connections: int = 10
    tls_ca_cert_file: str = ""
    tls_ca_cert_dir: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_cipher_suite: str = "HIGH:!SSLv2"
    tls_allow_invalid_cert: bool = False
