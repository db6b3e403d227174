"""Frames between processes: a Unix stream of length-prefixed msgpack, with descriptors beside them.

DESCRIPTION
    A frame is a u32 length (big-endian), one octet that counts descriptors, and `length` octets of msgpack: a
    tagged msgspec.Struct of the receiver's union.  Descriptors (SCM_RIGHTS) travel with the frame's first
    octet, so that they cannot be mixed up; they belong to whoever takes the frame.

    Frames of one turn of the loop go out in one system call, as far as they carry no more descriptors together than
    one call may; a descriptor is there before the frame that counts it, or with it.

    Peer gone is the end of `receive()` (None), never a hang.

LIMITS
    a frame     `MAX_FRAME` octets; more ends the channel
    descriptors `MAX_DESCRIPTORS` with one frame, and with what goes out in one call

FAULTS
    ChannelClosed  the peer is gone, or has broken the format
"""

import array
import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec

MAX_FRAME: Final = 16 * 1024 * 1024
MAX_DESCRIPTORS: Final = 8

_HEAD: Final = struct.Struct(">IB")
_READ: Final = 65536  # below the size for which malloc would ask the kernel each time
_ANCILLARY: Final = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)

F = TypeVar("F")


class ChannelClosed(Exception):
    """The other process is gone."""


class FrameReader(Generic[F]):
    """Octets of a stream, and the descriptors that came with them, as frames.  No I/O."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[F]") -> None:
        self._decoder = decoder
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()

    def feed(self, data: bytes, descriptors: Iterable[int] = ()) -> list[tuple[F, list[int]]]:
        """Frames that `data` completes.  ChannelClosed if the octets are no frames: `close()` is next."""
        self._descriptors.extend(descriptors)
        frames: list[tuple[F, list[int]]] = []
        try:
            self._take(data, frames)
        except ChannelClosed:
            for _, passed in frames:  # nobody takes them any more
                self._descriptors.extend(passed)
            raise
        return frames

    def _take(self, data: bytes, frames: list[tuple[F, list[int]]]) -> None:
        octets: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            octets = self._buffer
        at, size = 0, len(octets)
        while size - at >= _HEAD.size:
            length, count = _HEAD.unpack_from(octets, at)
            if length > MAX_FRAME:
                raise ChannelClosed("frame too long")
            begin = at + _HEAD.size
            if size - begin < length:
                break
            if count > len(self._descriptors):
                raise ChannelClosed("frame without its descriptors")
            at = begin + length
            try:
                frame = self._decoder.decode(bytes(octets[begin:at]))
            except msgspec.DecodeError as error:
                raise ChannelClosed(f"frame cannot be read: {error}") from None
            frames.append((frame, [self._descriptors.popleft() for _ in range(count)] if count else []))
        if octets is self._buffer:
            del self._buffer[:at]
        elif at < size:
            self._buffer += octets[at:]

    def close(self) -> None:
        """Close descriptors that no frame came for."""
        while self._descriptors:
            os.close(self._descriptors.popleft())


class FrameWriter:
    """Frames on their way out: octets, and the descriptors that go with their first octet.  No I/O."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._out: deque[tuple[bytearray, list[int]]] = deque()

    @property
    def pending(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._out)

    def put(self, frame: object, descriptors: Iterable[int] = ()) -> None:
        """Add a frame.  The descriptors stay the caller's; duplicates are sent.  OSError if there can be none."""
        body = self._encoder.encode(frame)
        passed: list[int] = []
        try:
            passed.extend(os.dup(descriptor) for descriptor in descriptors)  # as far as it goes
        except OSError:
            _close_all(passed)
            raise
        octets = _HEAD.pack(len(body), len(passed)) + body
        if self._out and len(self._out[-1][1]) + len(passed) <= MAX_DESCRIPTORS:
            self._out[-1][0].extend(octets)
            self._out[-1][1].extend(passed)
        else:
            self._out.append((bytearray(octets), passed))

    def write_to(self, sock: socket.socket) -> None:
        """Write as much as the socket takes.  BlockingIOError when it takes no more."""
        while self._out:
            octets, descriptors = self._out[0]
            if descriptors:
                sent = socket.send_fds(sock, [octets], descriptors)
                _close_all(descriptors)  # they went with the first octet
                descriptors.clear()
            else:
                sent = sock.send(octets)
            if sent == len(octets):
                self._out.popleft()
            else:
                del octets[:sent]

    def close(self) -> None:
        """Forget what was not sent."""
        while self._out:
            _close_all(self._out.popleft()[1])


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def receive_available(sock: socket.socket, *, most: int = MAX_DESCRIPTORS) -> tuple[bytes, list[int]]:
    """What the socket has now, with `most` descriptors; b"" at the end.  BlockingIOError if it has nothing."""
    room = _ANCILLARY if most == MAX_DESCRIPTORS else socket.CMSG_SPACE(most * array.array("i").itemsize)
    # Not socket.recv_fds(), which forgets the flags: each descriptor would need a call to become close-on-exec.
    data, ancillary, _, _ = sock.recvmsg(_READ, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, octets in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(octets)
    return data, descriptors.tolist()


class Channel(Generic[F]):
    """One end of a channel, on an event loop."""

    def __init__(self, sock: socket.socket, receives: type[F] | object) -> None:
        """`receives` is the union of structs that the peer may send."""
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader: FrameReader[F] = FrameReader(msgspec.msgpack.Decoder(receives))
        self._writer = FrameWriter()
        self._frames: deque[tuple[F, list[int]]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._flush_scheduled = self._writing = False
        self.closed = False
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, frame: object, descriptors: Iterable[int] = ()) -> None:
        """Send a frame as soon as the peer takes it.  ChannelClosed if the peer is gone."""
        if self.closed:
            raise ChannelClosed
        self._writer.put(frame, descriptors)
        if not self._flush_scheduled and not self._writing:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    async def receive(self) -> tuple[F, list[int]] | None:
        """The next frame and its descriptors; None when the peer is gone."""
        while not self._frames:
            if self.closed:
                return None
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._frames.popleft()

    def close(self) -> None:
        """Close this end."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock.fileno())
        if self._writing:
            self._loop.remove_writer(self._sock.fileno())
        self._writer.close()
        self._reader.close()
        self._sock.close()
        self._wake()

    def _readable(self) -> None:
        try:
            data, descriptors = receive_available(self._sock)
            frames = self._reader.feed(data, descriptors) if data else []
        except BlockingIOError:
            return
        except (OSError, ChannelClosed):
            self.close()
            return
        self._frames.extend(frames)
        if not data:
            self.close()
        else:
            self._wake()

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self.closed:
            return
        try:
            self._writer.write_to(self._sock)
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._sock.fileno(), self._flush)
            return
        except OSError:
            self.close()
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
