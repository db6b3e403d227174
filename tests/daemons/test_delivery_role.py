"""The delivery role where the host has no room for another process."""

import errno
import os
import socket
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.delivery import DeliveryRole
from pillarbox.delivery.request import AgentOpened, OpenAgent, OpenLocalDelivery
from pillarbox.net.channel import FrameReader, FrameWriter
from pillarbox.net.startup import Startup


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


def _serve(listener: socket.socket, control: socket.socket) -> NoReturn:
    """The role's process."""

    def no_room() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    status = 1
    try:
        os.fork = no_room
        startup = Startup(
            role="delivery",
            program="delivery",
            listeners={"delivery": listener.detach()},
            log=-1,
            control=control.detach(),
        )
        DeliveryRole(startup, Snapshot.of({"virtual_minimum_uid": "1"}), {}, tell=lambda _: None).serve()
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
        while data := client.recv(65536):
            for frame, _ in reader.feed(data):
                return frame.refusal
    raise AssertionError("the role has ended")
