"""The classic tutorial, line by line, as root on a host of its own: Postfix, then Dovecot, then a mail reader.

Every test runs twice: with Debian's Postfix and Dovecot, which proves the test, and with Pillarbox in their place.
Both get the same configuration files, the same commands and the same expectations.
"""

import imaplib
import poplib
import re
import smtplib
import socket
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.host import ADDRESS, PACKAGED, Host
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install, remove_originals
from fakes.tutorial_host import DOMAIN, DOVECOT_CONF, MAIL_HOST, MAIN_CF, USERS, tutorial_host
from fakes.typed_smtp import QUEUE_ID, Typed, logged, send, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare"),
]

EMPTY_LOG: Final = "empty 'maillog_file' parameter value - logfile rotation failed"
POSTFIX_USAGE: Final = "postfix: fatal: usage: postfix [-c config_dir] [-Dv] command\r\n"
ALIASES: Final = "postmaster: alice\nteam: alice, bob\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test for both products."""
    metafunc.parametrize("product", ["original", "pillarbox"], scope="module")


@pytest.fixture(scope="module")
def bare_host(product: str) -> Iterator[Host]:
    """The host with the product's programs on it, and nothing configured."""
    host = tutorial_host(PACKAGED if product == "original" else INSTALLED)
    try:
        if product == "original":
            host.write("/etc/postfix/main.cf", MAIN_CF)
            host.output(
                "/usr/lib/postfix/configure-instance.sh -"
            )  # as Debian's service does before it starts
            host.file("/etc/postfix/main.cf").unlink()
        else:
            remove_originals(host)
            install(host)
        yield host
    finally:
        host.end()


@pytest.fixture(scope="module")
def mail_host(bare_host: Host) -> Host:
    """`postfix check` and `postfix start` have been typed: mail can come."""
    bare_host.write("/etc/postfix/main.cf", MAIN_CF)
    bare_host.write("/etc/aliases", ALIASES)
    bare_host.output("postalias /etc/aliases")
    assert bare_host.output("postfix check") == ""
    bare_host.output("postfix start")
    bare_host.until_answers(25)
    return bare_host


@pytest.fixture
def whole_host(mail_host: Host) -> Host:
    """Dovecot has been added."""
    if not mail_host.answers(143):
        mail_host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF)
        mail_host.output("dovecot")
        mail_host.until_answers(143)
    return mail_host


def in_mailbox(host: Host, user: str, subject: str) -> list[str]:
    """Paths of the user's messages with this subject, whether they have been seen or not."""
    pattern = rf"grep -rl '^Subject: {subject}$' /home/{user}/Maildir/new /home/{user}/Maildir/cur"
    return host.run(pattern).stdout.split()


# -- Postfix ---------------------------------------------------------------------------------------------


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
    until(lambda: logged(mail_host, "nobody-here"), what="it is logged")
    (line,) = logged(mail_host, "nobody-here")
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


class Smtp(smtplib.SMTP):
    """An SMTP client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("mail", 25)

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._inside.connect(25)


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
    assert mail_host.output("postqueue -p") == "Mail queue is empty\n"
    queue_id = send(mail_host, to=f"someone@nowhere.{DOMAIN}", subject="cannot go")
    until(
        lambda: any("status=deferred" in line for line in logged(mail_host, queue_id)), what="it is deferred"
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
    mail_host.output("postqueue -f")
    assert mail_host.run(f"postsuper -d {queue_id}").stderr == (
        f"postsuper: {queue_id}: removed\npostsuper: Deleted: 1 message\n"
    )
    assert mail_host.output("postqueue -p") == "Mail queue is empty\n"
    assert mail_host.run("postqueue -p", user="bob").stdout == "Mail queue is empty\n"
    assert mail_host.run("postsuper -d ALL", user="bob").returncode != 0


# -- Dovecot ---------------------------------------------------------------------------------------------


class Imap(imaplib.IMAP4):
    """An IMAP client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("127.0.0.1", 143, timeout=30)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._inside.connect(143)


class Pop3(poplib.POP3):
    """A POP3 client of the host."""

    def __init__(self, host: Host) -> None:
        self._inside = host
        super().__init__("127.0.0.1", 110, timeout=30)

    def _create_socket(self, timeout: float) -> socket.socket:
        return self._inside.connect(110)


def fill(host: Host, subject: str, *, user: str = "alice") -> None:
    """One message with this subject is in the user's mailbox."""
    if not in_mailbox(host, user, subject):
        until_gone(host, send(host, to=f"{user}@{DOMAIN}", subject=subject))


def test_imap_login_with_the_system_password(whole_host: Host) -> None:
    """PAM lets alice in with her password, and nobody with another."""
    fill(whole_host, "by imap")
    client = Imap(whole_host)
    assert client.login("alice", USERS["alice"])[0] == "OK"
    assert client.select()[0] == "OK"
    (found,) = client.search(None, "SUBJECT", '"by imap"')[1]
    part = client.fetch(found.decode(), "(BODY.PEEK[TEXT])")[1][0]
    assert isinstance(part, tuple)
    assert part[1] == b"Hello.\r\n"
    assert client.logout()[0] == "BYE"
    refused = Imap(whole_host)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\] Authentication failed\."):
        refused.login("alice", "wrong")
    refused.logout()
    lines = logged(whole_host, "imap-login: ")
    assert any(
        re.fullmatch(
            r"dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, "
            r"mpid=\d+, secured, session=<[^>]+>",
            line,
        )
        for line in lines
    ), lines
    until(lambda: logged(whole_host, "auth failed, 1 attempts in "), what="the failure is logged")


def test_pop3_login_with_the_system_password(whole_host: Host) -> None:
    """The same by POP3."""
    fill(whole_host, "by pop3")
    client = Pop3(whole_host)
    client.user("alice")
    client.pass_(USERS["alice"])
    count, _ = client.stat()
    subjects = {line for number in range(1, count + 1) for line in client.top(number, 0)[1]}
    assert b"Subject: by pop3" in subjects
    client.quit()
    refused = Pop3(whole_host)
    refused.user("bob")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] Authentication failed\."):
        refused.pass_("wrong")
    refused.close()
    assert logged(whole_host, "pop3-login: Login: user=<alice>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, ")


@pytest.mark.peer("curl")
def test_curl_reads_both_ways(whole_host: Host) -> None:
    """The tutorial's own check: curl by IMAP and by POP3."""
    fill(whole_host, "by curl", user="bob")
    login = f"-u 'bob:{USERS['bob']}'"
    url = "imap://127.0.0.1/INBOX"
    found = whole_host.output(f"curl -sS '{url}?SUBJECT%20by' {login}")
    assert found.startswith("* SEARCH ")
    number = found.split()[-1]
    assert "Subject: by curl" in whole_host.output(f"curl -sS '{url};MAILINDEX={number}' {login}")
    listing = whole_host.output(f"curl -sS pop3://127.0.0.1/ {login}")
    last = listing.split()[-2]
    assert "Subject: by curl" in whole_host.output(f"curl -sS pop3://127.0.0.1/{last} {login}")


@pytest.mark.peer("mutt")
def test_mutt_opens_the_inbox(whole_host: Host) -> None:
    """mutt over IMAP copies a message from the inbox into a file."""
    fill(whole_host, "by mutt", user="bob")
    whole_host.write(
        "/root/.muttrc",
        f'set imap_user=bob\nset imap_pass="{USERS["bob"]}"\nset ssl_starttls=no\nset ssl_force_tls=no\n'
        "set folder=imap://127.0.0.1/\nset spoolfile=+INBOX\nset record=''\n"
        "set confirmcreate=no\nset confirmappend=no\nset delete=no\nset quit=yes\nset wait_key=no\nset sort=mailbox-order\n"
        "push '<last-entry><copy-message>/root/copied<enter><quit>'\n",
    )
    whole_host.output("TERM=vt100 script -qec 'mutt -F /root/.muttrc -f +INBOX' /dev/null", seconds=30)
    assert "Subject: by mutt" in whole_host.file("/root/copied").read_text()


@pytest.mark.peer("mbsync")
def test_mbsync_copies_the_mailbox(whole_host: Host) -> None:
    """mbsync makes a copy of the whole account; a second run moves nothing."""
    fill(whole_host, "by mbsync")
    whole_host.write(
        "/root/.mbsyncrc",
        f'IMAPAccount a\nHost 127.0.0.1\nUser alice\nPass "{USERS["alice"]}"\nSSLType None\nAuthMechs LOGIN\n\n'
        "IMAPStore far\nAccount a\n\nMaildirStore near\nPath /root/copy/\nInbox /root/copy/INBOX\n\n"
        "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSyncState *\n",
    )
    whole_host.output("mkdir -p /root/copy && mbsync -a")
    copied = whole_host.listing("/root/copy/INBOX/new") + whole_host.listing("/root/copy/INBOX/cur")
    held = whole_host.listing("/home/alice/Maildir/new") + whole_host.listing("/home/alice/Maildir/cur")
    assert len(copied) == len(held) > 0
    whole_host.output("mbsync -a")
    again = whole_host.listing("/root/copy/INBOX/new") + whole_host.listing("/root/copy/INBOX/cur")
    assert sorted(again) == sorted(copied)


@pytest.mark.peer("fetchmail")
def test_fetchmail_takes_all_by_pop3(whole_host: Host) -> None:
    """fetchmail hands every message of bob's to a command, and keeps them on the server."""
    fill(whole_host, "by fetchmail", user="bob")
    whole_host.write(
        "/root/.fetchmailrc",
        f"poll 127.0.0.1 protocol pop3 user bob password '{USERS['bob']}' sslproto '' keep fetchall "
        "mda 'cat >>/root/fetched'\n",
        mode=0o600,
    )
    whole_host.output("fetchmail -f /root/.fetchmailrc")
    assert "Subject: by fetchmail" in whole_host.file("/root/fetched").read_text()


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
