"""REQUIRETLS: senders who would rather have their mail returned than sent without verified TLS."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class RequireTls:
    """The SMTP extension REQUIRETLS (RFC 8689); see smtp_requiretls_policy for what the client makes of it."""

    requiretls_enable: bool = parameter(
        "yes",
        doc="Offer REQUIRETLS to clients under TLS, and heed it where mail is sent on. no, for one service of "
        "master.cf: its mail goes as if nobody had asked.",
    )
    requiretls_redact_dsn: bool = parameter(
        "yes",
        doc="Notices about a message with REQUIRETLS have its header alone and need no REQUIRETLS themselves, so "
        "that they can reach the sender.",
    )
