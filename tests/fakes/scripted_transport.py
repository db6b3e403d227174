"""A client that says what it was told to say, and transcripts of conversations.

DESCRIPTION
    A transcript is a text file: `C: ` before each line of the client, `S: ` before each of the server, `#`
    before remarks.  Literals are written as they come, each of their lines with its `C: ` or `S: `.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path


class ScriptedTransport:
    """`sessions.transport.Transport` with a script for a client."""

    def __init__(self, chunks: Iterable[bytes] = (), *, ends: bool = True) -> None:
        self.sent = bytearray()
        self.closed = False
        self._chunks = list(chunks)
        self._ends = ends
        self._waiter: asyncio.Future[None] | None = None
        self._resting = asyncio.Event()
        self._said = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """The client says something more."""
        self._chunks.append(data)
        self._resting.clear()
        self._wake()

    def end(self) -> None:
        """The client closes."""
        self._ends = True
        self._resting.clear()
        self._wake()

    def note_work(self) -> None:
        """Another session has taken over: it has something to do before it waits."""
        self._resting.clear()

    def take_sent(self) -> bytes:
        """What the server has said since this was asked last."""
        sent = bytes(self.sent)
        self.sent.clear()
        return sent

    async def rest(self) -> bytes:
        """Wait until the server waits for us; what it has said."""
        await self._resting.wait()
        for _ in range(5):  # what a notice of a change sets going
            await asyncio.sleep(0)
        await self._resting.wait()
        return self.take_sent()

    async def more(self) -> bytes:
        """Wait until the server says something, or has ended; what it has said."""
        await self._said.wait()
        self._said.clear()
        return self.take_sent()

    async def ask(self, data: bytes) -> bytes:
        """Say something and hear the answer."""
        self.feed(data)
        return await self.rest()

    async def receive(self) -> bytes:
        """The next chunk."""
        while not self._chunks:
            if self._ends:
                return b""
            self._resting.set()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._resting.clear()
        await asyncio.sleep(0)
        return self._chunks.pop(0)

    def send(self, data: bytes) -> None:
        """Keep what the server says."""
        assert not self.closed
        self.sent += data
        self._said.set()

    @property
    def is_full(self) -> bool:
        """This client takes everything at once."""
        return False

    async def drain(self) -> None:
        """Never waits."""

    @property
    def is_quiet(self) -> bool:
        """Whether the client has said nothing that was not taken."""
        return not self._chunks and not self._ends

    def close(self) -> None:
        """The server closes."""
        self.closed = True
        self._resting.set()
        self._said.set()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def read_transcript(path: Path) -> tuple[bytes, bytes]:
    """What the client says, and what the server says."""
    said: dict[str, bytearray] = {"C": bytearray(), "S": bytearray()}
    for line in path.read_text("utf-8").split("\n"):
        if line and not line.startswith("#"):
            who, colon, text = line[:1], line[1:2], line[3:]
            assert who in said, line
            assert colon == ":", line
            said[who] += text.encode("utf-8") + b"\r\n"
    return bytes(said["C"]), bytes(said["S"])
