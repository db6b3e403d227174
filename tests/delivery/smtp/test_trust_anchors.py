"""Authorities of one destination: files of certificates and keys, and which chains lead to them."""

import contextlib
import re
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fakes.certificates import issue
from pillarbox.delivery.smtp.trust_anchors import Anchors, read_anchors, trust
from pillarbox.net.client_certificates import long_name
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """top signs middle, which signs server and unnamed; strange signs nobody."""
    issue(tmp_path, "top")
    issue(tmp_path, "strange")
    issue(tmp_path, "middle", signer="top", is_authority=True)
    issue(tmp_path, "server", signer="middle", names=("server.test",))
    for name in ("top", "strange", "middle", "server"):
        certificate = loaded(tmp_path, name)
        (tmp_path / f"{name}.crt").write_bytes(b"comment\n" + certificate.public_bytes(Encoding.PEM))
        key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(key)
    return tmp_path


def loaded(directory: Path, name: str) -> x509.Certificate:
    """A certificate that was issued."""
    return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())


def chain(directory: Path, *names: str) -> list[bytes]:
    """What a server shows."""
    return [loaded(directory, name).public_bytes(Encoding.DER) for name in names]


def of(directory: Path, *names: str) -> Anchors:
    """What files hold."""
    return read_anchors([str(directory / name) for name in names])


LEADS = [
    (("middle.pub",), ("server", "middle"), True),
    (("top.pub",), ("server", "middle", "top"), True),
    (("top.pub",), ("server", "middle"), False),  # nobody shows the certificate of that key
    (("strange.pub",), ("server", "middle"), False),
    (("strange.pub", "middle.crt"), ("server", "middle"), True),
    (("strange.pub", "top.crt"), ("server", "middle"), True),
    (("middle.pub",), ("server",), False),
    (("server.pub",), ("server", "middle"), False),
    (("middle.pub",), (), False),
]


@pytest.mark.parametrize(("files", "shown", "leads"), LEADS)
def test_chains_to_keys(directory: Path, files: tuple[str, ...], shown: tuple[str, ...], leads: bool) -> None:
    """A key is that of a certificate which the server shows; its own does not count."""
    said = of(directory, *files).mismatch(chain(directory, *shown))
    assert said == ("" if leads else "untrusted issuer")


def test_an_earlier_error_is_not_ours(directory: Path) -> None:
    """A name that OpenSSL does not know stays in its queue of errors until somebody takes it out."""
    assert long_name("nosuch") is None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust(context, of(directory, "top.crt"))
    assert context.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    ("file", "is_trusted"), [("middle.crt", True), ("top.crt", True), ("strange.crt", False)]
)
def test_handshakes(directory: Path, file: str, is_trusted: bool) -> None:
    """An authority in the middle will do."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    trust(client, of(directory, file))
    shown = directory / "chain.pem"
    shown.write_bytes((directory / "server.pem").read_bytes() + (directory / "middle.crt").read_bytes())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(shown)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    with contextlib.nullcontext() if is_trusted else pytest.raises(ssl.SSLCertVerificationError):
        while ends:
            for end in list(ends):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                    ends.remove(end)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "error opening trust anchor file: .*: No such file or directory"),
        ("", "trust anchor file .* holds neither certificates nor public keys"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "error reading trust anchor file: ",
        ),
    ],
)
def test_files_that_hold_none(tmp_path: Path, text: str | None, reason: str) -> None:
    """A file without authorities would mean: nobody."""
    path = tmp_path / "anchors.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationFault) as caught:
        read_anchors([str(path)])
    assert re.match(reason, caught.value.what)
