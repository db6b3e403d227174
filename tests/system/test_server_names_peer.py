"""tls_server_sni_maps: Debian's Postfix and ours give the same certificate for a name, and log the same lines.

openssl s_client is the client of both, on port 25 after STARTTLS and on port 465.
"""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.host import PACKAGED, Host
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import SERVICES

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "unshare", "openssl"),
]

LOG: Final = "/var/log/mail.log"
_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydestination = mail.here.test
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
maillog_file = /var/log/mail.log
smtpd_peername_lookup = no
smtpd_tls_chain_files = /etc/postfix/default.pem
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
tls_server_sni_maps = hash:/etc/postfix/sni, inline:{ { inline.test = /etc/postfix/inline.pem } },
  regexp:{ { /^pattern[0-9]\\.test$$/ /etc/postfix/pattern.pem } }, hash:/etc/postfix/plain
"""
_MASTER_CF: Final = f"""\
25        inet  n       -       n       -       -       smtpd
465       inet  n       -       n       -       -       smtpd
  -o smtpd_tls_wrappermode=yes -o syslog_name=postfix/submissions
26        inet  n       -       n       -       -       smtpd
  -o tls_server_sni_maps=fail:broken
27        inet  n       -       n       -       -       smtpd
  -o smtpd_tls_ciphers=null
28        inet  n       -       n       -       -       smtpd
  -o smtpd_tls_ciphers=low -o tls_low_cipherlist=AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
  -o smtpd_tls_exclude_ciphers=AES128-GCM-SHA256
29        inet  n       -       n       -       -       smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_mandatory_ciphers=export
  -o tls_export_cipherlist=ECDHE-RSA-AES256-GCM-SHA384
{SERVICES}"""
_SNI: Final = """\
exact.test    /etc/postfix/exact.pem
.above.test   /etc/postfix/above.pem
both.test     /etc/postfix/exact.pem, /etc/postfix/elliptic.pem
backwards.test /etc/postfix/backwards.pem
keyonly.test  /etc/postfix/keyonly.pem
certonly.test /etc/postfix/certonly.pem
garbage.test  /etc/postfix/garbage.pem
halved.test   /etc/postfix/halved.pem
others.test   /etc/postfix/others.pem
signed.test   /etc/postfix/signed.pem
"""
_IS_OF_LIBRARY: Final = re.compile(r"TLS library problem: (?!error:0A0000EA:SSL routines::callback failed)")
"""Why OpenSSL cannot load a chain: it has several reasons, of which Python tells one."""
NAMES: Final = (
    "",
    "exact.test",
    "EXACT.test",
    "x.exact.test",
    "above.test",
    "a.above.test",
    "a.b.above.test",
    "both.test",
    "inline.test",
    "pattern1.test",
    "elsewhere.test",
    "-bad-.test",
    "under_score.test",
    "192.0.2.1",
    "plain.test",
    "backwards.test",
    "keyonly.test",
    "certonly.test",
    "garbage.test",
    "halved.test",
    "others.test",
    "signed.test",
)


class World:
    """Both hosts, and certificates."""

    def __init__(self, directory: Path) -> None:
        issue(directory, "authority")
        for name in ("default", "inline", "pattern", "above", "elliptic"):
            issue(directory, name)
        issue(directory, "exact", rsa_bits=2048)
        issue(directory, "signed", signer="authority")
        texts = {path.name: path.read_text() for path in directory.glob("*.pem")}
        exact = texts["exact.pem"]
        at = exact.index("-----BEGIN CERT")
        key, certificate = exact[:at], exact[at:]
        texts["backwards.pem"] = certificate + key
        texts["keyonly.pem"] = key
        texts["certonly.pem"] = certificate
        texts["garbage.pem"] = "nothing of use\n"
        texts["halved.pem"] = exact[: len(exact) // 4]
        texts["others.pem"] = key + texts["above.pem"][texts["above.pem"].index("-----BEGIN CERT") :]
        self.hosts = [self._host(PACKAGED, texts), self._host(INSTALLED, texts)]

    def _host(self, path: str, texts: dict[str, str]) -> Host:
        host = Host("mail.here.test", path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        for name, text in texts.items():
            host.write(f"/etc/postfix/{name}", text, mode=0o600)
        host.write("/etc/postfix/main.cf", _MAIN_CF)
        host.write("/etc/postfix/master.cf", _MASTER_CF)
        host.write("/etc/postfix/sni", _SNI, mode=0o600)
        host.write("/etc/postfix/plain", "plain.test no-base64\n")
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.run("postmap -F hash:/etc/postfix/sni; postmap hash:/etc/postfix/plain")
        host.start_postfix()
        host.until_answers(25)
        return host

    def end(self) -> None:
        """Everything goes."""
        for host in self.hosts:
            host.end()

    def play(self, host: Host, port: int, name: str, *options: str) -> str:
        """The certificate that a client gets, and what is logged."""
        before = len(host.file(LOG).read_text())
        starttls = "" if port == 465 else "-starttls smtp"
        server_name = f"-servername '{name}'" if name else "-noservername"
        said = host.run(
            f"(sleep 0; echo QUIT) | openssl s_client -connect 127.0.0.1:{port} {starttls} {server_name} -quiet"
            f" -showcerts -ign_eof {' '.join(options)} 2>&1",
        ).stdout
        until(
            lambda: "disconnect from" in host.file(LOG).read_text()[before:],
            what=lambda: host.file(LOG).read_text()[before:],
        )
        lines = [
            re.sub(r"^.*? postfix/((?:submissions/)?\w+)\[\d+\]: ", r"\1: ", line)
            for line in host.file(LOG).read_text()[before:].split("\n")
            if "smtpd[" in line and not _IS_OF_LIBRARY.search(line)
        ]
        lines = [re.sub(r":\.\./\S+\.c:\d+|:[a-z_/]+\.c:\d+", "", line) for line in lines]
        heard = re.findall(r"(?m)^depth=0 .*|SSL alert number.*", said)
        return "\n".join([*heard, *lines])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all names."""
    made = World(tmp_path_factory.mktemp("names"))
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_as_postfix(world: World, name: str) -> None:
    """Certificate, trust and log lines, whatever the name."""
    for port in (25, 465):
        theirs, ours = (world.play(host, port, name) for host in world.hosts)
        assert theirs == ours, "\n".join(difflib.ndiff(theirs.split("\n"), ours.split("\n")))


@pytest.mark.parametrize(
    ("port", "options"),
    [
        (26, ()),
        *(
            (port, ("-tls1_2", "-cipher", f"'{name}:@SECLEVEL=0'"))
            for port in (27, 28, 29)
            for name in ("ALL", "eNULL")
        ),
        (25, ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")),
        (25, ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")),
        (25, ("-groups", "P-521:P-256")),
    ],
)
def test_other_ways(world: World, port: int, options: tuple[str, ...]) -> None:
    """A table that cannot answer; grades of ciphers; RSA and ECDSA chains side by side; a client that has to begin again."""
    theirs, ours = (world.play(host, port, "both.test", *options) for host in world.hosts)
    assert theirs == ours, "\n".join(difflib.ndiff(theirs.split("\n"), ours.split("\n")))
