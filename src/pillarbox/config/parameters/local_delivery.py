"""Local delivery: aliases, .forward files, mailboxes, commands, and whose rights each of them gets."""

from typing import Final

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Octets, Seconds

_FILTER = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


_KINDS_OF_LISTS: Final = ("alias", "forward", "include")


@settings_group
class LocalDelivery:
    """What local(8) does with mail for system users and aliases."""

    home_mailbox: str = parameter(
        "",
        doc="Mailbox below a user's home directory. With a / at the end (Maildir/) it is a Maildir, else a file "
        "in mbox format. Empty: mail goes to mail_spool_directory.",
    )
    mail_spool_directory: str = parameter(
        "/var/mail",
        doc="Directory with one mbox file per user, or, with a / at the end, with one Maildir per user.",
    )
    biff: bool = parameter(
        "yes",
        doc="Tell the comsat service of this host, by a datagram to port 512, of each message in a mailbox "
        "file, so that it can show new mail to users who are logged in.",
    )
    mailbox_command: str = parameter(
        "",
        doc="Command that takes a user's mail instead of a mailbox, such as procmail or dovecot-lda. It runs "
        "with the user's rights.",
    )
    mailbox_command_maps: tuple[str, ...] = parameter(
        "", doc="Tables from user name to a command that takes this user's mail, before mailbox_command."
    )
    mailbox_transport: str = parameter(
        "",
        doc="transport:nexthop that takes mail for all users after aliases and .forward files, such as "
        "lmtp:unix:private/dovecot-lmtp.",
    )
    mailbox_transport_maps: tuple[str, ...] = parameter(
        "", doc="Tables from user name to transport:nexthop, before mailbox_transport."
    )
    fallback_transport: str = parameter(
        "", doc="transport:nexthop for recipients that are neither alias nor system user."
    )
    fallback_transport_maps: tuple[str, ...] = parameter(
        "", doc="Tables from recipient name to transport:nexthop, before fallback_transport."
    )
    luser_relay: str = parameter(
        "",
        doc="Address that gets mail for unknown local recipients. $user, $local, $domain, $extension, "
        "$recipient, $home and $shell are replaced.",
    )
    forward_path: str = parameter(
        "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
        doc="Where a user's forwarding file may be; the first that exists counts. A path with a name that has "
        "no value is skipped.",
    )
    allow_mail_to_commands: tuple[str, ...] = parameter(
        "alias, forward",
        words=_KINDS_OF_LISTS,
        doc="Where |command may stand: alias, forward, include.",
    )
    allow_mail_to_files: tuple[str, ...] = parameter(
        "alias, forward",
        words=_KINDS_OF_LISTS,
        doc="Where /file may stand: alias, forward, include.",
    )
    command_expansion_filter: str = parameter(
        _FILTER,
        doc="Characters that may reach a command through its environment; others become underscores.",
    )
    forward_expansion_filter: str = parameter(
        _FILTER, doc="Characters that $names in forward_path may bring in; others become underscores."
    )
    execution_directory_expansion_filter: str = parameter(
        _FILTER,
        doc="Characters that $names in command_execution_directory may bring in; others become underscores.",
    )
    command_execution_directory: str = parameter(
        "",
        doc="Directory in which commands run; $home and other names are replaced. Empty: the queue directory.",
    )
    command_time_limit: Seconds = parameter(
        "1000s", minimum=1, doc="Time that a command for delivery may take before it is killed."
    )
    local_command_shell: str = parameter(
        "",
        doc="Shell that runs every command of local delivery. Empty: /bin/sh, and that only for commands that "
        "need a shell.",
    )
    mailbox_delivery_lock: tuple[str, ...] = parameter(
        "fcntl, dotlock",
        words=("flock", "fcntl", "dotlock"),
        doc="How an mbox file is locked: fcntl, flock, dotlock.",
    )
    deliver_lock_attempts: int = parameter(
        "20", minimum=1, doc="How often a mailbox lock is tried before the mail waits."
    )
    deliver_lock_delay: Seconds = parameter("1s", minimum=1, doc="Time between two tries for a mailbox lock.")
    stale_lock_time: Seconds = parameter(
        "500s", minimum=1, doc="Age at which a lock file is taken for left behind and removed."
    )
    mailbox_size_limit: Octets = parameter(
        "51200000",
        minimum=0,
        doc="Largest mbox file, and largest message in a Maildir; also the largest file that a command for "
        "delivery may write. 0: no limit.",
    )
    strict_mailbox_ownership: bool = parameter(
        "yes", doc="Leave mail in the queue when the mailbox file does not belong to the recipient."
    )
    require_home_directory: bool = parameter(
        "no", doc="Leave mail in the queue while the recipient's home directory is not there."
    )
    default_delivery_status_filter: tuple[str, ...] = parameter(
        "",
        doc="Tables from `code text` of a delivery, as `5.1.1 unknown user`, to the code and text that take its "
        "place. They may turn a lasting failure into a passing one and the other way round.",
    )
    local_delivery_status_filter: tuple[str, ...] = parameter(
        "$default_delivery_status_filter", doc="The same for local delivery."
    )
    pipe_delivery_status_filter: tuple[str, ...] = parameter(
        "$default_delivery_status_filter", doc="The same for deliveries to commands of master.cf."
    )
    virtual_delivery_status_filter: tuple[str, ...] = parameter(
        "$default_delivery_status_filter", doc="The same for mailboxes of virtual domains."
    )
    expand_owner_alias: bool = parameter(
        "no",
        doc="With an alias owner-list, send mail of list on with the address that owner-list stands for as its "
        "sender, instead of owner-list itself.",
    )
    owner_request_special: bool = parameter(
        "yes", doc="Treat owner-list and list-request as names of their own, and honour owner- aliases."
    )
    reset_owner_alias: bool = parameter(
        "no", doc="Forget the owner of the outer alias in an inner one that has no owner of its own."
    )
    frozen_delivered_to: bool = parameter(
        "yes",
        doc="Set the Delivered-To: address once, before aliases and .forward files are looked at, instead of at "
        "each of them.",
    )
    prepend_delivered_header: tuple[str, ...] = parameter(
        "command, file, forward",
        doc="Which deliveries get a Delivered-To: header: command, file (mailboxes too), forward.",
    )
