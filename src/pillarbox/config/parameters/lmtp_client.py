"""The LMTP client: every parameter of the SMTP client again, with lmtp in front.

DESCRIPTION
    `LmtpClient`, `LmtpClientSasl` and `LmtpClientTls` are subclasses of the SMTP client's groups: the same
    attributes, filled from lmtp_… parameters, so that one program reads either.  Where Postfix's default or name
    is another for LMTP, it stands here.
"""

from typing import Final

from pillarbox.config.parameter import Declaration, Declared, parameter, settings_group, twin_group
from pillarbox.config.parameters.smtp_client import SmtpClient
from pillarbox.config.parameters.smtp_client_sasl import SmtpClientSasl
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls

_NAMES: Final = {
    "smtp_helo_name": "lmtp_lhlo_name",
    "smtp_helo_timeout": "lmtp_lhlo_timeout",
    "smtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
    "smtp_discard_ehlo_keyword_address_maps": "lmtp_discard_lhlo_keyword_address_maps",
}
_DEFAULTS: Final = {
    "smtp_connect_timeout": "0s",
    "smtp_fallback_relay": "",
    "smtp_per_request_deadline": "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}",
    "smtp_requiretls_policy": "opportunistic",
    "smtp_skip_quit_response": "no",
    "smtp_tcp_port": "24",
    "smtp_tls_secure_cert_match": "nexthop",
}


@settings_group
class LmtpDelivery:
    """What LMTP alone has."""

    lmtp_assume_final: bool = parameter(
        "no",
        doc="A server that does not offer DSN is the last one: a notice of success says delivered, not relayed.",
    )


def _of_lmtp(declared: Declaration) -> Declared:
    name = _NAMES.get(declared.name, declared.name.replace("smtp_", "lmtp_", 1))
    default = _DEFAULTS.get(declared.name, declared.default.replace("$smtp_", "$lmtp_"))
    return Declared(
        default, declared.doc, declared.minimum, declared.maximum, name=name, words=declared.words
    )


LmtpClient: Final = twin_group(SmtpClient, "LmtpClient", _of_lmtp)
LmtpClientSasl: Final = twin_group(SmtpClientSasl, "LmtpClientSasl", _of_lmtp)
LmtpClientTls: Final = twin_group(SmtpClientTls, "LmtpClientTls", _of_lmtp)
