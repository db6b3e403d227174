"""The real processes, killed at their n-th system call: what was promised before is there afterwards.

DESCRIPTION
    One operation at a time: accept a message (smtpd), move, mark, bounce and remove it (qmgr), store it (delivery
    agent), and APPEND, STORE, EXPUNGE, COPY, MOVE, RENAME (account worker).  Its system calls are counted once;
    then it is done again and again, and the process killed when it enters call n.

    `make test` takes CALLS_PER_OPERATION of all n, by a seed that is printed; CALLS=all takes every n, and
    CALLS=17 only that one, CALLS_SEED=… a seed of before.
"""

import contextlib
import imaplib
import os
import random
import re
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.kill_at_call import KillAtCall, NoTracing
from fakes.mail_system import USER, MailSystem, until
from system.conftest import must_have_all, new_system

pytestmark = [pytest.mark.system, pytest.mark.proof, pytest.mark.timeout(900)]

CALLS_PER_OPERATION = 6
BLOCKED = "blocked@pillarbox.test"
BOUNCING = "bouncing@pillarbox.test"
SEED = int(os.environ.get("CALLS_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
END = b"the last line of the message"
TOKEN = re.compile(rb"(?m)^X-Token: (\S+)\r?$")


def calls_to_try(operation: str, total: int) -> list[int]:
    """Some or all of 1 … total."""
    wanted = os.environ.get("CALLS", "")
    if wanted == "all":
        return list(range(1, total + 1))
    if wanted:
        return [int(wanted)]
    chosen = random.Random(f"{SEED} {operation}").sample(range(1, total + 1), min(total, CALLS_PER_OPERATION))
    return sorted(chosen)


@pytest.fixture(scope="module")
def system() -> Iterator[MailSystem]:
    """One system for all operations, which tries again each second and starts roles again at once."""
    system = new_system("rootless")
    try:
        system.make_home()
        system.configure(
            minimal_backoff_time="1s",
            maximal_backoff_time="1s",
            queue_run_delay="1s",
            service_throttle_time="1s",
            virtual_alias_maps=f"inline:{{ {BOUNCING}=x@elsewhere.example }}",
        )
        system.start()
        try:
            with KillAtCall(system.roles()["auth"], 0):
                pass
        except NoTracing as reason:
            (pytest.fail if must_have_all() else pytest.skip)(f"ptrace is forbidden: {reason}")
        system.add_user(BLOCKED, "password")
        system.send(message(b"first"))
        until(lambda: tokens(system)[b"first"], what="there is a delivery agent")
        yield system
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


def message(token: bytes) -> bytes:
    """A message that is known again, and seen to be whole."""
    return b"Subject: any call\r\nX-Token: %s\r\n\r\n%s%s\r\n" % (token, b"line\r\n" * 2000, END)


def tokens(system: MailSystem, user: str = USER) -> Counter[bytes]:
    """How often each message is in a mailbox; each copy is whole."""
    found: Counter[bytes] = Counter()
    for path in system.delivered(user):
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            if not content.startswith(b"Return-Path: <>\n"):
                assert END in content, path
            found.update(TOKEN.findall(content))
    return found


def say(tell: Callable[[str], None], operation: str, total: int, killed: list[str], more: str) -> None:
    """One line of the report."""
    where = ", ".join(killed) if len(killed) <= CALLS_PER_OPERATION else f"{len(killed)} of them"
    tell(f"{operation}: CALLS_SEED={SEED}, about {total} system calls, killed at {where}{more}")


# -- the way of a message --------------------------------------------------------------------------------------


def try_to_send(system: MailSystem, token: bytes, *recipients: str) -> bool:
    """Whether it was promised."""
    try:
        with smtplib.SMTP("127.0.0.1", system.port("smtp"), timeout=20) as client:
            client.sendmail(USER, recipients, message(token))
    except (OSError, smtplib.SMTPException):
        return False
    return True


def the_role(system: MailSystem, role: str) -> int:
    """Its process, which serves."""
    found: list[int] = []

    def is_there() -> bool:
        pid = system.roles().get(role)
        if not system.is_healthy() or pid is None or not is_running(pid):
            return False
        found.append(pid)
        return True

    until(is_there, what=f"{role} serves")
    return found[0]


def is_running(pid: int) -> bool:
    """Whether it is alive, and not only waiting for its parent to hear of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def the_agent(system: MailSystem) -> int:
    """The delivery agent; there is one for a minute after a delivery."""
    delivery = the_role(system, "delivery")

    def agents() -> list[int]:
        children = Path(f"/proc/{delivery}/task/{delivery}/children").read_text()
        return [int(pid) for pid in children.split() if is_running(int(pid))]

    if not agents():
        token = b"agent-%d" % random.SystemRandom().getrandbits(40)
        system.send(message(token))
        until(lambda: tokens(system)[token], what="a delivery makes an agent")
    return agents()[0]


def leftovers(system: MailSystem) -> list[str]:
    """Everything in the queue that is or was a message."""
    spool = system.data / "spool"
    names = ("incoming", "active", "deferred", "corrupt", "hold", "defer", "bounce")
    return [str(path) for name in names for path in (spool / name).rglob("*") if path.is_file()]


@pytest.mark.parametrize("victim", ["smtpd", "qmgr", "agent"])
def test_mail_survives(system: MailSystem, victim: str, tell: Callable[[str], None]) -> None:
    """A message for one who gets it, one whose mailbox is closed for now, and one that bounces.

    Whatever was promised arrives, whole; the first two at least once, and a bounce for the third.
    """

    def scene(number: int) -> tuple[bool, KillAtCall]:
        token = b"%s-%d" % (victim.encode(), number)
        find: Callable[[], int] = (
            (lambda: the_agent(system)) if victim == "agent" else (lambda: the_role(system, victim))
        )
        pid = find()
        closed = system.maildir(BLOCKED)
        closed.mkdir(parents=True, exist_ok=True)
        closed.chmod(0)
        try:
            with KillAtCall(pid, number) as tracing:
                promised = try_to_send(system, token, USER, BLOCKED, BOUNCING)
                if promised:
                    # Its own copy, and the bounce with its header.
                    until(
                        lambda: tokens(system)[token] >= 2,
                        what=lambda: f"{token!r} arrives and bounces:\n{system.log()[-3000:]}",
                    )
        finally:
            closed.chmod(0o700)
        if promised:
            until(
                lambda: tokens(system, BLOCKED)[token],
                what=lambda: f"{token!r} arrives in the mailbox that was closed:\n{system.log()[-3000:]}",
            )
        return promised, tracing

    promised, counted = scene(0)
    assert promised
    killed: list[str] = []
    killed_at: dict[bytes, str] = {}
    promises = 1
    for number in calls_to_try(victim, counted.calls):
        promised, tracing = scene(number)
        promises += promised
        killed_at[b"%s-%d" % (victim.encode(), number)] = tracing.killed_at
        if tracing.killed_at:
            killed.append(f"{number} {tracing.killed_at}")
    system.until_healthy()
    until(lambda: not leftovers(system), what=lambda: f"the queue is empty: {leftovers(system)}")
    found = {token: count for token, count in tokens(system).items() if token.startswith(victim.encode())}
    # The message, and the bounce with its header, are two.
    twice = {token: count - 2 for token, count in found.items() if count > 2}
    say(tell, victim, counted.calls, killed, f"; {promises} promised, {sum(twice.values())} duplicates")
    assert killed
    if victim == "agent":  # only what was stored and could not be noted any more is stored again
        assert {"pwritev2"} >= {killed_at[token] for token in twice}, (twice, killed_at)


# -- IMAP ------------------------------------------------------------------------------------------------------


class Account:
    """The user's account by IMAP, over a connection that may be lost."""

    def __init__(self, system: MailSystem) -> None:
        self._system = system
        self.client = self.connect()

    def connect(self) -> imaplib.IMAP4:
        """A new session, as soon as there is one to be had."""
        made: list[imaplib.IMAP4] = []

        def is_in() -> bool:
            try:
                client = imaplib.IMAP4("127.0.0.1", self._system.port("imap"), timeout=20)
            except (OSError, imaplib.IMAP4.error):
                return False
            try:
                client.login(BLOCKED, "password")
            except (OSError, imaplib.IMAP4.error):
                client.shutdown()
                return False
            made.append(client)
            return True

        until(is_in, what="a new session")
        return made[0]

    def again(self) -> None:
        """A new session in place of one that was lost."""
        self.close()
        self.client = self.connect()

    def close(self) -> None:
        """Leave, if there is anybody to tell."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.client.logout()
        with contextlib.suppress(OSError):
            self.client.shutdown()

    def worker(self) -> int:
        """The process that serves the session."""
        spawner = self._system.roles()["spawner"]
        children = Path(f"/proc/{spawner}/task/{spawner}/children").read_text().split()
        return int(children[-1])

    def do(self, command: str, *arguments: str) -> bool:
        """Whether OK was the answer; False if the connection was lost over it."""
        try:
            answer, _ = self.client.uid(command, *arguments)
        except (OSError, imaplib.IMAP4.abort):
            return False
        assert answer == "OK"
        return True

    def select(self, mailbox: str) -> None:
        """SELECT."""
        assert self.client.select(mailbox)[0] == "OK"

    def contents(self, mailbox: str) -> dict[int, tuple[bytes, frozenset[bytes]]]:
        """UID → token and flags of the messages of a mailbox; {} if there is no such mailbox."""
        if self.client.select(mailbox, readonly=True)[0] != "OK":
            return {}
        answer = self.client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
        found: dict[int, tuple[bytes, frozenset[bytes]]] = {}
        for entry in answer:
            if isinstance(entry, tuple):
                uid = re.search(rb"UID (\d+)", entry[0])
                flags = re.search(rb"FLAGS \(([^)]*)\)", entry[0])
                assert uid is not None
                assert flags is not None
                assert END in entry[1]
                found[int(uid[1])] = (
                    TOKEN.findall(entry[1])[0],
                    frozenset(flags[1].split()) - {rb"\Recent"},
                )
        return found

    def uid_validity(self, mailbox: str) -> bytes:
        """Its UIDVALIDITY."""
        found: list[bytes] = self.client.status(mailbox, "(UIDVALIDITY)")[1]
        return found[0].partition(b" ")[2]


Contents = dict[int, tuple[bytes, frozenset[bytes]]]


class Case:
    """An operation on a folder of three messages, and what must be true after it."""

    name = ""

    def act(self, account: Account, uids: list[int]) -> bool:
        """Do it; whether it was answered with OK."""
        raise NotImplementedError

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """`other` is the folder Target."""
        raise NotImplementedError


class Append(Case):
    """OK: it has the UID that was told.  No answer: it is there, or not."""

    name = "APPEND"
    promised_uid = 0

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        try:
            answer, data = account.client.append("Source", r"(\Seen $Kept)", "", message(b"appended"))
        except (OSError, imaplib.IMAP4.abort):
            return False
        assert answer == "OK"
        found = re.search(rb"APPENDUID \d+ (\d+)", data[0])
        assert found is not None
        self.promised_uid = int(found[1])
        return True

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        new = {uid: entry for uid, entry in after.items() if uid not in before}
        assert before == {uid: entry for uid, entry in after.items() if uid in before}
        assert len(new) <= 1
        if answered:
            assert new == {self.promised_uid: (b"appended", frozenset((rb"\Seen", b"$Kept")))}


class Store(Case):
    """OK: the flags are there.  No answer: on each message they are, or are not."""

    name = "STORE"

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        return account.do("STORE", f"{uids[0]},{uids[2]}", "+FLAGS", r"(\Flagged $Label)")

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        first, second, third = before
        assert set(after) == set(before)
        assert after[second] == before[second]
        for uid in (first, third):
            changed = (before[uid][0], before[uid][1] | {rb"\Flagged", b"$Label"})
            assert after[uid] in ([changed] if answered else [changed, before[uid]])


class Expunge(Case):
    r"""OK: what was \Deleted is gone.  No answer: each is gone or not.  What was not \Deleted stays."""

    name = "EXPUNGE"

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        return account.do("STORE", f"{uids[0]},{uids[2]}", "+FLAGS", r"(\Deleted)") and account.do(
            "EXPUNGE", f"1:{uids[2]}"
        )

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        first, second, third = before
        assert after[second] == before[second]
        assert set(after) <= set(before)
        if answered:
            assert not {first, third} & set(after)


class Copy(Case):
    """OK: they are in Target.  The source has them in any case."""

    name = "COPY"

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        return account.do("COPY", f"1:{uids[2]}", "Target")

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        assert after == before
        copied = Counter(other.values())
        assert copied <= Counter(before.values())
        if answered:
            assert copied == Counter(before.values())


class Move(Case):
    """OK: they are in Target only.  No answer: each is in one of the two at least."""

    name = "MOVE"

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        return account.do("MOVE", f"1:{uids[2]}", "Target")

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        assert set(before.values()) == set(after.values()) | set(other.values())
        assert set(after) <= set(before)
        if answered:
            assert not after


class Rename(Case):
    """All messages are under one of the two names, with their UIDs."""

    name = "RENAME"

    def act(self, account: Account, uids: list[int]) -> bool:
        """See `Case`."""
        try:
            assert account.client.delete("Target")[0] == "OK"
            answer, _ = account.client.rename("Source", "Target")
        except (OSError, imaplib.IMAP4.abort):
            return False
        assert answer == "OK"
        return True

    def check(self, before: Contents, after: Contents, other: Contents, *, answered: bool) -> None:
        """See `Case`."""
        assert (after, other) in ([({}, before)] if answered else [({}, before), (before, {})])


CASES = [Append, Store, Expunge, Copy, Move, Rename]


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: str(kind.name))
def test_mailbox_survives(system: MailSystem, kind: type[Case], tell: Callable[[str], None]) -> None:
    """What was answered with OK is true after the worker was killed; what was not has happened or not."""
    account = Account(system)

    def scene(number: int) -> KillAtCall:
        if account.client.state == "SELECTED":
            account.client.unselect()
        for folder in ("Source", "Target"):
            account.client.delete(folder)
            assert account.client.create(folder)[0] == "OK"
        for part in range(3):
            text = message(b"part-%d" % part)
            assert account.client.append("Source", r"(\Answered)", "", text)[0] == "OK"
        before = account.contents("Source")
        validity = account.uid_validity("Source")
        account.client.unselect()
        if kind is not Rename:
            account.select("Source")
        case = kind()
        with KillAtCall(account.worker(), number) as tracing:
            answered = case.act(account, list(before))
            if answered and number:
                # Calls after the answer count as well: the worker may be tidying up.
                with contextlib.suppress(OSError, imaplib.IMAP4.error):
                    account.client.noop()
        account.again()
        after, other = account.contents("Source"), account.contents("Target")
        try:
            case.check(before, after, other, answered=answered)
        except AssertionError as failure:
            place = f"CALLS={number}, killed at {tracing.killed_at or 'no call'}, answered: {answered}"
            raise AssertionError(f"{place}\n{before}\n{after}\n{other}") from failure
        name = "Source" if after or kind is not Rename else "Target"
        assert account.uid_validity(name) == validity
        return tracing

    total = scene(0).calls
    killed: list[str] = []
    for number in calls_to_try(kind.name, total):
        tracing = scene(number)
        if tracing.killed_at:
            killed.append(f"{number} {tracing.killed_at}")
    account.close()
    say(tell, kind.name, total, killed, "")
    assert killed
