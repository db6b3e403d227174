"""The delivery role where the host has no room for another process."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons import delivery
from pillarbox.daemons.delivery import DeliveryRole
from pillarbox.delivery.request import AgentOpened, OpenAgent, OpenLocalDelivery
from pillarbox.net.channel import FrameReader, FrameWriter, receive_available
from pillarbox.net.startup import Startup
from pillarbox.observability.events import Event, EventSink


@pytest.mark.parametrize("order", [OpenAgent(os.getuid() or 1000, os.getgid() or 1000), OpenLocalDelivery()])
def test_no_room_for_processes(order: OpenAgent | OpenLocalDelivery, tmp_path: Path) -> None:
    """Whoever asks for an agent hears why there is none, each time, and the role lives on."""
    control, theirs = socket.socketpair()
    with control, theirs, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "delivery"))
        listener.listen()
        if (pid := os.fork()) == 0:
            control.close()
            _serve(listener, theirs)
        listener.close()
        theirs.close()
        try:
            assert [_ask(tmp_path, order) for _ in range(2)] == [
                "no agent: Resource temporarily unavailable"
            ] * 2
        finally:
            control.close()  # the supervisor is gone
            status = os.waitpid(pid, 0)[1]
        assert status == 0


def test_a_mistake_in_an_agent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent ends, and who waits for it hears nothing but that it is gone."""

    def broken(*_: object) -> NoReturn:
        raise RuntimeError("no way to other rights")

    monkeypatch.setattr(delivery, "drop_rights", broken)
    told, telling = os.pipe()
    control, theirs = socket.socketpair()
    with control, theirs, socket.socket(socket.AF_UNIX) as listener, open(told, "rb") as reading:
        listener.bind(str(tmp_path / "delivery"))
        listener.listen()
        if (pid := os.fork()) == 0:
            control.close()
            _serve(listener, theirs, tell=lambda event: _write(telling, event), fork=os.fork)
        os.close(telling)
        listener.close()
        theirs.close()
        assert _ask(tmp_path, OpenAgent(os.getuid() or 1000, os.getgid() or 1000)) == ""
        control.close()
        os.waitpid(pid, 0)
        line = reading.read()  # to the end of the role and the agent
    assert b"Broke(reason='delivery agent " in line
    assert b"RuntimeError: no way to other rights at " in line


def _write(descriptor: int, event: Event) -> None:
    os.write(descriptor, repr(event).encode())


def _no_room() -> int:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _serve(
    listener: socket.socket,
    control: socket.socket,
    *,
    tell: EventSink = lambda _: None,
    fork: Callable[[], int] = _no_room,
) -> NoReturn:
    """The role's process."""
    status = 1
    try:
        os.fork = fork
        startup = Startup(
            role="delivery",
            program="delivery",
            listeners={"delivery": listener.detach()},
            log=(-1,),
            control=control.detach(),
        )
        DeliveryRole(startup, Snapshot.of({"virtual_minimum_uid": "1"}), {}, tell=tell).serve()
        status = 0
    finally:
        os._exit(status)


def _ask(tmp_path: Path, order: OpenAgent | OpenLocalDelivery) -> str:
    writer = FrameWriter()
    writer.put(order)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "delivery"))
        writer.write_to(client)
        reader = FrameReader(msgspec.msgpack.Decoder(AgentOpened))
        while (received := receive_available(client))[0]:
            for frame, passed in reader.feed(*received):
                for descriptor in passed:
                    os.close(descriptor)
                return frame.refusal
    raise AssertionError("the role has ended")
