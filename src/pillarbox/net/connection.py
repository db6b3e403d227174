"""One accepted or opened connection: bytes in when asked for, bytes out, with or without TLS.

DESCRIPTION
    A `Connection` is a plain asyncio protocol, not a stream pair: an idle one costs a few kilobytes.
    `receive()` waits for bytes; it may be cancelled and loses nothing.  `gather()` lets bytes of which there will
    be many come together, so that whoever takes them is not woken for each packet.  A peer that sends faster than
    it is read is paused.  `send()` never blocks; `drain()` waits until the peer has taken enough.

    `start_tls()` puts an `SSLObject` over memory BIOs between the two (20 KiB for an idle connection where
    asyncio's own TLS has 269).  What has come and was not taken is taken for the beginning of TLS.

    Short replies of connections that share an `Outbox` go out together at the end of a turn of the loop.

    `idle_limit` (seconds) ends a `receive()` that waits too long with `IdleTimeout`.  A connection has one
    timer, moved lazily: taking bytes costs no system call and no heap operation.

FAULTS
    IdleTimeout    nothing came for `idle_limit` seconds
    TlsFault       the handshake failed or the peer broke the protocol; the connection is gone
    A lost connection reads as the end: `receive()` gives b"", `send()` does nothing.  A peer that only shut its
    sending side down (printf … | nc -N) reads as the end, too, but gets what is sent.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

from pillarbox.net.outbox import LONGEST, Outbox
from pillarbox.net.peer_credentials import peer_uid
from pillarbox.net.tls_faults import LOST_CONNECTION, TlsFault, library_error
from pillarbox.net.tls_layer import TlsLayer

_HIGH_WATER: Final = 196608
"""Octets received and not yet taken at which the peer is paused.

Fewer than uvloop reads at once, which is 256,000: whoever takes a large message works on one read at a time, most
of which is still in the processor's cache, and two need not be joined.
"""


class IdleTimeout(Exception):
    """The peer was silent for too long."""


class Connection(asyncio.Protocol):
    """One connection of a server or client."""

    __slots__ = (
        "_closing",
        "_connected",
        "_drained",
        "_end_reason",
        "_ended",
        "_gathers",
        "_idle_timer",
        "_last_activity",
        "_loop",
        "_lost",
        "_mark",
        "_outbox",
        "_paused",
        "_received",
        "_received_octets",
        "_source",
        "_target",
        "_timed_for",
        "_timed_out",
        "_tls",
        "_transport",
        "_unsent",
        "_waiter",
        "idle_limit",
    )

    def __init__(
        self,
        *,
        idle_limit: float = 0.0,
        connected: "Callable[[Connection], None] | None" = None,
        outbox: Outbox | None = None,
    ) -> None:
        """`connected` is called when the connection stands.  Without `outbox` all is written at once."""
        self.idle_limit = idle_limit
        self._outbox = outbox
        self._unsent = b""  # what waits in it
        self._connected = connected
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received: list[bytes] = []
        self._received_octets = 0
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._last_activity = 0.0
        self._timed_for = 0.0  # the limit that the timer was set for
        self._gathers, self._mark = 0, b""  # what `gather()` waits for
        self._paused = self._closing = self._timed_out = False
        self._ended = False  # the peer sends no more
        self._end_reason = LOST_CONNECTION
        self._lost = False  # nor does it take anything
        self._tls: TlsLayer | None = None
        self._target: Connection | None = None  # where all goes that comes
        self._source: Connection | None = None  # whose target this is

    # -- for sessions ----------------------------------------------------------------------------------

    @property
    def peer_address(self) -> tuple[str, int]:
        """Address and port of the other end; ("", 0) for a Unix socket."""
        return _address(self._transport, "peername")

    @property
    def local_address(self) -> tuple[str, int]:
        """Address and port of this end."""
        return _address(self._transport, "sockname")

    @property
    def peer_uid(self) -> int | None:
        """The user id of the process behind a Unix socket; None if there is none."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        if sock is None or sock.family != socket.AF_UNIX:
            return None
        return peer_uid(sock)

    def tcp_info(self) -> bytes:
        """The kernel's TCP_INFO, of which the first octet is the state (tcp(7)); empty if there is none."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        if sock is None or sock.family == socket.AF_UNIX:
            return b""
        try:
            return bytes(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8))
        except OSError:
            return b""

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, once there is one."""
        return self._tls.ssl_object if self._tls is not None else None

    @property
    def is_lost(self) -> bool:
        """Whether the peer has gone, or at least sends no more."""
        return self._ended

    @property
    def has_input(self) -> bool:
        """Whether `receive()` would return at once."""
        return bool(self._received) or self._ended

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come that was not taken, and nothing waits to be sent: `detach()` loses nothing."""
        return (
            self._transport is not None
            and self._tls is None
            and not self.has_input
            and not self._unsent
            and not self._closing
            and not self._transport.get_write_buffer_size()
        )

    async def receive(self) -> bytes:
        """What has arrived, at least one octet; b"" when the peer has closed.  IdleTimeout, TlsFault."""
        received = self._received
        if self._timed_out:
            self._check_timeout()  # `gather()` has given what had come by then
            self._timed_out = False
        while not received:
            if self._ended:
                return b""
            try:
                await self._next_event()
            finally:
                self._waiter = None
            if self._timed_out:
                self._check_timeout()
                self._timed_out = False
        if len(received) == 1:
            data = received.pop()
        else:
            data = b"".join(received)
            received.clear()
        self._received_octets = 0
        if self._paused:
            self._resume()
        return data

    async def gather(self, octets: int, mark: bytes = b"") -> bytes:
        """As `receive()`, but not before so many have come, unless `mark` may be among them, or time is over.

        A mark may be: it is in what came at once, or its last octet came first.  What has come before is given at
        once, so that only bytes are waited for that the peer must still send.
        """
        if self._received or self._ended or self._timed_out:
            return await self.receive()  # which does not wait
        self._gathers, self._mark = octets, mark
        is_over = False
        try:
            while self._gathers and not is_over and not self.is_lost:
                is_over = await self._wait()
        finally:
            self._gathers = 0
        data = await self.receive()
        self._timed_out = is_over  # the next to receive hears of it
        return data

    def unreceive(self, data: bytes) -> None:
        """Give back bytes that were taken too early; the next `receive()` begins with them."""
        if data:
            self._received.insert(0, data)
            self._received_octets += len(data)

    def send(self, data: bytes) -> None:
        """Send bytes, in the background."""
        if self._transport is None or self._lost or not data:
            return
        if self._tls is not None:
            data = self._tls.encrypt(data)
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > LONGEST:
                self.send_waiting()
        elif self._outbox is not None and len(data) <= LONGEST and self._outbox.takes(self):
            self._unsent = data
        else:
            self._transport.write(data)

    def send_waiting(self) -> None:
        """Write what waits for the end of the turn."""
        if self._unsent:
            data, self._unsent = self._unsent, b""
            if self._transport is not None and not self._lost:
                self._transport.write(data)

    @property
    def is_full(self) -> bool:
        """Whether `drain()` would wait."""
        return self._drained is not None and not self._lost

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent."""
        if self._drained is not None and not self._lost:
            await asyncio.shield(self._drained)  # whoever is cancelled over it must not end the others' wait

    def forward_to(self, target: "Connection") -> None:
        """From now on what comes goes to the other connection at once, and `receive()` gives nothing more.

        The peer is paused while the other's takes nothing.
        """
        self._target, target._source = target, self
        for data in self._received:
            target.send(data)
        self._received.clear()
        self._received_octets = 0
        self._resume()
        if target._drained is not None:
            self._pause()

    async def until_end(self) -> None:
        """Wait until the peer sends no more, and all has been forwarded."""
        while not self._ended:
            await self._wait()

    def close(self) -> None:
        """Send what is left, then close."""
        if self._transport is None or self._closing:
            return
        self.send_waiting()
        self._closing = True
        if self._tls is not None and not self._lost:
            self._transport.write(self._tls.close_notify())
        self._stop_timer()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is sent."""
        self.send_waiting()
        self._closing = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(
        self, context: ssl.SSLContext, *, server_side: bool = True, server_hostname: str | None = None
    ) -> None:
        """Put TLS on the connection.  TlsFault if the handshake fails; the connection is closed then."""
        self._tls = TlsLayer(context, server_side=server_side, server_hostname=server_hostname)
        self.send_waiting()
        # The peer may have begun already.  Clear text that was sent ahead is no TLS record, and ends it all.
        for data in self._received:
            self._tls.feed(data)
        self._received.clear()
        self._received_octets = 0
        try:
            while not self._tls.handshake_step():
                self._flush_tls()
                if self._ended:
                    raise TlsFault(self._end_reason)
                await self._wait()
        except ssl.SSLError as error:
            self._flush_tls()
            self.abort()
            raise TlsFault("TLS handshake failed", library_error(error)) from error
        self._flush_tls()
        self._take_decrypted()

    def detach(self) -> tuple[int, bytes]:
        """Give up the connection: a duplicate of its descriptor, and the bytes not yet taken.

        The caller owns the descriptor; this object closes its own without the peer noticing.
        """
        if self._transport is None:
            raise ConnectionError("the connection is gone")
        self.send_waiting()
        unread = b"".join(self._received)
        self._received.clear()
        self._transport.pause_reading()
        descriptor = os.dup(self._transport.get_extra_info("socket").fileno())
        self._closing = True
        self._stop_timer()
        self._transport.abort()
        return descriptor, unread

    # -- for asyncio -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol: the connection stands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are, without saying so
        if self._connected is not None:
            connected, self._connected = self._connected, None
            connected(self)

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol: bytes came."""
        self._last_activity = self._loop.time()
        if self._tls is not None:
            self._tls.feed(data)
            if self._tls.established:
                self._take_decrypted()
            if self._target is None:
                self._wake()
        elif self._target is not None:
            self._target.send(data)
        else:
            # As `_keep()` and `_wake()` do.
            self._received.append(data)
            self._received_octets += len(data)
            if self._gathers and self._is_enough(data):
                self._gathers = 0
            if self._received_octets > _HIGH_WATER:
                self._pause()
            if not self._gathers and (waiter := self._waiter) is not None and not waiter.done():
                waiter.set_result(None)

    def eof_received(self) -> bool:
        """asyncio.Protocol: the peer sends no more.  Replies can still go out."""
        self._ended_by_peer()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio.Protocol: it is over."""
        self._lost = True
        if isinstance(error, OSError) and error.errno:
            self._end_reason = os.strerror(error.errno)
        self._ended_by_peer()
        self._stop_timer()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        self._target = self._source = None  # the two of a pair would keep each other, and their TLS, for long

    def pause_writing(self) -> None:
        """asyncio.Protocol: the peer does not take what is sent."""
        if self._drained is None:
            self._drained = self._loop.create_future()
        if self._source is not None:
            self._source._pause()

    def resume_writing(self) -> None:
        """asyncio.Protocol: it does again."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._source is not None:
            self._source._resume()

    # -- inside ----------------------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        self._received.append(data)
        self._received_octets += len(data)
        if self._gathers and self._is_enough(data):
            self._gathers = 0
        if self._received_octets > _HIGH_WATER:
            self._pause()

    def _pause(self) -> None:
        """Let the peer wait."""
        if not self._paused and self._transport is not None and not self._lost:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        """Let it go on."""
        if self._paused and self._transport is not None and not self._lost:
            self._paused = False
            self._transport.resume_reading()

    def _is_enough(self, data: bytes) -> bool:
        mark = self._mark
        return self._received_octets >= self._gathers or bool(
            mark and (mark in data or data[:1] == mark[-1:])
        )

    def _ended_by_peer(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        """Go on with whoever waits, unless that is for more."""
        if self._gathers and not (self._ended or self._timed_out):
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _next_event(self) -> "asyncio.Future[None]":
        """Done when something has come or ended, or `idle_limit` is over.  Who awaits it forgets `_waiter` then."""
        if self._idle_timer is not None and 0 < self.idle_limit < self._timed_for:
            self._stop_timer()  # it would go off too late
        if self._idle_timer is None and self.idle_limit:
            self._last_activity = self._loop.time()
            self._timed_for = self.idle_limit
            self._idle_timer = self._loop.call_later(self.idle_limit, self._idle_check)
        self._waiter = waiter = self._loop.create_future()
        return waiter

    async def _wait(self) -> bool:
        """For the next event; whether time is over, and something has come all the same."""
        try:
            await self._next_event()
        finally:
            self._waiter = None
        if self._timed_out:
            self._check_timeout()
        return self._timed_out

    def _check_timeout(self) -> None:
        if self._timed_out and not self._received:
            self._timed_out = False
            raise IdleTimeout

    def _idle_check(self) -> None:
        """The timer went off: too long, or move it on."""
        self._idle_timer = None
        if not self.idle_limit:
            return
        left = self._last_activity + self.idle_limit - self._loop.time()
        if left > 0.001:
            self._timed_for = self.idle_limit
            self._idle_timer = self._loop.call_later(left, self._idle_check)
        elif self._waiter is not None:
            self._timed_out = True
            self._wake()

    def _stop_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _take_decrypted(self) -> None:
        if self._tls is None:
            return
        data, ended = self._tls.decrypt()
        if data and self._target is not None:
            self._target.send(data)
        elif data:
            self._keep(data)
        self._flush_tls()  # a key update or renegotiation may have to be answered
        if ended:
            self._ended_by_peer()

    def _flush_tls(self) -> None:
        if self._tls is not None and self._transport is not None and (out := self._tls.pending_output()):
            self.send_waiting()
            self._transport.write(out)


def _address(transport: asyncio.Transport | None, which: str) -> tuple[str, int]:
    name = transport.get_extra_info(which) if transport is not None else None
    if isinstance(name, tuple) and len(name) >= 2:
        return str(name[0]), int(name[1])
    return "", 0
