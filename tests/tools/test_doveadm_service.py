"""The doveadm service of another host, up to where dsync begins, as a Dovecot 2.3.19 says it."""

import socket
import threading
from collections.abc import Sequence

import pytest

from pillarbox.tools.doveadm_commands.doveadm_service import DoveadmService, Login
from pillarbox.tools.doveadm_commands.faults import EX_NOUSER, EX_TEMPFAIL, Fatal

VERSION = b"VERSION\tdoveadm-server\t1\t0\n"
PLAIN = b"PLAIN\tAGRvdmVhZG0AZ2VoZWlt\n"
COMMAND = b"\ta\x01tb\tdsync-server\t-ua\x01tb\n"


def reached(answers: Sequence[bytes], *, password: str = "geheim") -> tuple[bytes, bytes]:
    """What a server that answers so heard, and what it sends after that; Fatal."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                for answer in answers:
                    heard.extend(lines.readline())
                    connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        try:
            port = listener.getsockname()[1]
            service = DoveadmService("127.0.0.1", "a\tb", Login(port, "doveadm", password))
            rest = socket.socket(fileno=service.reading)
            following = rest.recv(100)
            rest.detach()
            assert service.end() == ""
        finally:
            server.join()
    return bytes(heard), following


def test_dsync_begins_behind_the_answer() -> None:
    """With a password, or without one where we are known."""
    assert reached([b"-\n", b"+\n", b"\n+\nVERSION"]) == (VERSION + PLAIN + COMMAND, b"VERSION")
    assert reached([b"+\n", b"\n+\nVERSION"], password="") == (VERSION + COMMAND, b"VERSION")


@pytest.mark.parametrize(
    ("answers", "password", "fault", "status"),
    [
        ([b"-\n"], "", "doveadm_password not set", EX_TEMPFAIL),
        ([b"-\n", b"-\n"], "geheim", "authentication failed", EX_TEMPFAIL),
        ([b""], "", "disconnected before handshake", EX_TEMPFAIL),
        ([b"+\n", b"\n-NOUSER\n"], "", "Unknown user in remote", EX_NOUSER),
        ([b"+\n", b"\n-TEMPFAIL\n"], "", "Remote exit_code=75", EX_TEMPFAIL),
    ],
)
def test_refusals(answers: list[bytes], password: str, fault: str, status: int) -> None:
    """What is said, and how the command ends."""
    with pytest.raises(Fatal, match=fault) as caught:
        reached(answers, password=password)
    assert caught.value.status == status


def test_addresses() -> None:
    """Of which nobody is asked."""
    for where in ("", "host", "[::1", "host:", "host:99999"):
        with pytest.raises(Fatal, match="no such address"):
            DoveadmService(where, "a", Login(0, "doveadm", "x"))
