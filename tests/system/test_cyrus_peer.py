"""smtpd_sasl_type = cyrus beside Debian's Postfix: the real saslauthd, and passwords that saslpasswd2 has stored."""

import base64
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.digest_md5_client import Login, told
from fakes.directories import let_others_in
from fakes.mail_system import until
from fakes.smtp_exchanges import Exchange, Raw
from fakes.smtp_server_pair import Server, both_servers, check_differences, play

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "saslauthd")]

HOST: Final = "pillarbox.test"
_SASLDB: Final = Path("/etc/sasldb2")
"""The one that saslauthd looks into."""
OPTIONS: Final = {
    "auxprop": "pwcheck_method: auxprop\nmech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5\nsasldb_path: DIR/sasldb2\n",
    "saslauthd": "pwcheck_method: saslauthd\nmech_list: PLAIN LOGIN\nsaslauthd_path: DIR/mux\n",
    "away": "pwcheck_method: saslauthd\nmech_list: PLAIN LOGIN\nsaslauthd_path: DIR/none\n",
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Both, with a service for each way to check a login."""
    base = tmp_path_factory.mktemp("sasl")
    let_others_in(base)
    for realm in (HOST, socket.gethostname(), "own.test"):
        for user, password in (("joe", b"secret"), ("ann.b", b"pass word")):
            command = ["saslpasswd2", "-p", "-c", "-f", str(base / "sasldb2"), "-u", realm, user]
            subprocess.run(command, input=password, check=True)
    (base / "sasldb2").chmod(0o644)
    subprocess.run(["mount", "--bind", str(base / "sasldb2"), str(_SASLDB)], check=True)
    (base / "sasl").mkdir()
    (base / "sasl").chmod(0o755)
    services = {}
    for name, text in OPTIONS.items():
        (base / "sasl" / f"{name}.conf").write_text(text.replace("DIR", str(base)))
        (base / "sasl" / f"{name}.conf").chmod(0o644)
        services[name] = {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "cyrus",
            "smtpd_sasl_path": name,
            "cyrus_sasl_config_path": str(base / "sasl"),
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        }
        services[f"{name} of a realm"] = {**services[name], "smtpd_sasl_local_domain": "own.test"}
    program = shutil.which("saslauthd", path="/usr/sbin") or ""
    with subprocess.Popen(
        [program, "-a", "sasldb", "-m", str(base), "-n", "1", "-d"], stderr=subprocess.DEVNULL
    ) as saslauthd:
        until(lambda: (base / "mux").exists(), what="saslauthd listens")
        (base / "mux").chmod(0o777)
        try:
            with both_servers({}, services) as pair:
                # Debian's takes no directory but this one, and it is one of the test's own by now.
                shutil.copytree(base / "sasl", "/etc/postfix/sasl")
                yield pair
        finally:
            saslauthd.kill()
            subprocess.run(["umount", str(_SASLDB)], check=True)


def plain(user: str, password: str, authorization: str = "") -> bytes:
    """An initial response."""
    return base64.b64encode(f"{authorization}\0{user}\0{password}".encode())


def _steps(words: bytes) -> tuple[bytes | Raw, ...]:
    return (b"EHLO client.test", b"AUTH " + words, b"MAIL FROM:<a@b.test>", b"RCPT TO:<me@pillarbox.test>")


_LOGINS: Final = {
    "right": b"PLAIN " + plain("joe", "secret"),
    "with a realm": b"PLAIN " + plain("ann.b@own.test", "pass word"),
    "with another": b"PLAIN " + plain("joe@no.test", "secret"),
    "wrong": b"PLAIN " + plain("joe", "Secret"),
    "unknown": b"PLAIN " + plain("jim", "secret"),
    "without a password": b"PLAIN " + plain("joe", ""),
    "without a name": b"PLAIN " + plain("", "secret"),
    "for himself": b"PLAIN " + plain("joe", "secret", "joe"),
    "for somebody": b"PLAIN " + plain("joe", "secret", "ann.b"),
    "blanks": b"PLAIN " + plain(" joe ", "secret"),
    "malformed": b"PLAIN " + base64.b64encode(b"joe"),
    "not offered": b"SCRAM-SHA-1",
}
_LOGIN: Final = (
    b"EHLO x",
    b"AUTH LOGIN",
    base64.b64encode(b"joe"),
    base64.b64encode(b"secret"),
    b"AUTH LOGIN",
)
_WRONG: Final = (
    b"EHLO x",
    b"AUTH LOGIN",
    base64.b64encode(b"joe"),
    base64.b64encode(b"no"),
    b"AUTH PLAIN",
    b"*",
)


def _exchanges() -> Iterator[Exchange]:
    for kind in ("auxprop", "saslauthd"):
        for service in (kind, f"{kind} of a realm"):
            for name, words in _LOGINS.items():
                yield Exchange(f"{service}: {name}", _steps(words), service)
        yield Exchange(f"{kind}: LOGIN", _LOGIN, kind)
        yield Exchange(f"{kind}: LOGIN, wrong", _WRONG, kind)
    yield Exchange("away", (b"EHLO x", b"AUTH " + _LOGINS["right"]), "away")


def _offered(reply: str) -> str:
    """Of what EHLO shows, which differs in more than that."""
    return next((line for line in reply.split(" / ") if line.startswith("250-AUTH")), "")


def test_the_same_as_postfix(servers: tuple[Server, Server]) -> None:
    """Who may log in, by what name, and what the others are told."""
    found = play(_exchanges(), *servers, ())
    found = [one for one in found if one.step[:4] != "EHLO" or _offered(one.theirs) != _offered(one.ours)]
    check_differences(found, {})


DIGESTS: Final = {
    "realm of the host": Login(realm=HOST.encode()),
    "another realm": Login(realm=b"own.test"),
    "no realm": Login(),
    "empty realm": Login(realm=b""),
    "a name with a realm, and a realm": Login(b"joe@own.test", realm=HOST.encode()),
    "a name with a realm": Login(b"joe@own.test", realm=b""),
    "unknown realm": Login(realm=b"no.test"),
    "wrong": Login(password=b"no", realm=HOST.encode()),
    "unknown": Login(b"jim", realm=HOST.encode()),
    "for somebody": Login(authorization=b"ann.b"),
    "for himself": Login(authorization=b"joe"),
    "for an IMAP server": Login(uri=b"imap/pillarbox.test"),
    "for another host": Login(uri=b"smtp/other.test"),
    "a second time": Login(nonce_count=b"00000002"),
    "with a charset": Login(more=b",charset=utf-8"),
    "nothing": Login(whole=b""),
    "no directives": Login(whole=b"garbage"),
    "no name": Login(b""),
    "no qop": Login(change=(b",qop=auth", b"")),
    "another nonce": Login(change=(b'nonce="', b'nonce="x')),
}


def test_digest_md5(servers: tuple[Server, Server]) -> None:
    """The same logins are taken, and by the same words refused."""
    for service in ("auxprop", "auxprop of a realm"):
        for name, login in DIGESTS.items():
            theirs, ours = (
                told(
                    server.port(service),
                    login,
                    hello=b"EHLO x\r\n",
                    command=b"AUTH DIGEST-MD5\r\n",
                    goes_on=b"334 ",
                )
                for server in servers
            )
            assert ours == theirs, f"{service}: {name}"
