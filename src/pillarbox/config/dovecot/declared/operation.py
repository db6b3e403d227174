"""Settings of how the half runs: addresses, directories, the log, processes."""

from typing import Final

from pillarbox.config.dovecot.schema import Part
from pillarbox.config.treatment import Kind

PARTS: Final[tuple[Part, ...]] = (
    Part(
        Kind.SERVED,
        "",
        """
base_dir : str = /run/dovecot
    Directory of the sockets and the pid file.
hostname : str =
    The host's name in greetings and trace headers; empty for the name of the system.
instance_name : str = dovecot
    Name of this instance.
listen : str = *, ::
    Addresses of all inet listeners that name none themselves; `*` for all IPv4, `::` for all IPv6.
debug_log_path : str =
    Where lines go that help to find a fault; empty for info_log_path.
doveadm_allowed_commands : str =
    Commands that the doveadm service does, separated by commas; empty for all that it knows.
doveadm_api_key : str =
    What requests bring to the doveadm service by HTTP (`Authorization: X-Dovecot-API`, in base64); empty: none do.
doveadm_password : str =
    What is said to the doveadm service of another host (`-S HOST:PORT`, `tcp:HOST`), and what this host's wants to
    hear at its ports; empty: it lets nobody in there.
doveadm_port : port = 0
    Port of another host's doveadm service, where `-S HOST` and `tcp:HOST` name none.
doveadm_username : str = doveadm
    Who doveadm says that it is at another host's doveadm service, and who may come to this host's.
dsync_alt_char : str = _
    What stands in names of mailboxes that come from another host for characters that a directory cannot have.
dsync_remote_cmd : str = ssh -l%{login} %{host} doveadm dsync-server -u%u -U
    What doveadm sync and backup run to talk to another host: `%{host}`, `%{login}` and `%u`, the user; a word whose
    variables are all empty is left out.
import_environment : str = TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET
    What `%{env:NAME}` may name in mail_home, mail_location and the locations of namespaces: NAME, or NAME=VALUE.
info_log_path : str =
    Where lines go that tell of no fault; empty for log_path.
log_path : str = syslog
    `syslog`, `/dev/stderr` or a file.
log_timestamp : str = "%b %d %H:%M:%S "
    How lines of a log that is a file begin, as in strftime(3).
login_log_format : str = %$: %s
    What is logged of a login: `%$` is what happened, `%s` the elements.
login_log_format_elements : str = user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>
    What is told of a client that logs in; an element is left out if all of its variables are empty.
mail_log_prefix : str = "%s(%u)<%{pid}><%{session}>: "
    How lines begin that tell of a user's mail.
protocols : str =
    What is served: imap, pop3, lmtp.
default_client_limit : number = 1000
    How many clients a login process keeps that have not logged in; then the oldest has to go.
default_internal_user : str = dovecot
    User of the roles that own nothing.
default_login_user : str = dovenull
    User of the processes that talk to clients before login.
syslog_facility : str = mail
    Facility of log lines in syslog.
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "a process serves thousands of sessions, and needs no limit by count or size",
        """
default_idle_kill : time = 1 mins
default_process_limit : number = 100
default_vsz_limit : size = 256 M
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "nothing here is configured by it",
        """
config_cache_size : size = 1 M
default_internal_group : str = dovecot
libexec_dir : str = /usr/lib/dovecot
log_core_filter : str =
process_shutdown_filter : str =
shutdown_clients : bool = yes
state_dir : str = /var/lib/dovecot
stats_http_rawlog_dir : str =
stats_writer_socket_path : str = stats-writer
valid_chroot_dirs : str =
verbose_proctitle : bool = no
version_ignore : bool = no
rawlog_dir : str =
old_stats_carbon_interval : time = 30 secs
old_stats_carbon_name : str =
old_stats_carbon_server : str =
old_stats_command_min_time : time = 1 mins
old_stats_domain_min_time : time = 12 hours
old_stats_ip_min_time : time = 12 hours
old_stats_memory_limit : size = 16 M
old_stats_session_min_time : time = 15 mins
old_stats_user_min_time : time = 1 hours
""",
    ),
    Part(
        Kind.LATER,
        "auth_debug and mail_debug say what is told in detail",
        """
log_debug : str =
""",
    ),
    Part(
        Kind.LATER,
        "steps of a handshake are not told; that one failed is, and why",
        """
verbose_ssl : bool = no
""",
    ),
    Part(
        Kind.LATER,
        "commands are done where they are given, but for those with -S",
        """
doveadm_http_rawlog_dir : str =
doveadm_socket_path : str = doveadm-server
doveadm_ssl : no|ssl|starttls = no
doveadm_worker_count : number = 0
""",
    ),
    Part(
        Kind.REFUSED,
        "users would not be sent to the host that has their mail",
        """
director_mail_servers : str =
director_servers : str =
""",
    ),
    Part(
        Kind.NO_EFFECT,
        "directors and replicators do not exist here",
        """
director_flush_socket : str =
director_max_parallel_kicks : number = 100
director_max_parallel_moves : number = 100
director_output_buffer_size : size = 10 M
director_ping_idle_timeout : time = 30 secs
director_ping_max_timeout : time = 1 mins
director_user_expire : time = 15 mins
director_user_kick_delay : time = 2 secs
director_username_hash : str = %Lu
dsync_commit_msgs_interval : number = 100
dsync_features : str =
dsync_hashed_headers : str = Date Message-ID
replication_dsync_parameters : str = -d -N -l 30 -U
replication_full_sync_interval : time = 1 days
replication_max_conns : number = 10
replicator_host : str = replicator
replicator_port : port = 0
""",
    ),
)
