"""Who runs with which rights, and what the processes ask of the kernel: fsync before 250, nothing when idle.

The table is design.md's: supervisors, delivery and spawner keep root; everybody else has dropped it for good.
"""

import contextlib
import imaplib
import poplib
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes import counterparts
from fakes.mail_system import PATIENCE, USER, MailSystem, until
from system.test_parking import until_parked

pytestmark = pytest.mark.system

USERS = {  # when started as root
    "foreground": "root",
    "mta supervisor": "root",
    "mailbox supervisor": "root",
    "mta zygote": "root",
    "mailbox zygote": "root",
    "delivery": "root",
    "spawner": "root",
    "smtpd": "postfix",
    "smtp": "postfix",
    "qmgr": "postfix",
    "showq": "postfix",
    "auth": "dovecot",
    "login": "dovenull",
    "worker": "vmail",
    "agent": "vmail",
}
SERVES_PEERS = ("smtpd", "smtp", "qmgr", "showq", "auth", "login", "worker", "agent")
"""These read what comes from others: no way back to any right, not even by exec."""


def everybody(system: MailSystem) -> dict[str, int]:
    """Role → pid, the forked ones as well."""
    found = system.roles()
    for pid in system.processes():
        parent = int(status(pid)["PPid"])
        if parent == found["spawner"]:
            found["worker"] = pid
        elif parent == found["delivery"]:
            found["agent"] = pid
        elif parent == found["qmgr"]:
            found["showq"] = pid
        elif parent == found["mta supervisor"]:
            found["mta zygote"] = pid
        elif parent == found["mailbox supervisor"]:
            found["mailbox zygote"] = pid
    return found


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@contextmanager
def mail_flowing(system: MailSystem) -> Iterator[imaplib.IMAP4]:
    """A selected mailbox with one more message in it than before: worker and agent are there."""
    with imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE) as client:
        client.login(USER, system.password)
        before = int(client.select()[1][0] or b"0")
        system.send(b"Subject: rights\r\n\r\nbody\r\n")

        def has_come() -> bool:
            client.noop()
            return int(client.response("EXISTS")[1][-1] or b"0") > before

        until(has_come, what="the message is in the mailbox")
        yield client


def test_rights_of_every_process(mail_system: MailSystem) -> None:
    """uid, gid, groups, capabilities and NoNewPrivs of every single process, as the table says."""
    with mail_flowing(mail_system):
        found = everybody(mail_system)
        assert {role.partition("/")[0] for role in found} == set(USERS)
        assert set(found.values()) == set(mail_system.processes())
        for process, pid in found.items():
            role = process.partition("/")[0]
            facts = status(pid)
            no_capabilities = {"CapInh", "CapPrm", "CapEff", "CapAmb"}
            if mail_system.rootless:
                ours = status(found["foreground"])
                assert (facts["Uid"], facts["Gid"]) == (ours["Uid"], ours["Gid"]), role
                assert {int(facts[name], 16) for name in no_capabilities} == {0}, role
            else:
                entry = pwd.getpwnam(USERS[role])
                assert facts["Uid"].split() == [str(entry.pw_uid)] * 4, role
                assert facts["Gid"].split() == [str(entry.pw_gid)] * 4, role
                if USERS[role] != "root":
                    assert facts["Groups"].split() in ([], [str(entry.pw_gid)]), role
                    assert {int(facts[name], 16) for name in no_capabilities} == {0}, role
            if role in SERVES_PEERS:
                assert facts["NoNewPrivs"] == "1", role


@pytest.mark.root
def test_files_belong_to_their_roles(mail_system: MailSystem) -> None:
    """As root: the queue is postfix's, the mail vmail's, the passwords dovecot's, and closed to others."""
    if mail_system.rootless:
        assert {path.stat().st_uid for path in mail_system.data.rglob("*")} == {
            mail_system.data.stat().st_uid
        }
        return
    for name, user in (
        ("spool/incoming", "postfix"),
        ("mail", "vmail"),
        ("etc/users", "dovecot"),
        ("lib", "postfix"),
    ):
        facts = (mail_system.data / name).stat()
        assert pwd.getpwuid(facts.st_uid).pw_name == user, name
        assert facts.st_mode & 0o077 == 0, name
    for path in mail_system.maildir().rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a lock, or a message on its way
            facts = path.stat()
            assert pwd.getpwuid(facts.st_uid).pw_name == "vmail", path
            assert facts.st_mode & 0o077 == 0, path


class Trace:
    """What strace saw of some processes and their children."""

    def __init__(self, path: Path, pids: Sequence[int], *, calls: str = "") -> None:
        self._path = path
        self._pids = pids
        command = [
            counterparts.program("strace") or "strace",
            "-f",
            "-qq",
            "-y",
            "-s",
            "200",
            "-o",
            str(path),
        ]
        command += ["-e", f"trace={calls}"] if calls else []
        for pid in pids:
            command += ["-p", str(pid)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.begun = 0

    def __enter__(self) -> "Trace":
        until(self._is_attached, what="strace is attached")
        self.begun = len(self.lines())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=PATIENCE)

    def _is_attached(self) -> bool:
        threads = [task for pid in self._pids for task in Path(f"/proc/{pid}/task").iterdir()]
        return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in threads)

    def lines(self) -> list[str]:
        """Calls in the order in which they ended, `unfinished` and `resumed` put together."""
        if not self._path.exists():
            return []
        calls: list[str] = []
        begun: dict[str, str] = {}
        for line in self._path.read_text(errors="replace").split("\n"):
            pid, _, call = line.partition(" ")
            call = call.strip()
            if call.endswith("<unfinished ...>"):
                begun[pid] = call.removesuffix("<unfinished ...>")
            elif call.startswith("<... ") and pid in begun:
                calls.append(f"{pid} {begun.pop(pid)}{call.partition(' resumed>')[2]}")
            elif call:
                calls.append(f"{pid} {call}")
        return calls


@pytest.mark.peer("strace")
def test_fsync_comes_before_250(mail_system: MailSystem, tmp_path: Path) -> None:
    """The queue file is fsynced, renamed, its directory is fsynced; then, and not before, 250 is written.

    A file system that keeps order has the content written out first, and one fsync for both after the rename.
    """
    pid = mail_system.roles()["smtpd"]
    calls = "fsync,fdatasync,sync_file_range,rename,renameat,renameat2,write,writev,sendto,sendmsg,pwrite64,pwritev"
    with Trace(tmp_path / "trace", [pid], calls=calls) as trace:
        mail_system.send(b"Subject: traced\r\n\r\nbody of the traced message\r\n")
        until(lambda: any("queued as" in line for line in trace.lines()), what="250 is seen")
        lines = trace.lines()
    incoming = f"{mail_system.data}/spool/incoming"
    statfs = ["stat", "--file-system", "--format=%T", incoming]
    file_system = subprocess.run(statfs, capture_output=True, text=True, check=True).stdout.strip()

    def first(pattern: str, start: int = 0) -> int:
        found = [at for at, line in enumerate(lines) if at >= start and re.search(pattern, line)]
        assert found, (pattern, "\n".join(lines))
        return found[0]

    in_order = [r"body of the traced message"]
    sync_of_file = rf" f(?:data)?sync\(\d+<{incoming}/[^>]+>\) += 0"
    rename = rf' rename\w*\(.*"(?:{incoming}/)?[0-9A-F]+"\) = 0'
    if file_system in ("ext2/ext3", "xfs"):
        in_order += [rf" sync_file_range\(\d+<{incoming}/[^>]+>.*\) += 0", rename, sync_of_file]
    else:
        in_order += [sync_of_file, rename, rf" fsync\(\d+<{incoming}>\) += 0"]
    at = 0
    for pattern in in_order:
        at = first(pattern, at)
    answered = first(r'"250 2\.0\.0 Ok: queued as ')
    assert at < answered
    log = [line for line in lines if "/mail.log>" in line]
    assert not [line for line in log if "sync(" in line]


@pytest.mark.peer("strace", "imaplib")
def test_noop_reads_no_directory(mail_system: MailSystem, tmp_path: Path) -> None:
    """100 NOOPs on a selected mailbox look at the directories' times, and list none."""
    with mail_flowing(mail_system) as client:
        # Both are listed once more a second after a change of theirs or of the uidlist: another one may have the same
        # time stamp.
        watched = [mail_system.maildir() / name for name in ("new", "cur", "dovecot-uidlist")]

        def has_settled() -> bool:
            client.noop()
            changed = max(path.stat().st_mtime for path in watched)
            return time.clock_gettime(time.CLOCK_REALTIME) > changed + 1.1

        until(has_settled, what="a second has passed without a change")
        client.noop()
        with Trace(tmp_path / "trace", [everybody(mail_system)["worker"]]) as trace:
            for _ in range(100):
                assert client.noop()[0] == "OK"
            lines = trace.lines()[trace.begun :]
        assert sum("NOOP completed" in line for line in lines) >= 100, "\n".join(lines[:50])
        assert not [line for line in lines if " getdents" in line]


@pytest.mark.peer("strace", "imaplib", "poplib")
def test_nothing_is_imported_after_the_start(mail_system: MailSystem, tmp_path: Path) -> None:
    """A whole round of mail opens no Python file in any process: nothing is imported after rights are gone."""
    with Trace(tmp_path / "trace", mail_system.processes(), calls="open,openat,openat2,execve") as trace:
        with mail_flowing(mail_system) as client:
            client.append("INBOX", "", "", b"Subject: appended\r\n\r\nbody\r\n")
            client.create("Folder")
            client.copy("1", "Folder")
            for keys in ('SUBJECT "rights"', "CHARSET UTF-8 BODY body", "SINCE 1-Jan-2020"):
                assert client.search(None, *keys.split(" ", 0))[0] == "OK"
            assert (
                client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE BODY.PEEK[])")[0]
                == "OK"
            )
            client.store("1", "+FLAGS", r"(\Deleted $Label1)")
            client.expunge()
        refused = imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE)
        with pytest.raises(imaplib.IMAP4.error):
            refused.login(USER, "wrong")
        refused.logout()
        reader = poplib.POP3("127.0.0.1", mail_system.port("pop3"), timeout=PATIENCE)
        reader.user(USER)
        reader.pass_(mail_system.password)
        reader.retr(1)
        reader.quit()
        mail_system.send(b"Subject: to be returned\r\n\r\n", sender=USER, recipient=USER)
        lines = trace.lines()
    assert [line for line in lines if "/Maildir/" in line]
    late = [line for line in lines if re.search(r"\.(?:py|pyc|so)[\".0-9]|execve\(", line)]
    assert late == []


KEEP_ALIVE = (
    "epoll_wait",
    "epoll_pwait",
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "restart_syscall",
    "futex",
    "wait4",
    "waitid",
)
"""What a sleeping process was in when strace came, and is in again at once."""


def _is_quiet(trace: Trace) -> bool:
    """Whether nothing happens for a second."""
    before = len(trace.lines())
    time.sleep(1)
    return len(trace.lines()) == before


@pytest.mark.peer("strace")
def test_idle_system_makes_no_system_calls(mail_system: MailSystem, tmp_path: Path) -> None:
    """With a selected and idling session, which is parked, no process makes a single call for five seconds and more."""
    with mail_flowing(mail_system) as client:
        client.send(b"x IDLE\r\n")
        assert client.readline().startswith(b"+ ")
        incoming = mail_system.data / "spool" / "incoming"
        until(lambda: not list(incoming.iterdir()), what="smtpd has given up its spare files")
        until_parked(mail_system)
        with Trace(tmp_path / "trace", mail_system.processes()) as trace:
            until(lambda: _is_quiet(trace), what="the spawner has put the client away")
            before = len(trace.lines())
            deadline = time.monotonic() + 5.5
            while time.monotonic() < deadline:  # five seconds in which nothing happens are what this is about
                time.sleep(0.5)
            during = trace.lines()[before:]
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"x "):
            pass
    names = {name for line in during if (name := re.sub(r"^\d+ (\w+)\(.*", r"\1", line)) not in KEEP_ALIVE}
    assert names == set(), "\n".join(during)
    assert len(during) <= 2 * len(mail_system.processes()), "\n".join(during)
