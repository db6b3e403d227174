"""What an agent does for a recipient, run in this process with the rights of whoever runs the tests."""

import os
import select
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pillarbox.config.name_expansion import expand_names
from pillarbox.config.snapshot import Snapshot
from pillarbox.delivery.local import command
from pillarbox.delivery.local.agent_loop import Worker
from pillarbox.delivery.local.agent_settings import AgentSettings, agent_settings
from pillarbox.delivery.local.command import CommandResult, CommandRun, censored, outcome_of
from pillarbox.delivery.local.frames import (
    Account,
    CommandMail,
    DeliverLocally,
    FileMail,
    IncludeMail,
    LocalJobDone,
    Readdressed,
    Recipient,
    UserMail,
    Work,
)
from pillarbox.delivery.local.spool_rights import SpoolRights
from pillarbox.net.startup import AgentService
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import EXTRACTED, ContentEncoder, encode_record
from pillarbox.vocabulary.clock import ManualClock

ME = Account(max(os.getuid(), 1), max(os.getgid(), 1))


class Bench:
    """A home, a message, and a worker for jobs about them."""

    def __init__(self, home: Path, **values: str) -> None:
        self.home = home
        self.settings: AgentSettings = agent_settings(
            Snapshot.of({"home_mailbox": "Maildir/", **values}), AgentService(name="local", program="local")
        )
        self.worker = Worker(self.settings, clock=ManualClock(), spool=SpoolRights(0, None))
        self.message = home / "message"
        self.write(b"Subject: x\r\n\r\nFrom here\r\n")
        self.descriptor = os.open(self.message, os.O_RDONLY)
        # Files in tests belong to whoever runs them; root's agent would pass on what .forward lists.
        self.account = Account(os.getuid() or 65534, ME.gid, b"me", os.fsencode(home), b"/bin/sh")

    def write(self, content: bytes) -> None:
        """Another message in the queue file."""
        encoder = ContentEncoder()
        records = encoder.feed(content) + encoder.finish()
        self.message.write_bytes(records + encode_record(EXTRACTED, b"") + encode_end(()))

    def forward(self, text: str, name: str = ".forward") -> None:
        """A .forward file."""
        (self.home / name).write_text(text)
        (self.home / name).chmod(0o600)

    def run(
        self, work: Work, *, extension: bytes | None = None, seen: tuple[bytes, ...] = ()
    ) -> LocalJobDone:
        """Do one job to its end."""
        (done,) = self.run_all([self.job(1, work, extension=extension, seen=seen)])
        return done

    def run_all(self, jobs: list[DeliverLocally]) -> list[LocalJobDone]:
        """Do jobs to their end."""
        done: list[LocalJobDone] = []
        self.worker.take([(job, os.dup(self.descriptor)) for job in jobs])
        deadline = time.monotonic() + 45
        while len(done) < len(jobs):
            done += self.worker.results()
            if len(done) < len(jobs):
                assert time.monotonic() < deadline
                time.sleep(0.002)
                self.worker.look()
        return done

    def job(
        self, number: int, work: Work, *, extension: bytes | None = None, seen: tuple[bytes, ...] = ()
    ) -> DeliverLocally:
        """A job about me@here.test."""
        local = b"me" if extension is None else b"me+" + extension
        who = Recipient(
            address=local + b"@here.test",
            original=b"orig@here.test",
            delivered=b"me@here.test",
            sender=b"you@there.test",
            local=local,
            user=b"me",
            domain=b"here.test",
            extension=extension,
            delimiter=b"" if extension is None else b"+",
        )
        return DeliverLocally(
            number, 0, who, self.account, work, client=[(b"CLIENT_HELO", b"h;x")], seen=list(seen)
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """With a Maildir at home."""
    return Bench(tmp_path)


def texts(done: LocalJobDone) -> list[tuple[str, str, str]]:
    """Status, code and text of each piece."""
    return [(piece.status, piece.dsn, piece.text) for piece in done.pieces]


USER = UserMail(forward=True, mailbox=True)
LARGE = b"Subject: x\r\n\r\n" + b"%s\r\n" % (b"A" * 76) * 100_000


@pytest.mark.parametrize("where", ["Other/", "box", "|cat > copy"])
def test_a_large_message_goes_in_blocks(bench: Bench, where: str) -> None:
    """7.5 MiB, and the agent needs a fraction of them."""
    bench.write(LARGE)
    there = (
        where.replace("|cat > ", f"|cat > {bench.home}/")
        if where.startswith("|")
        else f"{bench.home}/{where}"
    )
    bench.forward(f'"{there}"\n')
    tracemalloc.start()
    try:
        assert [piece.status for piece in bench.run(USER).pieces] == ["sent"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = [*bench.home.glob("Other/new/*"), *bench.home.glob("box"), *bench.home.glob("copy")]
    assert len(found) == 1
    text = LARGE.replace(b"\r\n", b"\n")
    assert found[0].read_bytes().endswith(text + b"\n" if where == "box" else text)
    assert peak < len(LARGE) // 3


def test_a_large_message_is_there_for_what_comes_after_a_command(bench: Bench) -> None:
    """Its queue file stays open until the job is done, and no longer."""
    bench.write(LARGE)
    before = len(os.listdir("/proc/self/fd"))
    bench.forward(f'"|cat > {bench.home}/copy"\n{bench.home}/box\n{bench.home}/Other/\n')
    done = bench.run(USER)
    assert [piece.status for piece in done.pieces] == ["sent", "sent", "sent"]
    text = LARGE.replace(b"\r\n", b"\n")
    (stored,) = (bench.home / "Other" / "new").iterdir()
    for copy in (bench.home / "copy", stored):
        assert copy.read_bytes().endswith(text)
    assert (bench.home / "box").read_bytes().endswith(text + b"\n")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("where", ["Other/", "box", "|cat"])
def test_a_large_message_that_is_damaged_waits(bench: Bench, where: str) -> None:
    """Whatever it was to go into."""
    bench.write(LARGE)
    os.truncate(bench.message, len(LARGE) // 2)
    bench.forward(f"{where if where.startswith('|') else bench.home / where}{'/' * where.endswith('/')}\n")
    done = bench.run(USER)
    assert texts(done) == [("deferred", "4.3.0", "queue file read error")]
    assert done.warnings[0].startswith("queue file read error: ")


def test_a_large_message_that_is_too_large(bench: Bench) -> None:
    """mailbox_size_limit is seen while it is written; nothing stays in the Maildir."""
    bench = Bench(bench.home, mailbox_size_limit=str(len(LARGE) // 2))
    bench.write(LARGE)
    text = "maildir delivery failed: error writing message: File too large"
    assert texts(bench.run(USER)) == [("bounced", "5.2.2", text)]
    assert not [*(bench.home / "Maildir").glob("*/*")]


def test_mailbox(bench: Bench) -> None:
    """Many jobs at once, one file each."""
    done = bench.run_all([bench.job(number, USER) for number in range(5)])
    assert [texts(one) for one in done] == [[("sent", "2.0.0", "delivered to maildir")]] * 5
    files = list((bench.home / "Maildir" / "new").iterdir())
    assert len(files) == 5
    assert (
        files[0]
        .read_text()
        .startswith(
            "Return-Path: <you@there.test>\nX-Original-To: orig@here.test\nDelivered-To: me@here.test\nSubject: x\n"
        )
    )


def test_no_mailbox_of_the_agent(bench: Bench) -> None:
    """Another transport's business."""
    assert not bench.run(UserMail(forward=True, mailbox=False)).handled


def test_nothing_is_done_twice(bench: Bench) -> None:
    """What was done stands in `seen`."""
    first = bench.run(USER)
    assert texts(bench.run(USER, seen=tuple(first.seen))) == []
    assert len(list((bench.home / "Maildir" / "new").iterdir())) == 1


def as_owner(bench: Bench) -> None:
    """The tests' files belong to the account, also when root runs the tests."""
    if os.getuid() == 0:
        for path in (bench.home / ".forward", bench.home / ".forward+ext"):
            if path.exists():
                os.chown(path, bench.account.uid, -1)


def test_forward(bench: Bench) -> None:
    """Files and commands are done, addresses go back; comments do not count."""
    bench.forward('# a@b.test\nalice, "|cat >out"\n~/file\nbob@there.test\n')
    as_owner(bench)
    bench = Bench(bench.home, command_execution_directory="$home")
    done = bench.run(USER)
    assert texts(done) == [
        ("sent", "2.0.0", "delivered to command: cat >out"),
        ("sent", "2.0.0", f"delivered to file: {bench.home}/file"),
    ]
    assert done.addresses == [
        Readdressed(b"alice", from_include=False, keep_extension=False),
        Readdressed(b"bob@there.test", from_include=False, keep_extension=False),
    ]
    assert (bench.home / "out").read_text() == (bench.home / "file").read_text().replace(
        ">From here", "From here"
    )[:-1]
    assert not (bench.home / "Maildir").exists()


def test_a_forward_file_counts_as_soon_as_it_is_there(bench: Bench) -> None:
    """And no longer: what is remembered of a recipient are paths."""
    for _ in range(2):
        assert [piece.status for piece in bench.run(USER).pieces] == ["sent"]
        bench.forward("alice\n")
        assert [found.address for found in bench.run(USER).addresses] == [b"alice"]
        bench.forward("bob\n", ".forward+ext")
        assert [found.address for found in bench.run(USER, extension=b"ext").addresses] == [b"bob"]
        assert [found.address for found in bench.run(USER, extension=b"other").addresses] == [b"alice"]
        for name in (".forward", ".forward+ext"):
            (bench.home / name).unlink()


def test_forward_for_an_extension(bench: Bench) -> None:
    """The file with the extension's name comes first."""
    bench.forward("one\n")
    bench.forward("two\n", ".forward+ext")
    as_owner(bench)
    assert [found.address for found in bench.run(USER, extension=b"ext").addresses] == [b"two"]
    assert [found.address for found in bench.run(USER, extension=b"other").addresses] == [b"one"]
    assert [found.address for found in bench.run(USER).addresses] == [b"one"]


def test_a_line_that_waits_is_the_last(bench: Bench) -> None:
    """What follows is done when the mail is tried again."""
    bench.forward('"|exit 75", ~/one\n~/two\nalice\n')
    as_owner(bench)
    done = bench.run(USER)
    assert [piece.status for piece in done.pieces] == ["deferred", "sent"]
    assert done.addresses == []
    assert not (bench.home / "two").exists()


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else in the file's place."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


DISTRUSTED: list[tuple[str, Callable[[Path], object], str]] = [
    ("all may write", lambda path: path.chmod(0o666), "is world writable"),
    ("another's", lambda path: os.chown(path, 12345, -1), "has bad owner uid 12345"),
    ("a directory", replace_by(Path.mkdir), "is not a regular file"),
    ("sparse", lambda path: os.truncate(path, 1 << 40), "is larger than 16777216 octets"),
    ("a link", replace_by(lambda path: path.symlink_to("message")), "is not a regular file"),
]


@pytest.mark.parametrize(
    ("change", "warning"), [row[1:] for row in DISTRUSTED], ids=[row[0] for row in DISTRUSTED]
)
def test_a_forward_file_that_is_not_trusted(
    bench: Bench, change: Callable[[Path], object], warning: str
) -> None:
    """It counts for nothing, and is warned of."""
    bench.forward("alice\n")
    as_owner(bench)
    try:
        change(bench.home / ".forward")
    except PermissionError:
        pytest.skip("only root can do that")
    done = bench.run(USER)
    assert done.warnings == [f"file {bench.home}/.forward {warning}"]
    assert texts(done) == [("sent", "2.0.0", "delivered to maildir")]


def test_include(bench: Bench) -> None:
    """Files in files; one that includes itself is read once."""
    (bench.home / "list").write_text(f"alice\n:include:{bench.home}/list\n:include:{bench.home}/more\n")
    (bench.home / "more").write_text('bob, "|exit 0", ~/x\n')
    done = bench.run(IncludeMail(os.fsencode(bench.home / "list")))
    assert [found.address for found in done.addresses] == [b"alice", b"bob"]
    assert all(found.from_include for found in done.addresses)
    assert [piece.text for piece in done.pieces] == [
        "mail to command is restricted",
        "mail to file is restricted",
    ]


def test_roots_agent_runs_nothing(tmp_path: Path) -> None:
    """What root's .forward lists but addresses goes back, too."""
    bench = Bench(tmp_path)
    bench.account = Account(0, 0, b"root", os.fsencode(tmp_path), b"/bin/sh")
    bench.forward('alice, "|touch ran", ~/file, /x/\n')
    if os.getuid():
        pytest.skip("root's .forward belongs to root")
    done = bench.run(USER)
    home = os.fsencode(tmp_path)
    assert [found.address for found in done.addresses] == [b"alice", b"|touch ran", home + b"/file", b"/x/"]
    assert done.pieces == []


def test_a_list_s_owner_hears_of_its_files(tmp_path: Path) -> None:
    """Of one that cannot be written, as of a command; of a Maildir it is the sender who does."""
    bench = Bench(tmp_path)
    (tmp_path / "file").touch()
    home = os.fsencode(tmp_path)
    for place, to_owner in ((b"/file/x", True), (b"/file/x/", False)):
        (piece,) = bench.run(FileMail(home + place)).pieces
        assert (piece.status, piece.to_owner) == ("bounced", to_owner), piece


def test_maildir_limit(tmp_path: Path) -> None:
    """mailbox_size_limit is a message's largest size."""
    bench = Bench(tmp_path, mailbox_size_limit="100")
    assert texts(bench.run(FileMail(os.fsencode(tmp_path) + b"/d/"))) == [
        ("bounced", "5.2.2", "maildir delivery failed: error writing message: File too large")
    ]


COMMANDS = [
    ("fine", "exit 0", "sent", "2.0.0", "delivered to command: exit 0"),
    ("words only", "/bin/echo a  b", "sent", "2.0.0", "delivered to command: /bin/echo a  b"),
    ("status", "exit 3", "bounced", "5.3.0", 'Command died with status 3: "exit 3"'),
    ("sysexit", "exit 67", "bounced", "5.1.1", "user unknown"),
    ("try again", "exit 75", "deferred", "4.3.0", "temporary failure"),
    ("output", "echo a;exit 75", "deferred", "4.3.0", "temporary failure. Command output: a "),
    ("own status", "echo 5.7.1 no;exit 75", "bounced", "5.7.1", "no "),
    ("own soft status", "echo 4.7.1 later;exit 1", "deferred", "4.7.1", "later "),
    ("signal", "kill -9 $$", "deferred", "4.3.0", 'Command died with signal 9: "kill -9 $$"'),
    (
        "noise",
        "printf '\\001\\351';exit 64",
        "bounced",
        "5.3.0",
        "command line usage error. Command output: __",
    ),
    (
        "much output",
        "yes | head -c 100000; exit 1",
        "bounced",
        "5.3.0",
        'Command died with status 1: "yes | head -c 100000; exit 1". Command output: ' + "y " * 2048,
    ),
]


@pytest.mark.parametrize(
    ("line", "status", "dsn", "text"), [row[1:] for row in COMMANDS], ids=[row[0] for row in COMMANDS]
)
def test_command(bench: Bench, line: str, status: str, dsn: str, text: str) -> None:
    """What its end means."""
    assert texts(bench.run(CommandMail(line.encode()))) == [(status, dsn, text)]


def test_commands_run_beside_each_other(bench: Bench) -> None:
    """The first waits for a file that the second makes."""
    first = f"until test -e {bench.home}/go; do sleep 0.01; done"
    jobs = [
        bench.job(1, CommandMail(first.encode())),
        bench.job(2, CommandMail(b"touch %s/go" % os.fsencode(bench.home))),
    ]
    assert [done.job for done in bench.run_all(jobs)] in ([1, 2], [2, 1])


def test_commands_of_one_recipient_wait_for_each_other(tmp_path: Path) -> None:
    """local_destination_concurrency_limit; others are not held up."""
    bench = Bench(tmp_path, local_destination_concurrency_limit="1")
    mark = f"mkdir {tmp_path}/busy && sleep 0.05 && rmdir {tmp_path}/busy"
    jobs = [bench.job(number, CommandMail(f"{mark} # {number}".encode())) for number in range(4)]
    assert {texts(done)[0][0] for done in bench.run_all(jobs)} == {"sent"}


def test_time_limit(tmp_path: Path) -> None:
    """A command that takes too long is killed, with everything that it started."""
    bench = Bench(tmp_path, command_time_limit="1s")
    (done,) = bench.run_all([bench.job(1, CommandMail(b"sleep 100 & sleep 100"))])
    text = 'Command time limit exceeded: "sleep 100 & sleep 100"'
    assert texts(done) == [("bounced", "5.3.0", text)]


def test_what_a_command_said_before_its_time_was_up() -> None:
    """It is told, in the log and to the sender."""
    run = CommandRun(name="x", command=b"x", content=(), environment=(), directory=b"/", time_limit=1.0)
    piece = outcome_of(run, CommandResult(-9, "a ", timed_out=True))
    assert (piece.status, piece.text) == ("bounced", 'Command time limit exceeded: "x". Command output: a ')


def test_a_command_that_writes_faster_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at all the same: it has a time limit, and others wait."""
    run = CommandRun(name="x", command=b"yes", content=(), environment=(), directory=b"/", time_limit=1.0)
    running = command.Running(run, started=0.0)
    pieces = iter([b"y\n" * 32768] * 10)
    with monkeypatch.context() as patched:
        patched.setattr(os, "read", lambda descriptor, size: next(pieces))
        assert running.look() is None
    assert next(pieces, None) is not None
    while (result := running.look()) is None:
        running.kill()  # in vain before it has a session of its own
        select.select(running.descriptors, [], [])
    assert (result.timed_out, len(result.output)) == (True, 4096)


def test_environment(bench: Bench) -> None:
    """What a command is told, made harmless by command_expansion_filter."""
    out = bench.home / "environment"
    bench.run(CommandMail(f"env >{out}".encode()), extension=b"a b")
    found = dict(line.split("=", 1) for line in out.read_text().split("\n") if line)
    expected = {
        "HOME": str(bench.home),
        "USER": "me",
        "LOGNAME": "me",
        "SHELL": "/bin/sh",
        "SENDER": "you@there.test",
        "RECIPIENT": "me+a_b@here.test",
        "LOCAL": "me+a_b",
        "DOMAIN": "here.test",
        "EXTENSION": "a_b",
        "ORIGINAL_RECIPIENT": "orig@here.test",
        "CLIENT_HELO": "h_x",
        "PATH": "/usr/bin:/bin",
        "LANG": "C",
    }
    assert expected.items() <= found.items()
    assert set(found) - set(expected) <= {"MAIL_CONFIG", "TZ", "PWD", "_", "SHLVL", "OLDPWD"}


def test_censored() -> None:
    """Octet by octet."""
    assert censored("a;b\0é".encode(), "ab") == b"a_b___"


def test_a_command_that_cannot_be_started() -> None:
    """No process to be had is no fault of the mail."""
    run = CommandRun(name="x", command=b"x", content=(), environment=(), directory=b"/", time_limit=1.0)
    piece = outcome_of(run, CommandResult(75, "4.3.0 Delivery failed: no memory"))
    assert (piece.status, piece.dsn, piece.text) == ("deferred", "4.3.0", "Delivery failed: no memory")


NAMES = {"user": "me", "home": "/home/a b", "extension": None, "domain": ""}
EXPANSIONS = [
    ("$home/.forward", "/home/a_b/.forward", False),
    ("${user}${extension}", "me", True),
    ("${extension?+}$user", "me", False),
    ("${extension:none}", "none", False),
    ("${user?{yes}:{no}}", "yes", False),
    ("$domain", "", False),
    ("$nonsense", "", True),
    ("a$$b", "a$b", False),
]


@pytest.mark.parametrize(("template", "expected", "undefined"), EXPANSIONS)
def test_names(template: str, expected: str, *, undefined: bool) -> None:
    """forward_path's names: values are filtered, not expanded again."""
    found = expand_names(template, NAMES, allowed="abcdefghijklmnopqrstuvwxyz/")
    assert (found.text, found.undefined) == (expected, undefined)


def test_nothing_is_done_that_is_only_asked_about(tmp_path: Path) -> None:
    """A trace says where the mail would go: no mailbox is made, no file written, no command run."""
    for values, work, text in (
        ({}, UserMail(True, True), "delivers to maildir"),
        ({"home_mailbox": "mbox"}, UserMail(True, True), "delivers to mailbox"),
        ({}, UserMail(True, True, b"touch ran"), "delivers to command: touch ran"),
        ({}, CommandMail(b"touch ran"), "delivers to command: touch ran"),
        ({}, FileMail(b"/nowhere/at/all"), "delivers to file: /nowhere/at/all"),
        ({}, FileMail(b"/nowhere/at/all/"), "delivers to file: /nowhere/at/all/"),
    ):
        bench = Bench(tmp_path, **values)
        job = bench.job(1, work)
        job.trace_only = True
        (done,) = bench.run_all([job])
        assert [(piece.status, piece.text) for piece in done.pieces] == [("sent", text)]
    assert [path.name for path in tmp_path.iterdir()] == ["message"]


def test_a_forward_file_is_followed_in_a_trace(tmp_path: Path) -> None:
    """What it lists is told; what it may not list is refused as ever."""
    bench = Bench(tmp_path, allow_mail_to_commands="alias")
    bench.forward('other@x.test, "|touch ran", ~/file\n')
    job = bench.job(1, UserMail(True, True))
    job.trace_only = True
    (done,) = bench.run_all([job])
    assert [piece.text for piece in done.pieces] == [
        "mail to command is restricted",
        f"delivers to file: {tmp_path}/file",
    ]
    assert [found.address for found in done.addresses] == [b"other@x.test"]
