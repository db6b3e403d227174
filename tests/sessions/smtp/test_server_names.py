"""tls_server_sni_maps without a network: which chain a handshake gets, and what there is to tell of it."""

import base64
import ssl
from pathlib import Path

import pytest

from fakes.certificates import issue
from pillarbox.net.tls_contexts import bare_context, server_context
from pillarbox.observability.events import Noted, Warned
from pillarbox.sessions.smtp.server_names import ServerNames
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock


class Handshakes:
    """A server with a certificate of its own, and one of the tables."""

    def __init__(self, directory: Path, *, table: str = "") -> None:
        issue(directory, "own")
        issue(directory, "asked")
        content = base64.b64encode((directory / "asked.pem").read_bytes()).decode()
        table = table or f"inline:{{ {{ asked.test = {content} }} {{ .up.test = {content} }} }}"
        self.made = 0
        self.names = ServerNames(open_tables((table,), where="", clock=ManualClock()), self._make)
        self._context = server_context(str(directory / "own.pem"), "", where="")
        self._context.sni_callback = self.names

    def _make(self) -> ssl.SSLContext:
        self.made += 1
        return bare_context()

    def shake(self, name: str | None) -> ssl.SSLObject:
        """The server's end after its first answer.  ssl.SSLError if it ends the handshake."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(back, there, server_hostname=name)
        far = self._context.wrap_bio(there, back, server_side=True)
        with pytest.raises(ssl.SSLWantReadError):
            near.do_handshake()
        self.last = far
        with pytest.raises(ssl.SSLWantReadError):
            far.do_handshake()
        return far

    def told(self, name: str | None) -> tuple[str, list[object]]:
        """The name that counts, and what the log says."""
        asked = self.names.take(self.shake(name))
        return asked.name, list(asked.told("c.test[192.0.2.9]"))


def test_names_and_domains_above(tmp_path: Path) -> None:
    """One context for all who get the same chain."""
    server = Handshakes(tmp_path)
    for name in ("asked.test", "x.up.test", "x.y.up.test"):
        assert server.told(name) == (name, [])
    assert server.made == 1
    assert server.told(None) == ("", [])
    unmatched = Noted("TLS SNI up.test from c.test[192.0.2.9] not matched, using default chain")
    assert server.told("up.test") == ("", [unmatched])
    assert server.told("-x-.test") == ("", [Warned("TLS SNI from c.test[192.0.2.9] is invalid: -x-.test")])


def test_it_is_told_once(tmp_path: Path) -> None:
    """And forgotten with the session."""
    server = Handshakes(tmp_path)
    tls = server.shake("elsewhere.test")
    assert server.names.take(tls).unmatched == "elsewhere.test"
    assert server.names.take(tls).unmatched == ""


@pytest.mark.parametrize(
    ("table", "warnings"),
    [
        (
            "fail:x",
            ['fail:x lookup error for "asked.test"', "tls_server_sni_maps: asked.test map lookup problem"],
        ),
        (
            "static:???",
            [
                "table static:???: key asked.test: malformed BASE64 value: ???",
                "tls_server_sni_maps: asked.test map lookup problem",
            ],
        ),
        (
            "static:bm90aGluZw==",
            [
                "No PEM data in SNI data for asked.test",
                "error loading private keys and certificates from: SNI data for asked.test: aborting TLS handshake",
            ],
        ),
    ],
)
def test_a_handshake_that_is_ended(tmp_path: Path, table: str, warnings: list[str]) -> None:
    """Rather than with the wrong certificate."""
    server = Handshakes(tmp_path, table=table)
    with pytest.raises(ssl.SSLError, match="CALLBACK_FAILED"):
        server.shake("asked.test")
    asked = server.names.take(server.last)
    assert [str(event) for event in asked.told("c")] == [str(Warned(text)) for text in warnings]
