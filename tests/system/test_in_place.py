"""The MTA in place of Postfix: locks, commands, logs, reload and rights, on a host of its own, beside Debian's Postfix."""

import json
import re
import select
from collections.abc import Iterator

import pytest

from fakes.host import ADDRESS, LOG, Host
from fakes.in_place_host import (
    MAIN_CF,
    MASTER_CF,
    PID_FILE,
    Session,
    certificate,
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
    until_logged(running, "reload -- version")
    assert running.run(f"{theirs} stop").returncode == 0
    assert not running.answers(25)
    assert running.run("postfix status").returncode == 1


def test_mail_owner_has_his_groups(host: Host) -> None:
    """`usermod -aG GROUP postfix` lets the daemons use another program's socket, as Postfix's."""
    host.output("groupadd -f others-socket && usermod -aG others-socket postfix")
    configure(host)
    host.output("postfix start")
    for name in ("smtpd", "smtp", "qmgr"):
        status = host.output(f"cat /proc/$(pgrep -o -x {name})/status")
        groups = re.search(r"(?m)^Groups:\s*(.*?)\s*$", status)
        assert groups is not None
        assert sorted(groups[1].split()) == sorted(host.output("id -G postfix").split()), name
    host.output("postfix stop && gpasswd -d postfix others-socket && groupdel others-socket")


def test_ours_does_not_start_where_postfix_runs(host: Host) -> None:
    """And the other way round: Debian's master holds the queue, ours refuses, and can stop it."""
    configure(host)
    host.start_postfix("/usr/sbin/postfix")
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


def test_status_of_the_host(host: Host) -> None:
    """`pillarbox status` tells of the installed halves, of ours and of Debian's, and of one that does not run."""
    configure(host)
    host.start_postfix("/usr/sbin/postfix")
    said = run_pillarbox(host, "status", status=69)
    pid = int(host.file(PID_FILE).read_text())
    assert f"mta          the original runs, PID {pid}   (/etc/postfix)\n" in said
    assert "mailbox      not running   (/etc/dovecot/dovecot.conf)\n" in said
    host.output("postfix stop; postfix start")
    try:
        pid = int(host.file(PID_FILE).read_text())
        said = run_pillarbox(host, "status", status=69)
        assert f"mta          running, healthy, PID {pid}   (/etc/postfix)\n" in said
        assert "\nsmtp         0.0.0.0:25\n" in said
        report = json.loads(run_pillarbox(host, "status --json", status=69))
        assert (report["running"], report["halves"]["mta"]["healthy"]) == (False, True)
        done = host.run("pillarbox status", user="alice")
        assert done.returncode == 69, done.stderr
        said = done.stdout
        assert "mta          not known: root may ask   (/etc/postfix)\n" in said
    finally:
        host.output("postfix stop")


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
        what=lambda: "the message is delivered:\n" + host.log()[-3000:],
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


def test_the_next_session_meets_what_was_reloaded(running: Host) -> None:
    """`postfix reload` returns when the new generation serves: scripts send mail right behind it."""
    for number in range(5):
        configure(running, smtpd_banner=f"$myhostname ESMTP generation {number}")
        running.output("postfix reload")
        assert Session(running).banner.endswith(f" generation {number}")
        running.hang_up()


def test_a_delivery_that_hangs_keeps_nothing_from_new_sessions(running: Host) -> None:
    """qmgr and delivery have to end before there are new ones; smtpd does not wait for them."""
    hanging = "hanging unix - n n - - pipe user=mail-users argv=/bin/sleep 1000\n"
    running.write("/etc/postfix/master.cf", MASTER_CF + hanging)
    settings = {"relay_domains": "hang.test", "transport_maps": "inline:{hang.test=hanging}"}
    configure(running, **settings)
    reload(running)
    session = Session(running)
    assert session.recipient("someone@hang.test") == "250 2.1.5 Ok"
    session("DATA")
    assert session("Subject: x\r\n\r\nx\r\n.").startswith("250 2.0.0 Ok: queued as ")
    until(lambda: "/bin/sleep 1000" in running.output("ps -eo args"), what="it is being delivered")
    delivery = running.output("pgrep -f pillarbox.daemons.delivery")
    configure(running, **settings, smtpd_banner="$myhostname ESMTP unhindered")
    running.output("postfix reload")
    assert Session(running).banner.endswith(" unhindered")
    assert set(delivery.split()) & set(running.output("pgrep -f pillarbox.daemons.delivery").split())
    running.output("postfix stop && postsuper -d ALL")
    running.write("/etc/postfix/master.cf", MASTER_CF)


def test_reload_of_a_broken_configuration_changes_nothing(running: Host) -> None:
    """A mistake in main.cf is logged with its line, and mail is served as before."""
    configure(running, queue_run_delay="5x")
    done = running.run("postfix reload")
    line = len(MAIN_CF.split("\n"))
    told = f"reload refused, the settings of before stay: /etc/postfix/main.cf, line {line}: parameter "
    assert (done.returncode, told in done.stderr) == (1, True), done
    until_logged(running, re.escape(f"warning: {told}queue_run_delay"))
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


def test_reload_narrows_and_widens_the_addresses(running: Host) -> None:
    """inet_interfaces from all to one, and back: our own sockets on the port are no obstacle to each other."""
    assert running.answers(25, address=ADDRESS)
    configure(running, inet_interfaces="127.0.0.1")
    reload(running)
    until(lambda: not running.answers(25, address=ADDRESS), what="the host's address is closed")
    assert Session(running, 25, "127.0.0.1")("NOOP") == "250 2.0.0 Ok"
    configure(running)
    reload(running)
    until(lambda: running.answers(25, address=ADDRESS), what="the host's address is open again")


def test_reload_with_another_name_for_a_port(running: Host) -> None:
    """`25` instead of `smtp` is the same socket."""
    running.write("/etc/postfix/master.cf", MASTER_CF.replace("smtp inet", "25 inet", 1))
    reload(running)
    assert json.loads(run_pillarbox(running, "status --json", status=69))["halves"]["mta"]["healthy"]
    assert "\n25           0.0.0.0:25\n" in run_pillarbox(running, "status", status=69)
    assert Session(running)("NOOP") == "250 2.0.0 Ok"
    running.write("/etc/postfix/master.cf", MASTER_CF)


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
    until_logged(running, r" postfix/submission/smtpd\[\d+\]: connect from ")
    Session(running)("QUIT")
    until_logged(running, r" postfix/smtpd\[\d+\]: disconnect from ")


def test_a_restarted_syslog_daemon_is_found_again(running: Host) -> None:
    """Lines go on after rsyslogd was stopped and started, in the roles that have dropped their rights too."""
    running.output("kill $(cat /run/rsyslogd.pid); while [ -e /run/rsyslogd.pid ]; do sleep 0.05; done")
    Session(running)("QUIT")
    running.output("rsyslogd")

    def logged() -> bool:
        Session(running)("HELO after.the.restart")
        before = running.log()
        return "syslog" in before and bool(re.search(r"rsyslogd.*start(?s:.*)connect from", before))

    running.output(f"echo 'rsyslogd start' >>{LOG}; echo syslog >>{LOG}")
    until(logged, what="lines come again")
