"""What dovecot.conf says of TLS: certificates, versions, ciphers, and the certificates of clients.

FAULTS
    ConfigurationFault  a file that is none, a version or field that OpenSSL does not know; certificates that are
        to be verified, and nothing to verify them by

STANDARDS
    Dovecot 2.3, SSL.DovecotConfiguration (Client certificate verification/authentication)
"""

import ssl
from typing import Any, Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.vocabulary.faults import ConfigurationFault

_VERSIONS: Final = {
    **{version: version for version in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")},
    "ANY": "TLSv1",
    "LATEST": "TLSv1.3",
}
"""By ssl_min_protocol."""


def tls_settings(configuration: Configuration) -> dict[str, Any]:
    """The fields of MailboxSettings that have to do with TLS."""
    value = configuration.value
    return {
        "ssl": value("ssl"),
        "ssl_cert": _file(configuration, "ssl_cert"),
        "ssl_key": _file(configuration, "ssl_key"),
        "ssl_key_password": value("ssl_key_password"),
        "ssl_min_protocol": _version(configuration),
        "ssl_cipher_list": value("ssl_cipher_list"),
        "ssl_prefer_server_ciphers": configuration.yes("ssl_prefer_server_ciphers"),
        "ssl_alt_cert": _file(configuration, "ssl_alt_cert"),
        "ssl_alt_key": _file(configuration, "ssl_alt_key"),
        "ssl_cipher_suites": value("ssl_cipher_suites"),
        "ssl_curve_list": value("ssl_curve_list"),
        "ssl_dh": _file(configuration, "ssl_dh"),
        "ssl_has_tickets": "no_ticket" not in _options(configuration),
        **_client_certificates(configuration),
    }


def _client_certificates(configuration: Configuration) -> dict[str, Any]:
    verifies = configuration.yes("ssl_verify_client_cert") and configuration.value("ssl") != "no"
    authorities = _file(configuration, "ssl_ca")
    if verifies and not authorities:
        raise ConfigurationFault(
            configuration.where("ssl_verify_client_cert"),
            "ssl_verify_client_cert set, but ssl_ca not",
            mend="ssl_ca = </path/to/ca.pem",
        )
    field = configuration.value("ssl_cert_username_field")
    try:
        ssl._txt2obj(field, name=True)  # type: ignore[attr-defined]  # the ssl module has no other way
    except ValueError:
        raise ConfigurationFault(
            configuration.where("ssl_cert_username_field"), f"Invalid ssl_cert_username_field: {field}"
        ) from None
    return {
        "ssl_verify_client_cert": verifies,
        "ssl_ca": authorities,
        "ssl_require_crl": configuration.yes("ssl_require_crl"),
        "ssl_cert_username_field": field,
        "auth_ssl_require_client_cert": configuration.yes("auth_ssl_require_client_cert"),
        "auth_ssl_username_from_cert": configuration.yes("auth_ssl_username_from_cert"),
    }


def _file(configuration: Configuration, name: str) -> str:
    entry = configuration.entry(name)
    if configuration.value("ssl") == "no" or entry is None or not entry.value:
        return ""
    path = entry.value
    if not path.startswith("/") or "\n" in path:
        raise ConfigurationFault(
            configuration.where(name), f"{name} is not the path of a file", mend=f"{name} = </path/to/file"
        )
    return path


def _options(configuration: Configuration) -> tuple[str, ...]:
    """`compression` changes nothing: nobody is to compress below TLS any more (RFC 8446 has none)."""
    words = configuration.words("ssl_options")
    for word in words:
        if word not in ("compression", "no_compression", "no_ticket"):
            raise ConfigurationFault(
                configuration.where("ssl_options"), f"ssl_options: unknown flag: '{word}'", mend="no_ticket"
            )
    return words


def _version(configuration: Configuration) -> str:
    version = configuration.value("ssl_min_protocol")
    known = _VERSIONS.get(version)
    if known is None:
        raise ConfigurationFault(
            configuration.where("ssl_min_protocol"),
            f"Unknown ssl_min_protocol setting '{version}'",
            mend="TLSv1.2 or TLSv1.3",
        )
    return known
