"""Logins as fast as they go: greeting, LOGIN, LOGOUT, over and over, from some clients at once."""

import asyncio
import ssl
import time

import uvloop

from bench.imap_client import trusting
from bench.systems import PASSWORD, USER

CLIENTS = 20
SECONDS = 4.0


def logins_per_second(port: int, *, tls: bool = False, user: str = USER, password: str = PASSWORD) -> float:
    """How many logins were answered with OK, per second."""
    command = f"a LOGIN {user} {password}\r\n".encode()
    return uvloop.run(_run(port, command, tls=tls)) / SECONDS


async def _run(port: int, command: bytes, *, tls: bool) -> int:
    end = time.monotonic() + SECONDS
    context = trusting() if tls else None
    return sum(await asyncio.gather(*(_log_in_until(port, command, end, context) for _ in range(CLIENTS))))


async def _log_in_until(port: int, command: bytes, end: float, context: ssl.SSLContext | None) -> int:
    done = 0
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        await reader.readline()
        writer.write(command)
        answer = await reader.readline()
        if not answer.startswith(b"a OK"):
            raise AssertionError(f"login refused: {answer!r}")
        writer.write(b"b LOGOUT\r\n")
        while await reader.readline():
            pass
        writer.close()
        done += 1
    return done
