"""The quotas of a worker's accounts: made once, shared by sessions and deliveries; and who is warned.

DESCRIPTION
    A warning goes to a Unix socket, as quota_warning names it: the script service of a Dovecot, or whatever speaks
    its protocol.  Nobody waits for its end, and a socket that is not there is told in the log.

FAULTS
    ConfigurationFault  a user's own rules cannot be understood

STANDARDS
    Dovecot 2.3, Quota.Configuration; the script protocol of its program client, version 4
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from pillarbox.config.dovecot import variables
from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.config.quota_settings import QuotaFault, is_quota_setting, quota_settings
from pillarbox.files.file_system import DISK
from pillarbox.mailstore.maildir_account import tree_at
from pillarbox.mailstore.namespaced_account import PublicNames
from pillarbox.mailstore.quota import AccountQuota
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.vocabulary.faults import ConfigurationFault

MAX_KEPT: Final = 256
_SECONDS: Final = 10.0
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


def user_quota(
    settings: MailboxSettings,
    place: Storage,
    fields: Mapping[str, str],
    *,
    user: str,
    home: str,
    warn: Callable[[str], None] | None = None,
) -> AccountQuota | None:
    """The quotas of a user, None if he has none.  ConfigurationFault.

    `fields` are what the userdb says of him.
    """
    if not settings.has_plugin("quota"):
        return None
    values = variables.user_values(user) | {"home": home}
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
    )


class AccountQuotas:
    """One worker's."""

    def __init__(self, settings: MailboxSettings, *, tell: EventSink, tasks: asyncio.TaskGroup) -> None:
        self._settings = settings
        self._tell = tell
        self._tasks = tasks
        self._kept: OrderedDict[_Key, AccountQuota | None] = OrderedDict()

    def of(self, user: str, home: str, place: Storage, fields: Mapping[str, str]) -> AccountQuota | None:
        """A user's.  ConfigurationFault.  Only on the loop."""
        key = (user, place.path, tuple(sorted(item for item in fields.items() if is_quota_setting(item[0]))))
        if key not in self._kept:
            loop = asyncio.get_running_loop()

            def warn(command: str) -> None:
                loop.call_soon_threadsafe(self._begin_warning, user, command)

            self._kept[key] = user_quota(self._settings, place, fields, user=user, home=home, warn=warn)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _begin_warning(self, user: str, command: str) -> None:
        self._tasks.create_task(self._warn(user, command))

    async def _warn(self, user: str, command: str) -> None:
        words = command.split()
        if not words:
            return
        path = words[0] if words[0].startswith("/") else f"{self._settings.base_dir}/{words[0]}"
        lines = "".join(word.replace("\n", " ") + "\n" for word in words[1:])
        request = f"VERSION\tscript\t4\t0\nnoreply\n{lines}\n"
        try:
            async with asyncio.timeout(_SECONDS):
                _, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(request.encode())
                    await writer.drain()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or "timed out"
            text = f"program unix:{path}: net_connect_unix({path}) failed: {reason}"
            self._tell(MailboxNotice(f"quota({user})", "Error", text))
