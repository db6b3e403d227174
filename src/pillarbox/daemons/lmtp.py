"""The LMTP role: takes messages for mailboxes of this host, from Postfix or any other MTA.

DESCRIPTION
    The role opens no file.  It asks the auth server whether a recipient exists, and hands
    each message with the recipient's name to the spawner, in a memory file; the account's worker stores it.

FAULTS
    No auth server, or no spawner: 451, and the client tries again.
"""

import asyncio
import functools
import os
import secrets
import socket
import tempfile
import time
from email.utils import formatdate

from pillarbox.auth.lookup_client import LookupClient
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.daemons.startup import Control, Serve, run_role, serve_until_ordered
from pillarbox.files.file_system import DISK
from pillarbox.net.channel import ChannelClosed
from pillarbox.net.connection import Connection
from pillarbox.net.handover import Delivered, DeliverMail, Envelope
from pillarbox.net.listeners import Listener
from pillarbox.net.question_channel import QuestionChannel
from pillarbox.net.startup import Startup
from pillarbox.net.system_clock import SystemClock
from pillarbox.observability.events import EventSink, MailboxNotice
from pillarbox.sessions.lmtp_session import LmtpPolicy, LmtpSession, Message, Recipient

_INTERNAL = b"451 4.3.0 Temporary internal error"


class SpawnerMailboxes:
    """`sessions.lmtp_session.Mailboxes` through the auth server and the spawner."""

    def __init__(self, base_dir: str, tasks: asyncio.TaskGroup, tell: EventSink, *, directory: str) -> None:
        """`directory` is for files of large messages, mail_temp_dir."""
        self._directory = directory
        self._tell = tell
        self._users = LookupClient(f"{base_dir}/auth-lookup", tasks=tasks)
        self._spawner = QuestionChannel(f"{base_dir}/spawner", Delivered, tasks=tasks)

    async def exists(self, user: str) -> bool | None:
        """The userdb's answer."""
        return await self._users.exists(user, service="lmtp")

    async def deliver(self, recipient: Recipient, content: Message) -> bytes:
        """The worker's answer."""
        if content.file >= 0:
            descriptor, head = os.dup(content.file), content.head
        else:
            descriptor, head = os.memfd_create("message", os.MFD_CLOEXEC), b""
        try:
            if not head:
                DISK.write_all(descriptor, (content.head, *content.content))
            return await self._ask(recipient, descriptor, head)
        except OSError as error:
            return self._unanswered(recipient, error)
        finally:
            os.close(descriptor)

    async def has_room(self, recipient: Recipient, size: int = 0) -> bytes:
        """The worker's answer: whether a message of `size` octets may come."""
        try:
            descriptor = os.memfd_create("nothing", os.MFD_CLOEXEC)
        except OSError as error:
            return self._unanswered(recipient, error)
        try:
            return await self._ask(recipient, descriptor, b"", asked_size=size)
        finally:
            os.close(descriptor)

    async def _ask(
        self, recipient: Recipient, descriptor: int, head: bytes, *, asked_size: int | None = None
    ) -> bytes:
        user, detail, session = recipient.user, recipient.detail, recipient.session
        only_asks, size = asked_size is not None, asked_size or 0
        sender, address = (
            recipient.sender.decode("utf-8", "replace"),
            recipient.address.decode("utf-8", "replace"),
        )
        envelope = Envelope(sender, address, recipient.began)
        try:
            done = await self._spawner.ask(
                lambda number: DeliverMail(number, user, detail, session, head, only_asks, size, envelope),
                [descriptor],
            )
        except (OSError, ChannelClosed) as error:
            return self._unanswered(recipient, error)
        return done.reply

    def _unanswered(self, recipient: Recipient, error: Exception) -> bytes:
        self._tell(MailboxNotice("lmtp", "Error", f"{recipient.user}: the spawner does not answer: {error}"))
        return _INTERNAL

    def new_file(self) -> int:
        """For a large message: a file of mail_temp_dir that goes with its descriptors."""
        descriptor, path = tempfile.mkstemp(prefix="lmtp.", dir=self._directory)
        os.unlink(path)
        return descriptor

    def tell_fault(self, error: OSError) -> None:
        """A large message could not be written."""
        self._tell(MailboxNotice("lmtp", "Error", f"{self._directory}: {error.strerror}"))

    def close(self) -> None:
        """Let both go."""
        self._users.close()
        self._spawner.close()


def _date(seconds: float) -> bytes:
    """`Wed, 25 Nov 2026 17:52:55 +0000`"""
    return _date_of_second(int(seconds))


@functools.lru_cache(maxsize=1)
def _date_of_second(seconds: int) -> bytes:
    return formatdate(seconds, localtime=True).encode("ascii")


def open_role(startup: Startup) -> Serve:
    """The sockets."""
    settings = MailboxSettings.decode(startup.settings)
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in startup.listeners.items()}
    time.tzset()
    policy = LmtpPolicy(
        hostname=settings.hostname.encode(),
        greeting=settings.login_greeting.encode(),
        delimiters=settings.recipient_delimiter,
        adds_received=settings.lmtp_add_received_header,
        delivery_address=settings.lmtp_hdr_delivery_address,
        checks_quota=settings.lmtp_rcpt_check_quota,
    )

    async def serve(control: Control, tell: EventSink) -> None:
        async with asyncio.TaskGroup() as tasks:
            mailboxes = SpawnerMailboxes(settings.base_dir, tasks, tell, directory=settings.mail_temp_dir)

            async def serve_client(connection: Connection, *, is_unix: bool) -> None:
                remote = "" if is_unix else connection.peer_address[0]
                name = f"lmtp({os.getpid()})"
                tell(MailboxNotice(name, "Info", f"Connect from {remote or 'local'}"))
                session = LmtpSession(
                    connection,
                    mailboxes,
                    clock=SystemClock(),
                    policy=policy,
                    remote=remote,
                    session_id=secrets.token_bytes(16),
                    date=_date,
                )
                ended = await session.run()
                text = f"Disconnect from {remote or 'local'}: {ended.reason} (state={ended.state})"
                tell(MailboxNotice(name, "Info", text))

            listeners: list[Listener] = []
            for sock in sockets.values():
                handler = functools.partial(serve_client, is_unix=sock.family == socket.AF_UNIX)
                listener = Listener(handler, tasks=tasks, tell=tell)
                await listener.start(sock)
                listeners.append(listener)
            await serve_until_ordered(control, listeners)
            mailboxes.close()

    return serve


def main(startup: Startup) -> None:
    """Entry of the role."""
    run_role(open_role, startup)
