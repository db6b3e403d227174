"""A message for a host's port 25, by SMTP."""

from collections.abc import Sequence

from fakes.host import Host


def submit(
    host: Host, *, sender: str, recipients: Sequence[str], message: bytes, parameters: Sequence[str] = ()
) -> str:
    """Its queue id.  AssertionError if anything is refused."""
    more = "".join(f" {parameter}" for parameter in parameters)
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    with host.connect(25) as sock, sock.makefile("rb") as file:
        commands = [
            b"",
            b"EHLO client.test\r\n",
            f"MAIL FROM:<{sender}>{more}\r\n".encode(),
            *(f"RCPT TO:<{recipient}>\r\n".encode() for recipient in recipients),
            b"DATA\r\n",
            stuffed + b".\r\n",
        ]
        reply = b""
        for command in commands:
            sock.sendall(command)
            while (reply := file.readline())[3:4] == b"-":
                pass
            assert reply[:1] in b"23", (command, reply)
        sock.sendall(b"QUIT\r\n")
    return reply.split()[-1].decode()
