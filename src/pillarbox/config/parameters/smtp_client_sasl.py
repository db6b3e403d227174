"""How the SMTP client logs in."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.parameters.smtp_server_sasl import SECURITY_OPTIONS
from pillarbox.config.value_types import Seconds


@settings_group
class SmtpClientSasl:
    """Passwords by destination or sender, and the mechanisms that may be used."""

    smtp_sasl_auth_enable: bool = parameter("no", doc="Log in to servers for which there is a password.")
    smtp_sasl_password_maps: tuple[str, ...] = parameter(
        "",
        doc="Tables of user:password by sender (with smtp_sender_dependent_authentication), by nexthop as it is "
        "written in relayhost or the transport table, brackets and port included, or by the server's name.",
    )
    smtp_sender_dependent_authentication: bool = parameter(
        "no",
        doc="Look passwords up by the envelope sender first; connections are not shared between senders then.",
    )
    smtp_sasl_security_options: tuple[str, ...] = parameter(
        "noplaintext, noanonymous",
        words=SECURITY_OPTIONS,
        doc="What a mechanism must not be: noplaintext (no PLAIN and LOGIN), noactive, nodictionary, noanonymous; "
        "or must have: mutual_auth, forward_secrecy.",
    )
    smtp_sasl_tls_security_options: tuple[str, ...] = parameter(
        "$smtp_sasl_security_options",
        words=SECURITY_OPTIONS,
        doc="The same for connections under TLS.",
    )
    smtp_sasl_tls_verified_security_options: tuple[str, ...] = parameter(
        "$smtp_sasl_tls_security_options",
        words=SECURITY_OPTIONS,
        doc="The same when the server's certificate was verified.",
    )
    smtp_sasl_mechanism_filter: tuple[str, ...] = parameter(
        "",
        doc="The only mechanisms that are used, or tables that have their names in lower case; with ! before it "
        "those that are not. The first that fits decides. Empty: all.",
    )
    smtp_sasl_auth_soft_bounce: bool = parameter(
        "yes", doc="Keep mail queued when a login is refused for good, instead of returning it."
    )
    smtp_sasl_auth_cache_name: str = parameter(
        "",
        doc="Database (btree:, hash: or lmdb: and a name, with proxy: before it or not) of logins that a server "
        "has refused with 535: they are not tried again with the same password.",
    )
    smtp_sasl_auth_cache_time: Seconds = parameter("90d", minimum=0, doc="How long they are remembered.")
    smtp_send_dummy_mail_auth: bool = parameter(
        "no", doc="Give AUTH=<> with MAIL FROM to servers that we logged in to."
    )
