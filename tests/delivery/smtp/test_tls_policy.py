"""TLS levels, policy tables, and which certificate will do."""

import contextlib
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fakes.certificates import issue
from pillarbox.config.parameters.smtp_client_tls import SmtpClientTls
from pillarbox.config.parameters.smtp_server_tls import SmtpServerTls
from pillarbox.config.parameters.tls_library import TlsLibrary
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.smtp.destination import Destination
from pillarbox.delivery.smtp.policy_table import BadPolicy, TlsPolicy, read_policy
from pillarbox.delivery.smtp.tls_policy import TlsPolicies, fingerprints
from pillarbox.net.tls_options import cipher_lists
from pillarbox.net.tls_versions import limit_versions, version_range
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault

DESTINATION = Destination("example.test", "example.test", 25, mx=True)


def policies(table: str = "", **settings: str) -> TlsPolicies:
    """With these settings, and a policy table."""
    snapshot = Snapshot.of({"compatibility_level": "3.6", **settings})
    tables = open_tables([f"inline:{table}"] if table else [], where="main.cf", clock=ManualClock())
    library = snapshot.group(TlsLibrary)
    return TlsPolicies(
        snapshot.group(SmtpClientTls),
        tables,
        grades=cipher_lists(snapshot.group(SmtpServerTls)),
        library=library,
    )


def certificate(*names: str, common: str = "cn.test") -> bytes:
    """DER, self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


LEVELS = [
    ({}, "none"),
    ({"smtp_use_tls": "yes"}, "may"),
    ({"smtp_enforce_tls": "yes"}, "verify"),
    ({"smtp_enforce_tls": "yes", "smtp_tls_enforce_peername": "no"}, "encrypt"),
    ({"smtp_tls_security_level": "secure"}, "secure"),
]


@pytest.mark.parametrize(("settings", "level"), LEVELS)
def test_default_level(settings: dict[str, str], level: str) -> None:
    """The old spellings count as long as the new one is empty."""
    assert level == policies(**settings).default.level


OPTIONAL = [
    ({"smtp_tls_security_level": "secure"}, "may"),
    ({"smtp_tls_security_level": "dane-only"}, "may"),
    ({"smtp_tls_security_level": "may"}, "may"),
    ({"smtp_tls_security_level": "none"}, "none"),
    ({"smtp_tls_security_level": "secure", "smtp_tls_wrappermode": "yes"}, "encrypt"),
]


@pytest.mark.parametrize(("settings", "level"), OPTIONAL)
def test_messages_that_need_no_tls(settings: dict[str, str], level: str) -> None:
    """TLS-Required: no (RFC 8689 §5): neither the level nor a table keeps them."""
    made = policies("{ { example.test=secure } }", **settings)
    assert made.policy(DESTINATION).level == "secure"
    assert made.optional().level == level


TABLE = "{ { example.test=encrypt } { .example.test=may } { [mx.test]:587=secure match=a.test:.b.test } }"
KEYS = [
    (DESTINATION, "encrypt"),
    (Destination("sub.example.test", "sub.example.test"), "may"),
    (Destination("[mx.test]:587", "mx.test", 587), "secure"),
    (Destination("[mx.test]", "mx.test"), "none"),
    (Destination("other.test", "other.test"), "none"),
    (Destination("[example.test]", "example.test"), "none"),
]


@pytest.mark.parametrize(("destination", "level"), KEYS)
def test_policy_table(destination: Destination, level: str) -> None:
    """The nexthop as written; parents only for a bare domain."""
    assert level == policies(TABLE).policy(destination).level


def test_attributes() -> None:
    """match, protocols, ciphers, exclude, servername."""
    text = (
        "secure match=a.test:.b.test protocols=>=TLSv1.2 ciphers=high exclude=aNULL:RC4 servername=hostname"
    )
    expected = TlsPolicy("secure", ("a.test", ".b.test"), ">=TLSv1.2", "high", ("aNULL", "RC4"), "hostname")
    assert expected == read_policy(text)
    assert ("aa:bb", "cc") == read_policy(
        "fingerprint match=aa:bb match=cc".replace(" match=cc", "|cc")
    ).match


@pytest.mark.parametrize(
    "text",
    [
        "",
        "must",
        "half-dane",
        "may match",
        "dane match=nexthop",
        "may color=red",
        "encrypt protocols=TLSv9",
        "may ciphers=x",
    ],
)
def test_bad_policies(text: str) -> None:
    """Mail waits for a policy that can be read."""
    with pytest.raises(BadPolicy):
        read_policy(text)


RANGES = [
    (">=TLSv1.2", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    ("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    ("TLSv1.2", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2),
    (">=TLSv1, <=TLSv1.2", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2),
    (">=0303", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    (">=0x0302 <=TLSV1.2", ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2),
    (">=none", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3),
    (">=SSLv3, >=TLSv1.2, >=TLSv1.1", ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3),
    ("", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3),
]


@pytest.mark.parametrize(("text", "oldest", "newest"), RANGES)
def test_versions(text: str, oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> None:
    """The old form and the new."""
    assert (oldest, newest) == version_range(text)


@pytest.mark.parametrize("text", ["none", ">=0399", ">=12345", ">=x", "0303", "!0303"])
def test_no_version_of_that_name(text: str) -> None:
    """Numbers are for limits."""
    with pytest.raises(ConfigurationFault, match="is no version of TLS"):
        version_range(text)


def test_a_version_between_that_is_left_out() -> None:
    """TLS 1.1 and 1.3, and not 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    limit_versions(context, "TLSv1.1 TLSv1.3")
    assert context.options & ssl.OP_NO_TLSv1_2
    assert not context.options & (ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_3)


def test_no_versions() -> None:
    """A list that leaves nothing is refused at start."""
    with pytest.raises(ConfigurationFault):
        policies(smtp_tls_protocols="<=TLSv1, >=TLSv1.2")


MATCHES = [  # level, match, names, objected
    ("secure", "nexthop", ("example.test",), False),
    ("secure", "nexthop, dot-nexthop", ("mx.example.test",), False),
    ("secure", "nexthop", ("mx.example.test",), True),
    ("verify", "hostname", ("mx.example.test",), False),
    ("verify", "hostname", ("*.example.test",), False),
    ("verify", "hostname", ("*.test",), True),
    ("verify", "hostname", ("evil.test",), True),
    ("secure", "other.test", ("other.test",), False),
    ("secure", "dot-nexthop", ("notexample.test",), True),
    ("encrypt", "hostname", ("evil.test",), False),
]


@pytest.mark.parametrize(("level", "match", "names", "objected"), MATCHES)
def test_names(level: str, match: str, names: tuple[str, ...], objected: bool) -> None:
    """smtp_tls_secure_cert_match, smtp_tls_verify_cert_match."""
    made = policies(
        smtp_tls_security_level=level, smtp_tls_secure_cert_match=match, smtp_tls_verify_cert_match=match
    )
    text = made.objection(made.default, certificate(*names), destination=DESTINATION, host="mx.example.test")
    assert ("Server certificate not verified" if objected else "") == text


@pytest.mark.parametrize(
    ("deep", "name", "host", "objected"),
    [
        ("yes", "*.mx.test", "one.mx.test", False),
        ("yes", "*.mx.test", "domain.example.mx.test", False),
        ("no", "*.mx.test", "one.mx.test", False),
        ("no", "*.mx.test", "domain.example.mx.test", True),
        ("yes", "*.mx.test", "mx.test", True),
        ("yes", "*.test", "mx.test", True),
        ("yes", "*.test", "a.mx.test", True),
        ("yes", "*.mx.test", "evilmx.test", True),
        ("yes", "*.mx.test", "a.evilmx.test", True),
    ],
)
def test_wildcards(deep: str, name: str, host: str, objected: bool) -> None:
    """tls_wildcard_matches_multiple_labels; a star is never all of a top-level domain."""
    made = policies(smtp_tls_security_level="verify", tls_wildcard_matches_multiple_labels=deep)
    assert objected is bool(
        made.objection(made.default, certificate(name), destination=DESTINATION, host=host)
    )


def test_the_common_name_counts_only_without_others() -> None:
    """RFC 6125 §6.4.4"""
    made = policies(smtp_tls_security_level="verify")
    for names, objected in (((), False), (("other.test",), True)):
        der = certificate(*names, common="mx.example.test")
        text = made.objection(made.default, der, destination=DESTINATION, host="mx.example.test")
        assert objected is bool(text)


def test_fingerprints() -> None:
    """The certificate's or its key's, in either form; no certificate has none."""
    der = certificate("x.test")
    for digest in fingerprints(der, "sha256"):
        colons = ":".join(digest[at : at + 2].upper() for at in range(0, len(digest), 2))
        made = policies(smtp_tls_security_level="fingerprint", smtp_tls_fingerprint_cert_match=colons)
        assert "" == made.objection(made.default, der, destination=DESTINATION, host="x.test")
        other = certificate("x.test")
        assert made.objection(made.default, other, destination=DESTINATION, host="x.test")
        assert made.objection(made.default, None, destination=DESTINATION, host="x.test")


@pytest.mark.parametrize(("depth", "is_trusted"), [("0", False), ("1", True), ("9", True)])
def test_how_far_away_an_authority_may_be(tmp_path: Path, depth: str, is_trusted: bool) -> None:
    """smtp_tls_scert_verifydepth: two authorities stand between the server and the one that is trusted."""
    issue(tmp_path, "root")
    issue(tmp_path, "first", signer="root", is_authority=True)
    issue(tmp_path, "second", signer="first", is_authority=True)
    chain = [issue(tmp_path, "server", signer="second"), tmp_path / "second.pem", tmp_path / "first.pem"]
    chain[0].write_bytes(b"".join(path.read_bytes() for path in chain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain[0])
    client = policies(smtp_tls_scert_verifydepth=depth, smtp_tls_CAfile=str(tmp_path / "root.pem")).context(
        TlsPolicy("verify", ("server",), ">=TLSv1.2", "medium")
    )
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    with contextlib.nullcontext() if is_trusted else pytest.raises(ssl.SSLCertVerificationError):
        while ends:
            for end in list(ends):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                    ends.remove(end)


STS = (
    "{ { example.test=LEVEL match=.example.test policy_type=sts policy_domain=example.test "
    "mx_host_pattern=mx.example.test } }"
)


@pytest.mark.parametrize(
    ("level", "enforced", "excludes", "match"),
    [
        ("secure", "yes", True, ("hostname",)),
        ("secure", "no", False, (".example.test",)),
        ("verify", "yes", True, ("hostname",)),
    ],
)
def test_servers_that_an_sts_policy_does_not_name(
    level: str, enforced: str, excludes: bool, match: tuple[str, ...]
) -> None:
    """smtp_tls_enforce_sts_mx_patterns: they are not used, and those that are must prove their own names."""
    table = STS.replace("LEVEL", level)
    made = policies(table, smtp_tls_enforce_sts_mx_patterns=enforced)
    found = made.policy(DESTINATION)
    assert found.match == match
    assert made.excludes(found, "other.example.test") is excludes
    assert not made.excludes(found, "mx.example.test")


def test_an_sts_policy_that_is_being_tried_excludes_nobody() -> None:
    """RFC 8461 §5: mail goes on in mode testing, which programs tell as level may."""
    table = STS.replace("LEVEL match=.example.test", "may")
    made = policies(table)
    assert not made.excludes(made.policy(DESTINATION), "other.example.test")


def test_authorities_of_one_destination(tmp_path: Path) -> None:
    """smtp_tls_trust_anchor_file is for levels that want trust, and a policy's own file goes first."""
    issue(tmp_path, "top")
    file = str(tmp_path / "top.pem")
    table = "{ { example.test=secure tafile=" + file + " } { other.test=may } { third.test=verify } }"
    versions = {"smtp_tls_protocols": ">=TLSv1.2", "smtp_tls_mandatory_protocols": ">=TLSv1.2"}
    made = policies(table, smtp_tls_trust_anchor_file="/missing", **versions)
    found = made.policy(DESTINATION)
    assert found.anchors == (file,)
    assert made.context(found).get_ca_certs() != []
    assert made.policy(Destination("other.test", "other.test")).anchors == ()
    with pytest.raises(ConfigurationFault):
        made.context(made.policy(Destination("third.test", "third.test")))


@pytest.mark.parametrize("grade", ["low", "export", "null", "medium", "high"])
def test_each_grade_has_a_list_of_its_own(grade: str) -> None:
    """tls_low_cipherlist and its kin; TLS 1.3 has ciphers that no grade takes away."""
    chosen = "NULL-SHA256" if grade == "null" else "AES256-SHA256"
    settings = {
        "smtp_tls_ciphers": grade,
        f"tls_{grade}_cipherlist": chosen,
        "smtp_tls_protocols": ">=TLSv1.2",
    }
    found = policies(smtp_use_tls="yes", **settings)
    names = [cipher["name"] for cipher in found.context(found.default).get_ciphers()]
    assert [name for name in names if not name.startswith("TLS_")] == [chosen]
