"""The systems that are compared: a private Postfix, a private Dovecot, and Pillarbox, each in its own directory.

All three deliver into Maildirs on the same file system, log to a file, and fsync as they do by default.  The
configurations are kept here, so that anyone can see what was measured.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar, Self

from bench.processes import processor_time, tree

DOMAIN = "pillarbox.test"
USER = f"me@{DOMAIN}"
RECEIVER = f"lmtp@{DOMAIN}"
MANY_USERS = tuple(f"user{number}@{DOMAIN}" for number in range(50))
IMAP_USERS = (USER, RECEIVER, *MANY_USERS)
PASSWORD = "benchmark"
RECIPIENTS = 50
"""Recipients of a message that has many: me@…, 2me@…, 3me@…, as `smtp-source -r` names them."""

POSTFIX_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {domain}
mydomain = {domain}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination = local.test
local_recipient_maps =
alias_maps =
home_mailbox = Maildir/
mailbox_size_limit = 0
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
message_size_limit = 52428800
virtual_mailbox_limit = 0
transport_maps = inline:{{ sink.test=smtp:[127.0.0.1]:2601, slow.test=smtp:[127.0.0.1]:2602, dead.test=smtp:[127.0.0.1]:2603 }}
"""

POSTFIX_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """
base_dir = {root}/run
state_dir = {root}/state
instance_name = pillarbox-bench
listen = 127.0.0.1
protocols = imap pop3 lmtp
log_path = {root}/dovecot.log
info_log_path = {root}/dovecot.log
ssl = yes
ssl_cert = <{root}/etc/cert.pem
ssl_key = <{root}/etc/key.pem
disable_plaintext_auth = no
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
mail_home = {root}/mail/%d/%n
mail_location = maildir:~/Maildir
mail_max_userip_connections = 8000
default_client_limit = 8000
default_process_limit = 8000
default_vsz_limit = 1G
imap_hibernate_timeout = {hibernate} secs
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/etc/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%d/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 8000
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 8000
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3_tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service imap {{
  process_limit = 8000
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  client_limit = 8000
  process_limit = 1
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
service stats {{
  client_limit = 20000
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

PILLARBOX_DOVECOT_CONF = """
mail_max_userip_connections = 8000
protocols = imap pop3 lmtp
service lmtp {
  inet_listener lmtp {
    port = 24
  }
}
"""


def make_certificate(directory: Path) -> None:
    """cert.pem and key.pem of an elliptic curve, as Pillarbox makes for itself."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    files = ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")]
    subprocess.run(
        [*command, *files, "-subj", f"/CN={DOMAIN}", "-days", "30"], check=True, capture_output=True
    )


def mail_user() -> pwd.struct_passwd:
    """Whom the mailboxes belong to in all three systems."""
    return pwd.getpwnam("vmail")


class System:
    """A system that can be started and stopped, and whose processes can be found."""

    rest_seconds: float = 0.0
    """How long idle sessions have to be left alone until they cost no more than they ever will."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.maildir = self.maildir_of(USER)
        self._old = 0

    def maildir_of(self, user: str) -> Path:
        """Where a user's INBOX is."""
        return self.root / "mail" / DOMAIN / user.partition("@")[0] / "Maildir"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; it serves when this returns."""
        raise AssertionError("a system says how it starts")

    def stop(self) -> None:
        """Stop it."""
        raise AssertionError("a system says how it stops")

    def processes(self) -> list[int]:
        """All of them."""
        raise AssertionError("a system says which they are")

    def clear_mailbox(self) -> None:
        """An empty mailbox, owned by the mail user."""
        self.set_aside(self.maildir)
        user = mail_user()
        for directory in (self.root / "mail", self.maildir.parent.parent, self.maildir.parent, self.maildir):
            directory.mkdir(exist_ok=True, mode=0o700)
            os.chown(directory, user.pw_uid, user.pw_gid)
        for name in ("cur", "new", "tmp"):
            (self.maildir / name).mkdir(mode=0o700)
            os.chown(self.maildir / name, user.pw_uid, user.pw_gid)

    def set_aside(self, directory: Path) -> None:
        """Move it out of the way.

        Not removed: ext4 would look at each inode that was freed lately whenever a file is made, which was most of
        what a delivery cost then.
        """
        self._old += 1
        if directory.exists():
            directory.rename(self.root / f"old.{self._old}")

    def delivered(self) -> int:
        """Messages in the mailbox."""
        return len(os.listdir(self.maildir / "new"))

    def wait_for_port(self) -> None:
        """Until the port answers."""
        import socket

        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError(f"nothing listens on port {self.port}")


class Postfix(System):
    """Debian's Postfix."""

    command: ClassVar[str] = "/usr/sbin/postfix"

    def start(self) -> None:
        """As `postfix start` does."""
        user = mail_user()
        etc = self.root / "etc"
        for path in (self.root, etc, self.root / "spool"):
            path.mkdir(exist_ok=True, mode=0o755)
        (self.root / "lib").mkdir(exist_ok=True, mode=0o700)
        shutil.chown(self.root / "lib", "postfix")
        for name in ("dynamicmaps.cf", "postfix-files"):
            shutil.copy(f"/etc/postfix/{name}", etc / name)
        facts = {
            "root": self.root,
            "domain": DOMAIN,
            "port": self.port,
            "uid": user.pw_uid,
            "gid": user.pw_gid,
        }
        (etc / "main.cf").write_text(POSTFIX_MAIN_CF.format(**facts))
        (etc / "master.cf").write_text(POSTFIX_MASTER_CF.format(**facts))
        (etc / "mailboxes").write_text(
            "".join(f"{user} {DOMAIN}/{user.partition('@')[0]}/Maildir/\n" for user in mailboxes())
        )
        self._prepare(etc)
        self._run("start")
        self.wait_for_port()

    def _prepare(self, etc: Path) -> None:
        directories = f"alternate_config_directories = {etc}"
        subprocess.run(["/usr/sbin/postconf", "-e", directories], check=True)
        subprocess.run([self.command, "-c", etc, "set-permissions"], check=False, capture_output=True)

    def stop(self) -> None:
        """As `postfix stop` does."""
        self._run("stop")

    def reload(self) -> None:
        """As `postfix reload` does."""
        self._run("reload")

    def _run(self, order: str) -> None:
        # Its children keep what they inherit: a pipe would never end.
        with (self.root / "command.log").open("wb") as log:
            subprocess.run([self.command, "-c", self.root / "etc", order], check=True, stdout=log, stderr=log)

    @property
    def master(self) -> int:
        """The process id of master(8)."""
        return int((self.root / "spool" / "pid" / "master.pid").read_text())

    def processor_time(self) -> dict[str, float]:
        """Milliseconds of all its processes, by program."""
        return processor_time(self.master)


class PillarboxMta(Postfix):
    """This system in Postfix's place: the same main.cf and master.cf, word for word."""

    command: ClassVar[str] = str(Path(sys.executable).with_name("postfix"))

    def _prepare(self, etc: Path) -> None:
        """Nothing: directories are made by the start."""


def mailboxes() -> list[str]:
    """Whom `smtp-source -r` writes to."""
    return [USER, *(f"{number}{USER}" for number in range(RECIPIENTS + 1))]


class MailboxHalf(System):
    """What is begun by dovecot(1) and ended by doveadm(1): Debian's Dovecot, or Pillarbox's mailbox half."""

    is_ours: ClassVar[bool] = False

    @property
    def configuration(self) -> Path:
        """The file that both commands are given."""
        return self.root / "dovecot.conf"

    def _command(self, name: str) -> list[str]:
        program = [f"/usr/{'sbin' if name == 'dovecot' else 'bin'}/{name}"]
        if self.is_ours:
            program = [sys.executable, "-m", f"pillarbox.tools.{name}"]
        return [*program, "-c", str(self.configuration)]

    def begin(self) -> None:
        """`dovecot -c`, with what has been prepared."""
        # Its children keep what they inherit: a pipe would never end.
        with (self.root / "start.log").open("wb") as log:
            subprocess.run(self._command("dovecot"), check=True, stdout=log, stderr=log)
        self.wait_for_port()

    def stop(self) -> None:
        """`doveadm stop`."""
        subprocess.run([*self._command("doveadm"), "stop"], check=True)
        deadline = time.monotonic() + 20
        while (self.root / "run" / "master.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """The master and all its children."""
        return tree(int((self.root / "run" / "master.pid").read_text()))


class Dovecot(MailboxHalf):
    """Debian's Dovecot."""

    def __init__(self, root: Path, port: int, *, hibernate: int = 0) -> None:
        """`hibernate`: imap_hibernate_timeout, seconds after which an idle session is one of many in a process."""
        super().__init__(root, port)
        self._hibernate = hibernate
        self.rest_seconds = hibernate + 3.0 if hibernate else 0.0

    @property
    def configuration(self) -> Path:
        """Beside what it names."""
        return self.root / "etc" / "dovecot.conf"

    @property
    def tls_port(self) -> int:
        """Where IMAP begins with TLS."""
        return self.port + 1

    @property
    def pop3_port(self) -> int:
        """Where POP3 is; with TLS it is the next."""
        return self.port + 10

    @property
    def lmtp_port(self) -> int:
        """Where LMTP is."""
        return self.port + 12

    def start(self) -> None:
        """As `dovecot -c` does."""
        user = mail_user()
        for path in (self.root, self.root / "etc", self.root / "run", self.root / "state"):
            path.mkdir(exist_ok=True, mode=0o755)
        facts = {
            "root": self.root,
            "port": self.port,
            "tls_port": self.tls_port,
            "pop3_port": self.pop3_port,
            "pop3_tls_port": self.pop3_port + 1,
            "lmtp_port": self.lmtp_port,
            "uid": user.pw_uid,
            "gid": user.pw_gid,
            "hibernate": self._hibernate,
        }
        make_certificate(self.root / "etc")
        (self.root / "etc" / "users").write_text(
            "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in IMAP_USERS)
        )
        self.configuration.write_text(DOVECOT_CONF.format(**facts))
        self.begin()


class Pillarbox(System):
    """This system, as `pillarbox run` starts it."""

    OFFSET = 4000

    def __init__(self, root: Path, *, hibernate: int = 0) -> None:
        """`hibernate`: imap_hibernate_timeout, seconds; 0 leaves it as it is."""
        super().__init__(root, 25 + self.OFFSET)
        self._hibernate = hibernate
        self.rest_seconds = hibernate + 3.0 if hibernate else 0.0
        self.imap_port = 143 + self.OFFSET
        self.imaps_port = 993 + self.OFFSET
        self.pop3_port = 110 + self.OFFSET
        self.pop3s_port = 995 + self.OFFSET
        self.lmtp_port = 24 + self.OFFSET
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Prepared like the originals: plain password, many connections of one user."""
        etc = self.root / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "users").write_text(
            "".join(
                f"{user}:{{PLAIN}}{PASSWORD}::::{DOMAIN}/{user.partition('@')[0]}::\n" for user in IMAP_USERS
            )
        )
        shutil.chown(etc / "users", "dovecot")
        os.chmod(etc / "users", 0o600)
        conf = PILLARBOX_DOVECOT_CONF
        if self._hibernate:
            conf += f"imap_hibernate_timeout = {self._hibernate} secs\n"
        (etc / "dovecot.conf").write_text(conf)
        # In a session of its own, as daemons are: the kernel's scheduler is fair to sessions (sched_autogroup), and on a
        # busy machine it would share one with the clients of the benchmark, which Dovecot does not.
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, start_new_session=True)
        self._wait_until_healthy()

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "pillarbox.tools.pillarbox", "run", "--data", str(self.root)]
        return [*command, "--port-offset", str(self.OFFSET)]

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self._healthy():
            time.sleep(0.05)

    def stop(self) -> None:
        """Ctrl-C."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def processes(self) -> list[int]:
        """The mailbox half: its supervisor and everything below."""
        halves = self._status()["halves"]
        return tree(halves["mailbox"]["pid"])

    def _healthy(self) -> bool:
        try:
            return bool(self._status()["healthy"])
        except (subprocess.CalledProcessError, ValueError):
            return False

    def _status(self) -> dict[str, dict[str, dict[str, int]]]:
        command = [
            sys.executable,
            "-m",
            "pillarbox.tools.pillarbox",
            "status",
            "--json",
            "--data",
            str(self.root),
        ]
        answer: dict[str, dict[str, dict[str, int]]] = json.loads(
            subprocess.run(command, check=True, capture_output=True).stdout
        )
        return answer
