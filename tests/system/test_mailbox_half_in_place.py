"""The mailbox half in Dovecot's place, as root on a host of its own: system users by PAM, LMTP, Postfix's sockets.

Each test runs twice: with Debian's Dovecot, which proves the test, and with Pillarbox.  Postfix is Debian's in
both, and so is doveadm where a test says so.
"""

import imaplib
import poplib
import re
import smtplib
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.host import LOG, PACKAGED, Host
from fakes.host_clients import Imap, Pop3, Smtp
from fakes.logs import until_logged
from fakes.mail_system import PATIENT_WITH_GUESSERS, until
from fakes.tutorial_host import DOMAIN, MAIL_HOST, MAIN_CF, SOCKETS_FOR_POSTFIX, USERS, tutorial_host

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare"),
]

DOVECOT_CONF: Final = (
    """\
protocols = imap pop3 lmtp
listen = *
mail_location = maildir:~/Maildir
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
auth_username_format = %Ln
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    auto = subscribe
    special_use = \\Drafts
  }
  mailbox Wastebasket {
    auto = create
    special_use = \\Trash
  }
}
passdb {
  driver = pam
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%n /etc/dovecot/users
}
userdb {
  driver = passwd
}
userdb {
  driver = static
  args = uid=mailowner gid=mailowner home=/var/vmail/%n
}
"""
    + SOCKETS_FOR_POSTFIX
)
POSTFIX: Final = (
    MAIN_CF.replace("home_mailbox = Maildir/\n", "")
    + """\
mailbox_transport = lmtp:unix:private/dovecot-lmtp
local_recipient_maps =
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
alias_maps =
alias_database =
"""
)
VIRTUAL: Final = ("carol", "third secret")


def install_commands(host: Host) -> None:
    """Our commands come first in PATH."""
    for name in ("dovecot", "doveadm", "doveconf", "pillarbox"):
        text = f'#!/bin/sh\nexec {sys.executable} -m pillarbox.tools.{name} "$@"\n'
        host.write(f"/usr/local/sbin/{name}", text, mode=0o755)


@pytest.fixture(scope="module", params=["original", "pillarbox"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Postfix and the mailbox half run; three users."""
    ours = request.param == "pillarbox"
    host = tutorial_host(f"/usr/local/sbin:{PACKAGED}" if ours else PACKAGED)
    try:
        if ours:
            install_commands(host)
        host.output("useradd --system --user-group --home-dir /var/vmail --create-home mailowner")
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + PATIENT_WITH_GUESSERS)
        host.write("/etc/dovecot/users", f"{VIRTUAL[0]}:{VIRTUAL[1]}\n")
        host.output(
            "sed -i 's/ = 500/ = 100/' /etc/dovecot/dovecot.conf; echo first_valid_uid = 100 >> /etc/dovecot/dovecot.conf"
        )
        host.write("/etc/postfix/main.cf", POSTFIX)
        host.run("/usr/lib/postfix/configure-instance.sh -")
        host.start_postfix()
        host.output("dovecot")
        host.until_answers(143)
        host.until_answers(25)
        yield host
    finally:
        host.end()


def test_mail_goes_from_postfix_by_lmtp_to_a_system_user(host: Host) -> None:
    """Stored as the user, with Dovecot's trace header; Postfix and the log say what was done."""
    for user in ("alice", "alice+box", VIRTUAL[0]):
        with Smtp(host) as client:
            client.sendmail(
                "s@tutorial.test",
                [f"{user}@{DOMAIN}"],
                f"Message-ID: <{user}@x>\r\nSubject: hi\r\n\r\nhello\r\n",
            )
        until_logged(
            host,
            rf"to=<{re.escape(user)}@{DOMAIN}>.*status=sent \(250 2\.0\.0 <{re.escape(user)}@.*> \S+ Saved\)",
        )
    new = [host.file("/home/alice/Maildir/new") / name for name in host.listing("/home/alice/Maildir/new")]
    assert len(new) == 2
    assert host.output("stat -c '%U %G %a' /home/alice/Maildir /home/alice/Maildir/new/*").split("\n")[
        :2
    ] == [
        "alice alice 700",
        "alice alice 600",
    ]
    assert host.output("stat -c %U /var/vmail/carol/Maildir").strip() == "mailowner"
    text = new[0].read_text()
    assert re.match(
        rf"Return-Path: <s@tutorial\.test>\nDelivered-To: alice\S*@{re.escape(DOMAIN)}\nReceived: from {re.escape(MAIL_HOST)}\n"
        rf"\tby {re.escape(MAIL_HOST)} with LMTP\n\tid \S+\n\t\(envelope-from <s@tutorial\.test>\)\n\tfor <alice\S*>; ",
        text,
    )
    until_logged(host, r"dovecot: lmtp\(alice\)<\d+><\S+>: msgid=<alice@x>: saved mail to INBOX")


def test_unknown_users_are_bounced(host: Host) -> None:
    """550 at RCPT."""
    with Smtp(host) as client:
        client.sendmail("s@tutorial.test", [f"nobody-here@{DOMAIN}"], "Subject: hi\r\n\r\nhello\r\n")
    until_logged(
        host,
        r"to=<nobody-here@\S+>.*dsn=5\.1\.1, status=bounced .*550 5\.1\.1 <nobody-here@\S+> User doesn't exist",
    )


def test_a_system_user_reads_by_imap_and_pop3(host: Host) -> None:
    """The password is checked by PAM, the mailbox opened as the user; mailboxes are those of dovecot.conf."""
    client = Imap(host)
    client.login("Alice", USERS["alice"])
    assert client.select()[1] == [b"2"]
    names = {line.split()[-1].strip(b'"'): line for line in client.list()[1] if isinstance(line, bytes)}
    assert set(names) == {b"INBOX", b"Drafts", b"Wastebasket"}
    assert b"\\Drafts" in names[b"Drafts"]
    assert b"\\Trash" in names[b"Wastebasket"]
    assert [line.split()[-1].strip(b'"') for line in client.lsub()[1] if isinstance(line, bytes)] == [
        b"Drafts"
    ]
    client.logout()
    reader = Pop3(host)
    reader.user("alice")
    reader.pass_(USERS["alice"])
    assert reader.stat()[0] == 2
    reader.quit()
    until_logged(
        host,
        r"dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, mpid=\d+, secured, session=<\S+>",
    )
    until_logged(
        host,
        r"dovecot: pop3\(alice\)<\d+><\S+>: Disconnected: Logged out top=0/0, retr=0/0, del=0/2, size=\d+",
    )


def test_wrong_passwords_and_unknown_users_are_refused_alike(host: Host) -> None:
    """The log has what fail2ban looks for, and so has that of PAM's own modules."""
    client = Imap(host)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\] Authentication failed\."):
        client.login("alice", "wrong")
    client.logout()
    reader = Pop3(host)
    reader.user("mallory")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] Authentication failed\."):
        reader.pass_("guess")
    reader.quit()
    until_logged(
        host,
        r"auth.*: pam\(alice,127\.0\.0\.1,<\S+>\): pam_authenticate\(\) failed: Authentication failure \(Password mismatch\?\)",
    )
    until_logged(
        host,
        r"imap-login: Disconnected: Aborted login by logging out \(auth failed, 1 attempts in \d+ secs\): user=<alice>, method=PLAIN, rip=127\.0\.0\.1",
    )
    until_logged(
        host,
        r"pop3-login: Disconnected: Aborted login by logging out \(auth failed, 1 attempts in \d+ secs\): user=<mallory>",
    )
    until(
        lambda: re.search(
            r" auth: pam_unix\(dovecot:auth\): authentication failure; .*user=alice", auth_log(host)
        ),
        what=lambda: f"pam_unix(8) logs as a process that is named auth: {auth_log(host)}",
    )


def auth_log(host: Host) -> str:
    """Where Debian has what PAM's modules say."""
    return host.run("cat /var/log/auth.log").stdout


@pytest.mark.peer("fail2ban")
def test_fail2ban_finds_the_failures(host: Host) -> None:
    """Debian's filter, as it stands in the package."""
    answer = host.output(f"fail2ban-regex --print-all-matched {LOG} dovecot")
    found = [line for line in answer.split("\n") if "auth failed, 1 attempts" in line]
    assert [re.search("user=<(.*?)>", line)[1] for line in found] == ["alice", "mallory"], answer  # type: ignore[index]  # it is in each
    matched = re.search(r"Lines: \d+ lines, \d+ ignored, (\d+) matched", answer)
    assert matched is not None
    assert int(matched[1]) >= 2


def test_postfix_asks_us_for_passwords(host: Host) -> None:
    """smtpd_sasl_type = dovecot: PLAIN and LOGIN, right and wrong."""
    for mechanism in ("PLAIN", "LOGIN"):
        with Smtp(host) as client:
            client.ehlo()
            assert set(client.esmtp_features["auth"].split()) >= {"PLAIN", "LOGIN"}
            client.user, client.password = "alice", USERS["alice"]
            assert client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))[0] == 235
    with Smtp(host) as client:
        client.ehlo()
        client.user, client.password = "alice", "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.auth("PLAIN", client.auth_plain)
        assert refused.value.smtp_code == 535
    until_logged(host, r"SASL PLAIN authentication failed")


DOVEADM: Final = [
    "user -f home alice",
    "user -f uid carol",
    "user nobody-here",
    f"auth test alice '{USERS['alice']}'",
    "auth test alice wrong",
    f"auth test carol '{VIRTUAL[1]}'",
    "pw -s PLAIN -p x",
    "pw -t '{PLAIN}x' -p x",
    "pw -t '{PLAIN}x' -p y",
    "pw -s NOSUCH -p x",
    "mailbox list -u alice",
    "mailbox list -u nobody-here",
    "mailbox status -u alice messages INBOX",
    "-f tab mailbox status -u alice messages 'INBOX'",
    "-f json mailbox status -u alice messages INBOX",
    "who -1 nobody-here",
    "-f tab who",
    "kick nobody-here",
    "log errors",
]


def test_doveadm_of_either_product_says_the_same(host: Host) -> None:
    """Ours and Debian's, each against whatever runs here."""
    differences = []
    for command in DOVEADM:
        answers = [host.run(f"{program} {command}") for program in ("doveadm", "/usr/bin/doveadm")]
        if command.startswith(("-f tab who", "who", "kick", "log")) and "local" in host.path:
            answers = answers[:1]  # Debian's asks daemons for this that do not exist here
        shown = {(answer.stdout, answer.stderr, answer.returncode) for answer in answers}
        if len(shown) != 1:
            differences.append(f"{command}: {shown}")
    assert differences == []


MBOX: Final = """\
From a@b.example Wed Nov 25 17:52:55 2020
Status: RO
X-Status: F
X-Keywords: Work
Subject: one

Hello.

From c@d.example Tue Jan  3 07:08:09 2023 +0200
Subject: two

text
"""


def test_old_mail_is_imported_with_flags_and_dates(host: Host) -> None:
    """`pillarbox import mbox`, by the user himself and by root; the file stays."""
    if "local" not in host.path:
        pytest.skip("a command of ours")
    host.write("/var/mail/bob", MBOX)
    host.output("chown bob:mail /var/mail/bob; chmod 660 /var/mail/bob")
    told = host.output("pillarbox import mbox /var/mail/bob --mailbox Old/Mail", user="bob")
    assert told == "2 messages imported from /var/mail/bob into Old/Mail (/home/bob/Maildir)\n"
    host.output("pillarbox import mbox /var/mail/bob --user bob")
    client = Imap(host)
    client.login("bob", USERS["bob"])
    for mailbox in ("Old/Mail", "INBOX"):
        assert client.select(mailbox)[1] == [b"2"]
        first, second = client.fetch("1:*", "(FLAGS INTERNALDATE RFC822.SIZE)")[1]
        assert isinstance(first, bytes)
        assert isinstance(second, bytes)
        assert {b"\\Flagged", b"\\Seen", b"Work"} <= set(re.findall(rb"[\\\w]+", first))
        assert b'"25-Nov-2020 17:52:55 +0000"' in first
        assert b"\\Seen" not in second
        assert b'"03-Jan-2023 05:08:09 +0000"' in second
    client.logout()
    assert host.output("stat -c %U /home/bob/Maildir/.Old.Mail/cur/*").split() == ["bob"] * 2
    assert host.file("/var/mail/bob").read_text() == MBOX
    refused = host.run("pillarbox import mbox /etc/passwd", user="bob")
    assert (refused.returncode, refused.stderr) == (
        1,
        "pillarbox: /etc/passwd is no mbox file: it does not begin with `From `\n",
    )


def test_who_is_listed(host: Host) -> None:
    """Users, not the system's accounts: first_valid_uid is 100; and -u shows what the userdb says of one."""
    listed = host.output("doveadm user '*'").split()
    entries = [line.split(":") for line in host.output("getent passwd").splitlines()]
    assert listed == [entry[0] for entry in entries if int(entry[2]) >= 100]
    assert {"alice", "bob", "nobody"} <= set(listed)
    uid, gid = host.output("id -u alice; id -g alice").split()
    shown = host.output("doveadm user -u alice").splitlines()
    assert shown[:2] == ["userdb: alice", "  user      : alice"]
    assert sorted(shown[2:]) == [
        f"  gid       : {gid}",
        "  home      : /home/alice",
        "  system_groups_user: alice",
        f"  uid       : {uid}",
    ]


def test_it_refuses_to_start_twice_and_stops(host: Host) -> None:
    """Either product sees the other; what is stopped is gone with its pid file."""
    for program in ("dovecot", "/usr/sbin/dovecot"):
        again = host.run(program)
        assert again.returncode == 89
        assert re.search(
            r"Dovecot is already running with PID \d+ \(read from /run/dovecot/master\.pid\)", again.stderr
        )
    client = Imap(host)
    client.login("bob", USERS["bob"])
    client.select()
    host.output("echo login_greeting = Renewed. >> /etc/dovecot/dovecot.conf; doveadm reload")
    until_logged(host, r"dovecot: master: Warning: SIGHUP received - reloading configuration")

    def is_renewed() -> bool:
        fresh = Imap(host)
        fresh.logout()
        return b"Renewed." in fresh.welcome

    until(is_renewed, what="the new greeting")
    assert client.noop()[0] == "OK", "a session goes on over a reload"
    host.output("doveadm stop")
    client.shutdown()
    until(lambda: not host.answers(143), what="nobody listens")
    until(lambda: not host.file("/run/dovecot/master.pid").exists(), what="its pid file is gone")
    stopped = host.run("doveadm stop")
    assert (stopped.returncode, stopped.stderr) == (
        75,
        "Fatal: Dovecot is not running (read from /run/dovecot/master.pid)\n",
    )
