"""How OpenSSL behaves, for the SMTP server and the SMTP client alike."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class TlsLibrary:
    """OpenSSL's options and curves, and how names in certificates are read."""

    tls_ssl_options: tuple[str, ...] = parameter(
        "",
        doc="OpenSSL's options that are switched on: names such as NO_COMPRESSION, or a mask of bits, 0x….",
    )
    tls_disable_workarounds: tuple[str, ...] = parameter(
        "", doc="OpenSSL's workarounds for bugs of others that are switched off; written as tls_ssl_options."
    )
    tls_eecdh_auto_curves: tuple[str, ...] = parameter(
        "X25519 X448 prime256v1 secp521r1 secp384r1",
        doc="Curves for key exchange, the best first. Those that OpenSSL does not have are passed over.",
    )
    tls_wildcard_matches_multiple_labels: bool = parameter(
        "yes",
        doc="Let *.example.net in a server's certificate stand for a.b.example.net, too, not only for one label.",
    )
