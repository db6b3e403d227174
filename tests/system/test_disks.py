"""Disks that are full or closed to us: the documented answer, nothing lost, and it goes on when there is room again."""

import imaplib
import re
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.logs import until_logged
from fakes.mail_system import PATIENCE, USER, MailSystem, until
from system.conftest import new_system
from system.test_bad_input import Client

pytestmark = pytest.mark.system


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A tmpfs in place of a directory, which keeps its owner; gone afterwards."""
    facts = directory.stat()
    option = f"size={size},mode={facts.st_mode & 0o7777:o},uid={facts.st_uid},gid={facts.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Write until there is no space."""
    ballast = directory / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return ballast


def quick_retries(system: MailSystem) -> None:
    """What is deferred is tried each second."""
    system.make_home()
    system.configure(minimal_backoff_time="1s", maximal_backoff_time="1s", queue_run_delay="1s")


@pytest.mark.root
def test_queue_disk_full(fresh_system: MailSystem) -> None:
    """452 and no promise while there is no space for the queue; mail that was accepted arrives; then it goes on."""
    quick_retries(fresh_system)
    fresh_system.configure(message_size_limit="1000000")
    with small_disk(fresh_system.data / "spool", "8m") as spool:
        fresh_system.start()
        fresh_system.send(b"Subject: before\r\n\r\nbody\r\n")
        with Client(fresh_system, "smtp") as client:
            client.ask(b"HELO client.example")
            assert client.ask(b"MAIL FROM:<a@example.test>").startswith(b"250 ")
            assert client.ask(b"RCPT TO:<" + USER.encode() + b">").startswith(b"250 ")
            assert client.ask(b"DATA").startswith(b"354 ")
            ballast = fill(spool)  # the disk gets full in the middle of a message
            client.sock.sendall((b"y" * 98 + b"\r\n") * 5000)
            assert client.ask(b".").startswith(b"452 4.3.1 ")
            # Before a message there must be room for one and a half of the largest (smtpd(8)).
            assert client.ask(b"MAIL FROM:<a@example.test>").startswith(b"452 4.3.1 ")
            assert client.ask(b"NOOP") == b"250 2.0.0 Ok\r\n"
        fresh_system.until_healthy()
        ballast.unlink()
        fresh_system.send(b"Subject: after\r\n\r\nbody\r\n")
        # The postmaster may be told of the session besides, if there was room again when it ended.
        until(
            lambda: _subjects(fresh_system) >= {b"before", b"after"},
            what="both accepted messages are delivered",
        )
        assert fresh_system.stop() == 0


def _subjects(system: MailSystem) -> set[bytes]:
    return {
        subject
        for path in system.delivered()
        for subject in re.findall(rb"(?m)^Subject: (.*?)\r?$", path.read_bytes())
    }


@pytest.mark.root
def test_mailbox_disk_full(fresh_system: MailSystem) -> None:
    """No space for the mailbox: mail stays in the queue, and is delivered whole when there is space again."""
    quick_retries(fresh_system)
    with small_disk(fresh_system.data / "mail", "4m") as mail:
        fresh_system.start()
        fresh_system.send(b"Subject: before\r\n\r\nbody\r\n")
        until(lambda: len(fresh_system.delivered()) == 1, what="the first is delivered")
        ballast = fill(mail)
        body = b"z" * 70 + b"\r\n"
        fresh_system.send(b"Subject: waits\r\n\r\n" + body * 2000)
        until_logged(fresh_system, "status=deferred")
        assert len(fresh_system.delivered()) == 1
        ballast.unlink()
        until(lambda: len(fresh_system.delivered()) == 2, what="the second is delivered")
        assert sorted(path.read_bytes().count(b"z" * 70) for path in fresh_system.delivered()) == [0, 2000]
        assert [
            path for path in (fresh_system.maildir() / "tmp").iterdir() if path.stat().st_size > 200_000
        ] == []
        assert fresh_system.stop() == 0


def test_unreadable_maildir(fresh_system: MailSystem) -> None:
    """Mail for a Maildir that cannot be entered stays queued; other users' mail passes; later it is delivered."""
    quick_retries(fresh_system)
    fresh_system.start()
    fresh_system.send(b"Subject: first\r\n\r\nbody\r\n")
    until(lambda: len(fresh_system.delivered()) == 1, what="the first is delivered")
    fresh_system.add_user("other@pillarbox.test", "password")
    closed = fresh_system.maildir()
    closed.chmod(0)
    fresh_system.send(b"Subject: second\r\n\r\nbody\r\n")
    until_logged(fresh_system, "status=deferred")
    fresh_system.send(b"Subject: other\r\n\r\nbody\r\n", recipient="other@pillarbox.test")
    until(lambda: fresh_system.delivered("other@pillarbox.test"), what="the other user's is delivered")
    if not fresh_system.rootless:
        assert len(fresh_system.delivered()) == 1  # root sees through it
    with Client(fresh_system, "imap") as client:
        login = b'a LOGIN %s "%s"' % (USER.encode(), fresh_system.password.encode())
        assert client.ask(login, until_tag=b"a ")[:4] in (b"a OK", b"a NO", b"")
    closed.chmod(0o700)
    until(lambda: len(fresh_system.delivered()) == 2, what="the second is delivered")
    fresh_system.until_healthy()
    assert fresh_system.stop() == 0


@pytest.mark.root
@pytest.mark.parametrize("mode", ["rootless", "root"])
def test_imap_on_a_full_disk(mode: str) -> None:
    """Whatever needs room is refused with NO, what does not goes on; then all of it works, and nothing has changed."""
    system = new_system(mode)
    try:
        system.make_home()
        with small_disk(system.data / "mail", "6m") as mail:
            system.start()
            with imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE) as client:
                client.login(USER, system.password)
                for number in range(3):
                    text = b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * 5000)
                    assert client.append("INBOX", "", "", text)[0] == "OK"
                client.create("Target")
                client.select()
                before = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
                ballast = fill(mail)
                big = b"Subject: big\r\n\r\n" + b"y" * 1_000_000 + b"\r\n"
                answer, told = client.append("INBOX", "", "", big)
                assert answer == "NO", told
                assert b"OVERQUOTA" in told[0], told  # RFC 5530 §3
                # A uidlist line, a keyword, a name: each may still find room in the last page, or not.
                answers = [
                    client.copy("1:3", "Target")[0],
                    client.store("1", "+FLAGS", "$AnotherKeyword")[0],
                    client.create("More")[0],
                    client.subscribe("More")[0],
                    client.rename("Target", "Renamed")[0],
                    client.rename("Renamed", "Target")[0],
                ]
                assert set(answers) <= {"OK", "NO"}
                assert client.store("2", "+FLAGS", r"\Seen")[0] == "OK"  # a rename needs no room
                assert client.noop()[0] == "OK"
                ballast.unlink()
                assert client.store("2", "-FLAGS", r"\Seen")[0] == "OK"
                client.store("1", "-FLAGS", "$AnotherKeyword")
                assert client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])") == before
                assert client.append("INBOX", "", "", big)[0] == "OK"
                client.create("Target")
                assert client.copy("1:3", "Target")[0] == "OK"
                assert client.select("Target")[1][0] in (b"3", b"6")
                assert client.select("INBOX")[1] == [b"4"]
            system.until_healthy()
            assert system.stop() == 0
            assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


@pytest.mark.root
def test_queue_disk_full_while_mail_is_deferred(rootless_system: MailSystem) -> None:
    """No room for defer logs, bounces or marks: mail for a closed mailbox and mail that bounces stays, and comes out.

    The queue manager's own writes fail, not the clients'.
    """
    system = rootless_system
    quick_retries(system)
    system.configure(
        message_size_limit="1000",
        virtual_alias_maps="inline:{ bouncing@pillarbox.test=x@elsewhere.example }",
    )
    with small_disk(system.data / "spool", "8m") as spool:
        system.start()
        system.send(b"Subject: first\r\n\r\nbody\r\n")
        until(lambda: len(system.delivered()) == 1, what="there is a mailbox")
        system.maildir().chmod(0)
        ballast = fill(spool)
        with open(ballast, "r+b") as file:
            file.truncate(ballast.stat().st_size - 16384)  # room for the queue files themselves
        accepted = 0
        with smtplib.SMTP("127.0.0.1", system.port("smtp"), timeout=PATIENCE) as client:
            for number in range(20):
                message = b"Subject: %d\r\n\r\nbody\r\n" % number
                try:
                    client.sendmail(USER, [USER, "bouncing@pillarbox.test"], message)
                except smtplib.SMTPException:
                    break
                accepted += 1
        system.maildir().chmod(0o700)
        ballast.unlink()
        wanted = 1 + 2 * accepted  # each arrives, and bounces
        until(
            lambda: len(system.delivered()) >= wanted,
            what=lambda: f"{accepted} accepted, {len(system.delivered())} delivered:\n{system.log()[-3000:]}",
        )
        until(
            lambda: not [path for path in (spool / "deferred").rglob("*") if path.is_file()],
            what="the queue is empty",
        )
        system.until_healthy()
        assert system.stop() == 0


@pytest.mark.root
def test_log_that_cannot_be_written(rootless_system: MailSystem) -> None:
    """The log's disk is full: mail goes on all the same, and the log goes on when there is room again."""
    system = rootless_system
    system.make_home()
    with small_disk(system.data / "log", "128k") as directory:
        ballast = fill(directory)
        system.start()
        system.send(b"Subject: unlogged\r\n\r\nbody\r\n")
        until(lambda: system.delivered(), what="it is delivered")
        ballast.unlink()
        system.send(b"Subject: logged\r\n\r\nbody\r\n")
        until_logged(system, "status=sent")
        assert system.stop() == 0
