"""Rules for new messages, from main.cf."""

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.content_checks import ContentChecks
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.submission import Rules


def configured_rules(snapshot: Snapshot) -> Rules:
    """What cleanup(8) would do.  ConfigurationFault for a value that is wrong."""
    identity, cleanup = snapshot.group(Identity), snapshot.group(Cleanup)
    return Rules(
        message_size_limit=snapshot.group(SmtpServer).message_size_limit,
        header_size_limit=cleanup.header_size_limit,
        hopcount_limit=cleanup.hopcount_limit,
        dropped_headers=frozenset(name.lower().encode() for name in cleanup.message_drop_headers),
        undisclosed_recipients=cleanup.undisclosed_recipients_header.encode(),
        myhostname=identity.myhostname.encode(),
        myorigin=identity.myorigin.encode() if identity.append_at_myorigin else b"",
        detects_encoding=cleanup.detect_8bit_encoding_header,
        names_in_comments=cleanup.header_from_format == "obsolete",
        heeds_tls_required=cleanup.tls_required_enable,
        detects_utf8=_detecting(snapshot),
        reads_parts=not snapshot.group(ContentChecks).disable_mime_input_processing,
        delay_warning_time=snapshot.group(QueueManager).delay_warning_time,
    )


def _detecting(snapshot: Snapshot) -> frozenset[str]:
    server = snapshot.group(SmtpServer)
    words = frozenset(server.smtputf8_autodetect_classes)
    return words if server.smtputf8_enable else frozenset()
