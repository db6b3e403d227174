"""Mailers that hand all of their mail to one relayhost, with a password and TLS: dma, nullmailer, OpenSMTPD, exim4.

Each runs on a host of Debian's Postfix and Dovecot and on one of ours, and gives its messages to submission (587,
STARTTLS) and to submissions (465): what is logged of it and what arrives are the same.
"""

import re
from collections.abc import Callable
from typing import Final

import pytest

from fakes.host import Host
from fakes.logs import lines_with, until_logged
from fakes.mail_hosts import PACKAGES
from fakes.submission_host import start_submission
from fakes.tutorial_host import USERS
from fakes.tutorial_products import in_mailbox, play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare", "openssl", "swaks"),
]

PORTS: Final = (587, 465)
_PASSWORD: Final = USERS["bob"]
_RELAYING: Final = (
    "  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n"
)
_SERVICES: Final = f"""\
587 inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
{_RELAYING}465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
{_RELAYING}"""
_DMA: Final = """\
SMARTHOST mail.tutorial.test
PORT {port}
AUTHPATH /etc/dma/auth.conf
SECURETRANSFER
MAILNAME small.test
{starttls}
"""
_OPENSMTPD: Final = """\
table secrets file:/etc/smtpd.secrets
listen on lo inet4 port 2587 tag starttls
listen on lo inet4 port 2465 tag wrapped
action "starttls" relay host "smtp+tls://bob@mail.tutorial.test:587" auth <secrets> helo small.test tls no-verify
action "wrapped" relay host "smtps://bob@mail.tutorial.test:465" auth <secrets> helo small.test tls no-verify
match tag starttls from any for any action "starttls"
match tag wrapped from any for any action "wrapped"
"""
_EXIM: Final = """\
primary_hostname = small.test
log_file_path = /var/log/exim4/%slog
host_lookup =
never_users = root
keep_environment =
begin routers
relay:
  driver = manualroute
  route_list = * mail.tutorial.test
  self = send
  transport = relay
begin transports
relay:
  driver = smtp
  port = {port}
  {protocol}
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates =
  tls_try_verify_hosts =
begin retry
* * F,2h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^bob^{password}
"""


def _unpack(host: Host, *packages: str) -> None:
    for package in packages:
        if not list(PACKAGES.glob(f"{package}_*.deb")):
            pytest.fail(f"{package} is not in {PACKAGES}: run scripts/install-peers")
        host.output(f"dpkg-deb -x {PACKAGES}/{package}_*.deb /tmp/{package}")


def _dma(host: Host) -> None:
    _unpack(host, "dma")
    host.output("mkdir -p /etc/dma /var/spool/dma && chgrp mail /var/spool/dma && chmod 2775 /var/spool/dma")
    host.write("/etc/dma/auth.conf", f"bob|mail.tutorial.test:{_PASSWORD}\n")
    for port in PORTS:
        host.write("/etc/dma/dma.conf", _DMA.format(port=port, starttls="STARTTLS" if port == 587 else ""))
        # It waits for the end of what it has started, and of that for the end of its own standard output.
        host.output(
            "/tmp/dma/usr/sbin/dma -f bob@small.test alice@tutorial.test >/dev/null 2>&1",
            content=f"Subject: dma {port}\n\nx\n",
        )


def _nullmailer(host: Host) -> None:
    _unpack(host, "nullmailer")
    spool = "/var/spool/nullmailer"
    host.output(
        f"mkdir -p {spool}/queue {spool}/tmp {spool}/failed /etc/nullmailer && mkfifo {spool}/trigger"
    )
    host.output(f"cp -a /tmp/nullmailer/usr/lib/nullmailer /usr/lib/ && chown -R mail: {spool}")
    host.output(
        "cp -a /tmp/nullmailer/usr/sbin/nullmailer-* /usr/sbin/ && chown mail /usr/sbin/nullmailer-queue"
    )
    host.output("chmod u+s /usr/sbin/nullmailer-queue")
    host.write("/etc/nullmailer/me", "small.test\n")
    for port in PORTS:
        tls = "--starttls" if port == 587 else "--ssl"
        host.write(
            "/etc/nullmailer/remotes",
            f'mail.tutorial.test smtp --port={port} {tls} --insecure --user=bob "--pass={_PASSWORD}"\n',
        )
        host.output(
            "/tmp/nullmailer/usr/bin/nullmailer-inject -f bob@small.test alice@tutorial.test",
            content=f"Subject: nullmailer {port}\n\nx\n",
        )
        host.output("nullmailer-send >/tmp/nullmailer.log 2>&1 & echo $! >/tmp/nullmailer.pid")
        until_logged(host, r"message-id=<\S+\.nullmailer@", count=PORTS.index(port) + 1)
        host.output("kill $(cat /tmp/nullmailer.pid)")


def _opensmtpd(host: Host) -> None:
    _unpack(host, "opensmtpd")
    host.output("cp -a /tmp/opensmtpd/usr/. /usr/")
    for user in ("opensmtpd", "opensmtpq"):
        host.output(f"useradd --system --home-dir /var/lib/opensmtpd/empty --shell /usr/sbin/nologin {user}")
    host.output(
        "mkdir -p /var/lib/opensmtpd/empty && chmod 711 /var/lib/opensmtpd; echo small.test >/etc/mailname"
    )
    host.write("/etc/smtpd.secrets", f"bob bob:{_PASSWORD}\n")
    host.write("/etc/smtpd.conf", _OPENSMTPD)
    host.output("setsid /usr/sbin/smtpd -d -v </dev/null >/var/log/smtpd.log 2>&1 &")
    for port in PORTS:
        host.until_answers(2000 + port)
        host.output(
            f"swaks --silent 2 --server 127.0.0.1:{2000 + port} --helo small.test "
            f"--from bob@small.test --to alice@tutorial.test --header 'Subject: opensmtpd {port}' --body x"
        )


def _exim(host: Host) -> None:
    _unpack(host, "exim4-base", "exim4-daemon-light")
    host.output("useradd --system --home-dir /var/spool/exim4 Debian-exim")
    host.output(
        "mkdir -p /var/spool/exim4 /var/log/exim4 && chown Debian-exim: /var/spool/exim4 /var/log/exim4"
    )
    host.output("cp -a /tmp/exim4-daemon-light/usr/sbin/exim4 /usr/sbin/ && chmod u+s /usr/sbin/exim4")
    for port in PORTS:
        protocol = "protocol = smtps" if port == 465 else ""
        host.write("/etc/exim4/exim4.conf", _EXIM.format(port=port, protocol=protocol, password=_PASSWORD))
        host.output(
            "/usr/sbin/exim4 -odi -f bob@small.test alice@tutorial.test",
            content=f"Subject: exim4 {port}\n\nx\n",
        )


MAILERS: Final[dict[str, Callable[[Host], None]]] = {
    "dma": _dma,
    "nullmailer": _nullmailer,
    "opensmtpd": _opensmtpd,
    "exim4": _exim,
}


def _without_what_varies(text: str) -> str:
    text = re.sub(r".*?mail postfix/|[\dA-F]{6,12}: ", "", text)
    text = re.sub(r"with (E?SMTP\w*) id \w+", r"with \1", text)
    return re.sub(r"delay=\S+ delays=\S+ |\[\d+\](?=:)|size=\d+|message-id=\S+", "", text)


def _play(host: Host, product: str) -> dict[str, list[str]]:
    start_submission(host, product, services=_SERVICES)
    told = {}
    for name, mailer in MAILERS.items():
        since = len(host.log())
        mailer(host)
        until_logged(host, r"to=<alice@tutorial\.test>.*status=sent", count=len(PORTS), since=since)
        lines = lines_with(host, r"postfix/\S+: \w+: (?:client|from|to)=", since=since)
        for port in PORTS:
            (path,) = in_mailbox(host, "alice", f"{name} {port}")
            lines += re.findall(
                r"^\s+by mail\.tutorial\.test .* id|^Return-Path.*", host.file(path).read_text(), re.MULTILINE
            )
        # Messages of one mailer may be under way at the same time: their lines have no order.
        told[name] = sorted(_without_what_varies(line) for line in lines)
    return told


@pytest.fixture(scope="module")
def told() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What is logged of each mailer's messages, and what stands on top of them: theirs, ours."""
    return play_to_both(_play)


@pytest.mark.parametrize("mailer", MAILERS)
def test_their_mail_is_taken(told: tuple[dict[str, list[str]], dict[str, list[str]]], mailer: str) -> None:
    """Of a login, under TLS, and delivered."""
    theirs, ours = told
    assert ours[mailer] == theirs[mailer]
    assert sum("sasl_username=bob" in line for line in ours[mailer]) == len(PORTS)
    assert sum("with ESMTPSA" in line for line in ours[mailer]) == len(PORTS)
