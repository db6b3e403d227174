"""What we show to servers that ask for a certificate."""

import ssl
from pathlib import Path

import pytest

from fakes.certificates import NOW, issue
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.tls_policy import TlsPolicies
from pillarbox.net.client_certificates import ask_for_certificates, certificate_of
from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import server_context
from pillarbox.net.tls_options import cipher_lists
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock


@pytest.mark.parametrize("parameter", ["smtp_tls_cert_file", "smtp_tls_eccert_file", "smtp_tls_chain_files"])
@pytest.mark.parametrize("is_split", [False, True])
def test_the_certificate_of_main_cf(tmp_path: Path, parameter: str, *, is_split: bool) -> None:
    """In whichever parameter it stands; the key of smtp_tls_chain_files may be in a file before it."""
    make_self_signed(tmp_path, host="mx.test", now=NOW)
    own: Path | str = issue(tmp_path, "me.test")
    if is_split and parameter == "smtp_tls_chain_files":
        key, separator, certificate = Path(own).read_text().partition("-----BEGIN CERT")
        (tmp_path / "key.pem").write_text(key)
        (tmp_path / "certificate.pem").write_text(separator + certificate)
        own = f"{tmp_path}/key.pem, {tmp_path}/certificate.pem"
    modern = {"smtp_tls_protocols": ">=TLSv1.2", "smtp_tls_mandatory_protocols": ">=TLSv1.2"}
    snapshot = Snapshot.of({"smtp_tls_security_level": "encrypt", parameter: str(own), **modern})
    policies = TlsPolicies(snapshot.group(SmtpClientTls), (), grades={"medium": "HIGH:MEDIUM"})
    server_side = server_context(
        str(tmp_path / "self-signed.pem"), str(tmp_path / "self-signed.key"), where="test"
    )
    ask_for_certificates(server_side, ca_file="", ca_path="", depth=9, where="test")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = policies.context(policies.default).wrap_bio(to_client, to_server)
    waiting = [server, client]
    while waiting:
        waiting = [one for one in waiting if not _is_done(one)]
    shown = certificate_of(server, digest="sha256")
    assert shown is not None
    assert shown.subject == "me.test"


@pytest.mark.parametrize("level", ["none", "may", "encrypt"])
def test_any_level_when_nothing_can_be_read_any_more(tmp_path: Path, level: str) -> None:
    """Rights are dropped by then, and the key may be root's alone."""
    own = issue(tmp_path, "me.test")
    snapshot = Snapshot.of({"smtp_tls_security_level": level, "smtp_tls_cert_file": str(own)})
    tables = open_tables(
        ["inline:{a.test=may, b.test=encrypt, c.test=secure}"], where="x", clock=ManualClock()
    )
    grades = cipher_lists(snapshot.group(SmtpServerTls))
    policies = TlsPolicies(snapshot.group(SmtpClientTls), tables, grades=grades)
    policies.load()
    own.unlink()
    for domain in ("a.test", "b.test", "c.test"):
        policy = policies.policy(Destination(domain, domain, 25, mx=True))
        assert isinstance(policies.context(policy), ssl.SSLContext)


def _is_done(one: ssl.SSLObject) -> bool:
    try:
        one.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
