"""The MTA in place of Postfix: locks, commands, logs, reload and rights, on a host of its own, beside Debian's Postfix."""

import re
import select
import socket
import ssl
from collections.abc import Iterator

import pytest

from fakes.host import ADDRESS, Host
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install, run_pillarbox
from fakes.tutorial_host import DOMAIN, LOG, MAIL_HOST, tutorial_host

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "rsyslogd", "unshare"),
]

MAIN_CF = f"""\
compatibility_level = 3.6
inet_interfaces = all
myhostname = {MAIL_HOST}
mydomain = {DOMAIN}
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /home
virtual_mailbox_maps = texthash:/etc/postfix/users
virtual_uid_maps = static:2000
virtual_gid_maps = static:2000
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/cert.pem
smtpd_tls_key_file = /etc/postfix/cert.pem
default_transport = error:no route
"""
MASTER_CF = """\
smtp inet n - n - - smtpd
127.0.0.1:submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
qmgr unix n - n 300 1 qmgr
cleanup unix n - n - 0 cleanup
bounce unix - - n - 0 bounce
rewrite unix - - n - - trivial-rewrite
virtual unix - n n - - virtual
error unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""
PID_FILE = "/var/spool/postfix/pid/master.pid"


def certificate(host: Host, name: str) -> None:
    """A self-signed certificate that only root may read."""
    subject = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}"
    host.output(
        f"umask 077; {subject} -keyout /tmp/key -out /tmp/crt && cat /tmp/key /tmp/crt >/etc/postfix/cert.pem"
    )


def configure(host: Host, **values: str) -> None:
    """main.cf with some values added."""
    added = "".join(f"{name} = {value}\n" for name, value in values.items())
    host.write("/etc/postfix/main.cf", MAIN_CF + added)


def reload(host: Host) -> None:
    """`postfix reload`, and the new generation serves."""
    before = host.file(LOG).read_text().count("reload -- ")
    host.output("postfix reload")
    until(lambda: host.file(LOG).read_text().count("reload -- ") > before, what="the reload is logged")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host on which Pillarbox is installed and configured."""
    host = tutorial_host(INSTALLED)
    try:
        install(host)
        host.output(
            "groupadd -g 2000 mail-users && useradd -u 2000 -g 2000 -M mail-users && chmod 1777 /home"
        )
        configure(host)
        host.write("/etc/postfix/master.cf", MASTER_CF)
        host.write("/etc/postfix/users", f"someone@{DOMAIN} someone/\n", mode=0o600)
        certificate(host, "first.test")
        yield host
    finally:
        host.end()


@pytest.fixture
def running(host: Host) -> Iterator[Host]:
    """It runs; afterwards it does not."""
    configure(host)
    host.output("postfix start")
    try:
        yield host
    finally:
        host.hang_up()
        host.run("postfix stop")


class Session:
    """An SMTP session."""

    def __init__(self, host: Host, port: int = 25, address: str = ADDRESS) -> None:
        self._host = host
        self.sock: socket.socket = host.connect(port, address=address)
        self.banner = self.line()

    def line(self) -> str:
        """One line of a reply."""
        data = b""
        while not data.endswith(b"\n"):
            more = self.sock.recv(1)
            if not more:
                break
            data += more
        return data.decode().rstrip("\r\n")

    def __call__(self, command: str) -> str:
        self.sock.sendall(command.encode() + b"\r\n")
        return self.line()

    def starttls(self) -> str:
        """Turn TLS on; the common name of the certificate."""
        self("HELO client.test")
        assert self("STARTTLS") == "220 2.0.0 Ready to start TLS"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self._host.keep(self.sock)
        presented = self.sock.getpeercert(binary_form=True)
        assert presented is not None
        match = re.search(rb"(first|second)\.test", presented)
        assert match is not None
        return match[0].decode()

    def recipient(self, address: str) -> str:
        """The answer to RCPT TO."""
        self("HELO client.test")
        self("MAIL FROM:<>")
        return self(f"RCPT TO:<{address}>")


# -- one queue, one system -------------------------------------------------------------------------------


def test_postfix_sees_ours_and_stops_it(running: Host) -> None:
    """Debian's postfix(1) takes our supervisor for the running system: status, no second start, reload, stop."""
    pid = int(running.file(PID_FILE).read_text())
    for lock in (PID_FILE, "/var/lib/postfix/master.lock"):
        assert running.file(lock).read_text() == f"{pid:32}\n"
    assert running.output("stat -c '%U %a' /var/lib/postfix/master.lock") == "postfix 600\n"
    theirs = "/usr/sbin/postfix"
    done = running.run(f"script -qec '{theirs} status' /dev/null")
    assert (done.returncode, done.stdout) == (
        0,
        f"postfix/postfix-script: the Postfix mail system is running: PID: {pid}\r\n",
    )
    done = running.run(f"script -qec '{theirs} start' /dev/null")
    assert (done.returncode, done.stdout) == (
        1,
        "postfix/postfix-script: fatal: the Postfix mail system is already running\r\n",
    )
    assert running.run(f"{theirs} reload").returncode == 0
    until(lambda: "reload -- version" in running.file(LOG).read_text(), what="ours reloads")
    assert running.run(f"{theirs} stop").returncode == 0
    assert not running.answers(25)
    assert running.run("postfix status").returncode == 1


def test_ours_does_not_start_where_postfix_runs(host: Host) -> None:
    """And the other way round: Debian's master holds the queue, ours refuses, and can stop it."""
    configure(host)
    host.output("/usr/sbin/postfix start")
    pid = int(host.file(PID_FILE).read_text())
    done = host.run("postfix start")
    assert (done.returncode, done.stderr) == (
        1,
        "postfix/postfix-script: fatal: the Postfix mail system is already running\n",
    )
    done = host.run("script -qec 'postfix status' /dev/null")
    assert done.stdout == f"postfix/postfix-script: the Postfix mail system is running: PID: {pid}\r\n"
    assert host.run("postfix stop").returncode == 0
    assert host.run("/usr/sbin/postfix status").returncode == 1


def test_a_killed_supervisor_leaves_nothing(running: Host) -> None:
    """kill -9: every role ends, the port is free, and the next start works."""
    pid = int(running.file(PID_FILE).read_text())
    running.output(f"kill -9 {pid}")
    until(lambda: "pillarbox.daemons" not in running.output("ps -eo args"), what="all roles have ended")
    assert running.run("postfix status").returncode == 1
    running.output("postfix start")
    assert Session(running).banner == f"220 {MAIL_HOST} ESMTP Postfix"


def test_rights_in_place(running: Host) -> None:
    """Every process: supervisor and delivery are root's, smtpd and qmgr postfix's for good; each in its session."""
    pid = int(running.file(PID_FILE).read_text())
    found: dict[str, str] = {}
    for line in running.output("ps -eo pid=,sid=,pgid=,user=,args=").split("\n"):
        match = re.search(r"^ *(\d+) +(\d+) +(\d+) +(\S+) .*pillarbox\.(?:daemons|supervisor)\.(\w+)", line)
        if match is not None:
            assert {int(match[2]), int(match[3])} == {pid}, line
            found[match[5]] = match[4]
            if match[5] in ("smtpd", "qmgr"):
                facts = running.output(f"cat /proc/{match[1]}/status")
                assert "NoNewPrivs:\t1\n" in facts
                assert "CapEff:\t0000000000000000\n" in facts
                assert "CapPrm:\t0000000000000000\n" in facts
    assert {"postfix_master": "root", "delivery": "root", "smtpd": "postfix", "qmgr": "postfix"}.items() <= (
        found.items()
    )


def test_a_copied_queue_is_put_in_order_at_start(host: Host) -> None:
    """After a copy no file has the inode that its name tells of: a start renames them, and no mail is lost."""
    configure(host, smtpd_recipient_restrictions="check_recipient_access static:HOLD")
    host.output("postfix start")
    session = Session(host)
    assert session.recipient(f"someone@{DOMAIN}") == "250 2.1.5 Ok"
    session("DATA")
    queued = session("Subject: copied\r\n\r\nbody\r\n.")
    assert queued.startswith("250 2.0.0 Ok: queued as ")
    queue_id = queued.rpartition(" ")[2]
    host.hang_up()
    host.output("postfix stop")
    host.output("cp -a /var/spool/postfix/hold /root/hold && rm /var/spool/postfix/hold/*")
    host.output("cp -a /root/hold/* /var/spool/postfix/hold/")
    configure(host)
    said = host.run("script -qec 'postfix start' /dev/null").stdout
    assert "postfix/postfix-script: Renamed to match inode number: 1 message\r\n" in said
    (renamed,) = host.listing("/var/spool/postfix/hold")
    assert renamed != queue_id
    host.output(f"postsuper -H {renamed}")
    host.output("postqueue -f")
    until(
        lambda: host.listing("/home/someone/new"),
        what=lambda: "the message is delivered:\n" + host.file(LOG).read_text()[-3000:],
    )
    host.output("postfix stop")


# -- reload ----------------------------------------------------------------------------------------------


def test_reload_by_generations(running: Host) -> None:
    """Renewed certificate, root-only table, new banner: new sessions have them, and old ones, TLS too, go on."""
    plain, encrypted = Session(running), Session(running)
    assert encrypted.starttls() == "first.test"
    assert plain.recipient(f"later@{DOMAIN}").startswith("550 5.1.1 ")
    certificate(running, "second.test")
    running.write("/etc/postfix/users", f"someone@{DOMAIN} someone/\nlater@{DOMAIN} later/\n", mode=0o600)
    configure(running, smtpd_banner="$myhostname ready")
    reload(running)

    def is_new() -> bool:
        return Session(running).banner == f"220 {MAIL_HOST} ready"

    until(is_new, what="the new generation serves")
    new = Session(running)
    assert new.recipient(f"later@{DOMAIN}") == "250 2.1.5 Ok"
    assert Session(running).starttls() == "second.test"
    assert plain("RSET") == "250 2.0.0 Ok"
    assert encrypted("NOOP") == "250 2.0.0 Ok"
    assert encrypted.recipient(f"someone@{DOMAIN}") == "250 2.1.5 Ok"
    for session in (plain, encrypted):
        assert session("QUIT") == "221 2.0.0 Bye"
    running.hang_up()

    def generations() -> int:
        return running.output("ps -eo args").count("pillarbox.daemons.smtpd")

    until(lambda: generations() <= 2, what="the old generation has ended")  # one process per core at most


def test_reload_of_a_broken_configuration_changes_nothing(running: Host) -> None:
    """A mistake in main.cf is logged with its line, and mail is served as before."""
    configure(running, queue_run_delay="5x")
    running.output("postfix reload")
    line = len(MAIN_CF.split("\n"))
    told = (
        f"warning: reload refused, the settings of before stay: /etc/postfix/main.cf, line {line}: parameter "
    )
    until(lambda: told + "queue_run_delay" in running.file(LOG).read_text(), what="the refusal is logged")
    assert Session(running).recipient(f"someone@{DOMAIN}") == "250 2.1.5 Ok"
    running.write("/etc/postfix/master.cf", MASTER_CF + "bogus line\n")
    configure(running)
    running.output("true")
    done = running.run("postfix check")
    running.write("/etc/postfix/master.cf", MASTER_CF)
    assert done.returncode == 1
    assert "/etc/postfix/master.cf, line " in done.stderr


def test_reload_opens_and_closes_ports(running: Host) -> None:
    """A service that is new in master.cf is listened on; one that is gone is not."""
    running.write("/etc/postfix/master.cf", MASTER_CF + "127.0.0.1:2525 inet n - n - - smtpd\n")
    reload(running)
    running.until_answers(2525)
    running.write("/etc/postfix/master.cf", MASTER_CF)
    reload(running)
    until(lambda: not running.answers(2525), what="port 2525 is closed")
    assert running.answers(25)


def test_process_limit_caps_sessions(running: Host) -> None:
    """A service with a process limit of 2: the third client is greeted when one of the two has gone."""
    running.write("/etc/postfix/master.cf", MASTER_CF + "127.0.0.1:2526 inet n - n - 2 smtpd\n")
    reload(running)
    running.until_answers(2526)
    running.hang_up()
    sessions = [Session(running, 2526, "127.0.0.1") for _ in range(2)]
    third = running.connect(2526)
    assert sessions[0]("NOOP") == "250 2.0.0 Ok"
    assert select.select([third], [], [], 0.3)[0] == []
    assert sessions[0]("QUIT") == "221 2.0.0 Bye"
    assert third.recv(100).startswith(b"220 ")
    running.write("/etc/postfix/master.cf", MASTER_CF)


# -- the log ---------------------------------------------------------------------------------------------


def test_services_log_under_their_own_names(running: Host) -> None:
    """`-o syslog_name=postfix/submission` is the tag of that service's lines, and of no other's."""
    Session(running, 587, "127.0.0.1")("QUIT")
    until(
        lambda: re.search(r" postfix/submission/smtpd\[\d+\]: connect from ", running.file(LOG).read_text()),
        what="the service's name is in the log",
    )
    Session(running)("QUIT")
    until(
        lambda: re.search(r" postfix/smtpd\[\d+\]: disconnect from ", running.file(LOG).read_text()),
        what="the other service's name is in the log",
    )


def test_a_restarted_syslog_daemon_is_found_again(running: Host) -> None:
    """Lines go on after rsyslogd was stopped and started, in the roles that have dropped their rights too."""
    running.output("kill $(cat /run/rsyslogd.pid); while [ -e /run/rsyslogd.pid ]; do sleep 0.05; done")
    Session(running)("QUIT")
    running.output("rsyslogd")

    def logged() -> bool:
        Session(running)("HELO after.the.restart")
        before = running.file(LOG).read_text()
        return "syslog" in before and bool(re.search(r"rsyslogd.*start(?s:.*)connect from", before))

    running.output(f"echo 'rsyslogd start' >>{LOG}; echo syslog >>{LOG}")
    until(logged, what="lines come again")


def test_maillog_file_and_logrotate(host: Host) -> None:
    """maillog_file takes all lines; logrotate begins a new one, into which sessions of before go on."""
    configure(host, maillog_file="/var/log/pillarbox.log")
    host.output("postfix start")
    log = host.file("/var/log/pillarbox.log")
    assert host.output("stat -c '%U %a' /var/log/pillarbox.log") == "root 600\n"
    session = Session(host)
    until(lambda: "connect from" in log.read_text(), what="the connection is logged")
    text = log.read_text()
    assert re.search(
        r"^\w{3} [ \d]\d \d\d:\d\d:\d\d mail postfix/postfix-script\[\d+\]: starting the ", text, re.M
    )
    assert re.search(
        r"^\w{3} [ \d]\d \d\d:\d\d:\d\d mail postfix/master\[\d+\]: daemon started -- ", text, re.M
    )
    host.output("postfix logrotate")
    (rotated,) = host.output("ls /var/log | grep pillarbox.log.").split()
    assert re.fullmatch(r"pillarbox\.log\.\d{8}-\d{6}\.gz", rotated)
    assert "connect from" in host.output(f"zcat /var/log/{rotated}")
    until(lambda: log.exists() and "reload -- " in log.read_text(), what="the new file is in use")
    assert session("QUIT") == "221 2.0.0 Bye"
    until(lambda: "disconnect from" in log.read_text(), what="the old session logs into the new file")
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
    until(lambda: "READY=1" in notified.read_text(), what="ready")
    pid = int(host.file(PID_FILE).read_text())
    assert f"READY=1 MAINPID={pid}\n" in notified.read_text()
    assert "daemon started -- version" in output.read_text()
    host.output(f"kill -HUP {pid}")
    until(
        lambda: re.search(r"RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1 MAINPID=\d+\n", notified.read_text()),
        what="reloaded",
    )
    host.output(f"kill {pid}")
    until(lambda: "terminating on signal 15" in output.read_text(), what="it has ended")
    until(lambda: notified.read_text().endswith("STOPPING=1\n"), what="the service manager was told")
    configure(host)


# -- configurations as they come -------------------------------------------------------------------------

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
    assert (
        "ssl-cert-snakeoil.pem: No such file or directory: disabling TLS support"
        in host.file(LOG).read_text()
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


def test_bare_main_cf_starts_and_relays_for_nobody(stock_files: Host) -> None:
    """Six lines: mail for users is taken, strangers' mail for elsewhere is not, and the log says why."""
    host = stock_files
    host.write("/etc/postfix/main.cf", BARE)
    host.output("postfix start")
    assert Session(host).recipient(f"alice@{DOMAIN}") == "250 2.1.5 Ok"
    assert Session(host).recipient(f"nobody-here@{DOMAIN}").startswith("550 5.1.1 ")
    told = "smtpd_relay_restrictions is not set, and compatibility_level is below 1: using "
    assert told in host.file(LOG).read_text()
    host.output("postconf -e mynetworks=127.0.0.0/8")
    reload(host)
    until(
        lambda: (
            Session(host).recipient("someone@example.com")
            == "454 4.7.1 <someone@example.com>: Relay access denied"
        ),
        what="a stranger may not relay",
    )


# -- files and installation ------------------------------------------------------------------------------


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


@pytest.mark.timeout(180)
def test_install_take_over_and_uninstall(host: Host) -> None:
    """Dry run, a second run, Debian's commands aside and back, and nothing is left but configuration."""
    before = host.output("cd / && find usr/local etc -type f | sort")
    planned = run_pillarbox(host, "install --dry-run")
    assert "would copy the programs to /usr/local/lib/pillarbox\n" in planned
    assert run_pillarbox(host, "install --dry-run", user="bob") == planned
    assert host.output("cd / && find usr/local etc -type f | sort") == before
    assert "write" not in run_pillarbox(host, "install")
    said = run_pillarbox(host, "install --take-over")
    assert "move /usr/sbin/postfix of the package postfix aside\n" in said
    assert host.output("readlink /usr/sbin/postfix") == "/usr/local/sbin/postfix\n"
    assert host.output(
        "PATH=/usr/sbin:/usr/bin:/bin; postfix status; cat /etc/systemd/system/postfix.service | grep Type"
    )
    said = host.output("/usr/local/bin/pillarbox uninstall")
    assert "put back /usr/sbin/postfix of its package\n" in said
    assert "pillarbox" not in host.output("find /usr/local /etc/systemd -name '*pillarbox*'")
    assert host.output("dpkg --verify postfix | grep sbin || true") == ""
    assert host.file("/etc/postfix/main.cf").read_text() == MAIN_CF
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
