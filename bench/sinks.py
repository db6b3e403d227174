"""Destinations: one that takes everything, a slow one, and one that does not answer."""

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

SINK_PORT = 2601
SLOW_PORT = 2602
DEAD_PORT = 2603


class Sink:
    """Postfix's smtp-sink, which counts what it gets."""

    def __init__(self, port: int, *options: str) -> None:
        self._command = [
            "smtp-sink",
            "-c",
            "-m",
            "2000",
            "-u",
            "postfix",
            *options,
            f"127.0.0.1:{port}",
            "2000",
        ]
        self._output = tempfile.NamedTemporaryFile(prefix="sink")
        self._before = 0
        self._port = port

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=self._output)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._output.close()

    def reset(self) -> None:
        """Count from here on."""
        self._before = self._total()

    @property
    def received(self) -> int:
        """Messages since then."""
        return self._total() - self._before

    def _total(self) -> int:
        with Path(self._output.name).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 200))
            counters = file.read().split(b"\r")
        complete = [counter for counter in counters if b"mesg=" in counter][-2:]
        return int(complete[-1].rpartition(b"=")[2]) if complete else 0


class DeadHost:
    """A port whose queue of connections is full: nobody answers, not even with a refusal."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=0)
        self._waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self._port))
            self._waiting.append(client)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._waiting:
            client.close()
        self._listener.close()
