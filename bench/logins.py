"""Logins as fast as they go: greeting, LOGIN, LOGOUT, over and over, from some clients at once."""

import asyncio
import time

import uvloop

from bench.systems import PASSWORD, USER

CLIENTS = 20
SECONDS = 4.0


def logins_per_second(port: int) -> float:
    """How many logins were answered with OK, per second."""
    return uvloop.run(_run(port)) / SECONDS


async def _run(port: int) -> int:
    end = time.monotonic() + SECONDS
    return sum(await asyncio.gather(*(_log_in_until(port, end) for _ in range(CLIENTS))))


async def _log_in_until(port: int, end: float) -> int:
    done = 0
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(f"a LOGIN {USER} {PASSWORD}\r\n".encode())
        answer = await reader.readline()
        if not answer.startswith(b"a OK"):
            raise AssertionError(f"login refused: {answer!r}")
        writer.write(b"b LOGOUT\r\n")
        while await reader.readline():
            pass
        writer.close()
        done += 1
    return done
