"""Processes, files and environment: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.NO_EFFECT,
        "a role serves many clients at once and lives until a reload",
        """
application_event_drain_time = 100s
daemon_table_open_error_is_fatal = no
daemon_timeout = 18000s
fork_attempts = 5
fork_delay = 1s
ipc_idle = 5s
ipc_timeout = 3600s
ipc_ttl = 1000s
max_use = 100
postlogd_watchdog_timeout = 10s
trigger_timeout = 10s
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "roles talk over channels of their own, not over services of this name",
        """
bounce_service_name = bounce
defer_service_name = defer
error_service_name = error
flush_service_name = flush
pickup_service_name = pickup
postlog_service_name = postlog
proxymap_service_name = proxymap
proxywrite_service_name = proxywrite
queue_service_name = qmgr
rewrite_service_name = rewrite
showq_service_name = showq
smtpd_service_name = smtpd
tlsmgr_service_name = tlsmgr
trace_service_name = trace
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "this file or directory is not used",
        """
daemon_directory = /usr/lib/postfix/sbin
html_directory = no
mailq_path = /usr/bin/mailq
manpage_directory = /usr/local/man
meta_directory = /etc/postfix
newaliases_path = /usr/bin/newaliases
readme_directory = no
sample_directory = /etc/postfix
sendmail_path = /usr/sbin/sendmail
shlib_directory = /usr/lib/postfix
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "no program is started with -D",
        """
debugger_command =
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "nothing changes with it",
        """
fault_injection_code = 0
helpful_warnings = yes
mail_release_date = 20260821
process_id =
process_name =
service_name =
""",
    ),
)
