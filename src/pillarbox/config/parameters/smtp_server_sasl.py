"""Authentication of clients that send mail to us."""

from typing import Final, Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import NetworkList

SECURITY_OPTIONS: Final = (
    "noplaintext",
    "noactive",
    "nodictionary",
    "noanonymous",
    "mutual_auth",
    "forward_secrecy",
)


@settings_group
class SmtpServerSasl:
    """AUTH: whether it is offered, by what service, and to whom."""

    smtpd_sasl_auth_enable: bool = parameter("no", doc="Offer AUTH to SMTP clients.")
    smtpd_sasl_type: Literal["cyrus", "dovecot"] = parameter(
        "cyrus",
        doc="How logins are checked: dovecot asks Dovecot's, or our own, authentication service; cyrus asks "
        "saslauthd or looks into sasldb2, as smtpd.conf says.",
    )
    smtpd_sasl_path: str = parameter(
        "smtpd",
        doc="For type dovecot: the authentication service's socket, below queue_directory or absolute, or "
        "inet:host:port. For type cyrus: the name of the configuration file, smtpd for smtpd.conf.",
    )
    cyrus_sasl_config_path: str = parameter(
        "",
        doc="Directories, separated by colons, that may have smtpd.conf; empty: sasl below config_directory, "
        "/usr/lib/sasl and /usr/lib/sasl2.",
    )
    smtpd_sasl_service: str = parameter(
        "smtp", doc="Name of the service that the authentication service is told."
    )
    smtpd_sasl_local_domain: str = parameter("", doc="The realm of logins without one.")
    smtpd_sasl_security_options: tuple[str, ...] = parameter(
        "noanonymous",
        words=SECURITY_OPTIONS,
        doc="Mechanisms that are not offered: noplaintext, noactive, nodictionary, noanonymous, "
        "forward_secrecy, mutual_auth.",
    )
    smtpd_sasl_tls_security_options: tuple[str, ...] = parameter(
        "$smtpd_sasl_security_options",
        words=SECURITY_OPTIONS,
        doc="The same, once TLS has begun.",
    )
    smtpd_sasl_mechanism_filter: tuple[str, ...] = parameter(
        "!external, static:rest", doc="Mechanisms that may be offered; ! takes one out."
    )
    smtpd_sasl_authenticated_header: bool = parameter("no", doc="Show the login in the Received: header.")
    smtpd_sasl_exceptions_networks: NetworkList = parameter("", doc="Clients to which AUTH is not offered.")
    smtpd_sasl_response_limit: int = parameter(
        "12288", minimum=12288, doc="Octets of one response in an AUTH exchange."
    )
    broken_sasl_auth_clients: bool = parameter(
        "no", doc="Also offer AUTH=…, as very old clients of Microsoft expect."
    )
