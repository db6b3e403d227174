"""A user's quotas: the configuration's rules, and his own from the userdb.

FAULTS
    ConfigurationFault  his own rules cannot be understood

STANDARDS
    Dovecot 2.3, Quota.Configuration
"""

from collections.abc import Callable, Mapping

from pillarbox.config.dovecot import variables
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.config.quota_settings import QuotaFault, is_quota_setting, quota_settings
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.maildir.mailbox_tree import tree_at
from pillarbox.mailstore.namespaces.namespaced_account import PublicNames
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.net.system_clock import SystemClock
from pillarbox.vocabulary.faults import ConfigurationFault


def user_quota(
    settings: MailboxSettings,
    place: Storage,
    fields: Mapping[str, str],
    *,
    user: str,
    home: str,
    warn: Callable[[str], None] | None = None,
    report: Callable[[str, str], None] | None = None,
) -> AccountQuota | None:
    """The quotas of a user, None if he has none.  ConfigurationFault.

    `fields` are what the userdb says of him.
    """
    if not settings.has_plugin("quota"):
        return None
    values = {**variables.user_values(user), "home": home, **variables.field_values("userdb", fields)}
    merged = {name: variables.expand(text, values) for name, text in settings.plugin.items()}
    merged |= {name: text for name, text in fields.items() if is_quota_setting(name)}
    try:
        quota = quota_settings(merged)
    except QuotaFault as fault:
        raise ConfigurationFault(f"user {user}", f"Failed to initialize quota: {fault}") from fault
    if not quota.roots and not quota.max_mail_size:
        return None
    return AccountQuota(
        quota,
        tree_at(place),
        files=DISK,
        clock=SystemClock(),
        public_name=PublicNames(settings.namespaces[0]).to_client,
        warn=warn,
        trash_file=merged.get("trash", "") if settings.has_plugin("trash") else "",
        report=report,
    )
