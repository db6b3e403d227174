"""How the log lines of one service of master.cf are written: by the options that stand there."""

from pillarbox.config.parameters.logging import Logging
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.log_file import ServiceLines


def service_lines(snapshot: Snapshot) -> ServiceLines:
    """What a service's settings say (syslog_name, info_log_address_format, delay_logging_resolution_limit)."""
    settings = snapshot.group(Logging)
    return ServiceLines(
        settings.syslog_name,
        settings.info_log_address_format == "internal",
        settings.delay_logging_resolution_limit,
    )
