"""`postfix tls` of either product: the same settings, the same certificates as openssl(1) shows them, the same log.

Left out: digests, times, what OpenSSL says of a key that is too short, and smtp_tls_session_cache_database, which ours
does not set as it would have no effect.
"""

import re
from typing import Final

import pytest

from fakes.host import Host
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "rsyslogd", "unshare", "openssl"),
]

MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.tutorial.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
"""
_SHOW: Final = "openssl x509 -noout -text -certopt no_sigdump,no_pubkey,no_serial,no_validity -in"
STEPS: Final = {
    "wrong": "for a in '' bogus 'enable-server -Z' 'new-server-key -a dsa' 'deploy-server-cert x' output-server-tlsa "
    "'new-server-key -b 10'; do postfix tls $a; echo $?; done",
    "defaults": "postfix tls all-default-client; echo $?; postfix tls all-default-server; echo $?",
    "client": "postfix tls enable-client -r dev:/dev/urandom; postconf -n | grep tls; postfix tls all-default-client",
    "client again": "postfix tls enable-client",
    "server": "postfix tls enable-server; postconf -n | grep smtpd_tls; postfix tls all-default-server",
    "server again": "postfix tls enable-server",
    "certificate": f"cd /etc/postfix; stat -c %A cert-*.pem key-*.pem; {_SHOW} cert-*.pem",
    "ECDSA": "postfix tls new-server-key -a ecdsa -b secp384r1 a.test b.test",
    "its certificate": f"cd /etc/postfix; stat -c %A eccert-*.pem eckey-*.pem; {_SHOW} eccert-*.pem",
    "mismatch": "cd /etc/postfix; postfix tls deploy-server-cert eccert-*.pem key-*.pem",
    "deploy": "cd /etc/postfix; postfix tls deploy-server-cert eccert-*.pem eckey-*.pem; postconf -n | grep smtpd_tls",
    "request": "postfix tls output-server-csr | openssl req -noout -text -verify -reqopt no_sigdump,no_pubkey 2>&1",
    "ECDSA request": "postfix tls output-server-csr -k ecdsa q.test | "
    "openssl req -noout -text -verify -reqopt no_sigdump,no_pubkey 2>&1",
    "records": "postfix tls output-server-tlsa; postfix tls output-server-tlsa -h x.test ecdsa",
    "records are right": "openssl x509 -in /etc/postfix/cert-*.pem -noout -pubkey | openssl pkey -pubin -outform DER | "
    'sha256sum | cut -d" " -f1 >/tmp/digest; postfix tls output-server-tlsa rsa | grep -cf /tmp/digest',
    "the same key": "mkdir /tmp/old; mv /etc/postfix/cert-*.pem /tmp/old; postfix tls new-server-cert x.test; "
    "openssl x509 -in /etc/postfix/cert-*.pem -noout -pubkey >/tmp/new; "
    "openssl x509 -in /tmp/old/cert-*.pem -noout -pubkey | cmp - /tmp/new",
}


def play(host: Host, product: str) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Exit status and output of each step, and the log."""
    host.write("/etc/postfix/main.cf", MAIN_CF)
    host.output("postfix set-permissions")
    done = {
        name: host.run(f"touch -d yesterday /etc/postfix/main.cf; {step}") for name, step in STEPS.items()
    }
    said = {name: (one.returncode, "\n".join(_without_chance(one.stdout))) for name, one in done.items()}
    log = [line for line in host.log().splitlines() if "tls-script" in line]
    return said, _without_chance("\n".join(re.sub(r"^.*?tls-script\[\d+\]: ", "", line) for line in log))


def _without_chance(text: str) -> list[str]:
    """Lines without what is another one each time."""
    text = re.sub(r"\d{8}-\d{6}", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{64}\b|\b(?:[0-9A-F]{2}:){19}[0-9A-F]{2}\b", "DIGEST", text)
    wrong_key = r"^warning: .*(?:RSA length|:error:|key_size)"
    return [line for line in text.splitlines() if not re.search(rf"session_cache_database|{wrong_key}", line)]


def test_keys_certificates_and_settings_are_the_same() -> None:
    """Step by step; then the log."""
    (theirs, their_log), (ours, our_log) = play_to_both(play)
    for name in STEPS:
        assert theirs[name] == ours[name], name
    assert their_log == our_log
    assert ours["records are right"] == (0, "1")
    assert "DNS:a.test, DNS:b.test" in ours["its certificate"][1]
