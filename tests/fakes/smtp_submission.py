"""Messages for a host, by SMTP, one after the other over one connection."""

from collections.abc import Sequence
from types import TracebackType

from fakes.host import Host


class SmtpClient:
    """A connection, between `with` and its end."""

    def __init__(self, host: Host, *, port: int = 25) -> None:
        self._socket = host.connect(port)
        self._file = self._socket.makefile("rb")
        self._ask(b"")
        self._ask(b"EHLO client.test\r\n")

    def __enter__(self) -> "SmtpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._ask(b"QUIT\r\n")
        self._file.close()
        self._socket.close()

    def submit(
        self,
        *,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        parameters: Sequence[str] = (),
        recipient_parameters: str = "",
    ) -> str:
        """Its queue id.  AssertionError if anything is refused."""
        more = "".join(f" {parameter}" for parameter in parameters)
        self._ask(f"MAIL FROM:<{sender}>{more}\r\n".encode())
        for recipient in recipients:
            self._ask(f"RCPT TO:<{recipient}> {recipient_parameters}".rstrip().encode() + b"\r\n")
        self._ask(b"DATA\r\n")
        return self._ask(message.replace(b"\r\n.", b"\r\n..") + b".\r\n").split()[-1].decode()

    def _ask(self, command: bytes) -> bytes:
        self._socket.sendall(command)
        while (reply := self._file.readline())[3:4] == b"-":
            pass
        assert reply[:1] in (b"2", b"3"), (command, reply)
        return reply
