"""A Unix host for one test: its own files, users, network, processes and name, gone when it ends.

DESCRIPTION
    `Host` is a set of namespaces.  Its file system is this machine's with a layer in memory over it, so that
    whatever is written (/etc/passwd, /var/spool, /usr/local) is seen inside only.  Its network is `lo` with one
    more address; ports are the real ones.  Its first process collects what others leave behind; when it ends,
    everything inside ends.

    Commands run inside by nsenter(1).  A socket of the test's own into the host comes from `connect()`.

    Only for root, with overlay file systems (Linux 3.18).
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from fakes.mail_system import PATIENCE, until

ADDRESS: Final = "192.0.2.10"
"""The host's address besides 127.0.0.1 (RFC 5737)."""
PACKAGED: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in which only Debian's commands are."""

LOG: Final = "/var/log/mail.log"
"""Where the mail system of a host logs."""

_CLONE_NEWNET: Final = 0x40000000
_SET_UP: Final = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt  # only here: nothing is left of it
mkdir /mnt/changes /mnt/aside /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/aside /mnt/root
cd /mnt/root
for queue in maildrop incoming active deferred hold corrupt defer bounce flush trace; do  # mail of this machine
    [ ! -d "var/spool/postfix/$queue" ] || find "var/spool/postfix/$queue" -type f -delete
done
for directory in run tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $directory; done
case "$CHECKOUT" in
/run/* | /tmp/* | /var/tmp/*)  # the programs under test lie where a host has a directory of its own
    mkdir -p ".$CHECKOUT"
    mount --bind "$CHECKOUT" ".$CHECKOUT"
    ;;
esac
rm -f var/spool/postfix/maildrop/*  # what waits on this machine is no mail of the host's
chmod 755 run
mkdir -p run/lock
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t proc proc proc
chmod 711 root
hostname "$NAME"
ip link set lo up
ip address add "$ADDRESS/32" dev lo
"""
_BOOT: Final = 'exec chroot . "$PYTHON" -I -c "$FIRST_PROCESS"\n'
_FIRST_PROCESS: Final = r"""
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
os.write(1, b"up\n")
while True:
    signal.sigwait([signal.SIGCHLD])
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


class Host:
    """One host.  `path` is PATH of its commands."""

    def __init__(
        self,
        name: str,
        *,
        path: str = PACKAGED,
        boot: str = _BOOT,
        starter: tuple[str, ...] = (),
        more_namespaces: tuple[str, ...] = (),
    ) -> None:
        """`boot` is the shell's last words: they become the first process, which says `up`; `starter` comes before all."""
        self.name = name
        self.path = path
        self._sockets: list[socket.socket] = []
        environment = {
            "PATH": PACKAGED,
            "NAME": name,
            "ADDRESS": ADDRESS,
            "CHECKOUT": str(Path(__file__).parents[2]),
            "PYTHON": os.path.realpath(sys.executable),
            "FIRST_PROCESS": _FIRST_PROCESS,
        }
        self._process = subprocess.Popen(
            [
                *starter,
                "unshare",
                "--mount",
                "--net",
                "--pid",
                "--uts",
                "--ipc",
                *more_namespaces,
                "--fork",
                "--kill-child",
                "/bin/sh",
                "-c",
                _SET_UP + boot,
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"up\n":
            raise AssertionError(f"the host could not be set up: {self._process.communicate()[1]!r}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._first = int(children[0])

    @property
    def first(self) -> int:
        """The process id, seen from outside, of the first process inside."""
        return self._first

    def end(self) -> None:
        """Everything inside ends, and what was written is forgotten."""
        self.hang_up()
        os.kill(self._first, signal.SIGKILL)
        self._process.communicate(timeout=PATIENCE)

    # -- commands --------------------------------------------------------------------------------------

    def run(
        self,
        command: str,
        *,
        user: str = "root",
        content: str | bytes = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = 120,
    ) -> "subprocess.CompletedProcess[str]":
        """A shell command, as a user who has just logged in; whatever its exit status is."""
        home = "/root" if user == "root" else f"/home/{user}"
        variables = {"PATH": self.path, "HOME": home, "USER": user, "LOGNAME": user, "TERM": "dumb"}
        enter = ["nsenter", "--target", str(self._first)]
        enter += ["--mount", "--net", "--pid", "--uts", "--ipc", "--root", "--wd"]
        become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        # Into files, not pipes: a daemon that keeps them open is no reason to wait.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    [*enter, "--", *become, "/bin/sh", "-c", f"cd {home} && {command}"],
                    input=content.encode() if isinstance(content, str) else content,
                    env={**variables, **(environment or {})},
                    stdout=out,
                    stderr=errors,
                    check=False,
                    timeout=seconds,
                )
            except subprocess.TimeoutExpired as fault:
                raise AssertionError(f"{command}: {self._state_after(out, seconds)}") from fault
            texts = []
            for file in (out, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        return subprocess.CompletedProcess(done.args, done.returncode, *texts)

    def _state_after(self, out: IO[bytes], seconds: float) -> str:
        """What is to be known of a command that has not ended: its output, the processes, the log."""
        out.seek(0)
        said = out.read().decode(errors="replace")
        enter = ["nsenter", "--target", str(self._first), "--mount", "--pid", "--root", "--"]
        show = "ps -eo pid,stat,args; tail -n 30 /var/log/mail.log"
        shown = subprocess.run(
            [*enter, "/bin/sh", "-c", show], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        return f"no end after {seconds:.0f} s\n{said[-2000:]}\n{shown.stdout[-6000:]}"

    def output(
        self, command: str, *, user: str = "root", content: str | bytes = "", seconds: float = 120
    ) -> str:
        """Standard output of a command that must succeed."""
        done = self.run(command, user=user, content=content, seconds=seconds)
        assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start_postfix(self, program: str = "postfix") -> None:
        """`postfix start`, of either product.  master(8) gives itself ten seconds, which a busy machine may not have."""
        for _ in range(3):
            done = self.run(f"{program} start")
            if done.returncode == 0 or self.run(f"{program} status").returncode == 0:
                return
        raise AssertionError(
            f"postfix start: exit status {done.returncode}\n{done.stderr}{self.log()[-3000:]}"
        )

    # -- files -----------------------------------------------------------------------------------------

    def file(self, path: str) -> Path:
        """A file of the host, as the test can open it."""
        return Path(f"/proc/{self._first}/root") / path.lstrip("/")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of root's."""
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)
        self.file(path).chmod(mode)

    def log(self) -> str:
        """The mail system's log so far."""
        path = self.file(LOG)
        return path.read_text(errors="surrogateescape") if path.exists() else ""

    def listing(self, directory: str) -> list[str]:
        """Names in a directory; none if it is missing."""
        return self.output(f"ls -A {shlex.quote(directory)} 2>/dev/null || true").split()

    # -- network ---------------------------------------------------------------------------------------

    def connect(self, port: int, *, address: str = "127.0.0.1") -> socket.socket:
        """A connection to a port of the host, from the host itself."""
        found: list[socket.socket | OSError] = []
        thread = threading.Thread(target=self._connect, args=(address, port, found))
        thread.start()
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        self._sockets.append(found[0])
        return found[0]

    def keep(self, sock: socket.socket) -> None:
        """A connection that `hang_up()` closes too."""
        self._sockets.append(sock)

    def hang_up(self) -> None:
        """Close all connections that the test has."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def answers(self, port: int, *, address: str = "127.0.0.1") -> bool:
        """Whether someone takes connections."""
        try:
            self.connect(port, address=address).close()
        except OSError:
            return False
        return True

    def until_answers(self, port: int) -> None:
        """Wait for it."""
        until(lambda: self.answers(port), what=f"port {port} answers")

    def _connect(self, address: str, port: int, found: list[socket.socket | OSError]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            with open(f"/proc/{self._first}/ns/net") as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            found.append(socket.create_connection((address, port), timeout=PATIENCE))
        except OSError as error:
            found.append(error)
