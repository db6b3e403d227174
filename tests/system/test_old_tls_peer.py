"""Old versions of TLS, ciphers with DHE and short keys, for scanners and mail programs of long ago: as the originals.

openssl s_client asks services of Debian's Postfix and Dovecot and ours, one per setting, and what is agreed on is
compared.  Ciphers without a certificate, which Postfix offers, are not: no mail program uses them.
"""

import re
from typing import Final

import pytest

from fakes.host import Host
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_host import DOVECOT_CONF, MAIN_CF
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare", "openssl"),
]

_CERTIFICATE: Final = "openssl req -x509 -nodes -days 30 -subj /CN=mail.tutorial.test"
_FILES: Final = f"""
{_CERTIFICATE} -newkey rsa:2048 -keyout /etc/mail.key -out /etc/mail.pem
{_CERTIFICATE} -newkey rsa:1024 -sha1 -keyout /etc/short.key -out /etc/short.pem
openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe3072 -out /etc/dh.pem
"""
_TLS: Final = """\
smtpd_tls_cert_file = /etc/mail.pem
smtpd_tls_key_file = /etc/mail.key
smtpd_tls_security_level = may
"""
SERVICES: Final = {
    "as it is": "",
    "protocols from 1.2": "-o smtpd_tls_protocols=>=TLSv1.2",
    "protocols by exclusion": "-o smtpd_tls_protocols=!SSLv2,!SSLv3,!TLSv1",
    "protocols to 1.1": "-o smtpd_tls_protocols=<=TLSv1.1",
    "protocols unknown": "-o smtpd_tls_protocols=>=TLSv9",
    "mandatory": "-o smtpd_tls_security_level=encrypt",
    "mandatory from 1.2": "-o smtpd_tls_security_level=encrypt -o smtpd_tls_mandatory_protocols=>=TLSv1.2",
    "group of a file": "-o smtpd_tls_dh1024_param_file=/etc/dh.pem",
    "group of OpenSSL": "-o smtpd_tls_dh1024_param_file=auto",
    "no such file": "-o smtpd_tls_dh1024_param_file=/etc/none.pem",
    "no group in the file": "-o smtpd_tls_dh1024_param_file=/etc/mail.pem",
    "no anonymous ciphers": "-o smtpd_tls_exclude_ciphers=aNULL",
    "certificates are asked for": "-o smtpd_tls_ask_ccert=yes",
    "short key": "-o smtpd_tls_cert_file=/etc/short.pem -o smtpd_tls_key_file=/etc/short.key",
}
"""What master.cf says of a service."""
CONFIGURATIONS: Final = {
    "as it is": "",
    "from 1.0": "ssl_min_protocol = TLSv1\nssl_cipher_list = ALL:!aNULL:@SECLEVEL=0\n",
    "from 1.0, too weak": "ssl_min_protocol = TLSv1\n",
    "any": "ssl_min_protocol = ANY\nssl_cipher_list = ALL:!aNULL:@SECLEVEL=0\n",
    "latest": "ssl_min_protocol = LATEST\n",
    "group": "ssl_dh = </etc/dh.pem\n",
}
"""What dovecot.conf says besides."""
CLIENTS: Final = {
    "1.0": "-tls1 -cipher ALL:!aNULL:@SECLEVEL=0",
    "1.1": "-tls1_1 -cipher ALL:!aNULL:@SECLEVEL=0",
    "1.2": "-tls1_2 -cipher ALL:!aNULL:@SECLEVEL=0",
    "1.2 with DHE": "-tls1_2 -cipher DHE:!aNULL:@SECLEVEL=0",
    "1.2 without certificate": "-tls1_2 -cipher aNULL:@SECLEVEL=0",
    "1.3": "-tls1_3 -cipher ALL:@SECLEVEL=0",
}
_FIRST_PORT: Final = 2501
_AGREED: Final = re.compile(r"^(?:New, .*|Server Temp Key: .*|.*didn't found STARTTLS.*)$", re.MULTILINE)
CASES: Final = [
    *((f"postfix, {service}", client) for service in SERVICES for client in CLIENTS),
    *((f"dovecot, {configuration}", client) for configuration in CONFIGURATIONS for client in CLIENTS),
]


def _agreed(host: Host, where: str) -> dict[str, list[str]]:
    return {
        client: _AGREED.findall(
            host.run(f"echo QUIT | openssl s_client {options} -connect 127.0.0.1:{where} 2>&1").stdout
        )
        for client, options in CLIENTS.items()
    }


def _play(host: Host, product: str) -> dict[tuple[str, str], list[str]]:
    host.output(_FILES)
    master = "".join(
        f"{port} inet n - n - - smtpd {options}\n"
        for port, options in enumerate(SERVICES.values(), start=_FIRST_PORT)
    )
    host.write("/etc/postfix/main.cf", MAIN_CF + _TLS)
    host.write("/etc/postfix/master.cf", MASTER_CF + master)
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()
    found = {}
    for port, service in enumerate(SERVICES, start=_FIRST_PORT):
        host.until_answers(port)
        for client, lines in _agreed(host, f"{port} -starttls smtp").items():
            found[f"postfix, {service}", client] = lines
    tls = "ssl = yes\nssl_cert = </etc/mail.pem\nssl_key = </etc/mail.key\n"
    for configuration, text in CONFIGURATIONS.items():
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF.replace("ssl = no\n", tls) + text)
        host.output("dovecot")
        host.until_answers(993)
        for client, lines in _agreed(host, "993").items():
            found[f"dovecot, {configuration}", client] = lines
        host.output("doveadm stop")
    found["warnings", ""] = re.findall(r"error \S+ DH parameter.*", host.output("cat /var/log/mail.log"))
    return found


@pytest.fixture(scope="module")
def said() -> tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[str]]]:
    """What was agreed on: theirs, ours."""
    return play_to_both(_play)


@pytest.mark.parametrize(("service", "client"), CASES)
def test_the_same_is_agreed_on(
    said: tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[str]]], service: str, client: str
) -> None:
    """Version, cipher and group, or nothing."""
    theirs, ours = said
    assert ours[service, client] == theirs[service, client]


def test_what_the_log_says_of_files(
    said: tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[str]]],
) -> None:
    """A group that cannot be loaded; the service goes on with another."""
    theirs, ours = said
    assert len(set(theirs["warnings", ""])) == 2  # each process of a service says it
    assert set(ours["warnings", ""]) == set(theirs["warnings", ""])


def test_old_clients_were_served(
    said: tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[str]]],
) -> None:
    """Both would agree on nothing if nobody had answered."""
    _, ours = said
    assert ours["postfix, as it is", "1.0"][-1].startswith("New, TLSv1.0, Cipher is ECDHE-RSA-")
    assert "Cipher is ADH-" in ours["postfix, mandatory", "1.2 without certificate"][-1]
    assert ours["postfix, short key", "1.2"][-1].startswith("New, TLSv1.2, ")
    assert "Server Temp Key: DH, 3072 bits" in ours["dovecot, group", "1.2 with DHE"]
    assert ours["dovecot, from 1.0", "1.0"][-1].startswith("New, TLSv1.0, ")
