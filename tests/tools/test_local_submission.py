"""The doors that a command has for a message: what one cannot take now goes by another."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.queue.submission_protocol import SOCKET, CleanupStatus, encode_answer, encode_greeting
from pillarbox.tools.command_settings import EX_TEMPFAIL, EX_UNAVAILABLE, Stop
from pillarbox.tools.local_submission import open_door

RECORDS = [b"first", b"second"]


@contextmanager
def mail_system(root: Path, answer: bytes) -> Iterator[list[bytes]]:
    """One that hears a message, and says this of it; what it has heard."""
    (root / "public").mkdir()
    (root / "maildrop").mkdir(mode=0o730)
    heard: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(encode_greeting("A1"))
            while octets := client.recv(4096):
                heard.append(octets)
            client.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / SOCKET))
        listener.listen()
        serving = threading.Thread(target=serve)
        serving.start()
        yield heard
        serving.join()


def submit(root: Path) -> str:
    """The id that the message has."""
    door = open_door(Snapshot.of({"queue_directory": str(root)}), "me(1)", own_postdrop=False)
    for records in RECORDS:
        door.write(records)
    door.commit()
    return door.queue_id


@pytest.mark.parametrize("status", [CleanupStatus.WRITE, CleanupStatus.DEFER])
def test_what_cannot_be_taken_now_waits_in_maildrop(tmp_path: Path, status: CleanupStatus) -> None:
    """Nobody runs the command again: cron does not."""
    with mail_system(tmp_path, encode_answer(status, queue_id="A1")) as heard:
        queue_id = submit(tmp_path)
    assert b"".join(heard) == b"".join(RECORDS)
    (file,) = (tmp_path / "maildrop").iterdir()
    assert file.name == queue_id
    assert file.read_bytes().endswith(b"".join(RECORDS))
    assert file.stat().st_uid == os.geteuid()


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (
            encode_answer(CleanupStatus.WRITE, "not authorized to use x"),
            EX_TEMPFAIL,
            "not authorized to use x",
        ),
        (encode_answer(CleanupStatus.CONTENT), EX_UNAVAILABLE, "message content rejected"),
    ],
)
def test_what_is_refused_does_not_wait(tmp_path: Path, answer: bytes, code: int, text: str) -> None:
    """Who runs the command hears why."""
    with mail_system(tmp_path, answer), pytest.raises(Stop) as caught:
        submit(tmp_path)
    assert (str(caught.value), caught.value.status) == (f"me(1): {text}", code)
    assert list((tmp_path / "maildrop").iterdir()) == []
