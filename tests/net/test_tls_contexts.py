"""Contexts of the SMTP server: several certificates, versions, ciphers."""

import datetime
import ssl
from pathlib import Path

import pytest

from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import smtp_server_context
from pillarbox.vocabulary.faults import ConfigurationFault

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key."""
    certificate, key = make_self_signed(tmp_path, host="mx.test", now=NOW)
    return str(certificate), str(key)


def context(pair: tuple[str, str], *, protocols: str = ">=TLSv1", ciphers: str = "") -> ssl.SSLContext:
    return smtp_server_context(
        [pair], protocols=protocols, ciphers=ciphers, prefers_own_order=False, where="main.cf"
    )


@pytest.mark.parametrize(
    ("protocols", "oldest", "newest"),
    [
        (">=TLSv1", "TLSv1_2", "TLSv1_3"),
        ("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1_2", "TLSv1_3"),
        (">=TLSv1.3", "TLSv1_3", "TLSv1_3"),
        ("TLSv1.2", "TLSv1_2", "TLSv1_2"),
        ("<=TLSv1.2", "TLSv1_2", "TLSv1_2"),
    ],
)
def test_versions(pair: tuple[str, str], protocols: str, oldest: str, newest: str) -> None:
    """smtpd_tls_protocols; what is older than TLS 1.2 is never offered (RFC 8996)."""
    made = context(pair, protocols=protocols)
    assert (made.minimum_version.name, made.maximum_version.name) == (oldest, newest)


@pytest.mark.parametrize("protocols", ["TLSv1.1", "<=TLSv1.1", ">=TLSv9", "TLSv1.2 !TLSv1.2"])
def test_no_version(pair: tuple[str, str], protocols: str) -> None:
    """A service that could speak with nobody is not started."""
    with pytest.raises(ConfigurationFault):
        context(pair, protocols=protocols)


def test_ciphers(pair: tuple[str, str]) -> None:
    """The grade without what is excluded; a list that leaves none is refused."""
    made = context(pair, protocols="TLSv1.2", ciphers="aNULL:-aNULL:HIGH:@STRENGTH:!aNULL:!eNULL:!CHACHA20")
    names = [cipher["name"] for cipher in made.get_ciphers()]
    assert names
    assert not [name for name in names if "CHACHA20" in name and not name.startswith("TLS_")]
    with pytest.raises(ConfigurationFault, match="no cipher"):
        context(pair, ciphers="NO_SUCH_CIPHER")


def test_a_chain_file_holds_key_and_certificate(pair: tuple[str, str], tmp_path: Path) -> None:
    """smtpd_tls_chain_files."""
    chain = tmp_path / "chain.pem"
    chain.write_text(Path(pair[1]).read_text() + Path(pair[0]).read_text())
    assert context((str(chain), "")).cert_store_stats() is not None
    with pytest.raises(ConfigurationFault, match="cannot load certificate"):
        context((pair[0], ""))
