"""A connection to the auth server, whichever of its protocols is spoken: a greeting, then line after line.

FAULTS
    A line that is too long, or not of the protocol, ends the connection.

STANDARDS
    Dovecot's Design.AuthProtocol
"""

from collections.abc import Callable

from pillarbox.net.connection import Connection
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, split_line


async def converse(connection: Connection, *, greeting: bytes, take: Callable[[list[bytes]], bool]) -> None:
    """Give `take` the fields of each line until it says False, or the client goes; close."""
    connection.send(greeting)
    reader = LineReader()
    try:
        while data := await connection.receive():
            for line in reader.feed(data):
                if not take(split_line(line)):
                    return
    except LineTooLong:
        return
    finally:
        connection.close()
