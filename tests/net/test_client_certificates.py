"""Clients with certificates of all sorts, and none, over a TLS handshake in memory."""

import ssl
from pathlib import Path

import pytest

from fakes.certificates import NOW, fingerprint, issue, key_fingerprint
from pillarbox.net.client_certificates import ClientCertificate, ask_for_certificates, certificate_of
from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import server_context
from pillarbox.vocabulary.faults import ConfigurationFault


def is_done(one: ssl.SSLObject) -> bool:
    """A step of its handshake."""
    try:
        one.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def shown(context: ssl.SSLContext, chain: Path | None, version: ssl.TLSVersion) -> ClientCertificate | None:
    """What the server sees of a client with that chain."""
    server, _ = shake_hands(context, client_with(chain, version))
    return certificate_of(server, digest="sha256")


def client_with(chain: Path | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that trusts everybody."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.maximum_version = version
    if chain is not None:
        client_context.load_cert_chain(chain)
    return client_context


def shake_hands(
    context: ssl.SSLContext, client_context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Server and client, behind an octet each way."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, session=session)
    waiting = [server, client]
    while waiting:
        waiting = [one for one in waiting if not is_done(one)]
    client.write(b"x")
    assert server.read(1) == b"x"
    server.write(b"y")
    assert client.read(1) == b"y"
    return server, client


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    make_self_signed(made, host="mx.test", now=NOW)
    issue(made, "authority")
    issue(made, "known", signer="authority")
    issue(made, "stranger")
    return made


@pytest.fixture
def context(directory: Path) -> ssl.SSLContext:
    made = server_context(str(directory / "self-signed.pem"), str(directory / "self-signed.key"), where="x")
    ca_file = str(directory / "authority.pem")
    ask_for_certificates(made, ca_file=ca_file, ca_path="", depth=9, where="main.cf, line 1")
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_clients_show(directory: Path, context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """One that is signed is trusted, one that is not is seen, and none is none; each time anew."""
    for _ in range(3):
        known = shown(context, directory / "known.pem", version)
        assert known is not None
        assert (known.subject, known.issuer, known.is_trusted) == ("known", "authority", True)
        stranger = shown(context, directory / "stranger.pem", version)
        assert stranger is not None
        assert (stranger.subject, stranger.issuer, stranger.is_trusted) == ("stranger", "stranger", False)
        assert shown(context, None, version) is None
    path = directory / "known.pem"
    assert known is not None
    assert (known.fingerprint, known.key_fingerprint) == (fingerprint(path), key_fingerprint(path))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("name", "is_trusted"), [("known", True), ("stranger", False)])
def test_a_session_that_is_resumed(
    directory: Path, version: ssl.TLSVersion, name: str, is_trusted: bool
) -> None:
    """The certificate is that of the first handshake, and so is whether it is trusted."""
    made = server_context(str(directory / "self-signed.pem"), str(directory / "self-signed.key"), where="x")
    ask_for_certificates(
        made, ca_file=str(directory / "authority.pem"), depth=9, may_resume=True, where="main.cf, line 1"
    )
    client_context = client_with(directory / f"{name}.pem", version)
    _, first = shake_hands(made, client_context)
    server, _ = shake_hands(made, client_context, first.session)
    assert server.session_reused
    certificate = certificate_of(server, digest="sha256")
    assert certificate is not None
    assert (certificate.subject, certificate.is_trusted) == (name, is_trusted)


def test_a_context_that_does_not_ask(directory: Path) -> None:
    """Contexts of other services are what they were."""
    made = server_context(str(directory / "self-signed.pem"), str(directory / "self-signed.key"), where="x")
    assert shown(made, directory / "known.pem", ssl.TLSVersion.TLSv1_3) is None


def test_authorities_that_cannot_be_loaded(directory: Path) -> None:
    """With the parameter's place."""
    made = server_context(str(directory / "self-signed.pem"), str(directory / "self-signed.key"), where="x")
    with pytest.raises(ConfigurationFault, match=r"main\.cf, line 1: cannot load .*none\.pem"):
        ask_for_certificates(
            made, ca_file=str(directory / "none.pem"), ca_path="", depth=9, where="main.cf, line 1"
        )
