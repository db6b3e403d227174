"""A queue handed back and forth: Debian's Postfix and Pillarbox by turns finish what the other has begun.

DESCRIPTION
    A thousand messages wait in every state: with one recipient or many, some of them done at each stage, held, in
    maildrop, expired by the admin, with DSN options, in SMTPUTF8, large, edited by a filter so that the file has to be
    read along its pointer records.  At each stage the running system is
    stopped, the other one started on the same directories and the same configuration, and one more domain can be
    reached.  Both list the same queue each time; in the end each recipient has got each message once.
"""

import os
import re
import smtplib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from fakes.debian_postfix import PORT, DebianPostfix, start_debians_postfix
from fakes.mail_system import until
from fakes.milter import ADDED, CHANGED, INSERTED, REMOVED, Edit, Milter

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

COUNT: Final = 1000
HERE: Final = "pillarbox.test"
AWAY: Final = ("away0.test", "away1.test", "away2.test", "away3.test")
DEBIAN: Final = "debian"
OURS: Final = "ours"
EDITED: Final = 7  # of eight messages, the one that a filter edits
EXPIRED: Final = 10  # messages that the admin gives up at each stage


def edit_of(subject: str) -> Edit | None:
    """What the filter does to a message; None: nothing."""
    number = int(subject.removeprefix("m"))
    if number % 8 != EDITED:
        return None
    body = b"another body\r\n" * (1 + number % 3 * 500)
    return Edit(f"sender+{number}@{HERE}", f"more{number}@{AWAY[2]}", f"gone{number}@{AWAY[1]}", body)


class Site:
    """One queue, and two mail systems for it, one at a time."""

    def __init__(self, postfix: DebianPostfix) -> None:
        self.postfix = postfix
        self.spool = postfix.base / "spool"
        self.expected: Counter[tuple[str, str]] = Counter()
        self.held: set[str] = set()  # subjects
        self.returned = 0  # messages of which the sender is told
        self._seen: dict[Path, tuple[str, str]] = {}

    def command(
        self, system: str, program: str, *arguments: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """A command of one of the systems."""
        ours = [sys.executable, "-m", f"pillarbox.tools.{program}"]
        return subprocess.run(
            [*(ours if system == OURS else [f"/usr/sbin/{program}"]), *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=90,
            env={**os.environ, "NAME": "Some One"},
        )

    def run(self, system: str, action: str) -> None:
        """postfix start, postfix stop."""
        if (system, action) == (DEBIAN, "start"):
            start_debians_postfix()
            return
        done = self.command(system, "postfix", action)
        assert done.returncode == 0, (done.stderr, self.postfix.log()[-3000:])

    def fill(self) -> None:
        """Messages of all kinds by SMTP."""
        with smtplib.SMTP("127.0.0.1", PORT, timeout=60) as client:
            client.ehlo("client.test")
            for number in range(COUNT):
                self._send(client, number)

    def _send(self, client: smtplib.SMTP, number: int) -> None:
        kind = number % 8
        domain = AWAY[number // 8 % len(AWAY)]
        recipients = [f"a{number}@{domain}"]
        sender, mail_options, recipient_options = f"sender@{HERE}", [], []
        size = 100
        if kind == 1:
            recipients = [f"here{number}@{HERE}", *(f"r{at}x{number}@{AWAY[at % 4]}" for at in range(8))]
        elif kind == 2:
            mail_options, recipient_options = ["RET=HDRS", f"ENVID=id{number}"], ["NOTIFY=DELAY"]
        elif kind == 3:
            mail_options = ["BODY=8BITMIME"]
            recipients = [f"b{number}@{AWAY[0]}", f"c{number}@{AWAY[3]}"]
        elif kind == 4 and number % 40 == 4:
            size = 400_000
        elif kind == 5:
            sender, mail_options = f"sänder@{HERE}", ["SMTPUTF8"]
            recipients = [f"ä{number}@{domain}"]
        elif kind == 6:
            recipients = [f"one{number}@{AWAY[1]}", f"two{number}@{AWAY[2]}"]
        elif kind == EDITED:
            recipients += [f"gone{number}@{AWAY[1]}", f"f{number}@{AWAY[3]}"]
        text = f"Subject: m{number}\r\nX-Changed: a\r\nX-Removed: b\r\nTo: x\r\n\r\nGrüße\r\n"
        text += "line of text\r\n" * (size // 13)
        client.mail(sender, mail_options)
        client.command_encoding = "utf-8" if kind == 5 else "ascii"
        for recipient in recipients:
            reply = client.rcpt(recipient, recipient_options)
            assert reply[0] == 250, reply
        assert client.data(text.encode())[0] == 250
        if (edit := edit_of(f"m{number}")) is not None:
            recipients.remove(edit.taken_away)
            recipients.append(edit.added)
        self.expected.update((f"m{number}", recipient) for recipient in recipients)

    def forget(self, setting: str) -> None:
        """A line of main.cf goes."""
        main_cf = Path("/etc/postfix/main.cf")
        lines = main_cf.read_text().splitlines(keepends=True)
        main_cf.write_text("".join(line for line in lines if not line.startswith(f"{setting} =")))

    def submit_while_down(self, system: str, stage: int) -> None:
        """Some by sendmail, which wait in maildrop."""
        for number in range(5):
            subject, recipients = f"down{stage}x{number}", [f"d{number}@{AWAY[3]}", f"e{number}@{HERE}"]
            text = f"Subject: {subject}\nTo: x\n\nbody\n"
            options = ["-N", "never"] if number % 2 else ["-B", "8BITMIME"]
            done = self.command(
                system, "sendmail", "-f", f"sender@{HERE}", *options, *recipients, stdin=text.encode()
            )
            assert done.returncode == 0, done.stderr
            self.expected.update((subject, recipient) for recipient in recipients)

    def open_domain(self, number: int) -> None:
        """One more domain can be reached."""
        main_cf = Path("/etc/postfix/main.cf")
        lines = main_cf.read_text().splitlines()
        domains = ", ".join((HERE, *AWAY[: number + 1]))
        main_cf.write_text(
            "".join(
                f"virtual_mailbox_domains = {domains}\n"
                if line.startswith("virtual_mailbox_domains")
                else line + "\n"
                for line in lines
            )
        )

    def waiting(self) -> list[str]:
        """The ids of deferred messages."""
        return sorted(path.name for path in self.spool.glob("deferred/?/*"))

    def subject(self, queue_id: str) -> str:
        """A waiting message's."""
        listed = self.command(DEBIAN, "postcat", "-hq", queue_id).stdout.decode("utf-8", "replace")
        return next(line for line in listed.split("\n") if line.startswith("Subject: ")).split()[1]

    def hold(self, system: str, ids: list[str]) -> int:
        """Put messages on hold; how many."""
        said = self.command(system, "postsuper", "-h", "-", stdin="\n".join(ids).encode()).stderr
        assert f"Placed on hold: {len(ids)} messages".encode() in said
        self.held.update(map(self.subject, ids))
        return len(ids)

    def give_up(self, system: str, ids: list[str]) -> None:
        """The admin expires messages; what their recipients have not got yet is returned."""
        for queue_id in ids:
            subject = self.subject(queue_id)
            listed = self.command(DEBIAN, "postcat", "-eq", queue_id).stdout.decode("utf-8", "replace")
            left = [line.split()[1] for line in listed.split("\n") if line.startswith("recipient: ")]
            self.returned += not re.search(r"notify_flags=[18]\b", listed)
            for recipient in left:
                self.expected.pop((subject, recipient), None)
        said = self.command(system, "postsuper", "-e", "-", stdin="\n".join(ids).encode()).stderr
        assert f"Force-expired: {len(ids)} messages".encode() in said

    def listing(self, system: str) -> list[str]:
        """mailq's lines, sorted: directories are read in no order."""
        return sorted(self.command(system, "postqueue", "-p").stdout.decode().split("\n"))

    def delivered(self) -> tuple[Counter[tuple[str, str]], Counter[str]]:
        """(Subject, recipient) of everything in the mailbox, and how many notices there are by their subject."""
        for path in self.postfix.delivered():
            if path not in self._seen:
                header = path.read_bytes().partition(b"\n\n")[0].decode()
                found = re.search(r"(?m)^X-Original-To: (.*)\n(?:.*\n)*?Subject: (.*)$", header)
                assert found, header
                self._seen[path] = (found[2], found[1])
        messages: Counter[tuple[str, str]] = Counter()
        notices: Counter[str] = Counter()
        for subject, recipient in self._seen.values():
            if recipient.startswith(("sender@", "sender+", "sänder@")):
                notices[subject] += 1
            else:
                messages[subject, recipient] += 1
        return messages, notices

    def check_edited(self) -> None:
        """Each copy of each edited message is as the filter left it."""
        seen = 0
        for path, (subject, _) in self._seen.items():
            edit = edit_of(subject) if re.fullmatch(r"m\d+", subject) else None
            if edit is None:
                continue
            header, _, body = path.read_bytes().decode().partition("\n\n")
            fields = header.split("\n")
            assert header.startswith(f"Return-Path: <{edit.sender}>\n")
            assert fields[-1] == ADDED
            assert INSERTED in fields
            assert fields.index(INSERTED) < fields.index(f"Subject: {subject}")
            assert [field for field in fields if field.startswith(("X-Changed", REMOVED))] == [CHANGED]
            assert body == edit.body.decode().replace("\r\n", "\n")
            seen += 1
        assert seen > COUNT // 4

    def until_settled(self, stage: int, *, is_last: bool) -> None:
        """Everything that can be delivered or returned is; the rest is deferred again."""
        wanted = Counter(self.expected)
        for key in self.expected:
            is_held = key[0] in self.held and not is_last
            if not key[1].endswith(HERE) and (is_held or not key[1].endswith(AWAY[: stage + 1])):
                del wanted[key]
        until(
            lambda: (
                self.delivered()[0] == wanted
                and self.delivered()[1].total() == self.returned
                and not list(self.spool.glob("active/*"))
                and not list(self.spool.glob("incoming/*"))
            ),
            what=lambda: f"stage {stage}: {self._gaps(wanted)}\n{self.postfix.log()[-3000:]}",
            seconds=90,
        )

    def _gaps(self, wanted: Counter[tuple[str, str]]) -> str:
        messages, notices = self.delivered()
        missing, too_many = wanted - messages, messages - wanted
        return f"missing {missing.total()} {list(missing)[:5]}, too many {list(too_many)[:5]}, {notices} of {self.returned}"


def test_a_thousand_messages_go_back_and_forth_twice() -> None:
    """Listed the same by both at each stage; in the end each message once to each recipient."""
    settings = {
        "default_transport": "smtp",
        "relayhost": "[127.0.0.1]:1",
        "transport_retry_time": "1s",
        "smtputf8_enable": "yes",
    }
    with (
        tempfile.TemporaryDirectory(prefix="pillarbox-takeover-") as directory,
        Milter(edit_of) as milter,
    ):
        base = Path(directory)
        base.chmod(0o755)
        _play(base, {**settings, "smtpd_milters": f"inet:127.0.0.1:{milter.port}"})


def _play(base: Path, settings: Mapping[str, str]) -> None:
    services = "local unix - n n - - local\nsmtp unix - - n - - smtp\n"
    with DebianPostfix(base, settings=settings, services=services) as postfix:
        site = Site(postfix)
        site.fill()
        waiting = COUNT
        until(lambda: len(site.waiting()) == waiting, what="all are deferred", seconds=90)
        edited = [path for path in site.spool.glob("deferred/?/*") if b"p\x0f" in path.read_bytes()]
        assert len(edited) >= COUNT // 8  # pointer records
        held = site.hold(DEBIAN, site.waiting()[::9])
        site.run(DEBIAN, "stop")
        site.forget("smtpd_milters")
        for stage, system in enumerate((OURS, DEBIAN, OURS, DEBIAN)):
            site.submit_while_down(system, stage)
            assert site.listing(DEBIAN) == site.listing(OURS)
            site.open_domain(stage)
            site.run(system, "start")
            site.give_up(system, site.waiting()[:EXPIRED])
            if stage == 3:
                said = site.command(system, "postsuper", "-H", "ALL").stderr
                assert f"Released from hold: {held}".encode() in said
            assert site.command(system, "postqueue", "-f").returncode == 0
            site.until_settled(stage, is_last=stage == 3)
            site.run(system, "stop")
        messages, notices = site.delivered()
        assert messages == site.expected
        assert notices == Counter({"Undelivered Mail Returned to Sender": site.returned})
        site.check_edited()
        site.run(DEBIAN, "start")  # what the fixture stops
