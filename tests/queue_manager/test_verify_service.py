"""verify(8)'s socket, asked by the SMTP server's client and by those who do not speak its protocol."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from pillarbox.access.address_verification import VerificationFault, VerifyClient
from pillarbox.config.parameters.address_verification import AddressVerification
from pillarbox.config.snapshot import Snapshot
from pillarbox.observability.events import Event, Warned
from pillarbox.queue.verification import GREETING, AddressStatus
from pillarbox.queue_manager.verification.cache import VerifyCache
from pillarbox.queue_manager.verification.service import serve_verify
from pillarbox.tables.cache_store import MemoryStore
from pillarbox.vocabulary.clock import ManualClock


class Bench:
    """A service whose probes come back at once, or never for addresses at lost.test."""

    def __init__(self, root: Path) -> None:
        (root / "private").mkdir()
        self.path = root / "private" / "verify"
        self.events: list[Event] = []
        self.cache = VerifyCache(
            MemoryStore(),
            settings=Snapshot.of({}).group(AddressVerification),
            send_probe=self._probe,
            clock=ManualClock(),
            sleep=lambda _: asyncio.sleep(3600),
            tell=self.events.append,
        )
        self.client = VerifyClient(str(root), "verify", patience=0.2)

    async def _probe(self, address: bytes) -> None:
        if not address.endswith(b"@lost.test"):
            await self.cache.update(address, AddressStatus.BOUNCE, b"550 No")

    async def say(self, octets: bytes) -> bytes:
        """What the service answers, greeting and all, until it closes or the end is said."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(octets)
        writer.write_eof()
        said = await reader.read()
        writer.close()
        return said.removeprefix(GREETING)


def play(root: Path, scene: Callable[[Bench], Awaitable[None]]) -> Bench:
    """A scene with a service that runs."""
    bench = Bench(root)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(bench.path))
    listener.listen()

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(serve_verify(listener, bench.cache, tell=bench.events.append))
            await scene(bench)
            serving.cancel()
        await bench.cache.close()

    with listener:
        asyncio.run(run())
    return bench


def test_the_smtp_server_asks(tmp_path: Path) -> None:
    """The answer is the probe's, or that there is none yet."""

    async def scene(bench: Bench) -> None:
        assert await bench.client.ask(b"a@x.test") == (AddressStatus.BOUNCE, b"550 No")
        assert (await bench.client.ask(b"a@lost.test"))[0] is AddressStatus.TODO

    play(tmp_path, scene)


def test_nobody_is_there(tmp_path: Path) -> None:
    """The client says so."""

    async def ask() -> str:
        try:
            await VerifyClient(str(tmp_path), "verify", patience=1).ask(b"a@x.test")
        except VerificationFault as fault:
            return str(fault)
        return ""

    (tmp_path / "private").mkdir()
    assert "No such file" in asyncio.run(ask())


def test_requests(tmp_path: Path) -> None:
    """Updates and queries follow one another; nonsense is refused and told of."""

    async def scene(bench: Bench) -> None:
        update = b"request\0update\0address\0b@x.test\0recipient_status\0%s\0reason\0fine\0\0"
        query = b"request\0query\0address\0b@x.test\0\0"
        answer = b"status\x000\0recipient_status\x000\0reason\0fine\0\0"
        assert await bench.say(update % b"0" + query) == b"status\x000\0\0" + answer
        assert await bench.say(update % b"9" + query) == b"status\0-2\0\0" + answer
        assert await bench.say(b"request\0dance\0\0\0") == b"status\0-2\0\0status\0-2\0\0"
        assert await bench.say(b"request\0query\0address") == b""
        assert await bench.say(b"".join(b"n%d\0v\0" % number for number in range(100)) + b"\0") == b""

    bench = play(tmp_path, scene)
    assert [event.reason for event in bench.events if isinstance(event, Warned)] == [
        "bad recipient status 9 for b@x.test",
        'unrecognized request: "dance", ignored',
        'unrecognized request: "", ignored',
    ]
