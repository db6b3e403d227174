"""TLS of the login role: its certificates, and those of its clients.

FAULTS
    A certificate, key, CA file, group or name that OpenSSL cannot take: there is no TLS where it is to be used,
    and the log says why

STANDARDS
    RFC 6066 §3 (SNI); RFC 8446 §4.3.2 (CertificateRequest)
"""

import ssl
from typing import Final
from weakref import WeakKeyDictionary

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.net.client_certificates import Shown, ask_for_certificates, long_name, shown_by
from pillarbox.net.connection import Connection
from pillarbox.net.tls_contexts import load_second, server_context
from pillarbox.net.tls_faults import library_error
from pillarbox.net.tls_options import set_cipher_suites, set_curves, take_dh_parameters
from pillarbox.net.tls_versions import limit_versions
from pillarbox.vocabulary.faults import ConfigurationFault


class ClientCertificate:
    """The certificate of one client, before its login."""

    def __init__(self, settings: MailboxSettings, connection: Connection) -> None:
        self._connection = connection
        self._is_asked = settings.ssl_verify_client_cert
        self._is_required = settings.auth_ssl_require_client_cert
        self._names_user = settings.auth_ssl_username_from_cert
        self._field = long_name(settings.ssl_cert_username_field) or ""

    def _shown(self) -> Shown | None:
        tls = self._connection.tls
        return shown_by(tls) if tls is not None and self._is_asked else None

    @property
    def is_valid(self) -> bool:
        """Whether one was shown that ssl_ca's authorities have signed."""
        shown = self._shown()
        return shown is not None and shown.is_trusted

    @property
    def name(self) -> str:
        """What a valid one has in the field of the user's name."""
        shown = self._shown()
        if shown is None or not shown.is_trusted:
            return ""
        return shown.field(self._field)

    @property
    def lacks_name(self) -> bool:
        """Whether it must name the user, and does not."""
        return self._is_required and self._names_user and self.is_valid and not self.name

    def missing(self) -> str:
        """What keeps the client out, for the log."""
        if not self._is_required:
            return ""
        if self._connection.tls is None:
            return "cert required, client didn't start TLS"
        shown = self._shown()
        if shown is None:
            return "client didn't send a cert"
        return "" if shown.is_trusted else "client sent an invalid cert"


_NAMED: Final[WeakKeyDictionary[ssl.SSLObject, str]] = WeakKeyDictionary()


def host_named_by(tls: ssl.SSLObject) -> str:
    """The host that the client has named (SNI), as it wrote it; empty for none."""
    return _NAMED.get(tls, "")


def tls_contexts(
    settings: MailboxSettings, warnings: list[str], lacks: dict[str, str]
) -> dict[tuple[str, str], ssl.SSLContext]:
    """A context for each pair of certificate and key; the host that a client names chooses among them.

    What the log is to be told is added to `warnings`, and why a pair has no context to `lacks`, by its certificate.
    """
    rules = settings.connection_rules()
    contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def choose(tls: ssl.SSLObject, host: str | None, _context: ssl.SSLContext) -> None:
        if host:
            _NAMED[tls] = host
        pair = rules.certificate_for(host) if host else None
        if pair is not None and pair in contexts:
            tls.context = contexts[pair]

    for pair in rules.certificates():
        try:
            contexts[pair] = context_of(pair, settings, warnings)
        except ConfigurationFault as fault:
            # As in Dovecot: who can do without TLS has his mail, and the rest when it is mended.
            lacks[pair[0]] = str(fault)
            warnings.append(f"{fault}: TLS is not offered")
            continue
        contexts[pair].sni_callback = choose
    return contexts


def context_of(pair: tuple[str, str], settings: MailboxSettings, warnings: list[str]) -> ssl.SSLContext:
    """The context of one certificate and its key.  ConfigurationFault."""
    context = server_context(
        *pair,
        where="ssl_cert",
        password=settings.ssl_key_password,
        ciphers=settings.ssl_cipher_list,
        prefers_own_order=settings.ssl_prefer_server_ciphers,
    )
    limit_versions(context, f">={settings.ssl_min_protocol}")
    if settings.ssl_alt_cert and pair == (settings.ssl_cert, settings.ssl_key):
        load_second(
            context,
            settings.ssl_alt_cert,
            settings.ssl_alt_key,
            where="ssl_alt_cert",
            password=settings.ssl_key_password,
        )
    _choose_algorithms(context, settings, warnings)
    if settings.ssl_verify_client_cert:
        ask_for_certificates(
            context, ca_file=settings.ssl_ca, needs_revocations=settings.ssl_require_crl, where="ssl_ca"
        )
    return context


def _choose_algorithms(context: ssl.SSLContext, settings: MailboxSettings, warnings: list[str]) -> None:
    """ConfigurationFault."""
    if settings.ssl_dh:
        try:
            take_dh_parameters(context, settings.ssl_dh)
        except OSError as error:
            cause = error.__cause__
            reason = library_error(cause) if isinstance(cause, ssl.SSLError) else error.strerror
            warnings.append(
                f"ssl_dh: Can't load DH parameters from {settings.ssl_dh}: {reason}: OpenSSL's own are used"
            )
            take_dh_parameters(context, "")
    if not settings.ssl_has_tickets:
        context.options |= ssl.OP_NO_TICKET
    for name, names, choose in (
        ("ssl_curve_list", settings.ssl_curve_list, set_curves),
        ("ssl_cipher_suites", settings.ssl_cipher_suites, set_cipher_suites),
    ):
        if names and not choose(context, names, where=name):
            raise ConfigurationFault(name, f"OpenSSL does not know all of '{names}'")
