"""The LMTP client: every parameter of the SMTP client again, with lmtp in front.

DESCRIPTION
    `LmtpClient`, `LmtpClientSasl` and `LmtpClientTls` are subclasses of the SMTP client's groups: the same
    attributes, filled from lmtp_… parameters, so that one program reads either.  Where Postfix's default or name
    is another for LMTP, it stands here.
"""

import dataclasses
from typing import Final, TypeVar

from pillarbox.config.parameter import declarations, parameter, settings_group
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
Group = TypeVar("Group")


@settings_group
class LmtpDelivery:
    """What LMTP alone has."""

    lmtp_assume_final: bool = parameter(
        "no",
        doc="A server that does not offer DSN is the last one: a notice of success says delivered, not relayed.",
    )


def _twin(group: type[Group], name: str) -> type[Group]:
    fields: list[tuple[str, object, object]] = []
    for declared in declarations(group):
        twin = _NAMES.get(declared.name, declared.name.replace("smtp_", "lmtp_", 1))
        default = _DEFAULTS.get(declared.name, declared.default.replace("$smtp_", "$lmtp_"))
        specifier = parameter(
            default, doc=declared.doc, minimum=declared.minimum, maximum=declared.maximum, name=twin
        )
        fields.append((declared.field, declared.type, specifier))
    made = dataclasses.make_dataclass(
        name,
        fields,
        bases=(group,),
        frozen=True,
        kw_only=True,
        slots=True,
        namespace={"__doc__": group.__doc__},
    )
    return made


LmtpClient: Final = _twin(SmtpClient, "LmtpClient")
LmtpClientSasl: Final = _twin(SmtpClientSasl, "LmtpClientSasl")
LmtpClientTls: Final = _twin(SmtpClientTls, "LmtpClientTls")
