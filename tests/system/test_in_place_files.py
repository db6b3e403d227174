"""Logs, service managers, Debian's own main.cf and other files that lie there when Pillarbox comes."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.host import Host
from fakes.in_place_host import (
    MAIN_CF,
    MASTER_CF,
    PID_FILE,
    Session,
    configure,
    in_place_host,
    reload,
)
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.pillarbox_host import run_pillarbox
from fakes.tutorial_host import DOMAIN, MAIL_HOST

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "rsyslogd", "unshare"),
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host on which Pillarbox is installed and configured."""
    with in_place_host() as host:
        yield host


def _has_line(log: Path, pattern: str) -> bool:
    return re.search(pattern, log.read_text(), re.MULTILINE) is not None


def test_maillog_file_and_logrotate(host: Host) -> None:
    """maillog_file takes all lines; logrotate begins a new one, into which sessions of before go on."""
    configure(host, maillog_file="/var/log/pillarbox.log")
    host.output("postfix start")
    log = host.file("/var/log/pillarbox.log")
    assert host.output("stat -c '%U %a' /var/log/pillarbox.log") == "root 600\n"
    session = Session(host)
    for said in (
        r"smtpd\[\d+\]: connect from",
        r"postfix-script\[\d+\]: starting the ",
        r"master\[\d+\]: daemon started -- ",
    ):
        line = rf"^\w{{3}} [ \d]\d \d\d:\d\d:\d\d mail postfix/{said}"
        until(functools.partial(_has_line, log, line), what=f"{line} in the log")
    host.output("postfix logrotate")
    (rotated,) = host.output("ls /var/log | grep pillarbox.log.").split()
    assert re.fullmatch(r"pillarbox\.log\.\d{8}-\d{6}\.gz", rotated)
    assert "connect from" in host.output(f"zcat /var/log/{rotated}")
    until(lambda: log.exists() and "reload -- " in log.read_text(), what="the new file is in use")
    assert session("QUIT") == "221 2.0.0 Bye"
    until(lambda: "disconnect from" in log.read_text(), what="the old session logs into the new file")
    failed = host.run("postconf -e maillog_file_compressor=/bin/false && postfix logrotate")
    assert failed.returncode == 1
    reason = "fatal: logfile '/var/log/pillarbox.log' rotation failed: /bin/false: exit status 1"
    assert reason in log.read_text()  # of the new file
    assert host.run("postfix logrotate now").returncode == 1
    host.output("postfix stop")
    assert "terminating on signal 15" in log.read_text()
    configure(host, maillog_file="/tmp/elsewhere.log")
    done = host.run("postfix start")
    assert done.returncode == 1
    assert (
        "maillog_file value '/tmp/elsewhere.log' does not match any prefix in maillog_file_prefixes"
        in done.stderr
    )
    configure(host)


LISTENER = """
import socket, sys
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind("/run/notify")
with open("/run/notified", "w", buffering=1) as out:
    while True:
        out.write(sock.recv(4096).decode().replace("\\n", " ") + "\\n")
"""


def test_foreground_under_a_service_manager(host: Host) -> None:
    """start-fg: the log on standard output, and sd_notify tells of ready, reloading and stopping."""
    configure(host, maillog_file="/dev/stdout")
    host.write("/root/listener.py", LISTENER)
    host.output(
        "/usr/bin/python3 /root/listener.py >/dev/null 2>&1 & while [ ! -S /run/notify ]; do sleep 0.05; done"
    )
    host.output("NOTIFY_SOCKET=/run/notify postfix start-fg >/var/log/foreground 2>&1 &")
    notified, output = host.file("/run/notified"), host.file("/var/log/foreground")
    until(lambda: notified.exists() and "READY=1" in notified.read_text(), what="ready")
    pid = int(host.file(PID_FILE).read_text())
    until(lambda: f"READY=1 MAINPID={pid}\n" in notified.read_text(), what="its pid is told")
    until(lambda: "daemon started -- version" in output.read_text(), what="the start is logged")
    host.output(f"kill -HUP {pid}")
    until(
        lambda: re.search(r"RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1 MAINPID=\d+\n", notified.read_text()),
        what="reloaded",
    )
    host.output(f"kill {pid}")
    until(lambda: "terminating on signal 15" in output.read_text(), what="it has ended")
    until(lambda: notified.read_text().endswith("STOPPING=1\n"), what="the service manager was told")
    configure(host)


INTERNET_SITE = """\
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.tutorial.test
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
myorigin = /etc/mailname
mydestination = $myhostname, tutorial.test, mail.tutorial.test, localhost.tutorial.test, localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""
"""What the questions of Debian's package, answered with "Internet Site", add to its main.cf."""


BARE = """\
inet_interfaces = all
myhostname = mail.tutorial.test
mydomain = tutorial.test
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
home_mailbox = Maildir/
"""
"""Nothing but what a tutorial has one write: not even compatibility_level."""


@pytest.fixture
def stock_files(host: Host) -> Iterator[Host]:
    """Debian's master.cf, as its package brings it, with chroot and the pipe services."""
    host.output("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf && postalias /etc/aliases")
    host.write("/etc/mailname", f"{DOMAIN}\n")
    yield host
    host.hang_up()
    host.run("postfix stop")
    host.write("/etc/postfix/master.cf", MASTER_CF)
    configure(host)


def test_debians_internet_site_starts(stock_files: Host) -> None:
    """Debian's main.cf and master.cf: they start, with the certificate that ssl-cert makes, and without it."""
    host = stock_files
    host.output(
        "cat /usr/share/postfix/main.cf.debian /usr/share/postfix/main.cf.tls >/etc/postfix/main.cf; "
        "rm -f /etc/ssl/certs/ssl-cert-snakeoil.pem"
    )
    path = host.file("/etc/postfix/main.cf")
    path.write_text(path.read_text() + INTERNET_SITE)
    host.output("postfix start")
    until_logged(host, "ssl-cert-snakeoil.pem: No such file or directory: disabling TLS support")
    assert re.search(
        r"(?m)^smtp +\S+:25   \(without TLS: .*snakeoil.pem: No such file",
        run_pillarbox(host, "status", status=69),
    )
    session = Session(host)
    assert session.banner == f"220 {MAIL_HOST} ESMTP Postfix (Debian/GNU)"
    assert session.recipient(f"alice+extension@{DOMAIN}") == "250 2.1.5 Ok"
    host.output("DEBIAN_FRONTEND=noninteractive make-ssl-cert generate-default-snakeoil")
    reload(host)

    def offers_tls() -> bool:
        host.hang_up()
        client = Session(host)
        client("HELO client.test")
        return client("STARTTLS") == "220 2.0.0 Ready to start TLS"

    until(offers_tls, what="the certificate is there, so TLS is offered")
    host.write("/etc/ssl/certs/ssl-cert-snakeoil.pem", "half of a certifi")
    done = host.run("postfix reload")
    assert (done.returncode, "reload of smtpd failed: " in done.stderr) == (1, True), done
    until_logged(
        host, "reload of smtpd failed: .* cannot load certificate /etc/ssl/certs/ssl-cert-snakeoil.pem"
    )
    assert offers_tls(), "the one of before is still in use"


def test_bare_main_cf_starts_and_relays_for_nobody(stock_files: Host) -> None:
    """Six lines: mail for users is taken, strangers' mail for elsewhere is not, and the log says why."""
    host = stock_files
    host.write("/etc/postfix/main.cf", BARE)
    host.output("postfix start")
    assert Session(host).recipient(f"alice@{DOMAIN}") == "250 2.1.5 Ok"
    assert Session(host).recipient(f"nobody-here@{DOMAIN}").startswith("550 5.1.1 ")
    told = "smtpd_relay_restrictions is not set, and compatibility_level is below 1: using "
    until_logged(host, told)
    host.output("postconf -e mynetworks=127.0.0.0/8")
    reload(host)
    until(
        lambda: (
            Session(host).recipient("someone@example.com")
            == "454 4.7.1 <someone@example.com>: Relay access denied"
        ),
        what="a stranger may not relay",
    )


def test_check_warns_and_set_permissions_mends(host: Host) -> None:
    """Wrong owners and modes, a damaged message, a missing directory: told as Postfix tells it, then put right."""
    host.output(
        "cd /var/spool/postfix && chown bob deferred && chgrp bob public && chmod 777 /var/lib/postfix && "
        "rmdir hold && touch corrupt/ABC123 && chown postfix corrupt/ABC123"
    )
    shown = host.run("script -qec 'postfix check' /dev/null").stdout
    for text in (
        "not owned by postfix: /var/spool/postfix/deferred",
        "not owned by group postdrop: /var/spool/postfix/public",
        "group or other writable: /var/lib/postfix",
        "damaged message: corrupt/ABC123",
    ):
        assert f"postfix/postfix-script: warning: {text}\r\n" in shown
    assert host.output("stat -c '%U %a' /var/spool/postfix/hold") == "postfix 700\n"
    host.output("postfix set-permissions")
    host.output("rm /var/spool/postfix/corrupt/ABC123")
    assert host.run("script -qec 'postfix check' /dev/null").stdout == ""
    assert host.run("script -qec '/usr/sbin/postfix check' /dev/null").stdout == ""


def test_users_are_told_to_use_sendmail(host: Host) -> None:
    """Only root starts and stops it."""
    done = host.run("postfix stop", user="alice")
    assert (done.returncode, done.stderr) == (
        1,
        "postfix: error: to submit mail, use the Postfix sendmail command\n"
        "postfix: fatal: the postfix command is reserved for the superuser\n",
    )


def services(host: Host, *names: str) -> None:
    """service(8) starts, names and stops both halves: by our scripts, or by those of Debian's packages."""
    host.write("/etc/dovecot/dovecot.conf", "protocols = imap\nssl = no\nmail_location = maildir:~/Maildir\n")
    for name, process in zip(names, ("master", "dovecot"), strict=True):
        command = f"service {name} "
        assert host.run(command + "status").returncode == 3
        host.output(command + "start")
        assert host.output(command + "status")
        assert host.output(f"pgrep -c -x {process}") == "1\n"
        host.output(f"{command} reload; {command} stop")
        assert host.run(command + "status").returncode == 3
        assert host.run(f"pgrep -x {process}").returncode == 1


def test_install_take_over_and_uninstall(host: Host) -> None:
    """Dry run, a second run, Debian's commands aside and back, and nothing is left but configuration."""
    before = host.output("cd / && find usr/local etc -type f | sort")
    host.output("chmod 755 /var/lib/postfix")
    users_write = host.output("find /var/spool/postfix -perm /o+w -type d")
    checked = run_pillarbox(host, "check", status=1)  # Debian's dovecot.conf as it comes
    assert "mbox is not served (put mail_location = maildir:~/Maildir, and bring old mail over: " in checked
    assert [line.partition(",")[0] for line in checked.split("\n")[-3:]] == [
        "MTA (/etc/postfix): would start",
        "mailbox half (/etc/dovecot/dovecot.conf): would not start",
        "",
    ]
    planned = run_pillarbox(host, "install --dry-run")
    assert "would copy the programs to /usr/local/lib/pillarbox\n" in planned
    assert "would set owner and mode of /var/lib/postfix\n" in planned
    assert planned.endswith(
        "next: start both halves again; until then they go on with the programs that run\n"
    )
    assert run_pillarbox(host, "install --dry-run", user="bob") == planned
    assert host.output("cd / && find usr/local etc -type f | sort") == before
    said = run_pillarbox(host, "install")
    assert "write" not in said
    assert "set owner and mode of /var/lib/postfix\n" in said
    services(host, "pillarbox-mta", "pillarbox-mailbox")
    said = run_pillarbox(host, "install --take-over")
    assert "move /usr/sbin/postfix of the package postfix aside\n" in said
    services(host, "postfix", "dovecot")
    assert host.output("readlink /usr/sbin/postfix") == "/usr/local/sbin/postfix\n"
    assert host.output(
        "PATH=/usr/sbin:/usr/bin:/bin; postfix status; cat /etc/systemd/system/postfix.service | grep Type"
    )
    said = host.output("/usr/local/bin/pillarbox uninstall")
    assert "put back /usr/sbin/postfix of its package\n" in said
    assert host.output("find /var/spool/postfix -perm /o+w -type d") == users_write
    assert "pillarbox" not in host.output("find /usr/local /etc/systemd -name '*pillarbox*'")
    assert host.output("dpkg --verify postfix | grep sbin || true") == ""
    assert host.file("/etc/postfix/main.cf").read_text() == MAIN_CF
    assert run_pillarbox(host, "install --dry-run").endswith(
        "next: `pillarbox check` says what will not be as before; `/usr/sbin/postfix stop; /usr/bin/doveadm stop`; "
        "`postfix start; dovecot`\n"
    )
    assert run_pillarbox(host, "uninstall", status=1).startswith(
        "pillarbox: nothing is installed below /usr/local"
    )
    host.write("/usr/local/sbin/postfix", "#!/bin/sh\n", mode=0o755)
    refused = run_pillarbox(host, "install", status=1)
    assert (
        "/usr/local/sbin/postfix is there and was not put there by this command; nothing was changed"
        in refused
    )
    host.file("/usr/local/sbin/postfix").unlink()
