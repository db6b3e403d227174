"""What is told of a TLS session, beside what openssl(1) says of the same certificates."""

import ssl
from pathlib import Path

import pytest

from fakes.certificates import issue
from pillarbox.net import openssl
from pillarbox.net.tls_figures import TlsFigures, tls_figures
from pillarbox.net.tls_options import set_curves

RSA, ECDSA = "RSA-PSS (2048 bits)", "ECDSA (prime256v1)"
SESSIONS = [
    # curve that the client wants, bits of the server's and the client's RSA key (0: ECDSA; None: no certificate)
    ("prime256v1", 0, None, "key-exchange ECDHE (prime256v1)", ECDSA, ""),
    ("X25519", 2048, None, "key-exchange X25519", RSA, ""),
    ("secp384r1", 2048, 0, "key-exchange ECDHE (secp384r1)", RSA, ECDSA),
    ("X25519", 0, 2048, "key-exchange X25519", ECDSA, RSA),
]


def handshake(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> list[ssl.SSLObject]:
    """Server and client of one session, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server)
    waiting = [client, server]
    while waiting:
        for one in list(waiting):
            try:
                one.do_handshake()
                waiting.remove(one)
            except ssl.SSLWantReadError:
                pass
    return [server, client]


def contexts(
    directory: Path, *, bits: int = 0, client_bits: int | None = None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server and a client; the server wants a certificate if the client has one."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issue(directory, "server", rsa_bits=bits))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    if client_bits is not None:
        own = issue(directory, "client", rsa_bits=client_bits)
        client.load_cert_chain(own)
        server.load_verify_locations(own)
        server.verify_mode = ssl.CERT_REQUIRED
    return server, client


@pytest.mark.parametrize(("curve", "bits", "client_bits", "exchange", "server", "client"), SESSIONS)
def test_both_sides_say_the_same(
    tmp_path: Path, curve: str, bits: int, client_bits: int | None, exchange: str, server: str, client: str
) -> None:
    """Keys, curves and digests, as Postfix writes them."""
    ours, theirs = contexts(tmp_path, bits=bits, client_bits=client_bits)
    assert set_curves(ours, curve, where="")  # the ssl module of Python 3.11.2 knows no X25519
    expected = TlsFigures(
        exchange,
        f"server-signature {server} server-digest SHA256",
        client and f"client-signature {client} client-digest SHA256",
    )
    for session in handshake(ours, theirs):
        assert tls_figures(session) == expected


def test_the_texts() -> None:
    """In one line of the log, and folded in a header."""
    figures = TlsFigures("key-exchange X", "server-signature Y", "client-signature Z")
    assert figures.text == " key-exchange X server-signature Y client-signature Z"
    assert figures.folded == "\n\t key-exchange X server-signature Y\n\t client-signature Z"
    assert (TlsFigures().text, TlsFigures().folded) == ("", "")


def test_a_client_certificate_that_nobody_wanted(tmp_path: Path) -> None:
    """It signed nothing."""
    server, client = contexts(tmp_path)
    client.load_cert_chain(issue(tmp_path, "spare"))
    assert [tls_figures(session).client_signature for session in handshake(server, client)] == ["", ""]


def test_older_versions_have_none(tmp_path: Path) -> None:
    """The cipher's name says it."""
    server, client = contexts(tmp_path)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert [tls_figures(session) for session in handshake(server, client)] == [TlsFigures()] * 2


def test_a_python_that_keeps_its_objects_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer beside the session's is not the context's: nothing is read from there."""
    (session, _) = handshake(*contexts(tmp_path))
    assert openssl.session_address(session)
    monkeypatch.setattr(openssl, "_HEAD", openssl._HEAD + openssl._WORD)
    assert openssl.session_address(session) is None
    assert tls_figures(session) == TlsFigures()
