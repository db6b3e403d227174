"""Our sendmail beside Debian's, while the mail system is down: the same command, the same file in maildrop.

DESCRIPTION
    Each case runs with a queue of its own; exit status, output, and the records of the file in maildrop are compared
    (without the time, and the id that it has).  Input is one string for all commands of a case.

    `DIFFERENCES` lists what is meant to differ, by the command line.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.filled_queue import Spool
from fakes.forked_command import run_forked
from pillarbox.queue.records import LINE, PARTIAL, BytesSource, RecordReader
from pillarbox.tools import sendmail

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix")]

Result = tuple[int, str, str, list[tuple[str, bytes]]]
DIFFERENCES: Final[dict[str, str]] = {
    "-O requiretls=yes root": "REQUIRETLS is of a later release than Debian's",
    "-t -f long@x": "an address longer than line_length_limit: the original's postdrop refuses the message",
    "-Z root": "an option that there is not is told once",
    "-a root": "an option that there is not is told once",
}
MESSAGE: Final = b"Subject: x\n\nbody\n"
T: Final = "-t"
CASES: Final[list[tuple[bytes, str]]] = [
    (MESSAGE, "root"),
    (MESSAGE, '-f|a@b.c|-F|Al "Q" B|root|bob@x.y'),
    (b'To: "X Y" <other u@d.e>, bob, gr: a@g.x, b@g.x;\nCc: c@d (comment)\nBcc: h@i.j\nResent: no\n\nx\n', T),
    (b"To: a@b\nResent-To: r@s\nResent-Bcc: q@s\n\nx", "-t|extra@x.y"),
    (b"Subject: none\n\nx\n", T),
    (b"", T),
    (b"x", T),
    (b"Subject: a\nTo: b@c\n cont@d,\n\te@f\nnot a header\nTo: z@z\n\nq\n", T),
    (b"To: undisclosed:;\nBcc: a@b\n\n", T),
    (b"To: ,,a@b,,,c@d;e@f g@h <i@j> k l\n\n", T),
    (b"a\n.\nb\n", "-oi|root"),
    (b"a\n.\nb\n", "root"),
    (b"a\r\nb\r\nc\n", "-i|root"),
    (b"From me Mon\nSubject: y\n\nz\n", "root"),
    (b">From me Mon\nSubject: y\n\nz\n", "root"),
    (b"Subject: y\n\nFrom me\n", "root"),
    (b" leading\n\nz\n", "root"),
    (b"", "root"),
    (b"x" * 5000 + b"\nnul \0 and \xff\n", "root"),
    (MESSAGE, "-N|never|-R|hdrs|-V|env|-B|8BITMIME|-f|<>|root"),
    (MESSAGE, "-N|success,delay|-B|7BIT|-f||root@x"),
    (MESSAGE, "-N|bogus|-R|bogus|root"),
    (MESSAGE, "-N|never,success|root"),
    (MESSAGE, "-B|bogus|root"),
    (MESSAGE, "-G|root"),
    (MESSAGE, "-v|root"),
    (MESSAGE, "-bv|root|bob"),
    (MESSAGE, "-bm|-om|-oem|-oi|-oep|-o7|-o8|-m|-h|3|-L|tag|-U|-Am|-O|foo=bar|-c|-x|-e1|-p1|root"),
    (MESSAGE, "-n|root"),
    (MESSAGE, "-X|/dev/null|root"),
    (MESSAGE, "-r|x@y|root"),
    (MESSAGE, "-XV+=|-f|o@x|root"),
    (MESSAGE, "-XV|-f|o@x|root"),
    (MESSAGE, "-V+-|-f|o@x|root"),
    (MESSAGE, "-XVab|-f|o@x|root"),
    (MESSAGE, "-XV+=|-f||root"),
    (MESSAGE, "-Z|root"),
    (MESSAGE, "-a|root"),
    (MESSAGE, "-bx|root"),
    (MESSAGE, "-f|bad|root"),
    (MESSAGE, "-f|a b@c|root"),
    (MESSAGE, "-f|a@b@c|root"),
    (MESSAGE, "-f|Name <q@r>|root"),
    (MESSAGE, 'Name <q@r>, s@t|"a b"@c|<>||\\\\root|a..b|@x|x@|a,b'),
    (MESSAGE, "-t|-bv|root"),
    (MESSAGE, "-t|-bp"),
    (MESSAGE, "-q15m"),
    (MESSAGE, "-q"),
    (MESSAGE, "-qIABC"),
    (MESSAGE, "-qRx.y"),
    (MESSAGE, "-qGx"),
    (MESSAGE, "-qI"),
    (MESSAGE, "-bp"),
    (MESSAGE, "-bp|x"),
    (MESSAGE, "-bi|x"),
    (MESSAGE, "-bd|x"),
    (MESSAGE, "-bs|x"),
    (MESSAGE, "-bh"),
    (MESSAGE, "-q|root"),
    (MESSAGE, "-I|x"),
    (MESSAGE, "-oA/tmp/x|root"),
    (MESSAGE, "-o|root"),
    (MESSAGE, "--|-root"),
    (MESSAGE, ""),
    (
        b"To: a@b\nResent-To: r@s\nResent-Cc: c@s,\n d@s\nResent-Bcc: q@s\nResent-From: f@s\nSubject: x\n\nb\n",
        "-t|-f|me@here",
    ),
    (b"Resent-To: r@s\nResent-From: f@s\n\nb\n", T),
    (b"Resent-From: f@s\nTo: a@b\n\nb\n", T),
    (b"To: a@b\nResent-To:\nCc: c@d\n\nb\n", T),
    (b"Bcc: a@b\nResent-To: r@s\n\nb\n", "-t|-i"),
    (b'To: =?utf-8?q?x?= <a@b>, "q, r" <c@d>, (c) e@f\n\n', T),
    (b"To: g\xc3\xbc@x.test, a@m\xc3\xbcller.test\n\nb\n", T),
    (b"To: a@b\nTo: c@d\nCC: E@F\nbCC: g@h\n\n", T),
    (b"To: \n\nb\n", T),
    (b"To: a@b\n \n c@d\n\nb\n", T),
    (b"To: a@b\r\nCc: c@d\r\n\r\nbody\r\n.\r\nx\r\n", T),
    (b"To: a@b c@d\n\n", "-t|x@y|z@w"),
    (b'To: x::y, x:y, @r1,@r2:u@x, <@r1,@r2:u@x>, n <a@b> more, a(c)d@e, ""\nCc: <<a@b>>\nBcc: a>b\n\n', T),
    (b"To: <>\nCc: open <a@b\n\n", T),
    (MESSAGE, "--|open <a@b|<@r1,@r2:u@x>|x:y|a>b|<>"),
    (b"To: " + b", ".join(b"u%d@x.test" % n for n in range(400)) + b"\n\n", T),
    (MESSAGE, "-F||root"),
    (MESSAGE, "-F|x\ty|root"),
    (MESSAGE, "-F|J\xf6rg|-f|me@x|root"),
    (MESSAGE, "-V|root"),
    (MESSAGE, "-V|a b+c=d|root"),
    (MESSAGE, "-V|\xe9|root"),
    (MESSAGE, "-V||root"),
    (MESSAGE, "-N||root"),
    (MESSAGE, "-N|SUCCESS,FAILURE,DELAY|root"),
    (MESSAGE, "-N|success|-N|never|root"),
    (MESSAGE, "-R|FULL|root"),
    (MESSAGE, "-R||root"),
    (MESSAGE, "-f|x@y|-r|z@w|root"),
    (MESSAGE, "-f|MAILER-DAEMON|root"),
    (MESSAGE, '-f|"a b"@c.d|root'),
    (MESSAGE, "-f|<a@b>|root"),
    (MESSAGE, "-f|a@b (comment)|root"),
    (MESSAGE, "-f|g\xfc@x.test|root"),
    (MESSAGE, "-f|a,b|root"),
    (MESSAGE, "-fx@y|root"),
    (MESSAGE, "-Fname|-rx@y|root"),
    (MESSAGE, "-B8BITMIME|-Nnever|-Rfull|-Venv|root"),
    (MESSAGE, "-B|8bitmime|root"),
    (MESSAGE, "-XV|root"),
    (MESSAGE, "-XV=+|-f|o@x|-N|never|root"),
    (MESSAGE, "-XV+|-f|o@x|root"),
    (MESSAGE, "-XV+=-|-f|o@x|root"),
    (MESSAGE, "-bm|-t|root"),
    (MESSAGE, "-bt"),
    (MESSAGE, "-bl|x"),
    (MESSAGE, "-bv|-v|-v|root"),
    (MESSAGE, "-bv|-f||root"),
    (MESSAGE, "-v|-v|root"),
    (MESSAGE, "-bD"),
    (MESSAGE, "-bH"),
    (MESSAGE, "-bm"),
    (MESSAGE, "-i"),
    (MESSAGE, "-i|-i|root"),
    (MESSAGE, "-Ac|root"),
    (MESSAGE, "-Am|root"),
    (MESSAGE, "-C|/nonexistent/main.cf|root"),
    (MESSAGE, "-C|/nonexistent|root"),
    (MESSAGE, "-C|relative|root"),
    (MESSAGE, "-oi|-oem|-om|-oQ/x|-odb|-odq|root"),
    (MESSAGE, "-OiX|root"),
    (MESSAGE, "-qS"),
    (MESSAGE, "-qSx"),
    (MESSAGE, "-qf"),
    (MESSAGE, "-qp"),
    (MESSAGE, "-qR"),
    (MESSAGE, "-qRa/b"),
    (MESSAGE, "-qR[1.2.3.4]"),
    (MESSAGE, "-qIa/b"),
    (MESSAGE, "-qI10F512301A4"),
    (MESSAGE, "-q1h30m"),
    (MESSAGE, "-qx"),
    (MESSAGE, "root|-f|x@y"),
    (MESSAGE, "root|-t"),
    (MESSAGE, "a@b,c@d|e@f g@h"),
    (MESSAGE, "|"),
    (MESSAGE, "<>"),
    (MESSAGE, "@x"),
    (MESSAGE, "a b"),
    (MESSAGE, "g:a@b,c@d;"),
    (MESSAGE, "-t|-G|x"),
    (b"To: x@y\nFrom: me@z\n\nb\n", "-G|-t"),
    (b"X" * 20000 + b": y\n\nb\n", "root"),
    (b"A: " + b"y" * 200000 + b"\n\nb\n", "root"),
    (b"\n\n\nbody\n", "root"),
    (b"\r\nbody\r\n", "root"),
    (b"a\r\nb\n\rc\r\r\nd", "root"),
    (b".\nx\n", "root"),
    (b"a\n..\n.x\n", "root"),
    (b"a\n.\r\nb\n", "root"),
    (b"a\n.", "root"),
    (b"From a\n>From b\nFrom c\nX: y\n\n", "root"),
    (b"From: x\n\nFrom y\n", "-t|root"),
    (b">>From x\nSubject: y\n\nz", "root"),
    (MESSAGE, "-V|+=|-f|o@x|root"),
    (MESSAGE, "-V|ab|-f|o@x|root"),
    (MESSAGE, "-Vab|-f|o@x|root"),
    (MESSAGE, "-Vabc|root"),
    (b"a\nb\r\nc\r\r\n", "root"),
    (MESSAGE, "-N|delay|-N||root"),
    (MESSAGE, "-N|delay|-N|never,success|root"),
    (MESSAGE, "-R|full|-R|bogus|root"),
    (MESSAGE, "-X|V|-f|o@x|root"),
    (MESSAGE, "-qIx|-qRy"),
    (MESSAGE, "-qIx|-qRy|root"),
    (MESSAGE, "-qIx|-bp"),
    (MESSAGE, "-q|-qRx"),
    (MESSAGE, "-q5m|-t|root"),
    (MESSAGE, "-t|-q5m|root"),
    (MESSAGE, "-bp|-q5m|x"),
    (MESSAGE, "-q5m|-qIx"),
    (MESSAGE, "-bh|-t"),
    (MESSAGE, "-O|requiretls=yes|root"),
    (b"To : a@b\nCc\t: c@d\n\nb\n", T),
    (b"To: a@b\nApparently-To: i@j\nErrors-To: m@n\nReply-To: g@h\n\n", T),
    (b"Bcc: a@b\n", T),
    (b"To: a@b\n.\nCc: c@d\n", T),
    (b"To: a@b\0c@d\nSubject: x\0y\n\nz\0\n", T),
    (b"To: a@b\rCc: c@d\r\r", T),
    (b"To: " + b"a" * 5000 + b"@x\n\n", "-t|-f|long@x"),
    (b"Subject: bigger than message_size_limit\n\n" + b"x" * 10_300_000, "root"),
]


def name_of(arguments: str) -> str:
    return arguments.replace("|", " ")


def run(base: Path, stdin: bytes, arguments: str, *, is_ours: bool) -> Result:
    spool = Spool(base, owner="postfix", empty=True)
    words = arguments.split("|") if arguments else []
    environment = {"MAIL_CONFIG": str(base), "NAME": ""}
    if is_ours:
        done = run_forked(sendmail.main, words, stdin=stdin, **environment)
    else:
        done = subprocess.run(
            ["/usr/sbin/sendmail", *words],
            input=stdin,
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
        )
    records = []
    for path in (spool.queue / "maildrop").iterdir():
        if path.stat().st_mode & 0o700 == 0o700:
            assert path.stat().st_mode & 0o777 == 0o744
            records += list(logical_records(path.read_bytes()))
    text = re.sub(r"(?m)^postdrop: warning: unable to look up public/pickup.*\n", "", done.stderr.decode())
    text = re.sub(
        r"(?m)^(?:postdrop|sendmail|/usr/sbin/postdrop): (?!warning|fatal|invalid|option).*\n", "", text
    )  # what -v -v makes it say
    return done.returncode, done.stdout.decode(), text, records


def logical_records(data: bytes) -> list[tuple[str, bytes]]:
    """Type and payload; partial lines are joined, the time is left out."""
    found: list[tuple[str, bytes]] = []
    held = b""
    for kind, _offset, payload in RecordReader(BytesSource(data)).records():
        if kind == PARTIAL:
            held += payload
        elif held and kind != LINE:  # the last line, which may have no end
            found += [("N", held), (chr(kind), payload)]
            held = b""
        elif kind == LINE:
            found.append(("N", held + payload))
            held = b""
        elif chr(kind) != "T":
            found.append((chr(kind), payload))
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, bool], Result]:
    """All cases by both; Debian's at once, for its sendmail waits for a second after each fatal error."""
    base = tmp_path_factory.mktemp("sendmail")
    let_others_in(base)

    def play(job: tuple[int, bool]) -> tuple[tuple[int, bool], Result]:
        number, is_ours = job
        stdin, arguments = CASES[number]
        return job, run(base / f"{number}{is_ours}", stdin, arguments, is_ours=is_ours)

    ours = [play((number, True)) for number in range(len(CASES))]
    with ThreadPoolExecutor(max_workers=48) as pool:
        return dict([*ours, *pool.map(play, [(number, False) for number in range(len(CASES))])])


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{at} {name_of(case[1])}" for at, case in enumerate(CASES)]
)
def test_the_same_command_ends_the_same(number: int, results: dict[tuple[int, bool], Result]) -> None:
    """Exit status, output, and what is in maildrop."""
    name = name_of(CASES[number][1])
    if name in DIFFERENCES:
        assert results[number, False] != results[number, True], f"{name} does not differ any more"
    else:
        assert results[number, False] == results[number, True]


ALIAS_CASES: Final = [
    # alias_database, command
    ("hash:aliases", "newaliases"),
    ("aliases", "sendmail -bi"),
    ("btree:aliases hash:nothing", "sendmail -I"),
    ("texthash:aliases inline:{a=b}", "newaliases"),
    ("", "newaliases"),
    ("", "newaliases -oAbtree:aliases"),
    ("hash:aliases", "newaliases -C elsewhere"),
]


@pytest.mark.parametrize(("databases", "line"), ALIAS_CASES, ids=[" ".join(case) for case in ALIAS_CASES])
def test_names_of_alias_databases_begin_in_the_queue_directory(
    databases: str, line: str, tmp_path: Path
) -> None:
    """The same databases are made, though a file of the name is where the command is given; and the same is said."""
    let_others_in(tmp_path)
    found: list[tuple[int, str, list[str]]] = []
    for is_ours in (False, True):
        base = tmp_path / str(is_ours)
        for directory in (base, base / "queue", base / "here"):
            directory.mkdir()
            (directory / "aliases").write_text("root: me\n")
            os.utime(directory / "aliases", (1_000_000_000, 1_000_000_000))
        settings = f"queue_directory = {base}/queue\nalias_database = {databases}\n"
        (base / "main.cf").write_text(f"compatibility_level = 3.6\nmyhostname = mx.test\n{settings}")
        found.append(_made(base, line.split(), is_ours=is_ours))
    assert found[0] == found[1]


def test_no_queue_directory(tmp_path: Path) -> None:
    """Every mode says so at once."""
    let_others_in(tmp_path)
    (tmp_path / "main.cf").write_text(
        f"compatibility_level = 3.6\nmyhostname = mx.test\nqueue_directory = {tmp_path}/none\n"
    )
    for line in ("sendmail root", "sendmail -bv root", "sendmail -bs", "newaliases"):
        theirs, ours = (_made(tmp_path, line.split(), is_ours=is_ours) for is_ours in (False, True))
        assert (
            theirs
            == ours
            == (75, f"{line.split()[0]}: fatal: chdir BASE/none: No such file or directory\n", [])
        )


def _made(base: Path, words: list[str], *, is_ours: bool) -> tuple[int, str, list[str]]:
    """Exit status, what is said, and the databases that there are now."""
    where = base / "here" if (base / "here").is_dir() else base
    program = (
        str(Path(sys.executable).with_name(words[0])) if is_ours else shutil.which(words[0], path=_SYSTEM)
    )
    assert program is not None
    done = subprocess.run(
        [program, *words[1:]],
        input=MESSAGE,
        cwd=where,
        env={**os.environ, "MAIL_CONFIG": str(base)},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode().replace(str(base), "BASE")
    return done.returncode, said, sorted(str(path.relative_to(base)) for path in base.rglob("*.db"))


_SYSTEM: Final = "/usr/sbin:/usr/bin"
