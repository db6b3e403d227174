"""The submission socket: sendmail(1) of whichever user hands its message over, and waits until it is queued.

DESCRIPTION
    The kernel says who is at the other end, and authorized_submit_users and local_login_sender_maps
    whether that user may submit mail, and as whom.  The
    records come into an unnamed file; pickup.py makes a message of them, with the user's id.  When the answer is
    sent the message survives a crash.

FAULTS
    Whoever stops in the middle has submitted nothing.

STANDARDS
    docs/adr/0007; Postfix postdrop(1)
"""

import asyncio
import os
import socket
import tempfile
from typing import Final

from pillarbox.net.accepting import serve_clients
from pillarbox.net.peer_credentials import peer_uid
from pillarbox.observability import events
from pillarbox.observability.mistakes import mistakes
from pillarbox.queue.file_source import FileSource
from pillarbox.queue.maildrop import largest_file
from pillarbox.queue.queue_file import read_message
from pillarbox.queue.queue_ids import short_queue_id
from pillarbox.queue.records import CorruptQueueFile
from pillarbox.queue.submission_protocol import CleanupStatus, encode_answer, encode_greeting
from pillarbox.queue_manager.pickup import Pickup
from pillarbox.tables.authorized_senders import AuthorizedSenders
from pillarbox.tables.authorized_users import AuthorizedUsers, user_name
from pillarbox.tables.table import LookupFault
from pillarbox.vocabulary.clock import Clock

_PATIENCE: Final = 600.0
_CLIENTS: Final = 100
_PIECE: Final = 262144


class SubmissionService:
    """Serves the socket."""

    def __init__(
        self,
        pickup: Pickup,
        *,
        directory: str,
        size_limit: int,
        authorized: AuthorizedUsers,
        senders: AuthorizedSenders,
        clock: Clock,
        tell: events.EventSink,
    ) -> None:
        """`directory` has room for messages that are coming; `size_limit` is message_size_limit."""
        self._pickup = pickup
        self._directory = directory
        self._limit = largest_file(size_limit)
        self._authorized = authorized
        self._senders = senders
        self._clock = clock
        self._tell = tell

    async def serve(self, listener: socket.socket) -> None:
        """Until cancelled."""
        await serve_clients(
            listener,
            self._serve_one,
            at_once=_CLIENTS,
            tell=lambda text: self._tell(events.Warned(text)),
        )

    async def _serve_one(self, client: socket.socket) -> None:
        """A client that goes away is told in the log whether its message was queued."""
        await self._send(client, await self._take(client))

    async def _take(self, client: socket.socket) -> bytes:
        uid = peer_uid(client)
        try:
            if not self._authorized.may(uid):
                who = f"User {user_name(uid)}({uid}) is not allowed to submit mail"
                self._tell(events.Warned(who))
                return encode_greeting() + encode_answer(CleanupStatus.NO_PERMISSION, who)
        except LookupFault as fault:
            self._tell(events.Warned(fault.reason))
            return encode_greeting() + encode_answer(CleanupStatus.WRITE)
        with tempfile.TemporaryFile(dir=self._directory) as file:
            await self._send(
                client,
                encode_greeting(short_queue_id(self._clock.now(), os.fstat(file.fileno()).st_ino)),
            )
            if not await self._receive(client, file.fileno()):
                return encode_answer(CleanupStatus.SIZE)
            try:
                sender = read_message(FileSource(file.fileno()), maildrop=True, by_user=True).sender
                if objection := self._senders.objection(uid, sender):
                    self._tell(events.Warned(f"uid={uid}: {objection}"))
                    return encode_answer(CleanupStatus.WRITE, objection)
                status, queue_id = await self._pickup.take(
                    FileSource(file.fileno()), uid, modified=self._clock.now()
                )
            except CorruptQueueFile as fault:
                self._tell(events.Warned(f"uid={uid}: malformed input: {fault}"))
                return encode_answer(CleanupStatus.BAD, f"uid={uid}: malformed input")
            except LookupFault as fault:
                self._tell(events.Warned(fault.reason))
                return encode_answer(CleanupStatus.WRITE)
            except Exception as error:  # the queue manager would end by it
                for mistake in mistakes(error):
                    self._tell(events.Warned(f"uid={uid}: {mistake}"))
                return encode_answer(CleanupStatus.WRITE)
        return encode_answer(status, queue_id=queue_id)

    async def _send(self, client: socket.socket, octets: bytes) -> None:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.get_running_loop().sock_sendall(client, octets)

    async def _receive(self, client: socket.socket, descriptor: int) -> bool:
        """Everything until the client closes its side; False if that is too much."""
        loop = asyncio.get_running_loop()
        octets = 0
        while True:
            async with asyncio.timeout(_PATIENCE):
                data = await loop.sock_recv(client, _PIECE)
            if not data:
                return not self._limit or octets <= self._limit
            octets += len(data)
            if not self._limit or octets <= self._limit:
                os.write(descriptor, data)
