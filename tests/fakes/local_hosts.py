"""A host with local delivery, twice: Pillarbox and Debian's Postfix, with the same settings and users.

DESCRIPTION
    Both get the same lines of main.cf and master.cf, and the same messages; `outcomes()` says the same of both in the
    same form, so that a test can compare: the delivery lines of each message and of those that came of it, warnings,
    and the files that it left.

    Only for a test that runs as root in a mount namespace of its own.
"""

import os
import re
import shutil
import smtplib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from fakes.debian_postfix import start_debians_postfix, stop_debians_postfix
from fakes.forked_command import run_forked
from fakes.mail_system import PATIENCE, MailSystem, until
from fakes.postfix_services import SERVICES
from pillarbox.tools import sendmail

DOMAIN: Final = "local.test"
SENDER: Final = "sender@example.test"

COMMON: Final = {
    "mydestination": DOMAIN,
    "myhostname": "mail.local.test",
    "mydomain": "local.test",
    "myorigin": DOMAIN,
    "mynetworks": "127.0.0.0/8",
    "local_recipient_maps": "",
    "default_transport": "error:5.4.4 no route",
    "recipient_delimiter": "+",
    "virtual_mailbox_domains": "",
    "virtual_mailbox_maps": "",
    "virtual_alias_maps": "",
    "smtpd_recipient_restrictions": "permit_mynetworks, reject",
    "notify_classes": "",
}

_PORT: Final = 1025
_POSTFIX_MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = {base}/spool
data_directory = {base}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_database =
maillog_file = {base}/log
maillog_file_prefixes = {base}
"""
_POSTFIX_SERVICES: Final = f"""\
127.0.0.1:{_PORT} inet n - n - - smtpd
{SERVICES}"""


class Host(Protocol):
    """A mail system that runs."""

    port: int

    def log(self) -> str:
        """Everything it logged."""
        ...

    def sendmail(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run its sendmail command."""
        ...


class OurHost:
    """Pillarbox."""

    def __init__(self, settings: Mapping[str, str], services: str) -> None:
        self._settings = settings
        self._services = services
        self._system = MailSystem(rootless=False)
        self.queue = self._system.data / "spool"
        self.data = self._system.data / "lib"
        self.port = self._system.port("smtp")

    def __enter__(self) -> "OurHost":
        self._system.make_home()
        self._system.configure(**{**COMMON, **self._settings})
        with open(self._system.data / "etc" / "master.cf", "a") as file:
            file.write(self._services)
        self._system.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                assert self._system.stop() == 0
                assert "Traceback" not in self._system.log() + self._system.screen()
        finally:
            self._system.end()

    def log(self) -> str:
        """Everything it logged."""
        return self._system.log()

    def sendmail(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run our sendmail command."""
        configuration = str(self._system.data / "etc")
        return run_forked(sendmail.main, arguments, stdin=stdin, NAME="", MAIL_CONFIG=configuration)


class TheirHost:
    """Debian's Postfix."""

    port = _PORT

    def __init__(self, base: Path, settings: Mapping[str, str], services: str) -> None:
        self._base = base
        self.queue = base / "spool"
        self.data = base / "lib"
        self._settings = settings
        self._services = services
        self._configuration = base / "etc"

    def __enter__(self) -> "TheirHost":
        self._configuration.mkdir()
        for name in ("dynamicmaps.cf", "postfix-files", "post-install", "postfix-script"):
            if Path(f"/etc/postfix/{name}").exists():
                shutil.copy(f"/etc/postfix/{name}", self._configuration)
        text = _POSTFIX_MAIN_CF.format(base=self._base)
        text += "".join(f"{name} = {value}\n" for name, value in {**COMMON, **self._settings}.items())
        (self._configuration / "main.cf").write_text(text)
        (self._configuration / "master.cf").write_text(_POSTFIX_SERVICES + self._services)
        for name in ("spool", "lib"):
            (self._base / name).mkdir()
        shutil.chown(self._base / "lib", "postfix")
        subprocess.run(["mount", "--bind", str(self._configuration), "/etc/postfix"], check=True)
        try:
            start_debians_postfix()
        except AssertionError as fault:
            subprocess.run(["umount", "--lazy", "/etc/postfix"], check=True)
            raise AssertionError(f"{fault} {self.log()}") from fault
        return self

    def __exit__(self, *_: object) -> None:
        stop_debians_postfix(self.queue)
        subprocess.run(["umount", "--lazy", "/etc/postfix"], check=True)

    def log(self) -> str:
        """Everything it logged."""
        path = self._base / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def sendmail(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run Postfix's sendmail command."""
        return subprocess.run(
            ["/usr/sbin/sendmail", *arguments],
            input=stdin,
            env={**os.environ, "NAME": ""},
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )


def send(host: Host, recipient: str, content: bytes, *, sender: str = SENDER) -> str:
    """Send one message; its queue id."""
    with smtplib.SMTP("127.0.0.1", host.port, timeout=PATIENCE) as client:
        client.ehlo("client.example")
        client.mail(sender)
        address = recipient if "@" in recipient else f"{recipient}@{DOMAIN}"
        code, reply = client.docmd("RCPT", f"TO:<{address}>")  # rcpt() reads it in its own way first
        assert code == 250, reply
        code, reply = client.data(content)
        assert code == 250, reply
    return reply.rpartition(b"queued as ")[2].decode()


_LINE: Final = re.compile(
    r"^\w{3} [ \d]\d [\d:]{8} \S+ postfix/([\w/-]+)\[\d+\]: (?:([0-9A-Za-z]{6,}): )?(.*)$", re.MULTILINE
)
_FORWARDED: Final = re.compile(r"forwarded as (\w+)|notification: (\w+)")
_TEMPORARY: Final = re.compile(r"/tmp/[^\s:]*(?=: )")
_ID: Final = re.compile(r"^[0-9A-F]{6,}: ")
_DELAYS: Final = re.compile(r"delay=\S+ delays=\S+ ")


class Log:
    """A log, by messages."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, list[tuple[str, str]]] = {}
        self.warnings: list[str] = []
        for program, queue_id, rest in _LINE.findall(text):
            if queue_id == "warning":
                if program in ("local", "pipe", "virtual"):
                    self.warnings.append(_TEMPORARY.sub("/tmp/*", _ID.sub("ID: ", rest)))
            elif queue_id:
                self.lines.setdefault(queue_id, []).append((program, rest))

    def is_quiet(self, ids: list[str]) -> bool:
        """Whether everything that came of these messages is done or waits."""
        for queue_id in ids:
            lines = self.lines.get(queue_id, [])
            ended = any(rest == "removed" or "status=deferred" in rest for _, rest in lines)
            children = [
                child for _, rest in lines for pair in _FORWARDED.findall(rest) for child in pair if child
            ]
            if not ended or not self.is_quiet(children):
                return False
        return True

    def deliveries(self, queue_id: str) -> list[str]:
        """The delivery lines of a message and of those that came of it, in a form without ids and times."""
        found: list[str] = []
        children: list[str] = []
        for program, rest in self.lines.get(queue_id, []):
            children += [child for pair in _FORWARDED.findall(rest) for child in pair if child]
            if "status=" in rest:
                rest = _TEMPORARY.sub("/tmp/*", rest)
                line = _FORWARDED.sub(lambda match: match[0].replace(match[1] or match[2], "ID"), rest)
                found.append(f"{program}: {_DELAYS.sub('', line)}")
        for child in children:  # whose recipients come in no order
            found += sorted(f"  {line}" for line in self.deliveries(child))
        return found


def until_quiet(host: Host, ids: list[str]) -> Log:
    """Wait until all is done; the log."""
    until(
        lambda: Log(host.log()).is_quiet(ids),
        what=lambda: (
            "quiet: "
            + ", ".join(
                f"{queue_id} {log.lines.get(queue_id)}"
                for log in (Log(host.log()),)
                for queue_id in ids
                if not log.is_quiet([queue_id])
            )
        ),
    )
    return Log(host.log())


_CHANGING: Final = [
    (re.compile(r"(?<= with ESMTP id )\w+"), "ID"),
    (re.compile(r"(?<=\tid )\w+"), "ID"),
    (re.compile(r"\w{3}, [ \d]?\d \w{3} \d{4} [\d:]{8} [+-]\d{4} \(\w+\)"), "DATE"),
    (re.compile(r"(?<=  )\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}"), "DATE"),
    (re.compile(r"(?<=^From )(\S+ )\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}", re.MULTILINE), "DATE"),
    (re.compile(r"(?<=/new/)\d+\.\S+\s+"), "FILE "),
    (re.compile(r"<\d{14}\.\w+@"), "<ID@"),
]


_OF_A_BOUNCE: Final = re.compile(
    r"^(?:Return-Path|X-Original-To|Delivered-To|Final-Recipient|Status): .*", re.MULTILINE
)


def files_below(directories: list[Path]) -> dict[str, tuple[int, int, str, str]]:
    """Path → owner, group, mode, content; names in Maildirs, ids and dates do not count."""
    found: dict[str, tuple[int, int, str, str]] = {}
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            status = path.lstat()
            if not path.is_file() or path.is_symlink() or path.name.startswith("dovecot"):
                continue
            name = str(path)
            if path.parent.name in ("new", "tmp", "cur"):
                name = f"{path.parent}/*"
                while name in found:
                    name += "*"
            text = path.read_bytes().decode("utf-8", "replace")
            if "\nSubject: Undelivered Mail Returned to Sender\n" in text:  # others compare what it says
                text = "\n".join(
                    _OF_A_BOUNCE.findall(text.partition("\nContent-Description: Undelivered")[0])
                )
            for pattern, word in _CHANGING:
                text = pattern.sub(word, text)
            found[name] = (status.st_uid, status.st_gid, oct(status.st_mode & 0o7777), text)
    return found
