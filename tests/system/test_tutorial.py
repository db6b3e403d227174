"""The classic tutorial, line by line, as root on a host of its own: Postfix; test_tutorial_mailbox.py goes on.

Every test runs twice: with Debian's Postfix and Dovecot, which proves the test, and with Pillarbox in their place.
Both get the same configuration files, the same commands and the same expectations.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.host import ADDRESS, Host
from fakes.host_clients import Smtp
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.tutorial_host import DOMAIN, MAIL_HOST, MAIN_CF
from fakes.tutorial_products import PRODUCTS, bare_host_of, in_mailbox, start_mail
from fakes.typed_smtp import QUEUE_ID, Typed, logged, send, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare"),
]

EMPTY_LOG: Final = "empty 'maillog_file' parameter value - logfile rotation failed"
POSTFIX_USAGE: Final = "postfix: fatal: usage: postfix [-c config_dir] [-Dv] command\r\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test for both products."""
    metafunc.parametrize("product", PRODUCTS, scope="module")


@pytest.fixture(scope="module")
def bare_host(product: str) -> Iterator[Host]:
    """The host with the product's programs on it, and nothing configured."""
    with bare_host_of(product) as host:
        yield host


@pytest.fixture(scope="module")
def mail_host(bare_host: Host) -> Host:
    """`postfix check` and `postfix start` have been typed: mail can come."""
    start_mail(bare_host)
    return bare_host


def test_name_server_is_the_hosts(bare_host: Host) -> None:
    """The zone with MX and A is what the host's resolver answers."""
    assert bare_host.output(f"getent hosts {MAIL_HOST}").split() == [ADDRESS, MAIL_HOST]


def test_before_the_first_start(bare_host: Host) -> None:
    """`postfix status` on a host where nothing runs, and commands that need a running system."""
    bare_host.write("/etc/postfix/main.cf", MAIN_CF)
    if bare_host.answers(25):
        pytest.skip("it runs already")
    not_running = "postfix/postfix-script: the Postfix mail system is not running\r\n"
    fatal = not_running.replace("script: ", "script: fatal: ")
    usage = (
        "Usage: postfix start (or stop, reload, abort, flush, check, status, set-permissions, "
        "upgrade-configuration, logrotate)\r\n"
    )
    for command, status, shown in (
        ("status", 1, not_running),
        ("-D status", 1, not_running),
        ("stop", 1, fatal),
        ("reload", 1, fatal),
        ("drain", 1, fatal),
        ("abort", 1, fatal),
        ("logrotate", 1, fatal.replace("the Postfix mail system is not running", EMPTY_LOG)),
        ("set-permissions", 0, ""),
        ("", 1, f"postfix/postfix-script: fatal: unknown command: ''. {usage}"),
        ("quiet-start", 1, f"postfix/postfix-script: fatal: unknown command: 'quiet-start'. {usage}"),
        ("-Z", 1, f"postfix: invalid option -- 'Z'\r\n{POSTFIX_USAGE}"),
        ("-c", 1, f"postfix: option requires an argument -- 'c'\r\n{POSTFIX_USAGE}"),
        ("-c relative status", 1, "postfix: fatal: -c requires absolute pathname\r\n"),
        (
            "-c /nonexistent status",
            1,
            "postfix: fatal: open /nonexistent/main.cf: No such file or directory\r\n",
        ),
    ):
        done = bare_host.run(f"script -qec 'postfix {command}' /dev/null")
        assert (done.returncode, done.stdout) == (status, shown), command
    bare_host.output("postfix check")
    assert bare_host.run("postfix status", user="bob").returncode == 1
    done = bare_host.run("script -qec 'postfix flush' /dev/null")
    assert done.returncode == 69
    assert done.stdout.endswith("postqueue: fatal: Cannot flush mail queue - mail system is down\r\n")


def test_typed_message_comes_into_the_maildir(mail_host: Host) -> None:
    """HELO, MAIL FROM, RCPT TO, DATA and a dot: the file is in ~/Maildir/new, alice's, and closed to others."""
    session = Typed(mail_host)
    assert session.banner == f"220 {MAIL_HOST} ESMTP Postfix"
    session.close()
    queue_id = send(mail_host, to=f"alice@{DOMAIN}", subject="typed")
    lines = until_gone(mail_host, queue_id)
    assert (
        mail_host.output("stat -c '%U %G %a' /home/alice/Maildir /home/alice/Maildir/*").split("\n")[:-1]
        == ["alice alice 700"] * 4
    )
    (path,) = mail_host.output("ls -d /home/alice/Maildir/new/*").split()
    assert mail_host.output(f"stat -c '%U %G %a' {path}") == "alice alice 600\n"
    assert re.fullmatch(r"\d+\.\w+\.mail\.tutorial\.test(?:,S=\d+,W=\d+)?", path.rpartition("/")[2]), path
    content = mail_host.file(path).read_text()
    assert re.fullmatch(
        "Return-Path: <sender@tutorial\\.test>\n"
        "X-Original-To: alice@tutorial\\.test\n"
        "Delivered-To: alice@tutorial\\.test\n"
        "Received: from client\\.tutorial\\.test \\(mail\\.tutorial\\.test \\[192\\.0\\.2\\.10\\]\\)\n"
        f"\tby mail\\.tutorial\\.test \\(Postfix\\) with SMTP id {queue_id}\n"
        "\tfor <alice@tutorial\\.test>; \\w{3}, [ \\d]\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d [-+]\\d{4} \\(\\w+\\)\n"
        "From: sender@tutorial\\.test\n"
        "To: alice@tutorial\\.test\n"
        "Subject: typed\n"
        f"Message-Id: <\\d{{14}}\\.{queue_id}@mail\\.tutorial\\.test>\n"
        "Date: \\w{3}, [ \\d]\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d [-+]\\d{4} \\(\\w+\\)\n"
        "\n"
        "Hello\\.\n",
        content,
    ), content
    expected = (
        f"postfix/smtpd: {queue_id}: client=mail\\.tutorial\\.test\\[192\\.0\\.2\\.10\\]",
        f"postfix/cleanup: {queue_id}: message-id=<\\d+\\.{queue_id}@mail\\.tutorial\\.test>",
        f"postfix/qmgr: {queue_id}: from=<sender@tutorial\\.test>, size=\\d+, nrcpt=1 \\(queue active\\)",
        f"postfix/local: {queue_id}: to=<alice@tutorial\\.test>, relay=local, delay=[\\d.]+, "
        "delays=[\\d.]+/[\\d.]+/[\\d.]+/[\\d.]+, dsn=2\\.0\\.0, status=sent \\(delivered to maildir\\)",
        f"postfix/qmgr: {queue_id}: removed",
    )
    assert len(lines) == len(expected), lines
    for pattern, line in zip(expected, lines, strict=True):
        assert re.fullmatch(pattern, line), line


def test_connections_are_logged(mail_host: Host) -> None:
    """`connect from` and `disconnect from` with the commands counted."""
    until_gone(mail_host, send(mail_host, to=f"bob@{DOMAIN}", subject="counted"))
    client = f"{MAIL_HOST}[{ADDRESS}]"
    assert f"postfix/smtpd: connect from {client}" in logged(mail_host, "connect from")
    counted = f"postfix/smtpd: disconnect from {client} helo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
    until(lambda: counted in logged(mail_host, "disconnect from"), what="the session's end is logged")


def test_unknown_user_and_foreign_domain_are_refused(mail_host: Host) -> None:
    """No such user here; and no relaying for strangers, who come from outside mynetworks by XCLIENT or not at all."""
    session = Typed(mail_host)
    session("HELO client.tutorial.test")
    session("MAIL FROM:<sender@tutorial.test>")
    assert session(f"RCPT TO:<nobody-here@{DOMAIN}>") == (
        f"550 5.1.1 <nobody-here@{DOMAIN}>: Recipient address rejected: User unknown in local recipient table"
    )
    assert session("RCPT TO") == "501 5.5.4 Syntax: RCPT TO:<address>"
    session("QUIT")
    session.close()
    (line,) = until(lambda: logged(mail_host, "nobody-here"), what="it is logged")
    assert line == (
        f"postfix/smtpd: NOQUEUE: reject: RCPT from {MAIL_HOST}[{ADDRESS}]: 550 5.1.1 <nobody-here@{DOMAIN}>: "
        f"Recipient address rejected: User unknown in local recipient table; from=<sender@{DOMAIN}> "
        f"to=<nobody-here@{DOMAIN}> proto=SMTP helo=<client.tutorial.test>"
    )


def test_start_log_lines(mail_host: Host) -> None:
    """What a start says in the log."""
    assert "postfix/postfix-script: starting the Postfix mail system" in logged(mail_host, "starting the")
    (line,) = logged(mail_host, "daemon started")
    assert re.fullmatch(
        r"postfix/master: daemon started -- version [\w.-]+, configuration /etc/postfix", line
    ), line


def test_postfix_command_while_it_runs(mail_host: Host) -> None:
    """Status, a second start, and a wrong word: exit status, the terminal and the log say the same."""
    pid = int(mail_host.file("/var/spool/postfix/pid/master.pid").read_text())
    assert mail_host.file("/var/spool/postfix/pid/master.pid").read_text() == f"{pid:32}\n"
    done = mail_host.run("script -qec 'postfix status' /dev/null")
    assert (done.returncode, done.stdout) == (
        0,
        f"postfix/postfix-script: the Postfix mail system is running: PID: {pid}\r\n",
    )
    done = mail_host.run("script -qec 'postfix start' /dev/null")
    assert (done.returncode, done.stdout) == (
        1,
        "postfix/postfix-script: fatal: the Postfix mail system is already running\r\n",
    )
    done = mail_host.run("script -qec 'postfix dance' /dev/null")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "postfix/postfix-script: fatal: unknown command: 'dance'. Usage: postfix start "
    )
    for command, status, shown in (
        ("start-fg", 1, "postfix/postfix-script: fatal: the Postfix mail system is already running\r\n"),
        ("flush", 0, ""),
        ("set-permissions", 0, ""),
        ("logrotate", 1, f"postfix/postfix-script: fatal: {EMPTY_LOG}\r\n"),
        (
            "-c /etc/other status",
            0,
            f"postfix/postfix-script: the Postfix mail system is running: PID: {pid}\r\n",
        ),
    ):
        mail_host.output("mkdir -p /etc/other; cp /etc/postfix/main.cf /etc/postfix/master.cf /etc/other/")
        done = mail_host.run(f"script -qec 'postfix {command}' /dev/null")
        assert (done.returncode, done.stdout) == (status, shown), command
    assert sorted(set(logged(mail_host, "already running"))) == [
        "postfix/postfix-script: fatal: the Postfix mail system is already running"
    ]


def test_reload(mail_host: Host) -> None:
    """`postfix reload`: the same master goes on with what main.cf says now; sessions are not cut."""
    session = Typed(mail_host)
    assert session("HELO client.tutorial.test") == f"250 {MAIL_HOST}"
    pid = mail_host.file("/var/spool/postfix/pid/master.pid").read_text()
    done = mail_host.run("script -qec 'postfix reload' /dev/null")
    assert (done.returncode, done.stdout) == (
        0,
        "postfix/postfix-script: refreshing the Postfix mail system\r\n",
    )
    until(lambda: len(logged(mail_host, "reload -- version")) == 1, what="the reload is logged")
    assert mail_host.file("/var/spool/postfix/pid/master.pid").read_text() == pid
    assert session("MAIL FROM:<sender@tutorial.test>") == "250 2.1.0 Ok"
    assert session(f"RCPT TO:<alice@{DOMAIN}>") == "250 2.1.5 Ok"
    assert session("QUIT") == "221 2.0.0 Bye"
    session.close()
    until_gone(mail_host, send(mail_host, to=f"bob@{DOMAIN}", subject="after the reload"))


def test_postconf_shows_what_was_written(mail_host: Host) -> None:
    """`postconf -n` lists the lines of main.cf, sorted; single values come expanded with -x."""
    assert mail_host.output("postconf -n").split("\n") == [
        "compatibility_level = 3.6",
        "home_mailbox = Maildir/",
        "inet_interfaces = all",
        "mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain",
        "mydomain = tutorial.test",
        "myhostname = mail.tutorial.test",
        "myorigin = $mydomain",
        "",
    ]
    assert mail_host.output("postconf -x -h myorigin") == "tutorial.test\n"


def test_alias_goes_to_both(mail_host: Host) -> None:
    """/etc/aliases after postalias: team is alice and bob."""
    lines = until_gone(mail_host, send(mail_host, to=f"team@{DOMAIN}", subject="for the team"))
    for user in ("alice", "bob"):
        assert len(in_mailbox(mail_host, user, "for the team")) == 1
        (line,) = [line for line in lines if f"to=<{user}@{DOMAIN}>" in line]
        assert f"to=<{user}@{DOMAIN}>, orig_to=<team@{DOMAIN}>, relay=local, " in line
        assert line.endswith("dsn=2.0.0, status=sent (delivered to maildir)")


def test_success_is_reported_once(mail_host: Host) -> None:
    """NOTIFY=SUCCESS: an alias or a .forward file is told of as expanded, those it stands for not at all."""
    mail_host.write("/home/bob/.forward", "alice\n")
    mail_host.output("chown bob /home/bob/.forward")
    for recipient in ("team", "bob", "alice"):
        with Smtp(mail_host) as client:
            client.ehlo("client.tutorial.test")
            client.mail(f"alice@{DOMAIN}")
            assert client.rcpt(f"{recipient}@{DOMAIN}", ["NOTIFY=SUCCESS"])[0] == 250
            client.data(f"Subject: success of {recipient}\r\n\r\nHello.\r\n".encode())

    def reports() -> list[str]:
        files = "$(grep -ls 'report-type=delivery-status' /home/alice/Maildir/*/*)"
        return sorted(
            mail_host.run(f"grep -hE '^(Final-R|Action|Diag)' /dev/null {files}").stdout.split("\n")
        )

    until(
        lambda: "Action: delivered" in reports() and reports().count("Action: expanded") == 2, what="reports"
    )
    assert [line for line in reports() if line] == [
        "Action: delivered",
        "Action: expanded",
        "Action: expanded",
        "Diagnostic-Code: X-Postfix; delivery via local: alias expanded",
        "Diagnostic-Code: X-Postfix; delivery via local: alias expanded",
        "Diagnostic-Code: X-Postfix; delivery via local: delivered to maildir",
        f"Final-Recipient: rfc822; alice@{DOMAIN}",
        f"Final-Recipient: rfc822; bob@{DOMAIN}",
        f"Final-Recipient: rfc822; team@{DOMAIN}",
    ]
    until(lambda: mail_host.output("postqueue -p") == "Mail queue is empty\n", what="all is delivered")
    mail_host.output("rm /home/bob/.forward $(grep -ls 'success of' /home/*/Maildir/*/*)")


def test_sendmail_of_a_user(mail_host: Host) -> None:
    """Bob writes to alice with sendmail(1), as cron and scripts do."""
    done = mail_host.run(
        "sendmail -t", user="bob", content="To: alice\nSubject: by sendmail\n\nFrom the command line.\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    until(lambda: in_mailbox(mail_host, "alice", "by sendmail"), what="the message has come")
    (path,) = in_mailbox(mail_host, "alice", "by sendmail")
    content = mail_host.file(path).read_text()
    uid = mail_host.output("id -u bob").strip()
    assert re.search(
        f"^Received: by mail\\.tutorial\\.test \\(Postfix, from userid {uid}\\)\n\tid {QUEUE_ID}; ",
        content,
        re.M,
    ), content
    assert content.startswith(f"Return-Path: <bob@{DOMAIN}>\n")
    assert f"\nTo: alice@{DOMAIN}\n" in content
    assert f"\nFrom: bob@{DOMAIN}\n" in content.replace("From: bob <", "From: ").replace(">\n", "\n")


def test_queue_commands(mail_host: Host) -> None:
    """A message that cannot go: listed with its reason, held, released, deleted."""
    until(lambda: mail_host.output("postqueue -p") == "Mail queue is empty\n", what="earlier mail has gone")
    queue_id = send(mail_host, to=f"someone@nowhere.{DOMAIN}", subject="cannot go")
    until(
        lambda: any("status=deferred" in line for line in logged(mail_host, queue_id)), what="it is deferred"
    )
    until(
        lambda: not mail_host.listing("/var/spool/postfix/active"), what="it waits, and is not tried just now"
    )
    (line,) = [line for line in logged(mail_host, queue_id) if "status=deferred" in line]
    reason = f"connect to nowhere.{DOMAIN}[198.51.100.1]:25: Network is unreachable"
    assert f"postfix/smtp: {queue_id}: to=<someone@nowhere.{DOMAIN}>, relay=none, " in line
    assert line.endswith(f"dsn=4.4.1, status=deferred ({reason})"), line

    def listing(mark: str) -> str:
        return (
            r"-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
            rf"{queue_id}{mark:<1} +\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d  sender@tutorial\.test\n"
        )

    shown = mail_host.output("mailq")
    assert re.fullmatch(
        listing(" ")
        + r"\("
        + f"{re.escape(reason)}"
        + r"\)\n"
        + r" {41}someone@nowhere\.tutorial\.test\n\n"
        + r"-- \d+ Kbytes in 1 Request\.\n",
        "\n".join(line.strip() if line.strip().startswith("(") else line for line in shown.split("\n")),
    ), shown
    done = mail_host.run(f"postsuper -h {queue_id}")
    assert (done.returncode, done.stderr) == (
        0,
        f"postsuper: {queue_id}: placed on hold\npostsuper: Placed on hold: 1 message\n",
    )
    assert re.match(listing("!"), mail_host.output("postqueue -p"))
    assert mail_host.run(f"postsuper -H {queue_id}").stderr == (
        f"postsuper: {queue_id}: released from hold\npostsuper: Released from hold: 1 message\n"
    )
    before = len(mail_host.log())
    mail_host.output("postqueue -f")
    until_logged(mail_host, f"{queue_id}: .*status=deferred", since=before)
    until(lambda: not mail_host.listing("/var/spool/postfix/active"), what="it waits again")
    assert mail_host.run(f"postsuper -d {queue_id}").stderr == (
        f"postsuper: {queue_id}: removed\npostsuper: Deleted: 1 message\n"
    )
    assert mail_host.output("postqueue -p") == "Mail queue is empty\n"
    assert mail_host.run("postqueue -p", user="bob").stdout == "Mail queue is empty\n"
    assert mail_host.run("postsuper -d ALL", user="bob").returncode != 0


# -- the end ---------------------------------------------------------------------------------------------


def test_stop(mail_host: Host) -> None:
    """`postfix stop`: the terminal, the log, the ports; a second one says that nothing runs."""
    done = mail_host.run("script -qec 'postfix stop' /dev/null")
    waiting = "postfix/postfix-script: waiting for the Postfix mail system to terminate\r\n"  # once a second
    assert (done.returncode, done.stdout.replace(waiting, "")) == (
        0,
        "postfix/postfix-script: stopping the Postfix mail system\r\n",
    )
    assert not mail_host.answers(25)
    assert logged(mail_host, "terminating on signal") == ["postfix/master: terminating on signal 15"]
    done = mail_host.run("script -qec 'postfix stop' /dev/null")
    assert (done.returncode, done.stdout) == (
        1,
        "postfix/postfix-script: fatal: the Postfix mail system is not running\r\n",
    )
    done = mail_host.run("script -qec 'postfix status' /dev/null")
    assert (done.returncode, done.stdout) == (
        1,
        "postfix/postfix-script: the Postfix mail system is not running\r\n",
    )
    mail_host.output("postfix start")
    mail_host.until_answers(25)
    mail_host.output("postfix stop")
