"""Contexts of the SMTP server: several certificates, versions, ciphers."""

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from fakes.certificates import issue
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.snapshot import Snapshot
from pillarbox.daemons.login_tls import context_of, tls_contexts
from pillarbox.net.self_signed import make_self_signed
from pillarbox.net.tls_contexts import BadChain, bare_context, load_chains, smtp_server_context
from pillarbox.net.tls_options import apply_options
from pillarbox.vocabulary.faults import ConfigurationFault

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key."""
    certificate, key = make_self_signed(tmp_path, host="mx.test", now=NOW)
    return str(certificate), str(key)


def context(
    pair: tuple[str, str], *, protocols: str = ">=TLSv1", ciphers: str = "", prefers_own_order: bool = False
) -> ssl.SSLContext:
    return smtp_server_context(
        [pair], protocols=protocols, ciphers=ciphers, prefers_own_order=prefers_own_order, where="main.cf"
    )


def login_context(pair: tuple[str, str], *, ciphers: str, prefers_own_order: bool) -> ssl.SSLContext:
    certificate, key = pair
    settings = MailboxSettings(
        ssl_cert=certificate,
        ssl_key=key,
        ssl_cipher_list=ciphers,
        ssl_prefer_server_ciphers=prefers_own_order,
    )
    return context_of(pair, settings, [])


@pytest.mark.parametrize(
    ("protocols", "oldest", "newest"),
    [
        (">=TLSv1", "TLSv1", "TLSv1_3"),
        ("TLSv1.1", "TLSv1_1", "TLSv1_1"),
        ("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1_2", "TLSv1_3"),
        (">=TLSv1.3", "TLSv1_3", "TLSv1_3"),
        ("TLSv1.2", "TLSv1_2", "TLSv1_2"),
        ("<=TLSv1.2", "TLSv1", "TLSv1_2"),
    ],
)
def test_versions(pair: tuple[str, str], protocols: str, oldest: str, newest: str) -> None:
    """smtpd_tls_protocols."""
    made = context(pair, protocols=protocols)
    assert (made.minimum_version.name, made.maximum_version.name) == (oldest, newest)


@pytest.mark.parametrize("protocols", [">=TLSv9", "TLSv1.2 !TLSv1.2"])
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


@pytest.mark.parametrize("make", [context, login_context])
@pytest.mark.parametrize(("prefers_own_order", "taken"), [(False, 1), (True, 0)])
def test_whose_cipher_is_taken(
    pair: tuple[str, str], make: Callable[..., ssl.SSLContext], prefers_own_order: bool, taken: int
) -> None:
    """tls_preempt_cipherlist and ssl_prefer_server_ciphers: of those that both have the client's first, or ours."""
    ciphers = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
    server = make(pair, ciphers=":".join(ciphers), prefers_own_order=prefers_own_order)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(":".join(reversed(ciphers)))
    assert agreed_cipher(server, client) == ciphers[taken]
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        agreed_cipher(server, client)


@pytest.mark.parametrize(
    "files", ["a key and its certificate", "a key|its certificate", "two of each in one"]
)
def test_chain_files(tmp_path: Path, files: str) -> None:
    """smtpd_tls_chain_files: keys before their certificates, in one file or in several, of one kind or of two."""
    key, certificate = _parts(tmp_path, "one")
    other = "".join(_parts(tmp_path, "two", rsa_bits=2048)) if "two" in files else ""
    texts = [key, certificate] if "|" in files else [key + certificate + other]
    paths = [tmp_path / f"{number}.pem" for number, _ in enumerate(texts)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    server = smtp_server_context(
        [],
        protocols=">=TLSv1",
        ciphers="",
        prefers_own_order=False,
        where="main.cf",
        chain_files=[*map(str, paths)],
    )
    for kind in ("ECDSA", "RSA") if other else ("ECDSA",):
        cipher = f"ECDHE-{kind}-AES256-GCM-SHA384"
        assert agreed_cipher(server, client_of(ciphers=cipher)) == cipher


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "chain from .*: key not first"),
        ("", "No PEM data in "),
        (None, "error opening chain file: .*: No such file or directory"),
    ],
)
def test_chain_files_that_cannot_be_used(tmp_path: Path, text: str | None, reason: str) -> None:
    """The first reason, with the parameter's place."""
    path = tmp_path / "chain.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationFault, match=rf"main.cf: .*{reason}"):
        smtp_server_context(
            [], protocols="", ciphers="", prefers_own_order=False, where="main.cf", chain_files=[str(path)]
        )


def library(**settings: str) -> TlsLibrary:
    return Snapshot.of(settings).group(TlsLibrary)


def test_options() -> None:
    """Some on, some off, by name in any case of letters or by bits."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.options &= ~(ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION)
    made.options |= _PADDING
    apply_options(
        made,
        library(
            tls_ssl_options="NO_COMPRESSION, no_ticket 0x40000000", tls_disable_workarounds="TLSEXT_PADDING"
        ),
    )
    assert made.options & ssl.OP_NO_COMPRESSION
    assert made.options & ssl.OP_NO_TICKET
    assert made.options & ssl.OP_NO_RENEGOTIATION
    assert not made.options & _PADDING


_PADDING = 1 << 4


@pytest.mark.parametrize(
    "settings",
    [
        {"tls_ssl_options": "NO_SUCH"},
        {"tls_ssl_options": "0xnone"},
        {"tls_eecdh_auto_curves": "nosuch other"},
    ],
)
def test_options_that_there_are_not(settings: dict[str, str]) -> None:
    """Are told, not passed over."""
    with pytest.raises(ConfigurationFault):
        apply_options(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), library(**settings))


@pytest.mark.parametrize(("curves", "agreed"), [("X25519", False), ("nosuch prime256v1", True), ("", True)])
def test_curves(pair: tuple[str, str], curves: str, agreed: bool) -> None:
    """A client that has another curve only is not served."""
    server, client = context(pair), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    apply_options(server, library(tls_eecdh_auto_curves=curves))
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ecdh_curve("prime256v1")
    if agreed:
        assert handshake(server, client)
        return
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether both come to its end."""
    return bool(agreed_cipher(server, client))


def agreed_cipher(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """What both agree on; empty if the handshake does not come to its end."""
    ways = [ssl.MemoryBIO() for _ in range(2)]
    ends = [
        server.wrap_bio(ways[0], ways[1], server_side=True),
        client.wrap_bio(ways[1], ways[0], server_hostname="mx.test"),
    ]
    done: set[int] = set()
    for _ in range(6):
        for number in (1, 0):
            try:
                ends[number].do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue
    cipher = ends[0].cipher()
    return cipher[0] if cipher is not None and len(done) == 2 else ""


def of_dovecot(pair: tuple[str, str], **settings: object) -> ssl.SSLContext:
    """The login processes' context."""
    certificate, key = pair
    fields = {"ssl_cert": certificate, "ssl_key": key, **settings}
    return context_of(pair, msgspec.convert(fields, MailboxSettings), [])


def client_of(**limits: str) -> ssl.SSLContext:
    """A client that takes any certificate."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    if "ciphers" in limits:
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(limits["ciphers"])
    if "curve" in limits:
        client.set_ecdh_curve(limits["curve"])
    return client


def test_certificates_of_two_kinds(pair: tuple[str, str], tmp_path: Path) -> None:
    """ssl_alt_cert and ssl_alt_key: a client that knows RSA only is served beside one that knows ECDSA only."""
    rsa = str(issue(tmp_path, "rsa", rsa_bits=2048))
    both = of_dovecot(pair, ssl_alt_cert=rsa, ssl_alt_key=rsa)
    for kind in ("RSA", "ECDSA"):
        cipher = f"ECDHE-{kind}-AES256-GCM-SHA384"
        assert agreed_cipher(both, client_of(ciphers=cipher)) == cipher
    with pytest.raises(ssl.SSLError):
        agreed_cipher(of_dovecot(pair), client_of(ciphers="ECDHE-RSA-AES256-GCM-SHA384"))
    with pytest.raises(ConfigurationFault, match="cannot load certificate"):
        of_dovecot(pair, ssl_alt_cert=rsa, ssl_alt_key=str(tmp_path / "nosuch"))


def test_dovecots_curves(pair: tuple[str, str]) -> None:
    """ssl_curve_list."""
    server = of_dovecot(pair, ssl_curve_list="P-384:P-256")
    assert handshake(server, client_of(curve="prime256v1"))
    with pytest.raises(ssl.SSLError):
        handshake(of_dovecot(pair, ssl_curve_list="P-384"), client_of(curve="prime256v1"))
    with pytest.raises(ConfigurationFault, match="ssl_curve_list"):
        of_dovecot(pair, ssl_curve_list="P-384:nosuch")


def test_dovecots_cipher_suites(pair: tuple[str, str]) -> None:
    """ssl_cipher_suites, of TLS 1.3."""
    server = of_dovecot(pair, ssl_cipher_suites="TLS_CHACHA20_POLY1305_SHA256")
    assert agreed_cipher(server, client_of()) == "TLS_CHACHA20_POLY1305_SHA256"
    with pytest.raises(ConfigurationFault, match="ssl_cipher_suites"):
        of_dovecot(pair, ssl_cipher_suites="TLS_NO_SUCH")


def test_dovecots_tickets(pair: tuple[str, str]) -> None:
    """ssl_options = no_ticket."""
    assert not of_dovecot(pair).options & ssl.OP_NO_TICKET
    assert of_dovecot(pair, ssl_has_tickets=False).options & ssl.OP_NO_TICKET


def _parts(path: Path, name: str, *, rsa_bits: int = 0) -> tuple[str, str]:
    """Key and certificate in PEM."""
    text = issue(path, name, rsa_bits=rsa_bits).read_text()
    at = text.index("-----BEGIN CERT")
    return text[:at], text[at:]


@pytest.mark.parametrize(
    ("password", "complaint"), [("geheim", ""), ("x", "is not right"), ("", "is not right")]
)
def test_dovecots_key_password(tmp_path: Path, password: str, complaint: str) -> None:
    """A key that is encrypted; nobody is asked for its password on the terminal of whoever starts."""
    pem = issue(tmp_path, "server")
    key = serialization.load_pem_private_key(pem.read_bytes(), None)
    encrypted = tmp_path / "key.pem"
    encryption = serialization.BestAvailableEncryption(b"geheim")
    form = serialization.PrivateFormat.PKCS8
    encrypted.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    settings = MailboxSettings(ssl_key_password=password)
    if not complaint:
        context_of((str(pem), str(encrypted)), settings, [])
        return
    with pytest.raises(ConfigurationFault, match=complaint):
        context_of((str(pem), str(encrypted)), settings, [])


def test_chains_in_memory(tmp_path: Path) -> None:
    """Several, with whatever stands between their blocks."""
    key, certificate = _parts(tmp_path, "one")
    other_key, other = _parts(tmp_path, "two", rsa_bits=2048)
    server = bare_context()
    load_chains(server, ("memory", f"# a\n{key}# b\n{certificate}\n{other_key}{other}"))
    for kind in ("RSA", "ECDSA"):
        cipher = f"ECDHE-{kind}-AES256-GCM-SHA384"
        assert agreed_cipher(server, client_of(ciphers=cipher)) == cipher


def test_chains_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The reasons are Postfix's."""
    key, certificate = _parts(tmp_path, "one")
    rsa_key, rsa_certificate = _parts(tmp_path, "two", rsa_bits=2048)
    other_key, _ = _parts(tmp_path, "three")
    library = "TLS library problem: error:04800066:PEM routines::bad end line:"
    unlike = "key at index {} in memory does not match next certificate"
    for text, reason in (
        ("", "No PEM data in memory"),
        (certificate + key, "error loading chain from memory: key not first"),
        (key, "No certs for key at index 1 in memory"),
        (key + certificate + rsa_key, "No certs for key at index 3 in memory"),
        (key[:40], library),
        (key + certificate + rsa_key[:50], library),
        (other_key + certificate, unlike.format(1)),
        (key + certificate + key + rsa_certificate, unlike.format(3)),
    ):
        with pytest.raises(BadChain) as fault:
            load_chains(bare_context(), ("memory", text))
        assert fault.value.warnings[0] == reason


def test_parameters_that_cannot_be_used(tmp_path: Path, pair: tuple[str, str]) -> None:
    """ssl_dh: the log says it, and DHE goes on with a group of OpenSSL's own."""
    (tmp_path / "dh.pem").write_text("nothing\n")
    for name, reason in (("dh.pem", "no start line"), ("nosuch.pem", "No such file or directory")):
        path = tmp_path / name
        certificate, key = pair
        warnings: list[str] = []
        settings = MailboxSettings(ssl_cert=certificate, ssl_key=key, ssl_dh=str(path))
        assert tls_contexts(settings, warnings, {})
        told = f"ssl_dh: Can't load DH parameters from {path}: {reason}: OpenSSL's own are used"
        assert warnings == [told]


def test_a_certificate_that_cannot_be_used(tmp_path: Path, pair: tuple[str, str]) -> None:
    """There is no TLS with it; the log, and whoever asks what the role lacks, hear why."""
    certificate, key = pair
    for settings in (
        MailboxSettings(ssl_cert=str(tmp_path / "none.pem"), ssl_key=key),
        MailboxSettings(ssl_cert=certificate, ssl_key=key, ssl_cipher_list="BOGUS"),
    ):
        warnings: list[str] = []
        lacks: dict[str, str] = {}
        assert tls_contexts(settings, warnings, lacks) == {}
        assert list(lacks) == [settings.ssl_cert]
        assert warnings == [f"{lacks[settings.ssl_cert]}: TLS is not offered"]
