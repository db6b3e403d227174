"""Our qshape beside Debian's, on a queue of messages of all ages and domains.

Rows of equal totals come in any order from Debian's; files that are cut off it counts as null senders, so there are none.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import counterparts
from fakes.mail_system import PATIENCE
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue import records
from pillarbox.queue.records import encode_record

pytestmark = [pytest.mark.system, pytest.mark.peer("qshape")]

DOMAINS = (
    *"a.example b.sub.example.com c.sub.example.com example.com UPPER.Example [192.0.2.1] d.test g.d.test".split(),
    "x.y.z.a-very-long-domain-name-that-needs-cutting.example.org",
    *(f"n{number}.many.example.net" for number in range(6)),
)
AGES = (0, 3, 6, 11, 25, 60, 100, 200, 400, 900, 2000, 5000)  # minutes; nothing near the end of a bucket
SENDERS = (b"", b"me@here.test", b"you@there.example", b"bare", b"x@Here.TEST")
REQUESTS = [
    "",
    "incoming active deferred hold",
    "-s deferred hold",
    "-p deferred hold",
    "-p -m 1 deferred hold",
    "-b 4 -l -t 10 deferred",
    "-b 1 hold",
    "-b 12 -w 132 hold",
    "-w 60 deferred",
    "-n 3 -N 2 hold",
]


def queue_file(age: int, sender: bytes, recipients: list[bytes], done: list[bytes]) -> bytes:
    """A file as cleanup(8) writes it, of a message that is `age` minutes old."""
    arrival = int(SystemClock().now()) - 60 * age - 10
    envelope = encode_record(records.TIME, b"%d 123456" % arrival)
    envelope += encode_record(records.ATTRIBUTE, b"create_time=%d" % arrival)
    envelope += encode_record(records.SENDER, sender)
    for recipient in recipients:
        envelope += encode_record(records.DONE if recipient in done else records.RECIPIENT, recipient)
    content = encode_record(records.LINE, b"Subject: x")
    sizes = (len(content), 97 + len(envelope) + 2, len(recipients), 0, len(content), 0)
    return b"".join(
        (
            encode_record(records.SIZE, b" ".join(b"%15d" % size for size in sizes)),
            envelope,
            encode_record(records.MESSAGE, b""),
            content,
            encode_record(records.EXTRACTED, b""),
            encode_record(records.END, b""),
        )
    )


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A directory with main.cf, and its queue."""
    (tmp_path / "main.cf").write_text(f"queue_directory = {tmp_path}/spool\n")
    (tmp_path / "master.cf").write_text("")
    chance = random.Random(5)
    for at, queue in enumerate(("incoming", "active", "deferred", "hold")):
        for number in range(40):
            queue_id = f"{0x10000000000 + at * 100003 + number * 977 + (number << 36):X}"
            directory = tmp_path / "spool" / queue / (queue_id[0] if queue == "deferred" else "")
            directory.mkdir(parents=True, exist_ok=True)
            recipients = [f"u{one}@{chance.choice(DOMAINS)}".encode() for one in range(chance.randint(1, 4))]
            recipients += [b"nodomain"] if number % 7 == 0 else []
            recipients += [b'"a@b"@q.test'] if number % 9 == 0 else []
            done = recipients[1:2] if number % 5 == 0 else []
            path = directory / queue_id
            path.write_bytes(queue_file(chance.choice(AGES), chance.choice(SENDERS), recipients, done))
            path.chmod(0o600 if number % 11 == 0 else 0o700)  # some are still being written
    return tmp_path


def test_the_same_tables(configuration: Path) -> None:
    """Every request: the same heading, and the same rows."""
    theirs = counterparts.program("qshape") or "qshape"
    for request in REQUESTS:
        tables = []
        for command in ([theirs], [sys.executable, "-m", "pillarbox.tools.qshape"]):
            done = subprocess.run(
                [*command, "-c", str(configuration), *request.split()],
                capture_output=True,
                text=True,
                check=True,
                timeout=PATIENCE,
            )
            heading, total, *rows = done.stdout.splitlines()
            tables.append((heading, total, sorted(rows)))
        assert tables[0] == tables[1], request
        assert len(tables[0][2]) > 3, request
