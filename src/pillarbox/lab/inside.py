"""The Pillarbox inside the lab: the MTA half as `pillarbox run` starts it, with the lab's clock and name server.

DESCRIPTION
    Real processes in a directory of their own.  alice@pillarbox.test writes and reads, postmaster reads.

FAULTS
    StartFault  it could not start, with the reason
"""

import datetime
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.lab.internet import Internet
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.supervisor.first_run import prepare
from pillarbox.supervisor.home import Home
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.mta_half import make_queue
from pillarbox.supervisor.system_users import system_users
from pillarbox.vocabulary.faults import ConfigurationFault

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 15
_LAST_WORDS: Final = 8  # lines of the log, if it does not start

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.pillarbox.test
mydomain = pillarbox.test
myorigin = $mydomain
inet_interfaces = {own}
inet_protocols = all
mynetworks = 127.0.0.1/32
queue_directory = {root}/spool
data_directory = {root}/lib
mydestination =
local_recipient_maps =
virtual_mailbox_domains = pillarbox.test
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = inline:{{ alice@pillarbox.test=alice/, postmaster@pillarbox.test=postmaster/ }}
virtual_alias_maps =
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = {minimum_uid}
smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificate}
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, reject_rbl_client bl.test
notify_classes =
delay_warning_time = 4h
smtp_host_lookup = dns
smtp_randomize_addresses = no
"""
_MASTER_CF: Final = "smtp inet n - n - - smtpd\nlmtp unix - - n - - lmtp\n"


class Inside:
    """One Pillarbox."""

    def __init__(self, internet: Internet, *, root: Path, clock: int, settings: str = "") -> None:
        """`clock` is the descriptor of the clock's memory; `settings` are more lines of main.cf."""
        self.home = Home(root)
        self._clock = clock
        self._places = internet.places
        self._owners = system_users() if os.getuid() == 0 else None
        vmail = self._owners.vmail if self._owners else None
        uid, gid = (vmail.uid, vmail.gid) if vmail else (os.getuid(), os.getgid())
        main_cf, services = internet.settings()
        self.home.etc.mkdir(parents=True, exist_ok=True)
        for path in (root, self.home.etc):
            path.chmod(0o755)
        text = _MAIN_CF.format(
            root=root,
            uid=uid,
            gid=gid,
            minimum_uid=min(uid, 100),
            own=internet.places.own,
            certificate=internet.authority.issue("mail.pillarbox.test").path,
        )
        (self.home.etc / "main.cf").write_text(text + main_cf + settings)
        (self.home.etc / "master.cf").write_text(_MASTER_CF + services)
        self.queue = QueueDirectories(f"{root}/spool")
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        prepare(self.home, owners=self._owners, now=datetime.datetime.now(datetime.UTC))
        try:
            configuration = read_configuration(str(self.home.etc), facts=host_facts())
        except ConfigurationFault as fault:
            raise StartFault(str(fault)) from fault
        make_queue(configuration.snapshot, self._owners.mail_owner if self._owners else None)
        self.queue = QueueDirectories(
            configuration.snapshot.value("queue_directory"),
            hashed=tuple(configuration.snapshot.value("hash_queue_names").replace(",", " ").split()),
            depth=int(configuration.snapshot.value("hash_queue_depth")),
        )
        with socket.create_server((self._places.own, 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._line, theirs = socket.socketpair()
        name_server = f"{self._places.name_server}:{self._places.name_server_port}"
        command = [sys.executable, "-I", "-m", "pillarbox.supervisor.main", "mta", str(self.home.root)]
        command += ["", str(self.port - 25), str(theirs.fileno()), str(self._clock), name_server]
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), self._clock), stdin=subprocess.DEVNULL
        )
        theirs.close()
        ready, _, _ = select.select([self._line], [], [], _START_SECONDS)
        answer = self._line.recv(4096) if ready else b""
        if answer != b"ready\n":
            text = answer.decode("utf-8", "replace").strip()
            self.stop()
            last = self.home.log.read_text(errors="replace").rstrip("\n").split("\n")[-_LAST_WORDS:]
            raise StartFault("\n".join([text or "the mail system inside did not start", *last]))

    @property
    def is_running(self) -> bool:
        """Whether the supervisor is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it, whatever state it is in."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._line is not None:
            self._line.close()

    def mail(self, user: str) -> list[bytes]:
        """What lies in a mailbox, in the order it came."""
        directory = self.home.root / "mail" / user / "new"
        paths = sorted(directory.glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in paths]
