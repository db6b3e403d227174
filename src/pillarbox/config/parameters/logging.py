"""Where log lines go and what name they carry."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList, OctalMode


@settings_group
class Logging:
    """Log file, syslog, and what log lines show."""

    maillog_file: str = parameter(
        "",
        doc="File that gets all log lines, or /dev/stdout for the output of `postfix start-fg`. Empty: "
        "syslog.",
    )
    maillog_file_prefixes: tuple[str, ...] = parameter(
        "/var, /dev/stdout", doc="Paths below which maillog_file may be."
    )
    maillog_file_permissions: OctalMode = parameter("0600", doc="Mode of a maillog_file that is created.")
    maillog_file_rotate_suffix: str = parameter(
        "%Y%m%d-%H%M%S", doc="What `postfix logrotate` adds to the old file's name, in strftime's letters."
    )
    maillog_file_compressor: str = parameter(
        "gzip", doc="Program that `postfix logrotate` runs on the old file."
    )
    syslog_name: str = parameter(
        "${multi_instance_name?{$multi_instance_name}:{postfix}}",
        doc="What comes before the program's name in each log line, as postfix in postfix/smtpd.",
    )
    syslog_facility: str = parameter("mail", doc="The facility of syslog messages.")
    info_log_address_format: Literal["external", "internal"] = parameter(
        "external", doc="Whether log lines show an address with its quotes (external) or without (internal)."
    )
    debug_peer_list: MatchList = parameter(
        "",
        doc="Clients and servers whose SMTP sessions are written into the log, line by line: names, domains, "
        "addresses, networks and tables; also domains that mail goes to. Passwords are left out.",
    )
    debug_peer_level: int = parameter(
        "2",
        minimum=1,
        doc="How much is logged of debug_peer_list: with any number, what both sides say.",
    )
    delay_logging_resolution_limit: int = parameter(
        "2",
        minimum=0,
        maximum=6,
        doc="Digits behind the point that delays in log lines have at most; two digits of a delay are significant.",
    )
