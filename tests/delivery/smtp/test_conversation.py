"""Time limits of a conversation: between packets, or for whole requests (smtp_per_request_deadline)."""

import asyncio

import pytest

from pillarbox.delivery.smtp.conversation import Broken, Conversation
from pillarbox.delivery.smtp.mail_exchangers import Target

TARGET = Target("mx.test", "192.0.2.1", 25)


class Trickle:
    """A server that sends a greeting octet by octet, and takes content as it is told."""

    idle_limit = 0.0

    def __init__(self, greeting: bytes = b"", *, takes: bool = True) -> None:
        self._greeting = greeting
        self._takes = takes
        self.sent: list[bytes] = []
        self.aborted = False

    async def receive(self) -> bytes:
        """One octet; more for ever, if there was no line end."""
        await asyncio.sleep(0)
        octet, self._greeting = self._greeting[:1], self._greeting[1:]
        return octet or b"x"

    def send(self, data: bytes) -> None:
        """Take note."""
        self.sent.append(data)

    @property
    def is_full(self) -> bool:
        """Never, or always."""
        return not self._takes

    async def drain(self) -> None:
        """At once, or never."""
        if not self._takes:
            await asyncio.Event().wait()

    def close(self) -> None:
        """The end."""

    def abort(self) -> None:
        """The sudden end."""
        self.aborted = True


def test_octets_one_by_one_are_a_reply() -> None:
    """Each comes in time, and with a deadline all do."""
    for least_rate in (0, 500):

        async def scene(least_rate: int = least_rate) -> None:
            conversation = Conversation(Trickle(b"220 mx.test\r\n"), TARGET, least_rate=least_rate)
            assert (await conversation.ask(limit=20, doing="x")).reply.code == 220

        asyncio.run(scene())


def test_octets_without_end_are_none() -> None:
    """A server that never comes to the point holds nothing up."""

    async def scene() -> None:
        wire = Trickle(b"220-" + b"y" * 20)
        conversation = Conversation(wire, TARGET, least_rate=500)
        with pytest.raises(Broken) as caught:
            await conversation.ask(limit=0.01, doing="receiving the initial server greeting")
        assert caught.value.status == "4.4.2"
        text = "conversation with mx.test[192.0.2.1] timed out while receiving the initial server greeting"
        assert caught.value.text == text
        assert wire.aborted
        assert conversation.is_over

    asyncio.run(scene())


@pytest.mark.parametrize(("least_rate", "pieces"), [(0, [100_000, 8]), (500, [16384] * 6 + [1696, 8])])
def test_content_goes_in_pieces_that_a_slow_server_can_take(least_rate: int, pieces: list[int]) -> None:
    """At smtp_min_data_rate a block of 128 KiB would take longer than smtp_data_xfer_timeout."""

    async def scene() -> None:
        wire = Trickle()
        conversation = Conversation(wire, TARGET, least_rate=least_rate)
        await conversation.send_content([b"a" * 100_000, b"b" * 5], limit=180)
        conversation.engine.end_of_data()  # goes with a small piece
        conversation.flush()
        assert [len(piece) for piece in wire.sent] == pieces
        assert b"".join(wire.sent) == b"a" * 100_000 + b"b" * 5 + b".\r\n"

    asyncio.run(scene())


@pytest.mark.parametrize("least_rate", [0, 500])
def test_content_that_is_not_taken(least_rate: int) -> None:
    """Both ways end."""

    async def scene() -> None:
        conversation = Conversation(Trickle(takes=False), TARGET, least_rate=least_rate)
        with pytest.raises(Broken, match="timed out while sending message body"):
            await conversation.send_content([b"a" * 100_000], limit=0.01)

    asyncio.run(scene())
