"""The first start, the second, and what goes wrong before either: one clear line, one exit code."""

import fcntl
import imaplib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.mail_system import PATIENCE, STANDARD_PORTS, USER, MailSystem, until
from pillarbox.supervisor.version import VERSION, starting_up

pytestmark = pytest.mark.system

GREETINGS = {
    "smtp": b"220 pillarbox.test ESMTP Postfix\r\n",
    "submission": b"220 pillarbox.test ESMTP Postfix\r\n",
    "imap": b"* OK [CAPABILITY ",
    "pop3": b"+OK ",
}


def log_in(system: MailSystem, user: str, password: str) -> bool:
    """Whether IMAP lets the user in."""
    client = imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE)
    try:
        client.login(user, password)
    except imaplib.IMAP4.error:
        return False
    finally:
        client.logout()
    return True


def greeting(port: int) -> bytes:
    """The first octets a server says."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        return sock.recv(1000)


def _busy_seconds() -> float:
    """Processor time that this machine has spent or lost since it was started, on all cores (proc(5))."""
    user, nice, system, _, _, *others = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.peer("smtplib", "imaplib")
def test_listeners_answer_soon(fresh_system: MailSystem) -> None:
    """Within two seconds of the start all seven ports answer; the screen shows how to use them."""
    for attempt in range(3):
        if attempt:
            assert fresh_system.stop() == 0
        before = _busy_seconds()
        fresh_system.start()
        others = _busy_seconds() - before - fresh_system.processor_seconds()
        if fresh_system.started_in < 2.0 or others > 0.6:  # something else wanted the processor just then
            break
    else:
        assert fresh_system.started_in < 2.0
    for name, expected in GREETINGS.items():
        assert greeting(fresh_system.port(name)).startswith(expected), name
    for name in ("submissions", "imaps", "pop3s"):
        with socket.create_connection(("127.0.0.1", fresh_system.port(name)), timeout=PATIENCE):
            pass
    until(lambda: "Ctrl-C stops" in fresh_system.screen(), what="the welcome")
    for name in STANDARD_PORTS:
        assert f"{name:<12} 127.0.0.1:{fresh_system.port(name)}" in fresh_system.screen()
    assert f"User {USER}, password {fresh_system.password}" in fresh_system.screen()
    assert fresh_system.stop() == 0


def test_lines_on_the_screen_work(mail_system: MailSystem) -> None:
    """The lines for curl, swaks and Python can be pasted: they send a message and read it."""
    until(lambda: "Ctrl-C stops" in mail_system.screen(), what="the welcome")
    lines = mail_system.screen().splitlines()
    sending = lines[lines.index("Send a message:") + 1 : lines.index("Read it:")]
    script = "\n".join(sending[:2])
    assert subprocess.run(["/bin/sh", "-c", script], check=False, timeout=PATIENCE).returncode == 0
    until(lambda: len(mail_system.delivered()) == 1, what="the message is delivered")
    reading = lines[lines.index("Read it:") + 1 :][:3]
    for line in reading:
        done = subprocess.run(
            ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "hello" in done.stdout, line


def test_status(fresh_system: MailSystem) -> None:
    """Before, while and after: words, one JSON document, and exit codes that scripts can use."""
    before = fresh_system.command("status", "--json")
    assert (before.returncode, json.loads(before.stdout)["running"]) == (69, False)
    fresh_system.start()
    done = fresh_system.command("status", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["running"], report["healthy"]) == (0, True, True)
    assert (report["user"], report["password"]) == (USER, fresh_system.password)
    assert {entry["name"]: entry["port"] for entry in report["listeners"]} == {
        name: fresh_system.port(name) for name in STANDARD_PORTS
    }
    words = fresh_system.command("status").stdout
    assert words.startswith(f"pillarbox is running, healthy   ({fresh_system.data})\n")
    assert f"password  {fresh_system.password}\n" in words
    assert fresh_system.stop() == 0
    after = fresh_system.command("status")
    assert (after.returncode, after.stdout.splitlines()[0]) == (
        69,
        f"pillarbox is not running   ({fresh_system.data})",
    )


def test_password_is_private(mail_system: MailSystem) -> None:
    """The generated password and the passwd-file are nobody else's to read."""
    for name in ("password", "users", "self-signed.key"):
        status = (mail_system.data / "etc" / name).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600, name
    assert mail_system.password not in (mail_system.data / "etc" / "users").read_text()


def test_one_interpreter_is_started(mail_system: MailSystem) -> None:
    """Supervisors and roles are forked from the command: their arguments lie where its own do (proc_pid_stat(5))."""
    places = {
        name: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[45:47]
        for name, pid in mail_system.roles().items()
    }
    assert {"foreground", "mta supervisor", "mailbox supervisor", "smtpd", "qmgr", "auth"} <= set(places)
    assert [places["foreground"]] * len(places) == list(places.values())


@pytest.mark.peer("smtplib", "imaplib")
def test_users_come_and_go(mail_system: MailSystem) -> None:
    """SMTP and logins see within moments who is added, changed and removed (the file is looked at each second)."""
    new = "new@pillarbox.test"
    assert not mail_system.accepts(new)
    assert not log_in(mail_system, new, "first")
    mail_system.add_user(new, "first")
    assert mail_system.command("user", "list").stdout == f"{USER}\n{new}\n"
    until(lambda: log_in(mail_system, new, "first"), what="the new user can log in")

    changed = mail_system.command("user", "passwd", new, "--password-stdin", content="second\n")
    assert (changed.returncode, changed.stderr) == (0, "")
    until(lambda: not log_in(mail_system, new, "first"), what="the old password is wrong")
    assert log_in(mail_system, new, "second")

    again = mail_system.command("user", "add", new, "--password-stdin", content="third\n")
    assert again.returncode == 1
    assert again.stderr == (
        f"pillarbox: {new} exists already; `pillarbox user passwd` changes the password\n"
    )

    removed = mail_system.command("user", "remove", new)
    assert (removed.returncode, removed.stderr) == (0, "")
    assert mail_system.command("user", "list").stdout == f"{USER}\n"
    until(lambda: not log_in(mail_system, new, "second"), what="the user cannot log in any more")
    until(lambda: not mail_system.accepts(new), what=f"{new} is unknown to SMTP")
    assert log_in(mail_system, USER, mail_system.password)


@pytest.mark.parametrize(
    ("arguments", "content", "line"),
    [
        pytest.param(("add", "nobody"), "x\n", '"nobody" is not user@domain', id="no domain"),
        pytest.param(
            ("add", "a:b@pillarbox.test"), "x\n", '"a:b@pillarbox.test" is not user@domain', id="colon"
        ),
        pytest.param(
            ("add", "a@pillarbox.test"), "\n", "the password is empty; nothing was changed", id="empty"
        ),
        pytest.param(
            ("remove", "a@pillarbox.test"),
            "",
            "there is no user a@pillarbox.test; `pillarbox user list` shows who there is",
            id="unknown",
        ),
    ],
)
def test_wrong_users(mail_system: MailSystem, arguments: tuple[str, ...], content: str, line: str) -> None:
    """A change that cannot be made says so in one line, and changes nothing."""
    before = (mail_system.data / "etc" / "users").read_bytes()
    done = mail_system.command("user", *arguments, content=content)
    assert (done.returncode, done.stderr) == (1, f"pillarbox: {line}\n")
    assert (mail_system.data / "etc" / "users").read_bytes() == before


def test_second_start_finds_the_same_data(fresh_system: MailSystem) -> None:
    """User, password, certificate, configuration and mail stay; nothing is written anew."""
    fresh_system.start()
    fresh_system.send(b"Subject: stays\r\n\r\nbody\r\n")
    until(lambda: len(fresh_system.delivered()) == 1, what="the message is delivered")
    assert fresh_system.stop() == 0
    files = ("password", "users", "self-signed.pem", "main.cf", "master.cf")
    before = {name: (fresh_system.data / "etc" / name).read_bytes() for name in files}
    fresh_system.start()
    assert {name: (fresh_system.data / "etc" / name).read_bytes() for name in files} == before
    client = imaplib.IMAP4("127.0.0.1", fresh_system.port("imap"), timeout=PATIENCE)
    client.login(USER, fresh_system.password)
    assert client.select() == ("OK", [b"1"])
    client.logout()
    assert fresh_system.stop() == 0
    log = fresh_system.log()
    assert log.count(f"]: daemon started -- version {VERSION}, configuration {fresh_system.data}/etc\n") == 2
    assert log.count(f" dovecot: master: Info: {starting_up('imap, pop3')}\n") == 2
    assert log.count("]: terminating on signal 15\n") == 2
    assert log.count(" dovecot: master: Warning: Killed with signal 15\n") == 2


def test_second_start_beside_the_first(mail_system: MailSystem) -> None:
    """The same data cannot be served twice: one line names the process that does it; the first goes on."""
    second = mail_system.command("run", "--port-offset", str(mail_system.offset + 5000))
    assert second.returncode == 1
    # Either half may be the first to say so.  In a user namespace process ids are the same: it has no pid namespace.
    locks = {"mailbox": "run/master.pid", "mta": "spool/pid/master.pid"}
    holders = mail_system.roles()
    assert second.stderr in [
        f"pillarbox: already running: pid {holders[f'{half} supervisor']} holds {mail_system.data}/{lock}\n"
        for half, lock in locks.items()
    ]
    mail_system.until_healthy()  # a change of users before may still be on its way


@pytest.mark.parametrize("service", ["smtp", "imaps"])
def test_port_taken(fresh_system: MailSystem, service: str) -> None:
    """One line names the port; nothing is left running."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", fresh_system.port(service)))
        other.listen()
        fresh_system.launch()
        assert fresh_system.process is not None
        assert fresh_system.process.wait(PATIENCE) == 1
    assert fresh_system.screen() == (
        f"pillarbox: cannot listen on 127.0.0.1 port {fresh_system.port(service)} ({service}): "
        "the port is taken; stop what has it, or choose another "
        "(pillarbox run --port-offset; master.cf, dovecot.conf)\n"
    )
    until(lambda: not fresh_system.processes(), what=fresh_system.leftovers)


def test_directory_not_writable(rootless_system: MailSystem) -> None:
    """One line names the directory."""
    rootless_system.root.chmod(0o555)
    done = rootless_system.command("run", "--port-offset", str(rootless_system.offset))
    rootless_system.root.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr == f"pillarbox: cannot write {rootless_system.data}: Permission denied\n"


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        pytest.param(("walk",), 64, "argument COMMAND: invalid choice: 'walk'", id="unknown command"),
        pytest.param((), 64, "the following arguments are required: COMMAND", id="no command"),
        pytest.param(
            ("run", "--port-offset", "x"), 64, "argument --port-offset: invalid int", id="no number"
        ),
        pytest.param(("run", "--port-offset", "-1"), 1, "choose a number from 0 to 64000", id="negative"),
        pytest.param(("run", "--port-offset", "70000"), 1, "choose a number from 0 to 64000", id="too high"),
        pytest.param(("user", "add"), 64, "the following arguments are required: USER@DOMAIN", id="no user"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], status: int, line: str) -> None:
    """Wrong use ends with 64 or 1 and a line that says what is wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "pillarbox.tools.pillarbox", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == status
    assert line in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_address_that_is_not_ours(rootless_system: MailSystem) -> None:
    """--listen with an address of another host: one line."""
    done = rootless_system.command(
        "run", "--listen", "192.0.2.1", "--port-offset", str(rootless_system.offset)
    )
    assert done.returncode == 1
    assert done.stderr.startswith("pillarbox: cannot listen on 192.0.2.1 port ")
    assert len(done.stderr.splitlines()) == 1


def test_other_address(rootless_system: MailSystem) -> None:
    """--listen ::1: all services there, none on 127.0.0.1, and the lines on the screen have brackets."""
    rootless_system.launch("--listen", "::1")
    rootless_system.until_healthy()
    until(lambda: "Ctrl-C stops" in rootless_system.screen(), what="the welcome")
    report = json.loads(rootless_system.command("status", "--json").stdout)
    assert {entry["address"] for entry in report["listeners"]} == {"::1"}
    for name in STANDARD_PORTS:
        with socket.create_connection(("::1", rootless_system.port(name)), timeout=PATIENCE):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", rootless_system.port(name)), timeout=PATIENCE)
    assert f"curl -sS smtp://[::1]:{rootless_system.port('smtp')} " in rootless_system.screen()
    assert rootless_system.stop() == 0


def test_a_pipe_that_nobody_reads(rootless_system: MailSystem) -> None:
    """The screen is full before the first line: everything starts, and ends with Ctrl-C."""
    screen = rootless_system.root / "screen"
    os.mkfifo(screen)
    with open(os.open(screen, os.O_RDWR | os.O_NONBLOCK), "w+b", buffering=0) as pipe:
        pipe.write(b"x" * fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ))
        rootless_system.launch()
        rootless_system.until_healthy()
        assert rootless_system.stop() == 0
