"""What the side that leads wants of a run, as the other is told.

STANDARDS
    doveadm-sync(1); Dovecot 2.3, dsync protocol 3.5
"""

from collections.abc import Mapping

import msgspec

from pillarbox.mailstore.synchronizing.remote.values import decimal, guid, number, text
from pillarbox.wire.dsync.fields import DsyncFault, divide, join


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of doveadm sync."""

    hostname: str = ""
    """Of the side that leads, as it says."""
    backs_up: bool = False
    """One side is only read: with `is_reverse` that which leads, else the other is written to."""
    is_reverse: bool = False
    keeps_additions: bool = False
    """-1: what else the written side has stays."""
    knows_states: bool = False
    """The side that leads has states of the last run, which it tells."""
    mailbox: str = ""
    mailbox_guid: bytes = b""
    excluded: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    is_for_visible: bool = False
    """-N: of all namespaces that clients see."""
    has_no_mail: bool = False
    """Mailboxes alone."""
    lock_seconds: int = 0
    since: int = 0
    until: int = 0
    max_size: int = 0
    flag: str = ""
    purges: bool = False
    replacement: str = "_"
    """For characters that a name cannot have."""
    wants_requests: bool = True
    """Messages are sent that were asked for, not all that are new."""

    def values(self, hostname: str) -> dict[str, bytes]:
        """The handshake of the side that leads."""
        found = {
            "hostname": hostname.encode("utf-8"),
            "sync_type": b"f",  # what follows from it is what is done here in any case
            "alt_char": self.replacement.encode("utf-8"),
            "hashed_headers": b"Date\tMessage-ID\t",
            "import_commit_msgs_interval": b"100",
            "send_mail_requests": b"",
        }
        if self.namespaces is not None:
            found["sync_ns_prefix"] = "\n".join(self.namespaces).encode("utf-8")
        if self.excluded:
            found["exclude_mailboxes"] = join([name.encode("utf-8") for name in self.excluded])
        texts = {"sync_box": self.mailbox, "sync_flags": self.flag}
        found |= {key: value.encode("utf-8") for key, value in texts.items() if value}
        if self.mailbox_guid:
            found["sync_box_guid"] = self.mailbox_guid
        numbers = {
            "lock_timeout": self.lock_seconds,
            "sync_since_timestamp": self.since,
            "sync_until_timestamp": self.until,
            "sync_max_size": self.max_size,
        }
        found |= {key: decimal(value) for key, value in numbers.items() if value}
        switches = {
            "backup_recv": self.backs_up and not self.is_reverse,  # said of the other side
            "backup_send": self.backs_up and self.is_reverse,
            "no_backup_overwrite": self.keeps_additions,
            "sync_visible_namespaces": self.is_for_visible,
            "no_mail_sync": self.has_no_mail,
            "purge_remote": self.purges,
        }
        return found | {key: b"" for key, is_on in switches.items() if is_on}


def settings_of(values: Mapping[str, bytes]) -> RunSettings:
    """What the side that leads wants; of its settings those that concern the other."""
    namespaces = values.get("sync_ns_prefix")
    return RunSettings(
        hostname=text(values, "hostname"),
        backs_up="backup_recv" in values or "backup_send" in values,
        is_reverse="backup_send" in values,
        keeps_additions="no_backup_overwrite" in values,
        knows_states=values.get("sync_type", b"") == b"s",
        mailbox=text(values, "sync_box"),
        mailbox_guid=guid(values, "sync_box_guid"),
        excluded=tuple(
            name.decode("utf-8", "replace") for name in divide(values.get("exclude_mailboxes", b""))
        ),
        namespaces=None if namespaces is None else tuple(text(values, "sync_ns_prefix").split("\n")),
        is_for_visible="sync_visible_namespaces" in values,
        has_no_mail="no_mail_sync" in values,
        lock_seconds=_limit(values, "lock_timeout"),
        since=_limit(values, "sync_since_timestamp"),
        until=_limit(values, "sync_until_timestamp"),
        max_size=_limit(values, "sync_max_size"),
        flag=text(values, "sync_flags"),
        purges="purge_remote" in values,
        replacement=text(values, "alt_char")[:1] or "_",
        wants_requests="send_mail_requests" in values,
    )


def _limit(values: Mapping[str, bytes], key: str) -> int:
    """0 if there is none.  A Dovecot that has no start date tells 0 for the end date (-e): that is a mistake."""
    found = number(values, key)
    if key in values and not found:
        raise DsyncFault(f"Invalid {key}: 0")
    return found
