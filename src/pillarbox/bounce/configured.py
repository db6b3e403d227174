"""Rules for notices, from main.cf.

FAULTS
    ConfigurationFault  a template file that cannot be read
"""

from collections.abc import Callable
from typing import Final

from pillarbox.bounce.notification import Style
from pillarbox.bounce.submission import BounceRules
from pillarbox.bounce.templates import BUILT_IN, Template, read_templates
from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.require_tls import RequireTls
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.snapshot import Snapshot
from pillarbox.vocabulary.faults import ConfigurationFault

_NO_TOKENS: Final = str.maketrans(dict.fromkeys(' \t\r\n()<>@,;:\\".[]', "-"))
"""What a name of a type or field may not have (RFC 2045 §5.1; RFC 5322 §3.6.8)."""


def configured_bounces(snapshot: Snapshot, *, warn: Callable[[str], None]) -> BounceRules:
    """What bounce(8) would do; `warn` hears of templates that have a mistake."""
    identity, queue = snapshot.group(Identity), snapshot.group(QueueManager)
    utf8 = snapshot.group(SmtpServer).smtputf8_enable
    origin = identity.myorigin.encode() if identity.append_at_myorigin else b""

    def postmaster(address: str) -> tuple[bytes, bytes]:
        written = address.encode()
        return (written if "@" in address or not origin else written + b"@" + origin), written

    return BounceRules(
        style=Style(
            host=identity.myhostname.encode(),
            mail_name=identity.mail_name.encode(),
            type_name=identity.mail_name.translate(_NO_TOKENS).encode(),
            names_in_comments=snapshot.group(Cleanup).header_from_format == "obsolete",
            value=snapshot.value,
        ),
        templates=configured_templates(snapshot, queue.bounce_template_file, warn=warn),
        size_limit=queue.bounce_size_limit,
        classes=frozenset(queue.notify_classes),
        postmasters={
            "bounce": postmaster(queue.bounce_notice_recipient),
            "2bounce": postmaster(queue.two_bounce_notice_recipient),
            "delay": postmaster(queue.delay_notice_recipient),
            "error": postmaster(queue.error_notice_recipient),
        },
        # Of this host, whatever myorigin is: it is the only one whose mail comes back to it.
        double_bounce=f"{identity.double_bounce_sender}@{identity.myhostname}".encode(),
        queue_lifetime=queue.maximal_queue_lifetime,
        utf8=utf8,
        threaded=queue.enable_threaded_bounces,
        redacts=snapshot.group(RequireTls).requiretls_redact_dsn,
    )


def configured_templates(
    snapshot: Snapshot, path: str, *, warn: Callable[[str], None]
) -> dict[str, Template]:
    """The templates of bounce_template_file, or built-in ones for an empty path.  ConfigurationFault."""
    if not path:
        return dict(BUILT_IN)
    try:
        with open(path, encoding="utf-8") as file:
            return read_templates(file.read(), path=path, warn=warn)
    except (OSError, UnicodeDecodeError) as error:
        where = snapshot.where("bounce_template_file")
        raise ConfigurationFault(where, f"cannot read bounce_template_file {path}: {error}") from error
