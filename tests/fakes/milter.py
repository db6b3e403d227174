"""A mail filter that edits messages in every way that the protocol has, for a Postfix to leave its traces in the queue.

A message is edited if its Subject is one that `Milter` is told to edit: header fields are added, inserted, changed and
taken out, the body is replaced, the sender changed, one recipient added and one taken away.

The protocol is Sendmail's, version 6, as Postfix's MILTER_README and libmilter have it.
"""

import re
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

import msgspec

_ACTIONS: Final = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x40  # header, body, recipients, changes, sender
_LEFT_OUT: Final = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x100 | 0x200
"""Of what the server says, only header fields and the end are wanted."""


class Edit(msgspec.Struct, frozen=True):
    """What is done to one message besides its header."""

    sender: str
    added: str  # recipients
    taken_away: str
    body: bytes


ADDED: Final = "X-Added: at the end of the header"
INSERTED: Final = "X-Inserted: at its beginning"
CHANGED: Final = "X-Changed: to something that is longer than it was before"
REMOVED: Final = "X-Removed"
"""Field names that a message has to have are X-Changed and X-Removed."""


class Milter:
    """Listens on a port of its own until the end of `with`."""

    def __init__(self, edit: Callable[[str], Edit | None]) -> None:
        """`edit` is asked with the subject."""
        self._edit = edit
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> "Milter":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as file:
            subject = ""
            while len(length := file.read(4)) == 4:
                packet = file.read(struct.unpack("!I", length)[0])
                command, data = packet[:1], packet[1:]
                if command == b"O":
                    file.write(_packet(b"O", struct.pack("!III", 6, _ACTIONS, _LEFT_OUT)))
                elif command == b"L":
                    name, value = data.split(b"\0")[:2]
                    subject = value.decode().strip() if name == b"Subject" else subject
                    file.write(_packet(b"c"))
                elif command == b"E":
                    edit = self._edit(subject)
                    file.write((_edits(edit) if edit is not None else b"") + _packet(b"c"))
                    subject = ""
                elif command == b"Q":
                    return
                file.flush()


def _packet(command: bytes, data: bytes = b"") -> bytes:
    return struct.pack("!I", 1 + len(data)) + command + data


def _field(text: str) -> bytes:
    name, value = re.split(r": *", text, maxsplit=1)
    return f"{name}\0{value}\0".encode()


def _edits(edit: Edit) -> bytes:
    first = struct.pack("!I", 1)
    return b"".join(
        (
            _packet(b"h", _field(ADDED)),
            _packet(b"i", struct.pack("!I", 0) + _field(INSERTED)),
            _packet(b"m", first + _field(CHANGED)),
            _packet(b"m", first + _field(f"{REMOVED}: ")),
            _packet(b"e", f"<{edit.sender}>\0".encode()),
            _packet(b"+", f"<{edit.added}>\0".encode()),
            _packet(b"-", f"<{edit.taken_away}>\0".encode()),
            _packet(b"b", edit.body),
        )
    )
