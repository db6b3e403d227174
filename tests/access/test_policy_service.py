"""check_policy_service: what is asked, what the answers do, and what happens when there is none."""

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest

from fakes.smtp_conversation import converse
from pillarbox.access.client import ClientFacts
from pillarbox.access.policy_service import PolicyService, PolicySettings
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.wire.policy_delegation import PolicyReply, encode_request


def test_a_request_is_lines_and_an_empty_line() -> None:
    """SMTPD_POLICY_README; a value cannot bring a line of its own."""
    assert encode_request([("sender", b"a\n\nrequest=x"), ("size", b"5")]) == (
        b"request=smtpd_access_policy\nsender=a  request=x\nsize=5\n\n"
    )


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_a_reply_in_pieces(step: int) -> None:
    """The action is the text behind `action=`."""
    reply, said = PolicyReply(), b"other=x\naction= reject  go away \n\n"
    found = [reply.feed(said[at : at + step]) for at in range(0, len(said), step)]
    assert found[-1] == b"reject  go away "
    assert set(found[:-1]) <= {None}


@pytest.mark.parametrize("said", [b"\n\n", b"act=x\n\n", b"x" * 70000])
def test_a_reply_without_an_action(said: bytes) -> None:
    """It is no reply, and it does not grow without end."""
    with pytest.raises(ValueError, match=r"reply without an end|missing attribute action"):
        PolicyReply().feed(said)


class Server:
    """A policy server that gives its answers in turn; None closes the connection."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended: list[asyncio.Event] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        ended = asyncio.Event()
        self.ended.append(ended)
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\n\n"))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        await writer.wait_closed()
        ended.set()


def asked(tmp_path: Path, server: Server, times: int, **options: object) -> tuple[list[str], list[str]]:
    """Actions and warnings of so many requests."""
    actions: list[str] = []
    warnings: list[str] = []
    settings = PolicySettings(retry_delay=0, **options)  # type: ignore[arg-type]

    async def ask() -> None:
        listening = await asyncio.start_unix_server(server.serve, tmp_path / "policy")
        service = PolicyService("unix:policy", settings, directory=str(tmp_path), clock=ManualClock())
        actions.extend([await service.ask(b"x=y\n\n", warnings.append) for _ in range(times)])
        service.close()
        for ended in server.ended:
            await ended.wait()
        listening.close()
        await listening.wait_closed()

    asyncio.run(ask())
    return actions, warnings


def test_a_connection_is_kept(tmp_path: Path) -> None:
    """One after the other over the same line, up to the limit."""
    server = Server([b"action=DUNNO\n\n"] * 4)
    assert asked(tmp_path, server, 4) == (["DUNNO"] * 4, [])
    assert server.connections == 1
    server = Server([b"action=DUNNO\n\n"] * 4)
    asked(tmp_path, server, 4, request_limit=2)
    assert server.connections == 2


def test_a_server_that_closes_is_tried_again(tmp_path: Path) -> None:
    """try_limit times; then the default action."""
    server = Server([None, b"action=OK\n\n"])
    actions, warnings = asked(tmp_path, server, 1)
    assert actions == ["OK"]
    assert warnings == []  # it may have been restarted
    actions, warnings = asked(tmp_path, Server([None] * 3), 1, try_limit=3, default_action="DEFER no")
    assert actions == ["DEFER no"]
    assert warnings == ["problem talking to server policy: Application error"]


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    """Told for each attempt; what is not UTF-8 is not asked for again."""
    actions, warnings = asked(tmp_path, Server([b"x=y\n\n", b"\n\n"]), 1)
    assert actions == ["451 4.3.5 Server configuration problem"]
    missing = "missing attribute action in input from policy"
    assert warnings == [missing, missing, "problem talking to server policy: Application error"]
    actions, warnings = asked(tmp_path, Server([b"action=REJECT gr\xfcn\n\n"]), 1)
    assert actions == ["451 4.3.5 Server configuration problem"]
    assert warnings == ['malformed UTF-8 in policy server unix:policy response: "REJECT gr?n"']


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """The default action defers."""
    warnings: list[str] = []
    service = PolicyService(
        "unix:none", PolicySettings(retry_delay=0), directory=str(tmp_path), clock=ManualClock()
    )
    action = asyncio.run(service.ask(b"x\n\n", warnings.append))
    assert action == "451 4.3.5 Server configuration problem"
    missing = "No such file or directory"
    assert warnings == [f"connect to none: {missing}"] * 2 + [f"problem talking to server none: {missing}"]


@pytest.mark.parametrize("port", ["99999", "nosuchport"])
def test_a_port_that_does_not_exist(port: str) -> None:
    """No other port is asked instead, whatever the number is modulo 65536."""
    warnings: list[str] = []
    settings = PolicySettings(try_limit=1)
    service = PolicyService(f"inet:127.0.0.1:{port}", settings, directory="/", clock=ManualClock())
    assert asyncio.run(service.ask(b"x\n\n", warnings.append)) == settings.default_action
    shown, reason = f"127.0.0.1:{port}", "Cannot assign requested address"
    assert warnings == [f"connect to {shown}: {reason}", f"problem talking to server {shown}: {reason}"]


@pytest.mark.parametrize("endpoint", ["", "unix:", "inet:host", "host:x", "host"])
def test_what_is_no_endpoint(endpoint: str) -> None:
    """It is told of at the start."""
    with pytest.raises(ValueError, match="neither"):
        PolicyService(endpoint, PolicySettings(), directory="/", clock=ManualClock())


@pytest.mark.parametrize("stress", ["", "yes"])
def test_what_a_server_is_told(tmp_path: Path, stress: str) -> None:
    """Of the session, and whether the service is under stress (STRESS_README)."""
    path = str(tmp_path / "policy")

    def answer() -> bytes:
        line, _ = listening.accept()
        with line:
            request = b""
            while not request.endswith(b"\n\n"):
                request += line.recv(65536)
            line.sendall(b"action=REJECT\n\n")
            return request

    settings = {
        "stress": stress,
        "smtpd_client_restrictions": f"check_policy_service unix:{path}",
        "smtpd_policy_service_request_limit": "1",
    }
    sent = [b"EHLO mx.sender.test\r\n", b"MAIL FROM:<a@sender.test>\r\n", b"RCPT TO:<me@box.test>\r\n"]
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as threads:
        listening.bind(path)
        listening.listen()
        request = threads.submit(answer)
        done = converse(tmp_path / "q", sent, settings=settings)
        told = dict(line.split(b"=", 1) for line in request.result().rstrip(b"\n").split(b"\n"))
    assert "554 5.7.1 <client.test[192.0.2.7]>: Client host rejected: Access denied" in done.replies
    assert told[b"stress"] == stress.encode()
    assert (told[b"helo_name"], told[b"sender"]) == (b"mx.sender.test", b"a@sender.test")
    assert (told[b"recipient"], told[b"client_address"]) == (b"me@box.test", b"192.0.2.7")


def test_an_instance_is_a_message() -> None:
    """SMTPD_POLICY_README: process, time and number, in hexadecimal; none before MAIL."""
    client = ClientFacts(address=ip_address("192.0.2.7"), port=1025)
    assert client.instance == ""
    client.message_begun, client.message_number = 26.9, 0
    assert client.instance == f"{os.getpid():x}.1a.0.0"
    client.message_number = 17
    assert client.instance == f"{os.getpid():x}.1a.11.0"
