"""Mail of local users, through the real commands and the real processes: while the system runs, and while it is down."""

import os
import re
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Final

import pytest

from fakes.logs import lines_with, the_line, until_logged
from fakes.mail_system import AS_NOBODY, PATIENCE, USER, MailSystem, nobody_can_run_this, until

pytestmark = pytest.mark.system


def command(
    system: MailSystem,
    program: str,
    *arguments: str,
    stdin: bytes = b"",
    prefix: tuple[str, ...] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """One of our commands on the system's configuration, with its rights or those of `prefix`."""
    before = system._prefix if prefix is None else prefix
    return subprocess.run(
        [*before, sys.executable, "-m", f"pillarbox.tools.{program}", *arguments],
        input=stdin,
        env={**os.environ, "MAIL_CONFIG": str(system.data / "etc"), "NAME": "Some One"},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def arrived(system: MailSystem, subject: str) -> dict[str, str]:
    """The header fields of the message with a subject, once it is in the mailbox."""
    found: list[dict[str, str]] = []

    def look() -> bool:
        for path in system.delivered():
            message = message_from_bytes(path.read_bytes())
            if message["Subject"] == subject:
                found.append({**dict(message.items()), "": str(message.get_payload())})
                return True
        return False

    until(look, what=lambda: f"{subject} in the mailbox:\n{system.log()[-3000:]}")
    return found[0]


def queue_ids(system: MailSystem) -> list[str]:
    """What mailq lists."""
    listing = command(system, "postqueue", "-p").stdout.decode()
    return re.findall(r"(?m)^([0-9A-Z]{8,})[*!#]* ", listing)


def test_a_message_from_the_command_line(mail_system: MailSystem) -> None:
    """Header fields are added, Bcc is not shown; the log says who it was."""
    text = f"To: {USER}\nBcc: postmaster@pillarbox.test\nSubject: by hand\n\n.x\nlast".encode()
    done = command(mail_system, "sendmail", "-t", "-i", "-f", "sender@example.test", stdin=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    fields = arrived(mail_system, "by hand")
    assert fields["From"] == "Some One <sender@example.test>"
    assert fields["Return-Path"] == "<sender@example.test>"
    assert "Bcc" not in fields
    assert re.fullmatch(r"<\d{14}\.[0-9A-Z]+@pillarbox\.test>", fields["Message-Id"])
    assert fields[""] == ".x\nlast\n"
    received = re.fullmatch(
        r"by pillarbox\.test \(Postfix, from userid (\d+)\)\s+id ([0-9A-Z]+);.*",
        fields["Received"],
        re.DOTALL,
    )
    assert received is not None
    assert "/pickup[" in the_line(mail_system, f"{received[2]}: uid={received[1]} from=<sender@example.test>")
    the_line(mail_system, f"{received[2]}: message-id={re.escape(fields['Message-Id'])}")


def test_nothing_is_delivered_that_is_only_asked_about(mail_system: MailSystem) -> None:
    """`sendmail -bv`: the sender hears what would be; nobody gets the message."""
    done = command(
        mail_system, "sendmail", "-bv", "-f", USER, "postmaster@pillarbox.test", stdin=b"Subject: probe\n\n"
    )
    promise = f"Mail Delivery Status Report will be mailed to <{USER}>.\n".encode()
    assert (done.returncode, done.stdout, done.stderr) == (0, promise, b"")
    arrived(mail_system, "Mail Delivery Status Report")
    assert any(b"Action: deliverable" in path.read_bytes() for path in mail_system.delivered())
    assert not [
        path
        for path in mail_system.delivered()
        if b"\nSubject: probe\n" in path.read_bytes().partition(b"\n\n")[0]
    ]


def test_smtp_on_standard_input(mail_system: MailSystem) -> None:
    """`sendmail -bs`, as mutt and msmtp would speak."""
    talk = (
        f"EHLO x\r\nMAIL FROM:<a@example.test> BODY=8BITMIME\r\nRCPT TO:<{USER}>\r\nDATA\r\n"
        "Subject: talked\r\n\r\n..dot\r\n.\r\nRSET\r\nDATA\r\nFOO\r\nETRN a.test\r\nQUIT\r\n"
    ).encode()
    done = command(mail_system, "sendmail", "-bs", stdin=talk)
    codes = [line[:3] for line in done.stdout.split(b"\r\n") if line[3:4] == b" "]
    assert (done.returncode, codes) == (0, b"220 250 250 250 354 250 250 503 500 458 221".split())
    queue_id = re.search(rb"queued as ([0-9A-Z]+)", done.stdout)
    assert queue_id is not None
    the_line(mail_system, f"{queue_id[1].decode()}: uid=")
    fields = arrived(mail_system, "talked")
    assert fields[""] == ".dot\n"
    # As dict() keeps it, the last of the two: that of the session, below pickup's.
    received = rf"from x \(localhost \[127\.0\.0\.1\]\)\s+by pillarbox\.test \(\w+\) with ESMTP id [0-9A-Z]+\s+for <{re.escape(USER)}>; .*"
    assert re.fullmatch(received, fields["Received"], re.DOTALL), fields["Received"]


def test_a_message_in_a_loop_comes_back(mail_system: MailSystem) -> None:
    """It is taken, as Postfix takes it, and its sender is told."""
    done = command(
        mail_system, "sendmail", "-f", USER, USER, stdin=b"Received: x\n" * 60 + b"Subject: loop\n\n"
    )
    assert done.returncode == 0
    arrived(mail_system, "Undelivered Mail Returned to Sender")
    line = the_line(mail_system, r"\(too many hops\)")
    assert f": to=<{USER}>, relay=none, " in line
    assert ", dsn=5.4.0, status=bounced (too many hops)" in line


MALFORMED: Final = {
    b"garbage": "unexpected EOF in data, record type 103 length 97",
    b"T": "unexpected EOF reading length, record type 84",
    b"T\xff\xff\xff\xff\xff": "too many length bits, record type 84",
}
"""What postdrop(1) of Debian says of the same."""


def test_wrong_use(mail_system: MailSystem) -> None:
    """Nothing is queued."""
    before = mail_system.log().count("/pickup[")
    done = command(mail_system, "sendmail", "-t", stdin=b"Subject: x\n\n")
    assert done.returncode == 75
    assert b"No recipient addresses found in message header" in done.stderr
    done = command(mail_system, "postdrop", "-r", stdin=b"S\x01aR\x03b\nc")
    assert (done.returncode, b"line break or NUL" in done.stderr) == (1, True)
    for records, complaint in MALFORMED.items():
        done = command(mail_system, "postdrop", "-r", stdin=records)
        told = rf"postdrop: warning: stdin: {complaint}\npostdrop: fatal: uid=\d+: malformed input\n"
        assert re.fullmatch(told, done.stderr.decode())
        assert (done.returncode, done.stdout) == (1, b"")
    done = command(mail_system, "postdrop", "-r", stdin=b"S\x01aR\x01bM\0N\x05Hello")
    assert (done.returncode, done.stdout) == (0, b"")
    assert mail_system.log().count("/pickup[") == before


def test_records_by_postdrop(mail_system: MailSystem) -> None:
    """A program that knows Postfix's postdrop gets its answer."""
    recipient = USER.encode()
    records = b"S\x01aR%c%sM\0N\x10Subject: droppedN\0N\x01xX\0E\0" % (len(recipient), recipient)
    done = command(mail_system, "postdrop", "-r", stdin=records)
    assert re.fullmatch(
        rb"protocol\x00postdrop_protocol\x00queue_id\x00[0-9A-Z]+\x00\x00status\x000\x00reason\x00\x00\x00",
        done.stdout,
    )
    arrived(mail_system, "dropped")


@pytest.fixture
def stalled(fresh_system: MailSystem) -> Iterator[MailSystem]:
    """A system whose mail for elsewhere waits."""
    fresh_system.make_home()
    fresh_system.configure(fast_flush_domains="elsewhere.test", default_transport="retry:4.3.0 later")
    fresh_system.start()
    yield fresh_system
    assert fresh_system.stop() == 0
    assert "Traceback" not in fresh_system.log() + fresh_system.screen()


def until_deferred(system: MailSystem) -> str:
    """The id of the one message that is not tried just now."""
    spool = system.data / "spool"
    (path,) = until(
        lambda: [] if list(spool.glob("active/*")) else list(spool.glob("deferred/?/*")),
        what="a message in deferred, and none in active",
    )
    return path.name


@contextmanager
def tried_again(system: MailSystem) -> Iterator[None]:
    """The one deferred message, both recipients; it is in deferred again."""
    before = len(lines_with(system, "status=deferred"))
    yield
    until_logged(system, "status=deferred", count=before + 2)
    until_deferred(system)


def test_the_queue_in_the_admins_hands(stalled: MailSystem) -> None:
    """Seen, flushed, held, released, requeued, deleted, while the queue manager runs."""
    system = stalled
    send = ("sendmail", "-f", "a@example.test", "one@elsewhere.test", "two@elsewhere.test")
    assert command(system, *send, stdin=b"Subject: waits\n\n").returncode == 0
    until_logged(system, "status=deferred", count=2)
    until_deferred(system)
    listing = command(system, "postqueue", "-p").stdout.decode()
    assert re.search(
        r"^-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
        r"[0-9A-F]+ +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d  a@example\.test\n"
        r" {71}\(later\)\n {41}one@elsewhere\.test\n {41}two@elsewhere\.test\n\n-- \d+ Kbytes in 1 Request\.\n$",
        listing,
    ), listing
    assert command(system, "sendmail", "-bp").stdout.decode() == listing
    debians = shutil.which("postqueue", path="/usr/sbin")
    if debians and not system.rootless:
        environment = {**os.environ, "MAIL_CONFIG": str(system.data / "etc")}
        done = subprocess.run([debians, "-p"], env=environment, capture_output=True, check=True, text=True)
        assert done.stdout == listing
    (queue_id,) = queue_ids(system)
    for flush in (["-f"], ["-i", queue_id], ["-s", "elsewhere.test"]):
        with tried_again(system):
            assert command(system, "postqueue", *flush).returncode == 0
    with tried_again(system), smtplib.SMTP("127.0.0.1", system.port("smtp"), timeout=PATIENCE) as client:
        assert client.docmd("ETRN", "other.test") == (459, b"<other.test>: service unavailable")
        assert client.docmd("ETRN", "elsewhere.test") == (250, b"Queuing started")
    if system.rootless:
        return  # postsuper is root's
    assert b"placed on hold" in command(system, "postsuper", "-h", queue_id).stderr
    assert f"{queue_id}! " in command(system, "postqueue", "-p").stdout.decode()
    assert b"released from hold" in command(system, "postsuper", "-H", queue_id).stderr
    assert b"requeued" in command(system, "postsuper", "-r", queue_id).stderr
    assert command(system, "postqueue", "-f").returncode == 0
    the_line(system, f"from=<a@example.test> orig_id={queue_id}")
    until(lambda: until_deferred(system) != queue_id, what="under a new id")
    assert b"Deleted: 1 message" in command(system, "postsuper", "-d", "ALL").stderr
    assert command(system, "postqueue", "-p").stdout == b"Mail queue is empty\n"


@pytest.mark.root
def test_an_ordinary_user(tmp_path: Path) -> None:
    """Up: over the socket, which knows who it is.  Down: into maildrop.  Not allowed: told so."""
    if not nobody_can_run_this():
        pytest.skip("user nobody may not read this checkout")
    system = MailSystem(rootless=False)
    try:
        system.start()
        send = ("sendmail", USER)
        done = command(system, *send, stdin=b"Subject: up\n\n", prefix=AS_NOBODY)
        assert (done.returncode, done.stderr) == (0, b"")
        assert "(Postfix, from userid 65534)" in arrived(system, "up")["Received"]
        assert command(system, "postqueue", "-p", prefix=AS_NOBODY).returncode == 0
        system.stop()
        done = command(system, *send, stdin=b"Subject: down\n\n", prefix=AS_NOBODY)
        assert (done.returncode, done.stderr) == (0, b"")
        maildrop = system.data / "spool" / "maildrop"
        (file,) = maildrop.iterdir()
        assert file.stat().st_uid == 65534
        done = command(system, "postqueue", "-p", prefix=AS_NOBODY)
        assert (done.returncode, b"mail system is down" in done.stderr) == (69, True)
        os.link(file, maildrop / "A0000000001")  # what root could not do for a user whose file it is
        system.configure(
            authorized_submit_users="!nobody, static:anyone",
            local_login_sender_maps="inline:{ daemon=own@example.test }",
        )
        system.start()
        until_logged(system, "file has 2 links")
        assert len(list(maildrop.iterdir())) == 2
        (maildrop / "A0000000001").unlink()
        assert command(system, "postqueue", "-f").returncode == 0
        arrived(system, "down")
        until(lambda: not list(maildrop.iterdir()), what="an empty maildrop")
        done = command(system, *send, stdin=b"Subject: refused\n\n", prefix=AS_NOBODY)
        assert (done.returncode, b"User nobody(65534) is not allowed to submit mail" in done.stderr) == (
            75,
            True,
        )
        daemon = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups")
        for sender, code in (("own@example.test", 0), ("another@example.test", 75)):
            done = command(system, "sendmail", "-f", sender, USER, stdin=b"Subject: x\n\n", prefix=daemon)
            assert done.returncode == code, done.stderr
        assert done.stderr == (
            b"sendmail: fatal: another@example.test(1): not authorized to use sender='another@example.test'\n"
        )
        system.stop()
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()
