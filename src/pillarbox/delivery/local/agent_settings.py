"""What delivery agents know of main.cf."""

import os
import pwd

import msgspec

from pillarbox.config.parameters.local_delivery import LocalDelivery
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.parameters.smtp_server import SmtpServer
from pillarbox.config.parameters.virtual_delivery import VirtualDelivery
from pillarbox.config.snapshot import Snapshot
from pillarbox.config.value_types import number
from pillarbox.delivery.local.frames import Account
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.delivery.mailbox_delivery import MailboxRules
from pillarbox.delivery.mbox import MboxLocks
from pillarbox.delivery.service_command import PIPE_ATTRIBUTES, attributes, command_environment
from pillarbox.net.startup import AgentService
from pillarbox.vocabulary.faults import ConfigurationFault


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one generation of agents."""

    local: LocalDelivery
    locks: MboxLocks
    queue_directory: str
    propagate: frozenset[str]  # propagate_unmatched_extensions
    environment: tuple[tuple[bytes, bytes], ...]  # that every command gets
    default_account: Account  # default_privs
    writes_original: bool  # X-Original-To:, enable_original_recipient
    line_limit: int  # line_length_limit, of lists
    is_pipe: bool = False
    root: str = ""  # chroot= of a pipe
    root_fault: str = ""  # why the agent could not go there
    commands: int = 100  # that run at once; 0: no limit
    commands_of_recipient: int = 0  # the same for one user or alias

    def may(self, kind: str, where: str) -> bool:
        """Whether `kind` (commands, files) may stand in an alias, a .forward or an include."""
        allowed = self.local.allow_mail_to_commands if kind == "commands" else self.local.allow_mail_to_files
        return where in allowed


def agent_settings(snapshot: Snapshot, service: AgentService) -> AgentSettings:
    """The settings of a service of local(8) or pipe(8).

    ConfigurationFault for a default_privs that does not exist or has root's rights.
    """
    local, paths = snapshot.group(LocalDelivery), snapshot.group(Paths)
    environment = command_environment(snapshot.value("config_directory"), paths)
    limit = f"{service.name}_destination_concurrency_limit"
    try:
        of_recipient = number(snapshot.value(limit)) if service.program == "local" else 0
    except ValueError as error:
        raise ConfigurationFault(snapshot.where(limit), f"parameter {limit}: {error}") from error
    root = ""
    if service.program == "pipe":
        try:
            root = attributes(service.arguments, PIPE_ATTRIBUTES)[0].get("chroot", "")
        except ValueError:
            pass  # local delivery tells of it, and starts no agent for the service
    process_limit = service.process_limit
    return AgentSettings(
        is_pipe=service.program == "pipe",
        root=root,
        commands=snapshot.group(QueueManager).default_process_limit
        if process_limit is None
        else process_limit,
        commands_of_recipient=of_recipient,
        local=local,
        locks=_locks(local.mailbox_delivery_lock, local),
        queue_directory=paths.queue_directory,
        line_limit=snapshot.group(SmtpServer).line_length_limit,
        propagate=frozenset(snapshot.group(VirtualDelivery).propagate_unmatched_extensions),
        environment=environment,
        default_account=_default_account(paths.default_privs, snapshot.where("default_privs")),
        writes_original=snapshot.group(QueueManager).enable_original_recipient,
    )


def mailbox_rules(snapshot: Snapshot) -> MailboxRules:
    """What holds for mailboxes of virtual domains."""
    virtual, local = snapshot.group(VirtualDelivery), snapshot.group(LocalDelivery)
    return MailboxRules(
        virtual.virtual_mailbox_limit,
        _locks(virtual.virtual_mailbox_lock, local),
        local.strict_mailbox_ownership,
        snapshot.group(QueueManager).enable_original_recipient,
    )


def _locks(styles: tuple[str, ...], local: LocalDelivery) -> MboxLocks:
    return MboxLocks(
        frozenset(styles), local.deliver_lock_attempts, local.deliver_lock_delay, local.stale_lock_time
    )


def _default_account(name: str, where: str) -> Account:
    """Who runs commands that root's aliases name.  Rootless, that is who we are."""
    if os.getuid() != 0:
        return Account(os.getuid(), os.getgid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationFault(where, f"parameter default_privs: unknown user: {name}") from None
    if entry.pw_uid == 0 or entry.pw_gid == 0:
        raise ConfigurationFault(where, f"parameter default_privs: {name} has root's rights")
    return Account(entry.pw_uid, entry.pw_gid)


def spool_rights(settings: AgentSettings, account: tuple[int, int]) -> SpoolRights:
    """What an agent of (uid, gid) needs to deliver into the mail spool; called as root.

    In a spool that only root may write to, as Postfix would do as root, the user's mailbox is made here if it is
    missing; nothing that is there is opened.  No lock file can be made there then.
    """
    spool = settings.local.mail_spool_directory
    uid, gid = account
    if settings.local.home_mailbox or not spool or spool.endswith("/") or uid == 0:
        return SpoolRights(gid, None)
    try:
        status = os.stat(spool)
        if status.st_mode & 0o002:
            return SpoolRights(gid, None)
        if status.st_mode & 0o020:
            return SpoolRights(gid, status.st_gid)
        name = pwd.getpwuid(uid).pw_name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(os.path.join(spool, os.path.basename(name)), flags, 0o600)
    except (OSError, KeyError):
        return SpoolRights(gid, None, lock_file_may_fail=True)
    os.fchown(descriptor, uid, gid)
    os.close(descriptor)
    return SpoolRights(gid, None, lock_file_may_fail=True)
