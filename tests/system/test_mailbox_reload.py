"""A reload of the mailbox half while clients log in: none of them notices, and doveadm still knows all sessions."""

import functools
import imaplib
import os
import poplib
import re
import signal
import smtplib
import threading
from collections.abc import Callable
from typing import Final

import pytest

from fakes.dovecot_pair import dovecot_pair
from fakes.mail_system import PATIENCE, USER, MailSystem, until

pytestmark = pytest.mark.system


def reload(system: MailSystem) -> None:
    """SIGHUP, and the new generation serves alone."""
    half = system.half("mailbox")
    assert half is not None
    before, pid = half["reloads"], half["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGHUP)

    def is_done() -> bool:
        now = system.half("mailbox")
        return now is not None and now["reloads"] != before

    until(is_done, what="the mailbox half is reloaded")


def by_imap(system: MailSystem) -> None:
    """Log in and out."""
    client = imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE)
    client.login(USER, system.password)
    client.logout()


def by_pop3(system: MailSystem) -> None:
    """Log in and out."""
    client = poplib.POP3("127.0.0.1", system.port("pop3"), timeout=PATIENCE)
    client.user(USER)
    client.pass_(system.password)
    client.quit()


def by_smtp(system: MailSystem) -> None:
    """AUTH: smtpd's connection to the auth server is another generation's."""
    with smtplib.SMTP_SSL("127.0.0.1", system.port("submissions"), timeout=PATIENCE) as client:
        client.login(USER, system.password)


def is_ended(client: imaplib.IMAP4) -> bool:
    """Whether the server has ended the session."""
    try:
        client.noop()
    except imaplib.IMAP4.abort:
        return True
    return False


WAYS: Final = (by_imap, by_pop3, by_smtp)


def doveadm(system: MailSystem, *words: str) -> str:
    """What a doveadm command prints."""
    done = system.doveadm(*words)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def test_nobody_notices_a_reload(mail_system: MailSystem) -> None:
    """IMAP, POP3 and SMTP clients log in without a pause over two reloads: every one gets in."""
    logins: dict[str, int] = {}
    faults: list[str] = []
    ended = threading.Event()

    def go_on(log_in: Callable[[MailSystem], None]) -> None:
        while not ended.is_set():
            try:
                log_in(mail_system)
            except Exception as fault:  # whatever it is, it is the test's failure
                faults.append(f"{log_in.__name__}: {fault!r}")
                return
            logins[log_in.__name__] = logins.get(log_in.__name__, 0) + 1

    def all_are_in(wanted: dict[str, int]) -> bool:
        return bool(faults) or all(logins.get(name, 0) >= number for name, number in wanted.items())

    threads = [threading.Thread(target=go_on, args=(one,)) for one in WAYS]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            wanted = {one.__name__: logins.get(one.__name__, 0) + 2 for one in WAYS}
            reload(mail_system)
            until(
                functools.partial(all_are_in, wanted),
                what=lambda: f"everybody logged in again: {logins} {faults}",
            )
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    assert faults == []
    assert "Internal login failure" not in mail_system.log()


def test_sessions_of_all_generations_are_listed_and_kicked(mail_system: MailSystem) -> None:
    """doveadm who after two reloads: three sessions in three generations; kick ends them all."""
    clients = []
    for number in range(3):
        client = imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE)
        client.login(USER, mail_system.password)
        client.select()
        clients.append(client)
        if number < 2:
            reload(mail_system)
    rows = [line.split() for line in doveadm(mail_system, "who", "-1").splitlines()[1:]]
    assert [row[0] for row in rows] == [USER] * 3, rows
    assert len({row[2] for row in rows}) == 3, "each generation has its own worker"
    assert doveadm(mail_system, "who").splitlines()[1].split()[:3] == [USER, "3", "imap"]
    assert doveadm(mail_system, "kick", USER).split("\n")[:2] == [
        "kicked connections from the following users:",
        USER,
    ]
    for client in clients:
        until(functools.partial(is_ended, client), what="the session has ended")
        client.shutdown()
    until(lambda: doveadm(mail_system, "who", "-1").count("\n") <= 1, what="nobody is left")

    def auth_servers() -> int:
        half = mail_system.half("mailbox")
        roles = half["roles"] if half is not None else []
        assert isinstance(roles, list)
        return sum(role["role"] == "auth" for role in roles)

    until(lambda: auth_servers() == 1, what="the old auth servers have ended")


@pytest.mark.root
@pytest.mark.peer("dovecot")
def test_the_next_session_meets_what_was_reloaded() -> None:
    """`doveadm reload` returns when the new generation serves."""
    with dovecot_pair("protocols = imap\nmail_location = maildir:~/Maildir\nlogin_greeting = number 0\n") as (
        ours,
        _,
    ):
        for number in range(5):
            text = re.sub(r"number \d", f"number {number}", ours.configuration.read_text())
            ours.configuration.write_text(text)
            assert ours.doveadm("reload").returncode == 0
            with imaplib.IMAP4("127.0.0.1", ours.port, timeout=PATIENCE) as client:
                assert client.welcome.endswith(b" number %d" % number)
