"""The same words to two IMAP servers: Debian's Dovecot and ours, each on its own copy of one Maildir.

DESCRIPTION
    `DovecotImap` is Dovecot's real imap process, logged in already, as its login process would start it; run
    by root, it works as user nobody.  `PillarboxImap` is a session over the account of the same tree.  Both
    may have a second session beside the first.

    What differs by nature is made equal: the time that a command took; mod-sequences (by their order, 0 for all
    up to the first HIGHESTMODSEQ); UID
    validities of new mailboxes (by their order of appearance); tokens of URLs; `\\Marked` and `\\UnMarked`, which
    Dovecot gives or not by the second; the MAILBOXID that we tell at SELECT and CREATE (RFC 8474), which Dovecot
    does not have.
"""

import asyncio
import os
import pwd
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from fakes.scripted_transport import ScriptedTransport
from pillarbox.mailstore.mailbox import Account
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.namespaces.namespaced_account import NamespacedAccount
from pillarbox.sessions.imap.options import ImapOptions
from pillarbox.sessions.imap.session import ImapSession
from pillarbox.vocabulary.clock import ManualClock

CONFIGURATION: Final = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
ssl = no
mail_location = maildir:{base}/Maildir
mail_home = {base}
first_valid_uid = 0
first_valid_gid = 0
stats_writer_socket_path =
mail_attribute_dict = file:{base}/Maildir/dovecot-attributes
imap_metadata = yes
imap_urlauth_host = mail.test
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
{special}}}
"""
IMAP: Final = "/usr/lib/dovecot/imap"
"""Run as it is: `doveadm exec imap` leaves out the settings of IMAP alone."""
SPECIAL_USE: Final = {
    "Drafts": "\\Drafts",
    "Sent": "\\Sent",
    "Sent Messages": "\\Sent",
    "Junk": "\\Junk",
    "Trash": "\\Trash",
    "Archive": "\\Archive",
}
_TIMING: Final = re.compile(rb" \([0-9.]+(?: \+ [0-9.]+)* secs\)\.")
_MODSEQ: Final = re.compile(rb"(MODSEQ \(?|HIGHESTMODSEQ )([0-9]+)")
_UIDVALIDITY: Final = re.compile(rb"\[UIDVALIDITY ([0-9]+)\]")
_VALIDITY: Final = re.compile(rb"\b1[6-9][0-9]{8}\b")
_URL: Final = re.compile(rb"^\* GENURLAUTH \"?(imap:[^\" ]*)\"?\r$", re.MULTILINE)
_TOKEN: Final = re.compile(rb"(:internal:01)[0-9a-f]{40}")
_MAILBOXID: Final = re.compile(rb"\* OK \[MAILBOXID [^\r]*\r\n|\[MAILBOXID \([^)]*\)\] ")
MARKED: Final = re.compile(rb" \\(?:Un)?Marked|(?<=\()\\(?:Un)?Marked ?")
"""Hints of LIST that Dovecot gives of mailboxes it has looked at, unless they had changed just before."""
_ANSWERED: Final = re.compile(rb"(?:\A|\r\n)(?:[^*+ ]+ (?:OK|NO|BAD) |\+ |\* BYE |\* BAD )[^\r]*\r\n\Z")
"""Dovecot writes a newline in a mailbox's name as it is."""
SILENCE: Final = 2.0
"""Seconds after which a server that says nothing, and does nothing, waits for more."""
PATIENCE: Final = 30.0
"""Seconds for a greeting, which always comes."""
SECOND: Final = b"2> "
"""Before a step that the second session says."""


class Exchange(NamedTuple):
    """What is said, step by step.

    `{modseq}` stands for the HIGHESTMODSEQ that was told last, `{url}` for the last URL of GENURLAUTH.
    """

    name: str
    steps: tuple[bytes, ...]


def owner() -> tuple[int, int]:
    """Whom the mail belongs to: Dovecot does not serve root's."""
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    return user.pw_uid, user.pw_gid


def give(path: Path) -> None:
    """Files to their owner."""
    if os.getuid() == 0:
        for entry in (path, *path.rglob("*")):
            os.chown(entry, *owner(), follow_symlinks=False)


def configuration(base: Path, *, separator: str = "/", prefix: str = "") -> str:
    """dovecot.conf."""
    special = "".join(
        f'  mailbox "{name}" {{\n    special_use = {use}\n  }}\n' for name, use in SPECIAL_USE.items()
    )
    return CONFIGURATION.format(base=base, special=special, separator=separator, prefix=prefix)


class DovecotImap:
    """Dovecot's imap, once or twice, on the Maildir below `base`."""

    def __init__(
        self,
        base: Path,
        *,
        separator: str = "/",
        prefix: str = "",
        patience: float = SILENCE,
        more: str = "",
    ) -> None:
        """`patience`: seconds after which a server that says nothing waits for more of a command; `more`: lines
        of dovecot.conf."""
        self._base = base
        self._patience = patience
        for name in ("run", "state"):
            (base / name).mkdir()
        (base / "dovecot.conf").write_text(configuration(base, separator=separator, prefix=prefix) + more)
        give(base)
        self._sessions: dict[bool, subprocess.Popen[bytes]] = {}

    def say(self, line: bytes, *, second: bool = False) -> bytes:
        """Say something; the answer up to where the server waits."""
        session = self._session(second=second)
        assert session.stdin is not None
        try:
            session.stdin.write(line + b"\r\n")
        except BrokenPipeError:  # it has said BYE and gone
            return b""
        return self._answer(session, line)

    def close(self) -> None:
        """End the processes."""
        for session in self._sessions.values():
            session.kill()
            session.wait()
            for pipe in (session.stdin, session.stdout):
                assert pipe is not None
                pipe.close()

    def _session(self, *, second: bool) -> "subprocess.Popen[bytes]":
        if second not in self._sessions:
            uid, gid = owner()
            prefix = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
            session = subprocess.Popen(
                [
                    *(prefix if os.getuid() == 0 else []),
                    *(IMAP, "-c", str(self._base / "dovecot.conf")),
                ],
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._base,
                env={
                    "USER": "tester",
                    "HOME": str(self._base),
                    "PATH": os.environ["PATH"] + ":/usr/sbin",
                    "TZ": os.environ.get("TZ", ""),
                },
            )
            self._sessions[second] = session
            greeting = self._read(session, re.compile(rb"\* PREAUTH [^\r\n]*\r\n\Z"), patience=PATIENCE)
            assert greeting.startswith(b"* PREAUTH"), greeting
        return self._sessions[second]

    def _answer(self, session: "subprocess.Popen[bytes]", line: bytes) -> bytes:
        return self._read(session, _ANSWERED, patience=self._patience)

    def _read(
        self, session: "subprocess.Popen[bytes]", until: re.Pattern[bytes], *, patience: float
    ) -> bytes:
        assert session.stdout is not None
        said = b""
        deadline = time.monotonic() + patience
        latest = deadline + PATIENCE
        while until.search(said[-4096:]) is None and time.monotonic() < latest:
            if time.monotonic() >= deadline and _waits_for_input(session.pid):
                break
            ready, _, _ = select.select([session.stdout], [], [], 0.5)
            if ready:
                data = os.read(session.stdout.fileno(), 1 << 16)
                if not data:
                    break
                said += data
        return said


def _waits_for_input(pid: int) -> bool:
    """Whether a process that says nothing is not just waiting for the disk or the processor."""
    try:
        return "poll" in Path(f"/proc/{pid}/wchan").read_text("ascii")
    except OSError:  # not ours to see, or it has gone
        return True


class PillarboxImap:
    """Our sessions on the Maildir below `base`."""

    def __init__(
        self,
        base: Path,
        tasks: asyncio.TaskGroup,
        *,
        separator: str = "/",
        prefix: str = "",
        account: Account | None = None,
    ) -> None:
        """`account`: whose sessions they are, if not plainly the Maildir's."""
        self._tasks = tasks
        self._account: Account = account or MaildirAccount(str(base / "Maildir"))
        if separator != "/" or prefix:
            self._account = NamespacedAccount(self._account, prefix=prefix, separator=separator)
        self._sessions: dict[bool, tuple[ScriptedTransport, asyncio.Task[object]]] = {}

    async def say(self, line: bytes, *, second: bool = False) -> bytes:
        """Say something; the answer up to where the server waits."""
        transport, _ = await self._session(second=second)
        return await transport.ask(line + b"\r\n") if not transport.closed else b""

    async def close(self) -> None:
        """The clients go."""
        for transport, task in self._sessions.values():
            transport.end()
            await task
        await self._account.close()

    async def _session(self, *, second: bool) -> "tuple[ScriptedTransport, asyncio.Task[object]]":
        if second not in self._sessions:
            transport = ScriptedTransport(ends=False)
            session = ImapSession(
                transport,
                self._account,
                clock=ManualClock(),
                sink=lambda event: None,
                login_tag=b"L",
                options=ImapOptions(metadata=True, user="tester", url_host="mail.test"),
            )
            task: asyncio.Task[object] = self._tasks.create_task(session.run())
            self._sessions[second] = transport, task
            await transport.rest()
        return self._sessions[second]


class Equaliser:
    """Makes the answers of one server comparable."""

    def __init__(self) -> None:
        self.modseq = b"1"
        self.validity = b"1"
        self.url = b""
        self._floor: int | None = None
        self._modseqs: list[int] = []
        self._validities: list[bytes] = []

    def take(self, answers: Sequence[bytes]) -> list[list[bytes]]:
        """The lines of all answers of an exchange."""
        for answer in answers:
            self._modseqs += [int(found[2]) for found in _MODSEQ.finditer(answer)]
        floor = self._floor or 0
        order = {modseq: rank for rank, modseq in enumerate(sorted(set(self._modseqs)), 1)}
        first = max((rank for modseq, rank in order.items() if modseq <= floor), default=0)

        def ranked(found: re.Match[bytes]) -> bytes:
            return b"%b#%d" % (found[1], max(0, order[int(found[2])] - first))

        answers = [MARKED.sub(b"", _MAILBOXID.sub(b"", answer)) for answer in answers]
        answers = [_TOKEN.sub(rb"\1TOKEN", answer) for answer in answers]
        texts = [_VALIDITY.sub(self._validity, _TIMING.sub(b"", answer)) for answer in answers]
        return [_in_order(_MODSEQ.sub(ranked, text).split(b"\r\n")[:-1]) for text in texts]

    def listen(self, answer: bytes) -> None:
        """Remember the mod-sequence that a client would."""
        for found in _MODSEQ.finditer(answer):
            if found[1].startswith(b"HIGHEST"):
                self.modseq = found[2]
                self._floor = self._floor or int(found[2])
        for found in _UIDVALIDITY.finditer(answer):
            self.validity = found[1]
        for found in _URL.finditer(answer):
            self.url = found[1]

    def _validity(self, found: re.Match[bytes]) -> bytes:
        if found[0] not in self._validities:
            self._validities.append(found[0])
        return b"V%d" % (self._validities.index(found[0]) + 1)


def _in_order(lines: list[bytes]) -> list[bytes]:
    """Names in the order of names: Dovecot tells them in that of the directory."""
    if not all(line.startswith((b"* LIST ", b"* LSUB ", b"* STATUS ")) for line in lines[:-1]):
        return lines
    blocks: list[list[bytes]] = []
    for line in lines[:-1]:
        if blocks and line.startswith(b"* STATUS "):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    named = sorted(blocks, key=lambda block: block[0].split(b'" ', 1)[-1])
    return [*(line for block in named for line in block), *lines[-1:]]


def _split(step: bytes, equaliser: Equaliser) -> tuple[bytes, bool]:
    second = step.startswith(SECOND)
    return step.removeprefix(SECOND).replace(b"{modseq}", equaliser.modseq).replace(
        b"{validity}", equaliser.validity
    ).replace(b"{url}", equaliser.url), second


class Both:
    """A Maildir that was prepared once, and both servers on copies of it."""

    def __init__(self, base: Path, prepared: Path) -> None:
        self.separator = "/"
        self.prefix = ""
        self._base = base
        self._prepared = prepared
        self._count = 0

    def have(self, exchange: Exchange) -> "tuple[list[list[bytes]], list[list[bytes]]]":
        """Dovecot's lines and ours, step by step."""
        return self.theirs(exchange), asyncio.run(self.ours(exchange))

    def theirs(self, exchange: Exchange) -> list[list[bytes]]:
        """What Dovecot says."""
        server = DovecotImap(self._copy(), separator=self.separator, prefix=self.prefix)
        equaliser, answers = Equaliser(), []
        try:
            for step in exchange.steps:
                line, second = _split(step, equaliser)
                answers.append(server.say(line, second=second))
                equaliser.listen(answers[-1])
        finally:
            server.close()
        return equaliser.take(answers)

    async def ours(self, exchange: Exchange) -> list[list[bytes]]:
        """What we say."""
        equaliser, answers = Equaliser(), []
        async with asyncio.TaskGroup() as tasks:
            server = PillarboxImap(self._copy(), tasks, separator=self.separator, prefix=self.prefix)
            for step in exchange.steps:
                line, second = _split(step, equaliser)
                answers.append(await server.say(line, second=second))
                equaliser.listen(answers[-1])
            await server.close()
        return equaliser.take(answers)

    async def side_by_side(
        self, lines: Iterable[bytes], goes_on: Callable[[bytes, bytes, bytes], bool]
    ) -> list[tuple[bytes, bytes, bytes]]:
        """Each line, and what both say to it with INBOX selected.

        Where `goes_on` of the three is false, the next line is said in new sessions on new copies.
        """
        had: list[tuple[bytes, bytes, bytes]] = []
        rest = iter(lines)
        line = next(rest, None)
        while line is not None:
            theirs = DovecotImap(self._copy(), patience=PATIENCE)
            try:
                async with asyncio.TaskGroup() as tasks:
                    ours = PillarboxImap(self._copy(), tasks)
                    same = True
                    while same and line is not None:
                        theirs.say(b"x SELECT INBOX")
                        await ours.say(b"x SELECT INBOX")
                        had.append((line, theirs.say(b"x " + line), await ours.say(b"x " + line)))
                        same = goes_on(*had[-1])
                        line = next(rest, None)
                    await ours.close()
            finally:
                theirs.close()
        return had

    def make_directory(self, name: str) -> None:
        """One more mailbox in the tree, made as another program would."""
        for part in ("cur", "new", "tmp"):
            (self._prepared / name / part).mkdir(parents=True)
        (self._prepared / name / "maildirfolder").touch()

    def _copy(self) -> Path:
        self._count += 1
        base = self._base / str(self._count)
        base.mkdir(mode=0o755)
        shutil.copytree(self._prepared, base / "Maildir")  # with the times of the files
        return base

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._base, ignore_errors=True)
