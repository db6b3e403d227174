"""Programs that watch a mail host, filter its mail or look for holes in it: what they say of both products.

Nagios' plugins, monit, a Prometheus exporter (which asks showq itself and reads the log), nmap's scripts and version
probes, mpop and esmtp, on a host of Debian's Postfix and Dovecot and on one of ours.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest

from fakes.host import Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.submission_host import start_submission
from fakes.tutorial_host import USERS
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer(
        "postfix", "dovecot", "named", "rsyslogd", "unshare", "openssl", "monit", "nmap", "check_imap", "mpop",
        "esmtp", "prometheus-postfix-exporter",
    ),
]  # fmt: skip

_MONITRC: Final = """\
set daemon 2
set log /tmp/monit.log
set pidfile /tmp/monit.pid
set idfile /tmp/monit.id
set statefile /tmp/monit.state
set httpd unixsocket /tmp/monit.sock allow user:pw
check host mail with address 127.0.0.1
  if failed port 25 protocol smtp then alert
  if failed port 143 protocol imap then alert
  if failed port 110 protocol pop then alert
  if failed port 993 type tcpssl protocol imap then alert
  if failed port 995 type tcpssl protocol pop then alert
  if failed port 465 type tcpssl protocol smtp then alert
check process postfix with pidfile /var/spool/postfix/pid/master.pid
"""
_PASSWORD: Final = USERS["bob"]
_EXPORTER: Final = (
    "prometheus-postfix-exporter --web.listen-address=127.0.0.1:9154 --postfix.logfile_path=/var/log/mail.log"
)
_PASSING: Final = re.compile("Nmap|latency|requests|Not valid|MD5|SHA|2.0.0 Commands")
"""Lines of nmap that are not the server's doing, differ by certificate, or list HELP's commands, which Postfix has not."""
_WAITING: Final = "Waiting for authentication"
"""What a login process of Dovecot's says before its greeting while the authentication server is not ready."""
_NMAP: Final = "nmap -Pn -n -p 25,110,143,465,587,993,995"


def _says(command: str) -> Callable[[Host], str]:
    """What it prints, once no login process of Dovecot's had to wait for the authentication server."""

    def run(host: Host) -> str:
        said: list[str] = []

        def is_told() -> bool:
            said.append(host.run(f"{command} 2>&1; echo $?").stdout)
            return _WAITING not in said[-1]

        until(is_told, what=f"{command} meets a server that is ready")
        return said[-1]

    return run


def _nagios(plugin: str) -> Callable[[Host], str]:
    return _says(f"/usr/lib/nagios/plugins/{plugin}")


def _mail_waits(host: Host) -> str:
    for recipients in ("one@nowhere.tutorial.test", "two@nowhere.tutorial.test three@nowhere.tutorial.test"):
        host.output(f"sendmail -f alice@tutorial.test {recipients}", content="Subject: waits\n\nx\n")
    until_logged(host, "status=deferred", count=3)
    until(lambda: not host.listing("/var/spool/postfix/active"), what="all of it waits")
    return ""


def _mail_comes(host: Host) -> str:
    for _ in range(3):
        host.output(
            "sendmail -f a@x.test bob@tutorial.test",
            content="From: a@x.test\nSubject: a test\n\nA test.\n.x\n",
        )
    until_logged(host, r"to=<bob@tutorial\.test>.*status=sent", count=3)
    return ""


def _monit(host: Host) -> str:
    host.write("/tmp/monitrc", _MONITRC, mode=0o600)
    host.output("monit -c /tmp/monitrc")

    def status() -> str:
        return host.run("monit -c /tmp/monitrc -B status 2>&1").stdout

    until(lambda: status().count("response time") == status().count(" port "), what="monit has looked at all")
    until(lambda: len(re.findall(r"port response time .* ms to", status())) == 6, what="all answer")
    found = re.findall(
        r"^(?:Process|Remote Host) .*|^  status .*|(?<= to )127\.0\.0\.1:.*", status(), re.MULTILINE
    )
    host.output("monit -c /tmp/monitrc quit")
    return "\n".join(found)


def _exporter(host: Host) -> str:
    host.output(f"{_EXPORTER} >/tmp/exporter.log 2>&1 & echo $! >/tmp/exporter.pid")
    host.until_answers(9154)
    kept = re.compile(r"^postfix_(?:up|showq_message_(?:age|size)\S+count).*", re.MULTILINE)
    try:
        return "\n".join(kept.findall(host.output("curl -s http://127.0.0.1:9154/metrics")))
    finally:
        host.output("kill $(cat /tmp/exporter.pid)")


def _nmap(host: Host, arguments: str) -> str:
    said = host.output(f"{_NMAP} {arguments} 127.0.0.1").replace(" IMAP4rev2", "")
    lines = [line.rstrip() for line in said.splitlines() if not _PASSING.search(line)]
    # nmap's scripts run at the same time, and its sets of words have no order.
    return "\n".join(sorted(" ".join(sorted(re.split(r"[ ,]+", line.lstrip("|_ ")))) for line in lines))


def _mpop(host: Host) -> str:
    host.write(
        "/root/.mpoprc",
        f"account default\nhost 127.0.0.1\nuser bob\npassword {_PASSWORD}\ntls off\nauth plain\nkeep on\n"
        "delivery maildir /tmp/mpop\n",
        mode=0o600,
    )
    said = host.output(
        "mkdir -p /tmp/mpop/new /tmp/mpop/cur /tmp/mpop/tmp; mpop -a; mpop -a; ls /tmp/mpop/new | wc -l"
    )
    said += host.output(
        "mpop --serverinfo --host=127.0.0.1; mpop --serverinfo --host=127.0.0.1 --port=995 --tls=on --tls-starttls=off --tls-certcheck=off"
    )
    until_logged(host, r"pop3\(bob\).*Logged out", count=2)
    figures = re.findall(r"retr=(\d+)/(\d+), del=0/3, size=(\d+)", host.output("cat /var/log/mail.log"))
    more = [f"{count}: {int(octets) - int(size) * (count != '0')} more" for count, octets, size in figures]
    said = re.sub(r"(?m)^ +SHA.*|^retrieving.*%.*|.*(?:Activation|Expiration) time.*|in [\d.]+ KiB", "", said)
    return said + "\n".join(more)


def _esmtp(host: Host) -> str:
    host.write("/root/.esmtprc", "hostname = 127.0.0.1:25\nstarttls disabled\n", mode=0o600)
    said = host.run("esmtp -v -f a@x.test bob@tutorial.test 2>&1", content="Subject: by esmtp\n\nx\n").stdout
    return re.sub(r"\d+ bytes", "some bytes", said)  # its Message-Id holds its process id


STEPS: Final[dict[str, Callable[[Host], str]]] = {
    "check_mailq, nothing": _nagios("check_mailq -w 1 -c 5 -M postfix"),
    "check_smtp": _nagios("check_smtp -H 127.0.0.1 -f a@b.test -C 'RCPT TO:<bob@tutorial.test>' -R 250"),
    "check_smtp, STARTTLS": _nagios("check_smtp -H 127.0.0.1 -S -D 10"),
    "check_ssmtp": _nagios("check_ssmtp -H 127.0.0.1 -p 465"),
    "check_imap": _nagios("check_imap -H 127.0.0.1"),
    "check_imap, login": _nagios(f"check_imap -H 127.0.0.1 -s 'a1 LOGIN bob \"{_PASSWORD}\"' -e 'a1 OK'"),
    "check_simap": _nagios("check_simap -H 127.0.0.1 -D 10"),
    "check_pop": _nagios("check_pop -H 127.0.0.1"),
    "check_spop": _nagios("check_spop -H 127.0.0.1 -D 10"),
    "monit": _monit,
    "mail waits": _mail_waits,
    "check_mailq, warning": _nagios("check_mailq -w 1 -c 5 -M postfix"),
    "check_mailq, critical": _nagios("check_mailq -w 1 -c 2 -M postfix"),
    "prometheus-postfix-exporter": _exporter,
    "mail comes": _mail_comes,
    "mpop": _mpop,
    "esmtp": _esmtp,
    "nmap, what is offered": partial(
        _nmap, arguments="--script smtp-commands,imap-capabilities,pop3-capabilities"
    ),
    "nmap, who is there": partial(_nmap, arguments="--script smtp-open-relay,smtp-enum-users"),
    "nmap, certificates": partial(_nmap, arguments="--script ssl-cert,tls-alpn"),
    "nmap, holes": partial(
        _nmap,
        arguments="--script smtp-vuln-cve2010-4344,smtp-vuln-cve2011-1720,smtp-vuln-cve2011-1764,imap-ntlm-info",
    ),
    "nmap, versions": partial(_nmap, arguments="-sV --exclude-ports 465,993,995"),
}


def _without_what_varies(text: str) -> str:
    text = text.replace(" IMAP4rev2", "")  # which Dovecot 2.3 does not know
    text = re.sub(r"[\d.]+ ?(?:s|sec|second|seconds|ms)\b( response time)?", "N s", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "now", text)
    text = re.sub(r"time=[\d.]+s[;\d.]*", "time", text)
    text = re.sub(r"\b[\dA-F]{6,12}\b", "ID", text)
    return re.sub(r"(?i)\b(?:(?:md5|sha-?\d*|sha1 fingerprint|[\da-f:]{16,59}):? *)+\b", "", text)


def _play(host: Host, product: str) -> dict[str, str]:
    start_submission(host, product)
    return {name: _without_what_varies(step(host)) for name, step in STEPS.items()}


@pytest.fixture(scope="module")
def said() -> tuple[dict[str, str], dict[str, str]]:
    """What each step has said: theirs, ours."""
    return play_to_both(_play)


@pytest.mark.parametrize("step", STEPS)
def test_the_same_is_said(said: tuple[dict[str, str], dict[str, str]], step: str) -> None:
    """Of both."""
    theirs, ours = said
    assert ours[step] == theirs[step]


def test_something_was_seen(said: tuple[dict[str, str], dict[str, str]]) -> None:
    """Both would be told the same of if nothing had answered."""
    _, ours = said
    assert ours["check_mailq, warning"].startswith("WARNING: postfix mailq is 2 ")
    assert ours["check_mailq, critical"].startswith("CRITICAL: postfix mailq is 2 ")
    assert ours["monit"].count("\n") == 10
    assert 'postfix_showq_message_size_bytes_count{queue="deferred"} 2' in ours["prometheus-postfix-exporter"]
    assert "new: 3 messages" in ours["mpop"]
