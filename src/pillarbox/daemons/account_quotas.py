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
from collections.abc import Mapping
from typing import Final

from pillarbox.config.mailbox_settings import MailboxSettings, Storage
from pillarbox.config.quota_settings import is_quota_setting
from pillarbox.mailstore.quota.quotas import AccountQuota
from pillarbox.mailstore.quota.user_quota import user_quota
from pillarbox.observability.events import EventSink, MailboxNotice

MAX_KEPT: Final = 256
_SECONDS: Final = 10.0
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


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

            def report(severity: str, text: str) -> None:
                loop.call_soon_threadsafe(self._tell, MailboxNotice(f"quota({user})", severity, text))

            self._kept[key] = user_quota(
                self._settings, place, fields, user=user, home=home, warn=warn, report=report
            )
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
