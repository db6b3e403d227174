"""Numbered questions over one channel: answers in any order, and a process that goes away."""

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from pillarbox.net.channel import Channel, ChannelClosed
from pillarbox.net.question_channel import QuestionChannel


class Question(msgspec.Struct, tag=True):
    """What is asked."""

    number: int
    text: str


class Answer(msgspec.Struct, tag=True):
    """What is answered."""

    number: int
    text: str


class Server:
    """The other process, in this one."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)

    async def accept(self) -> "Channel[Question]":
        """The next client's channel."""
        client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        return Channel(client, Question)

    def close(self) -> None:
        """No more clients."""
        self._listener.close()


async def _lost(asking: QuestionChannel[Answer]) -> None:
    with pytest.raises(ChannelClosed):
        await asking.ask(lambda number: Question(number, "lost"))


async def question(channel: "Channel[Question]") -> Question:
    """The next one."""
    received = await channel.receive()
    assert received is not None
    return received[0]


def test_answers_in_another_order(tmp_path: Path) -> None:
    """Each question gets its own; one that nobody waits for any more is no harm."""

    async def scene() -> list[str]:
        server = Server(tmp_path / "door")
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            asking: QuestionChannel[Answer] = QuestionChannel(str(tmp_path / "door"), Answer, tasks=tasks)
            asked = [
                tasks.create_task(asking.ask(lambda number, text=text: Question(number, text)))  # type: ignore[misc]
                for text in ("one", "two", "three")
            ]
            channel = await server.accept()
            questions = [await question(channel) for _ in asked]
            asked[1].cancel()
            for one in reversed(questions):
                channel.send(Answer(one.number, one.text.upper()))
            answers = [(await asked[0]).text, (await asked[2]).text]
            asking.close()
            channel.close()
            server.close()
        return answers

    assert asyncio.run(scene()) == ["ONE", "THREE"]


def test_other_process_goes_away(tmp_path: Path) -> None:
    """Who was asking is told; the next question goes over a new channel, and is not mixed up with the old one's."""

    async def scene() -> str:
        server = Server(tmp_path / "door")
        async with asyncio.timeout(45), asyncio.TaskGroup() as tasks:
            asking: QuestionChannel[Answer] = QuestionChannel(str(tmp_path / "door"), Answer, tasks=tasks)
            asking.connect()
            first = await server.accept()
            lost = tasks.create_task(_lost(asking))
            await question(first)
            first.close()
            await lost
            again = tasks.create_task(asking.ask(lambda number: Question(number, "again")))
            second = await server.accept()
            second.send(Answer((await question(second)).number, "yes"))
            answer = await again
            asking.close()
            second.close()
            server.close()
        return answer.text

    assert asyncio.run(scene()) == "yes"


def test_nobody_there(tmp_path: Path) -> None:
    """To connect beforehand is no fault; to ask is one."""

    async def scene() -> None:
        async with asyncio.TaskGroup() as tasks:
            asking: QuestionChannel[Answer] = QuestionChannel(str(tmp_path / "none"), Answer, tasks=tasks)
            asking.connect()
            with pytest.raises(FileNotFoundError):
                await asking.ask(lambda number: Question(number, "?"))
            asking.close()

    asyncio.run(scene())
