"""TLS on the way out beside Debian's Postfix: policies of one destination, its authorities, and the tables of old."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fakes.certificates import issue
from fakes.directories import let_others_in
from fakes.outbound_world import Scenario, Server, World, read_differences

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
notify_classes =
smtp_tls_loglevel = 1
smtp_tls_CAfile = /etc/postfix/strange.crt
smtpd_reject_unlisted_recipient = no
smtp_tls_policy_maps = inline:{
  { middle.test = secure match=middle.server tafile=/etc/postfix/middle.crt }
  { top.test = secure match=top.server tafile=/etc/postfix/top.crt }
  { stranger.test = secure match=stranger.server tafile=/etc/postfix/strange.crt }
  { bykey.test = secure match=bykey.server tafile=/etc/postfix/middle.pub }
  { byanotherkey.test = verify match=byanotherkey.server tafile=/etc/postfix/strange.pub }
  { nofile.test = verify tafile=/etc/postfix/missing.crt }
  { nocertificate.test = verify tafile=/etc/postfix/main.cf }
  { reused.test = may connection_reuse=yes }
  { badreuse.test = may connection_reuse=perhaps }
  { unknown.test = may colour=red }
  { tafilemay.test = may tafile=/etc/postfix/middle.crt }
  { twice.test = may ciphers=high ciphers=medium }
  { braces.test = encrypt { protocols = >=TLSv1.2 } }
  { none.test = none match=x }
  }
transport_maps = inline:{
  { sitenone.test = sites: } { sitemay.test = sites: } { sitemust.test = sites: } { siteloose.test = sites: }
  { sitehost.test = sites: } { siteboth.test = sites: } { sitebad.test = sites: } { siteother.test = sites: }
  { strictmay.test = strict: } { strictnone.test = strict: }
  { filed.test = filed: } { filednot.test = filed: } { ignored.test = ignored: }
  }
"""
_SERVICES: Final = """\
sites     unix  -       -       n       -       -       smtp
  -o smtp_tls_policy_maps= -o smtp_tls_per_site=inline:{{sitenone.test=NONE},{sitemay.test=MAY},{sitemust.test=MUST},{siteloose.test=must_nopeermatch},{mx0.sitehost.test=MUST_NOPEERMATCH},{siteboth.test=MAY},{mx0.siteboth.test=NONE},{sitebad.test=PERHAPS}}
strict    unix  -       -       n       -       -       smtp
  -o smtp_tls_policy_maps= -o smtp_tls_security_level=encrypt -o smtp_tls_per_site=inline:{{strictmay.test=MAY},{strictnone.test=NONE}}
filed     unix  -       -       n       -       -       smtp
  -o smtp_tls_policy_maps= -o smtp_tls_security_level=verify -o smtp_tls_trust_anchor_file=/etc/postfix/middle.crt
ignored   unix  -       -       n       -       -       smtp
  -o smtp_tls_security_level=may -o smtp_tls_per_site=static:MUST
"""
_STARTTLS: Final = {"EHLO": b"250-mx.peer.test\r\n250-PIPELINING\r\n250 STARTTLS"}
NAMES: Final = (
    "middle",
    "top",
    "stranger",
    "bykey",
    "byanotherkey",
    "nofile",
    "nocertificate",
    "reused",
    "badreuse",
    "unknown",
    "tafilemay",
    "twice",
    "braces",
    "none",
    "sitenone",
    "sitemay",
    "sitemust",
    "siteloose",
    "sitehost",
    "siteboth",
    "sitebad",
    "siteother",
    "strictmay",
    "strictnone",
    "filed",
    "filednot",
    "ignored",
)


def certificate(path: Path) -> str:
    """The first certificate of a PEM file, alone."""
    text = path.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


def public_key(path: Path) -> str:
    """Its key in PEM."""
    key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Each domain has a server, whose certificate comes from an authority below another one."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    top = issue(directory, "top")
    middle = issue(directory, "middle", signer="top", is_authority=True)
    strange = issue(directory, "strange")
    scenarios = []
    for name in NAMES:
        signer = "strange" if name == "filednot" else "middle"
        host = f"mx0.{name}.test" if name.startswith(("site", "filed")) else f"{name}.server"
        chain = issue(directory, host, signer=signer, names=(host,))
        chain.write_text(chain.read_text() + certificate(middle))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        scenarios.append(Scenario(name=name, servers=(Server(_STARTTLS, tls=context),)))
    files = {f"/etc/postfix/{path.stem}.crt": certificate(path) for path in (top, middle, strange)}
    files |= {f"/etc/postfix/{path.stem}.pub": public_key(path) for path in (middle, strange)}
    made = World(directory, scenarios, _MAIN_CF, files=files, services=_SERVICES)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_as_postfix(world: World, name: str) -> None:
    """Log lines, words on the wire, notices."""
    known = read_differences(Path(__file__).parent / "outbound_tls_differences.txt")
    for part, theirs, ours in zip(("log", "wire", "notice"), *world.play(Scenario(name=name)), strict=True):
        if f"{name}:{part}" in known:
            assert theirs != ours, f"{name}:{part} is on the list of differences, and there is none"
        else:
            assert theirs == ours, f"{theirs}\n--- and ours:\n{ours}"
