"""Where files are and which accounts own them."""

from pillarbox.config.parameter import parameter, settings_group


@settings_group
class Paths:
    """Directories and accounts."""

    config_directory: str = parameter(
        "/etc/postfix",
        doc="Directory of main.cf and master.cf. The -c option of a command and MAIL_CONFIG come first.",
    )
    queue_directory: str = parameter(
        "/var/spool/postfix",
        doc="The queue: incoming, active, deferred, hold and the sockets of the mail system.",
    )
    data_directory: str = parameter(
        "/var/lib/postfix",
        doc="Files that the mail system writes for itself, such as caches and locks. Owner: mail_owner.",
    )
    command_directory: str = parameter("/usr/sbin", doc="Directory of the commands for administrators.")
    process_id_directory: str = parameter(
        "pid", doc="Directory of pid and lock files, below queue_directory."
    )
    mail_owner: str = parameter(
        "postfix",
        doc="The account that owns the queue and runs most of the mail system. Nothing else may use it.",
    )
    setgid_group: str = parameter(
        "postdrop", doc="The group that may put mail into the maildrop queue and talk to the public sockets."
    )
    default_privs: str = parameter(
        "nobody", doc="The account that runs commands and writes files for aliases that root owns."
    )
    export_environment: tuple[str, ...] = parameter(
        "TZ MAIL_CONFIG LANG",
        doc="Environment variables that commands for delivery get: names, or name=value.",
    )
    import_environment: tuple[str, ...] = parameter(
        "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME",
        doc="Environment variables that are taken from who starts the mail system, for export_environment: "
        "names, or name=value.",
    )
    alternate_config_directories: tuple[str, ...] = parameter(
        "",
        doc="Configuration directories of instances that `postmulti -e deport` has given away. Users may name any "
        "directory with -c or MAIL_CONFIG: commands have no rights of their own that it could misuse.",
    )
