"""A wait for the client ends by bytes, by time, by whoever wakes it, or with the task that waits."""

import asyncio

import pytest

from pillarbox.sessions.client_wait import ClientWait


class Client:
    """What a session's transport does, with bytes that come when the test says so."""

    def __init__(self) -> None:
        self.bytes: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> bytes:
        """See Transport."""
        return await self.bytes.get()

    @property
    def is_quiet(self) -> bool:
        """See Transport."""
        return self.bytes.empty()

    def send(self, data: bytes) -> None:
        """See Transport."""

    @property
    def is_full(self) -> bool:
        """See Transport."""
        return False

    async def drain(self) -> None:
        """See Transport."""

    def close(self) -> None:
        """See Transport."""


def test_what_ends_a_wait() -> None:
    """And afterwards the next wait is like the first."""

    async def scene() -> None:
        client = Client()
        wait = ClientWait(client)
        loop = asyncio.get_running_loop()
        client.bytes.put_nowait(b"a")
        assert (b"a", False) == (await wait.receive(limit=60), wait.woken)
        assert (None, False) == (await wait.receive(limit=0.001), wait.woken)
        for _ in range(2):
            loop.call_soon(wait.wake)
            assert (None, True) == (await wait.receive(limit=60), wait.woken)
        wait.wake()  # nobody waits
        client.bytes.put_nowait(b"b")
        assert (b"b", False) == (await wait.receive(limit=60), wait.woken)
        task = asyncio.current_task()
        assert task is not None
        assert 0 == task.cancelling()
        loop.call_soon(wait.shut_down)
        assert await wait.receive(limit=60) is None
        client.bytes.put_nowait(b"c")
        assert await wait.receive(limit=60) is None

    asyncio.run(scene())


def test_a_longer_wait_is_not_ended_by_the_timer_of_a_shorter_one() -> None:
    """Nor the other way round."""

    async def scene() -> None:
        client = Client()
        wait = ClientWait(client)
        loop = asyncio.get_running_loop()
        client.bytes.put_nowait(b"a")
        assert b"a" == await wait.receive(limit=0.002)
        loop.call_later(0.01, client.bytes.put_nowait, b"b")  # the timer goes off meanwhile
        assert b"b" == await wait.receive(limit=60)
        client.bytes.put_nowait(b"c")
        assert b"c" == await wait.receive(limit=60)
        assert await wait.receive(limit=0.002) is None
        client.bytes.put_nowait(b"d")
        assert b"d" == await wait.receive(limit=60)
        wait.close()

    asyncio.run(scene())


@pytest.mark.parametrize("wakes_first", [False, True])
def test_a_task_that_is_cancelled_stays_cancelled(wakes_first: bool) -> None:
    """Even when somebody wakes it in the same moment."""

    async def scene() -> None:
        wait = ClientWait(Client())
        task = asyncio.get_running_loop().create_task(wait.receive(limit=60))
        await asyncio.sleep(0)
        if wakes_first:
            wait.wake()
            task.cancel()
        else:
            task.cancel()
            wait.wake()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_bytes_that_come_as_the_wait_is_woken_are_not_lost() -> None:
    """The next wait has them."""

    async def scene() -> None:
        client = Client()
        wait = ClientWait(client)
        task = asyncio.get_running_loop().create_task(wait.receive(limit=60))
        await asyncio.sleep(0)
        client.bytes.put_nowait(b"a")
        wait.wake()
        assert await task is None
        assert b"a" == await wait.receive(limit=60)

    asyncio.run(scene())
