"""The server of OAuth 2.0's tokens: what becomes of a connection that was kept, and of one that says nothing."""

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import pytest

from fakes.certificates import issue
from fakes.token_server import token_server
from pillarbox.auth.oauth2.faults import NoAnswer
from pillarbox.auth.oauth2.token_server import Question, TokenServer, tls_context
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.net.system_clock import SystemClock


def ask(server: TokenServer, *urls: str) -> list[str]:
    """What is said, each after the other."""

    async def all_of_them() -> list[str]:
        said = []
        for url in urls:
            try:
                said.append(
                    (await server.ask(Question(url, {"Authorization": "Bearer good:me"}))).fields["email"]
                )
            except NoAnswer as fault:
                said.append(str(fault))
        return said

    return asyncio.run(all_of_them())


def test_connections_are_kept_and_made_anew() -> None:
    """One that its server has closed meanwhile costs no login."""
    client = TokenServer(OAuth2Settings(), SystemClock())
    with token_server() as server:
        url = f"http://127.0.0.1:{server.server_port}/introspect"
        assert ask(client, url, url) == ["me", "me"]
        ((_, kept, _),) = client._idle
        assert kept.sock is not None
        kept.sock.shutdown(socket.SHUT_RDWR)
        assert ask(client, url) == ["me"]
    client.close()


def test_silence_and_nobody() -> None:
    """timeout_msecs, and a port where nobody listens; close() lets nobody wait."""
    client = TokenServer(OAuth2Settings(timeout_msecs=50), SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = ask(client, f"http://127.0.0.1:{port}/")
        assert said[0] in ("Request timed out: no answer within 0.05 secs", "127.0.0.1: timed out")
        client.close()
    client = TokenServer(OAuth2Settings(), SystemClock())
    assert ask(client, f"http://127.0.0.1:{port}/") == ["127.0.0.1: Connection refused"]
    client.close()


@pytest.mark.parametrize(("authority", "said"), [("server", "me"), ("other", "certificate verify failed")])
def test_tls(tmp_path: Path, authority: str, said: str) -> None:
    """Who is trusted is asked, and nobody else."""
    for name in ("server", "other"):
        issue(tmp_path, name)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "server.pem")
    settings = OAuth2Settings(tls_ca_cert_file=str(tmp_path / f"{authority}.pem"))
    context = tls_context(settings)
    context.check_hostname = False
    client = TokenServer(settings, SystemClock(), context=context)
    answer = b'HTTP/1.0 200 OK\r\n\r\n{"email":"me"}'

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            try:
                with served.wrap_socket(sock, server_side=True) as tls:
                    tls.recv(65536)
                    tls.sendall(answer)
            except OSError:
                sock.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert said in ask(client, f"https://127.0.0.1:{listener.getsockname()[1]}/")[0]
        thread.join()
    client.close()
