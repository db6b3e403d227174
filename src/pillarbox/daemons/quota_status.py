"""The quota-status role: tells an MTA at RCPT whether a mailbox has room, so that nothing bounces later.

DESCRIPTION
        service quota-status {
          executable = quota-status -p postfix
          unix_listener /var/spool/postfix/private/quota-status {
            user = postfix
          }
        }
        smtpd_recipient_restrictions = ..., check_policy_service unix:private/quota-status

    It speaks the access policy delegation protocol.  The answer is `quota_status_success` (OK), `_nouser`
    (REJECT Unknown user), `_overquota` (554 5.2.2 and the reason) or `_toolarge` (the same), which a user's userdb
    fields may replace; without a recipient DUNNO.  As with lmtp, the role opens no file: it asks the auth
    server and the account's worker.

FAULTS
    What cannot be found out is DEFER_IF_PERMIT: the client tries again.

STANDARDS
    Dovecot 2.3, Quota.Configuration (quota service); SMTPD_POLICY_README
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping
from typing import Final

from pillarbox.auth.lookup_client import LookupClient
from pillarbox.config.dovecot import variables
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.lmtp import SpawnerMailboxes
from pillarbox.daemons.startup import Control, Serve, run_role, serve_until_ordered
from pillarbox.net.connection import Connection
from pillarbox.net.listeners import Listener
from pillarbox.net.startup import Startup
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.sessions.lmtp_session import Recipient, user_and_detail
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.auth_protocol import parameters
from pillarbox.wire.policy_requests import PolicyRequests, encode_action

_DEFERRED: Final = "DEFER_IF_PERMIT Temporary internal error"
_LARGEST: Final = 1 << 62


class QuotaStatus:
    """Answers for all clients."""

    def __init__(
        self, settings: MailboxSettings, users: LookupClient, mailboxes: SpawnerMailboxes, tell: EventSink
    ) -> None:
        self._settings = settings
        self._users = users
        self._mailboxes = mailboxes
        self._tell = tell
        self._resting: set[Connection] = set()
        self._leaves = False

    def leave(self) -> None:
        """Let clients go that wait for no answer, and others when they have it: MTAs keep connections for long."""
        self._leaves = True
        for connection in list(self._resting):
            connection.close()

    async def serve(self, connection: Connection) -> None:
        """One client, until it goes or sends too much."""
        requests = PolicyRequests()
        has_warned = False
        try:
            while not self._leaves:
                self._resting.add(connection)
                data = await connection.receive()
                self._resting.discard(connection)
                if not data:
                    return
                for request in requests.feed(data):
                    state = request.get("protocol_state", b"RCPT")
                    if state != b"RCPT" and not has_warned:
                        has_warned = True
                        self._warn_of_state(state)
                    connection.send(encode_action(await self._action(request)))
                await connection.drain()
        except ValueError as fault:
            self._tell(MailboxNotice(_name(), "Error", f"policy request: {fault}"))
        finally:
            self._resting.discard(connection)
            connection.close()

    def _warn_of_state(self, state: bytes) -> None:
        shown = state[:40].decode("ascii", "replace")
        text = f"Received policy query from MTA in unexpected state {shown}"
        self._tell(
            MailboxNotice(_name(), "Warning", f"{text} (service can only be used for recipient restrictions)")
        )

    async def _action(self, request: Mapping[str, bytes]) -> str:
        address = request.get("recipient", b"").decode("utf-8", "replace").removeprefix("<").removesuffix(">")
        if not address or request.get("protocol_state", b"RCPT") == b"END-OF-MESSAGE":
            return "DUNNO"
        given = request.get("size", b"")
        size = min(int(given), _LARGEST) if is_decimal(given) and len(given) < 20 else 0
        local_part, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
        user, detail = user_and_detail(local_part, domain, self._settings.recipient_delimiter)
        answer = await self._users.lookup(user, service="quota-status")
        if answer is None or answer[0] == b"FAIL":
            return _DEFERRED
        if answer[0] != b"USER" or len(answer) < 3:
            return self._text("nouser", "REJECT Unknown user", user, {})
        name = os.fsdecode(answer[2])
        fields = {os.fsdecode(key): os.fsdecode(value) for key, value in parameters(answer[3:]).items()}
        session = secrets.token_hex(8)
        reply = await self._mailboxes.has_room(Recipient(address.encode(), user, detail, session), size)
        code, status, text = reply.decode("utf-8", "replace").split(" ", 2)
        if code == "250":
            return self._text("success", "OK", name, fields)
        if status not in ("5.2.2", "4.2.2", "5.2.3"):
            return _DEFERRED
        over = self._text("overquota", f"554 5.2.2 {text}", name, fields)
        return self._text("toolarge", over, name, fields) if status == "5.2.3" else over

    def _text(self, what: str, usual: str, user: str, fields: Mapping[str, str]) -> str:
        setting = f"quota_status_{what}"
        if setting in fields:
            return fields[setting]
        template = self._settings.plugin.get(setting, "")
        if not template:
            return usual
        return variables.expand(template, variables.user_values(user) | {"home": fields.get("home", "")})


def _name() -> str:
    return f"quota-status({os.getpid()})"


def open_role(startup: Startup) -> Serve:
    """The sockets."""
    settings = MailboxSettings.decode(startup.settings)
    sockets = [socket.socket(fileno=descriptor) for descriptor in startup.listeners.values()]

    async def serve(control: Control, tell: EventSink) -> None:
        async with asyncio.TaskGroup() as tasks:
            users = LookupClient(f"{settings.base_dir}/auth-lookup", tasks=tasks)
            mailboxes = SpawnerMailboxes(settings.base_dir, tasks, tell, directory=settings.mail_temp_dir)
            server = QuotaStatus(settings, users, mailboxes, tell)
            listeners = []
            for sock in sockets:
                listener = Listener(server.serve, tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            await serve_until_ordered(control, listeners, draining=server.leave)
            mailboxes.close()
            users.close()

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
