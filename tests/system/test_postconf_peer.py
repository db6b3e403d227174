"""Our postconf beside Debian's: the same files, the same requests, the same output and exit status.

DESCRIPTION
    The corpus is main.cf and master.cf files with everything that is easily got wrong.  Standard output and
    exit status must be equal.  Of standard error, the set of messages is compared: Postfix repeats some and
    orders others by a hash.  Differences that are meant are in `DIFFERENT`, each with its reason.
"""

import io
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from fakes import counterparts
from pillarbox.config.postfix_parameters import SERVED
from pillarbox.tools import postconf

PEER = counterparts.program("postfix")

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("postfix"),
]

MASTER = "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"

DIFFERENT = [
    # Ours name the line here; Postfix's the file alone.
    (r", line \d+: logical line must not start", ": logical line must not start"),
    # Ours names the line with the mistake; Postfix's the mistake alone.
    (r"\S+(main|master)\.cf, line \d+: (?=.*macro|.*expected at|.*syntax error at|.*expression|.*level)", ""),
    # Postfix shows where the recursion broke off, ours where it was noticed.
    (r"unreasonable macro call nesting: .*", "unreasonable macro call nesting"),
    # Both stop, but Postfix after a warning, ours with the place of the mistake.
    (r"postconf: fatal: macro processing error", ""),
    (r"postconf: (warning|fatal): ", ""),
    # Postfix's scan complains of a mistake in a text that is never chosen, and goes on.
    (r'attribute name syntax error at: "\.\.\.bad>>>-"', ""),
    # With -v, ours tells where values come from, Postfix's what it does to find them.
    (r"postconf: \S+: (built-in default|command line|\S+, line \d+)", ""),
    (r"postconf: (been_here|inet_addr_local|mynetworks_core|name_mask): .*", ""),
    (r"postconf: \$\S+ in .* validates .*", ""),
    # Ours has later options, too.
    (r"usage: postconf .*", "usage: postconf"),
    # Parameters that Postfix 3.9 and later call old.
    (r'.*support for parameter ".*" will be removed.*', ""),
]


class Case(NamedTuple):
    """Two files and a request."""

    main: str
    master: str
    request: tuple[str, ...]


class Outcome(NamedTuple):
    """What a command did: standard output, messages, exit status, and the files after it."""

    output: str
    messages: frozenset[str]
    status: int
    main: str
    master: str


def messages(text: str) -> frozenset[str]:
    """The messages of standard error without the differences that are meant."""
    found = set()
    for message in text.splitlines():
        for pattern, replacement in DIFFERENT:
            message = re.sub(pattern, replacement, message)
        found.add(message.strip())
    return frozenset(found - {""})


def request_id(request: tuple[str, ...]) -> str:
    """A test's name without slashes, which pytest's own names have."""
    return " ".join(request).replace("/", ":")


def run(case: Case, directory: Path, command: Callable[[list[str]], tuple[str, str, int]]) -> Outcome:
    """Run a command on files of its own; its directory is DIR in what it says."""
    directory.mkdir()
    files = (directory / "main.cf", directory / "master.cf")
    for path, content in zip(files, (case.main, case.master), strict=True):
        path.write_text(content, encoding="utf-8", errors="surrogateescape", newline="")
        # Postfix reads a file that is younger than two seconds again and again.
        os.utime(path, (1_700_000_000, 1_700_000_000))
    output, errors, status = command(["-c", os.fspath(directory), *case.request])
    main, master = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in files)
    output, errors = (text.replace(os.fspath(directory), "DIR") for text in (output, errors))
    output = output.replace(
        "=\n    DIR", "= DIR"
    )  # -f folds the line where the directory's name is a long one
    return Outcome(output, messages(errors), status, main, master)


def peer_command(arguments: list[str]) -> tuple[str, str, int]:
    """Debian's postconf."""
    done = subprocess.run(
        ["postconf", *arguments],
        executable=PEER,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )
    return done.stdout, done.stderr, done.returncode


def our_command(arguments: list[str]) -> tuple[str, str, int]:
    """Ours, in this process."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for _stream in range(2))
    with redirect_stdout(output), redirect_stderr(errors):
        status = postconf.main(arguments)
    texts = []
    for stream in (output, errors):
        stream.seek(0)
        texts.append(stream.read())
    return texts[0], texts[1], status


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Outcome]:
    """What Debian's postconf does with every case.  It sleeps a second before each fatal end, so: many at once."""
    directory = tmp_path_factory.mktemp("peer")
    cases = list(
        dict.fromkeys([*main_cases(), *expression_cases(), *master_cases(), *bad_cases(), *edit_cases()])
    )
    with ThreadPoolExecutor(48) as pool:
        outcomes = pool.map(
            lambda item: run(item[1], directory / str(item[0]), peer_command), enumerate(cases)
        )
        return dict(zip(cases, outcomes, strict=True))


TABLE = Path(__file__).with_name("database_table.cf")
"""A file that tables of all types may have, each with other attributes that it does not know."""

MAIN_FILES = {
    "plain": "myhostname = mx.example.org\nrelayhost =\nmyorigin=$myhostname\n",
    "continued": "relayhost = a\n  b\n# c\n\n   # d\n\te\nmyorigin =\n  x\n",
    "twice": "relayhost = a\nmyorigin = b\nrelayhost = c\n",
    "blanks": "relayhost \t=  a  b\tc  \r\nmyorigin=a{b  c}d\n",
    "leading blank": "  relayhost = a\nmyorigin = b\n",
    "long": "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
    "check_policy_service inet:127.0.0.1:10023, permit\n"
    f"myorigin = {'x' * 90} y\nrelayhost = {'a' * 64} {'b' * 10} {'c' * 70}\n",
    "unused": "nosuch = 1\nmy-name = 2\nmy.name = 3\nother=$nosuch2\n",
    "own names": "one = 1\ntwo = $one\nrelayhost = $two$three\nfour=4\nmyorigin=${four?{$five}:{$six}}\n",
    "classes": "smtpd_restriction_classes = strict, loose, none\nstrict = reject\nloose = permit\nother = permit\n",
    "read-only": "process_id = 1\nprocess_name = x\nservice_name = y\n",
    "old names": "virtual_maps = hash:/x\nfallback_relay = y\nsmtpd_use_tls = yes\n",
    "tables": "smtp_sasl_password_maps = ldap:foo, proxy:mysql:bar static:x\nfoo_server_host=x\nbar_hosts=y\n"
    "foo_hosts=y\nbar_result_format=1\nbar_nonsense = 2\n",
    "tables of no parameter": "xx = ldap:foo\nfoo_domain = bar\nheader_checks = ldap:hh\nhh_domain = x\n",
    "tables of files": f"virtual_alias_maps = sqlite:{TABLE}, proxy:mysql:{TABLE}\n"
    f"canonical_maps = $own unionmap:{{pgsql:{TABLE}, sqlite:/no/such.cf}} sqlite:relative.cf sqlite:/etc\n"
    f"own = ldap:{TABLE}\nunused = sqlite:/no/other.cf\nmailbox_command = sqlite:/no/third.cf\n",
    "tables by parts": "header_checks = $db:$zz\ndb = memcache\nzz = $yy\nyy = aap\naap_domain = x\naa_domain = y\n",
    "raw values": "smtpd_reject_footer = \\c $nosuch\nmailbox_command = x $user\nforward_path=$home/x\n",
    "braces that do not match": "mydestination = a inline:{ b, {c}d } {e {f}g, proxy:ldap:{h}i} unionmap:{j\n"
    "relay_domains = {a}} {} a{b c}d } proxy:{x}y $own\nmailbox_command = {x}y\nown = {k}l\nunused = {m}n\n",
    "services": "smtp_destination_rate_delay = 1s\nfoo_destination_rate_delay = 1s\nsmtp_time_limit=3\n",
    "equals": "relayhost = a=b\nmyorigin==x\n",
    "dollars": "relayhost = $$x $$$$\nmyorigin = $${y}\n",
    "utf-8": "relayhost = bücher.example\nmyorigin = Ж Ш\n",
    "latin-1": "relayhost = b\udcfccher.example\n",
    "empty": "",
    "no newline": "relayhost = a",
    "level": "compatibility_level = 3.6\n",
    "upper case": "RelayHost = x\nrelayhost = y\n",
}
REQUESTS = [
    ["-n"],
    ["-nx"],
    ["-nf"],
    ["-nh"],
    ["-nH"],
    ["-nfh"],
    ["relayhost"],
    ["-h", "relayhost", "myorigin"],
    ["-H", "relayhost"],
    ["-x", "myorigin", "relayhost"],
    ["-n", "relayhost", "nosuch"],
    ["-C", "user"],
    ["-C", "builtin,user", "-n"],
    ["-C", "all", "-n"],
    ["-C", "service", "relayhost", "nosuch"],
    ["-C", "user", "-v", "-n"],
    ["relayhost", "-h", "a=b"],
    ["-o", "relayhost=z z", "-n"],
    ["-d", "relayhost", "smtpd_banner", "nosuch"],
    ["-dx", "smtpd_timeout", "append_dot_mydomain"],
    ["relay_domains", "mynetworks_style"],
    ["-x", "relay_domains", "mynetworks_style", "smtpd_relay_restrictions"],
]


def main_cases(wanted: str = "") -> Iterator[Case]:
    """Every request on every main.cf, or on one."""
    for name, content in MAIN_FILES.items():
        if wanted in ("", name):
            for request in REQUESTS:
                yield Case(content, MASTER, tuple(request))


@pytest.mark.parametrize("name", MAIN_FILES)
def test_main_cf(name: str, theirs: dict[Case, Outcome], tmp_path: Path) -> None:
    """Every request gives what Postfix's gives, on every file."""
    for number, case in enumerate(main_cases(name)):
        assert (case.request, theirs[case]) == (case.request, run(case, tmp_path / str(number), our_command))


EXPRESSIONS = [
    "$t", "${t}", "$(t)", "${ t }", "$t.x", "$t?x", "a${undefined}b", "${t?yes}", "${e?yes}", "${t:no}",
    "${e:no}", "${t?{a}:{b}}", "${e?{a}:{b}}", "${ t ? { a } : { b } }", "X${t? a }Y", "${t?a:b}", "${e?a:b}",
    "X${t?}Y", "X${e:}Y", "${n?x?y}", "${t?{$n}:{$e}}", "${n?{a{b}c}}", "${n?a}b}", "$(n)(x)", "$(t?{x})",
    "$$", "$$$t", "$$t", "${a?x}", "${{$a}=={}?{y}:{n}}", "${{$t} == {yes} ? {a} : {b}}",
    "${{$t}!={yes}?{a}:{b}}", "${{$t} == {yes}}", "x${{$t} == {no}}", "${{$t}=={yes}?a}", "${{$t}=={no}:a}",
    "${{10} < {9} ? {a} : {b}}", "${{007} == {7} ? {a} : {b}}", "${{10} <= {10} ? {a} : {b}}",
    "${{9} >= {10} ? {a} : {b}}", "${{11} > {9} ? {a} : {b}}", "${{10x} < {9} ? {a} : {b}}",
    "${{-1} < {1}?{1}:{2}}", "${{3.10} <level {3.6} ? {a} : {b}}", "${{3.10} >=level {3.6} ? {a} : {b}}",
    "${{01.0} ==level{1}?{1}:{2}}", "${{1.2.3} <level{1.2}?{1}:{2}}", "${t?{${n}}}", "${t?${n}}",
    "${t}{n}", "${{} == {} ? {a} : {b}}", "${{a}=={a}?{x}:{y}}z", "$_x", "$9", "${t ?x}", "${e?{a}: b }.",
    # mistakes
    "a$", "$-x", "${}", "$()", "$ t", "${t?{a", "${t?$(n}", "${t-}", "${t x}", "${$t}", "${nosuch{a}}",
    "${t?{a} x}", "${t?{a}{b}}", "${e?{a}:{b} c}", "${t:{a}?{b}}", "$(t?{a)})", "${{a} b}", "${{a} ~ {b}}",
    "${{3} =level {4} ? {a}}", "${{a} == b}", "${{a} ==level x}", "${{a}=={a}x{b}}", "${{a} == {b} {c}}",
    "${{x} >=levels {3}?a}", "${{x} !=- {3}}",
    "${{x} <level {3.6} ? {a} : {b}}", "${{1.2.3.4} <level{2}?{1}:{2}}", "${{} ==level{0}?{1}:{2}}",
    "${{-1} ==level{1}?{1}:{2}}", "$loop", "${ }", "${?x}", "${:x}", "${t?{a}:{${bad-}}}", "${{a}", "${{a}}",
    "${{a}==}", "${{a}=={b}", "${{a}==={b}}", "${{a}<>{b}}", "${{a}=<{b}}", "${ -x}", "${ {t} x}", "$( t x)", "${ ${t}?x}", "${ {a} == {a} ? {b} }", "${\tt}", "$(t", "$t$", "${t}$(",
]  # fmt: skip


def expression_cases(wanted: str = "") -> Iterator[Case]:
    """A value with each expression, or with one."""
    for expression in [wanted] if wanted else EXPRESSIONS:
        main = f"e=\nt=yes\nn=7\na=$e\nloop=$pool\npool=$loop\nrelayhost=<{expression}>\n"
        yield Case(main, MASTER, ("-xh", "relayhost"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expansion(expression: str, theirs: dict[Case, Outcome], tmp_path: Path) -> None:
    """Every expression gives what Postfix's gives, or is refused in the same words."""
    (case,) = expression_cases(expression)
    assert theirs[case] == run(case, tmp_path / "ours", our_command)


MASTER_FILES = {
    "stock": "# comment\nsmtp inet n - n - - smtpd\n# c2\n -o a=b\n\n -v\nsmtp unix - - n - - smtp\n",
    "options": "smtp inet n - n - - smtpd -o a=b -o { c = d e } -v -o syslog_name=x/$service_name\n  -o x=y arg\n"
    "foo unix - n n - - pipe flags=R user=me argv=/bin/cat ${sender} - ${recipient}\n"
    "127.0.0.1:10025 inet n - y - 5 smtpd\n",
    "widths": "smtp-longer-service-name-here inet n - n 1000? 100 smtpd\nfoo unix-dgram n - n - 1 postlogd\n"
    "foo fifo n - n 60? 1 pickup -v\nfoo pass - - n - 1 smtpd\n",
    "long": "smtp inet n - n - - smtpd -o relayhost=value_number_one_which_is_rather_long_and_longer_than_a_line\n"
    "foo unix - n n - - pipe flags=R user=me argv=/bin/cat aaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbb "
    "cccccccccccccccccccccccccc -x ddddd\nbar unix - n n - - pipe -v -v aaaaaaaaaaaaaaaaaaa "
    "bbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccccccccccccccccc -q\n",
    "79 and 80 columns": f"a-longer-service unix - n n - - pipe user={'x' * 14}\nb unix - n n - - pipe user={'x' * 15}\n"
    f"c unix - n n - - pipe\n  user=x argv=/{'y' * 60} {'z' * 5}\nd unix - n n - - pipe\n  user=x argv=/{'y' * 60} {'z' * 6}\n",
    "order of options": "a unix - - - - - x -v -o b=c -v -D -S q r -o z=1 s\nb unix - - - - - x -vD q\n",
    "same name": "smtp inet n - n - - smtpd\nsmtp inet n - n - - smtpd -v\n",
    "braces": "a unix - - - - - x -o { q = {r} } -o p={\nb unix - - - - - x -o a={ }\n",
    "own names": "smtp inet n - n - - smtpd -o u=1 -o relayhost=$u -o relay_domains=$w -o myorigin=$q\n"
    "x inet n - n - - smtpd -o w=5 -o myhostname=$mm -o smtpd_restriction_classes=r -o r=permit -o s=t\n",
    "restriction class of its own": "x inet n - n - - smtpd -o smtpd_restriction_classes=r,none -o r=permit\n",
    "services with defaults of their own": "local unix - n n - - local\nsmtp unix - - n - - smtp\n",
    "tables of files": "a unix - - - - - x -o canonical_maps=sqlite:/no/such.cf -o own=sqlite:/no/other.cf\n",
    "settings order": "c inet n - - - - smtpd -o z=1 -o a=2 -o m=3 -o a=4\n",
    "leading blank": "  smtp inet n - n - - smtpd\n",
    "empty": "",
    "letters that stand together": "smtp inet n - n - - smtpd -voa=b -vo c=$a -v -oq=$c\n",
    "braces around arguments": "a unix - n n - - pipe { user=x } flags=R {argv=/bin/a b}\n"
    "b inet - n n 0 0 x\n -o {c = d e}\n {f g}\n {h i}j\n {k  l \n"
    "c unix - n n - - x {a b} { c } {{x} y} {} {{z}} -o\nd unix - n n - - x -o { a b } -o {c=d}e {x y}\n"
    "e unix - n n - - x -v -- {x y} {z z} -o {a=b c}\n",
    "wakeup if it is used": "a unix - n n -? 0 smtpd\nb unix - n n 5? 0 smtpd\n",
    "a name for main.cf": "smtp inet n - n - - smtpd -o v=1 -o unknown=2\n",
    "bad option": "smtp inet n - n - - smtpd -o foo\n",
    "no value": "smtp inet n - n - - smtpd -o\n",
    "short": "smtp inet n - n -\n",
    "bad type": "smtp xnet n - n - - smtpd\n",
    "bad private": "smtp inet x - n - - smtpd\n",
    "bad unprivileged": "smtp inet n q n - - smtpd\n",
    "bad chroot": "smtp inet n - q - - smtpd\n",
    "bad wakeup": "smtp inet n - n x - smtpd\n",
    "bad limit": "smtp inet n - n - x smtpd\n",
}
MASTER_REQUESTS = [
    ["-M"], ["-Mf"], ["-Mx"], ["-M", "smtp"], ["-M", "smtp/inet", "foo/unix"], ["-M", "*/unix"], ["-M", "nosuch"],
    ["-F"], ["-Ff"], ["-Fh", "smtp/inet/chroot"], ["-FH", "smtp"], ["-F", "*/*/chroot"], ["-F", "nosuch"],
    ["-F", "smtp/unix/wakeup", "smtp/inet/private"], ["-F", "smtp/inet/nosuch"], ["-F", "a/b/c/d"],
    ["-P"], ["-Px"], ["-Pf"], ["-P", "smtp/inet/a"], ["-Ph", "smtp/inet"], ["-PH", "*/*/c"], ["-P", "smtp/inet/no"],
    ["-P", "a/b/c/d"], ["-M", "a/b/c"], ["-n"], ["-C", "service", "-dH"], ["-C", "service", "-H"],
    ["-M", "smtp/inet", "smtp"], ["-F", "a/unix/type", "a", "a/unix/private"], ["-P", "smtp", "smtp/inet/a"],
    ["-M", "smtp//inet/"], ["-F", "smtp/inet//chroot"], ["-P", "smtp//x"], ["-M", "/"], ["-F", "/smtp"],
    ["-Mv", "-C", "user", "smtp"], ["-Fv", "smtp/inet/type"], ["-Pv"],
]  # fmt: skip


def master_cases(wanted: str = "") -> Iterator[Case]:
    """Every request on every master.cf, or on one."""
    for name, content in MASTER_FILES.items():
        if wanted in ("", name):
            for request in MASTER_REQUESTS:
                yield Case("mm = 3\nw = 2\nmyorigin = $v\n", content, tuple(request))


@pytest.mark.parametrize("name", MASTER_FILES)
def test_master_cf(name: str, theirs: dict[Case, Outcome], tmp_path: Path) -> None:
    """Every request gives what Postfix's gives, on every file."""
    for number, case in enumerate(master_cases(name)):
        assert (case.request, theirs[case]) == (case.request, run(case, tmp_path / str(number), our_command))


BAD_REQUESTS = [
    ["-hH", "relayhost"], ["-n", "-d"], ["-e", "-d", "a=b"], ["-X", "a=b"], ["-M", "-d"], ["-M", "-n"],
    ["-M", "-P"], ["-Mh"], ["-FX", "smtp/inet/chroot"], ["-P#", "smtp/inet/a"], ["-e"], ["-M", "-e"],
    ["-MX"], ["-o", "relayhost", "-n"], ["-C", "nosuch"], ["-e", "relayhost"], ["-e", "a b=c"], ["-e", "=x"],
    ["-e", "#a=b"], ["-e", "a=b\nc"], ["-X", "#a"], ["-#", "a\nb"], ["-M", "-e", "smtp/inet"],
    ["-M", "-e", "foo/unix=foo unix - - n -"], ["-F", "smtp/inet/private=x"], ["-F", "smtp/inet/nosuch=x"],
    ["-e", "-o", "c=d", "a=b"], ["-X", "-o", "c=d", "a"], ["-e", "-f", "a=b"], ["-e", "-H", "a=b"],
    ["-h", "a=b"], ["-Mf", "-e", "x/inet=x inet n - n - - y"], ["-X", "-h", "-n", "a"], ["-#", "-d", "a=b"],
    ["-P", "-X", "-h", "a/b/c"], ["-p", "-M"], ["-m", "-n"], ["-m", "-M"], ["-a", "-m"], ["-M", "-e", "a/b/c=x"],
    ["-MX", "a"], ["-M#", "*"], ["-F", "-e", "a=b"], ["-P", "-e", "a/b=c"], ["-PX", "a/b/c/d"], ["-P", "-e"], ["-X"], ["-#"], ["-M#"],
    ["-E", "a=b"], ["-m", "-E"], ["-d", "-o", "a=b"], ["-m", "-o", "a=b"], ["-b", "-t"], ["-h", "-f", "a=b"],
    ["-h", "-x", "a=b"], ["-o", "a=b", "-x", "c=d"], ["-C", "user,nosuch", "-n"], ["-e", ""], ["-e", " "],
    ["-X", ""], ["-#", " "], ["-P", "smtp/inet=a b"], ["a=b", "relayhost"], ["-l", "-h"], ["-T"],
    ["-F", "-e"], ["-P", "-e", "smtp/inet/a"], ["-P", "smtp/inet/q=x y"], ["-M", "-e", "foo=foo unix - - n - - x"],
]  # fmt: skip


def bad_cases(wanted: tuple[str, ...] = ()) -> Iterator[Case]:
    """Every bad request, or one."""
    for request in [wanted] if wanted else BAD_REQUESTS:
        yield Case("relayhost = a\n", MASTER, tuple(request))


@pytest.mark.parametrize("bad", [tuple(request) for request in BAD_REQUESTS], ids=request_id)
def test_bad_requests(bad: tuple[str, ...], theirs: dict[Case, Outcome], tmp_path: Path) -> None:
    """What Postfix's refuses is refused in the same words, and changes nothing."""
    (case,) = bad_cases(bad)
    found = run(case, tmp_path / "ours", our_command)
    assert theirs[case] == found
    assert (case.main, case.master) == (found.main, found.master)


MAIN_EDITS = [
    ["-e", "relayhost=new value"], ["relayhost = [a]:25", "newname=  x  "], ["-e", "relayhost="],
    ["-X", "relayhost", "nosuch"], ["-#", "relayhost", "last"], ["-e", "first=1", "last=2", "first=3"],
    ["-X", "last"], ["-#", "twice"], ["-e", "twice=1"], ["-X", "twice"], ["myhostname=a", "b=$myhostname"],
    ["-e", "relayhost = $a = b"],
]  # fmt: skip
TO_EDIT = (
    "# top\n\nfirst = a\n  # inside\n  b\n# mid\nrelayhost = x\n  y\n\n# c2\nmyhostname=b\n   # odd\n  cont\n"
    "twice = 1\n# between\ntwice = 2\n  3\nlast = z\n"
)


MASTER_EDITS = [
    ["-M", "-e", "smtp/inet=smtp inet n - n - 5 smtpd -o x=y -o {z = a b} arg"],
    ["-M", "foo/unix=foo unix - - n - - lmtp"], ["-MX", "smtp/inet"], ["-MX", "nosuch/inet"], ["-M#", "smtp/inet"],
    ["-MX", "*/unix"], ["-M#", "two"], ["-F", "-e", "smtp/inet/chroot=y"], ["-F", "smtp/inet/service=foo"],
    ["-F", "smtp/inet/command=smtpd -v"], ["-F", "nosuch/inet/chroot=y"], ["-F", "*/*/chroot=y"],
    ["-P", "smtp/inet/a=new"], ["-P", "smtp/inet/q=x"], ["-P", "-e", "smtp/unix/r=1"], ["-PX", "smtp/inet/a"],
    ["-PX", "smtp/inet/nosuch"], ["-P", "-e", "nosuch/inet/r=1"], ["-P", "*/*/r=1"],
    ["-M", "-e", "two/unix=two unix - - n - - x"],
]  # fmt: skip
MASTER_TO_EDIT = (
    "# head\nsmtp inet n - n - - smtpd -o a=b\n  -o c=d\n  arg\n# comment\nsmtp unix - - n - - smtp\n\n"
    "two unix - - n - - a\ntwo unix - - n - - b\n"
)


def edit_cases() -> Iterator[Case]:
    """Every edit, of files with comments in every place."""
    for request in (*MAIN_EDITS, *MASTER_EDITS):
        yield Case(TO_EDIT, MASTER_TO_EDIT, tuple(request))


def in_parts(master: str) -> tuple[list[str], list[str]]:
    """Entries, and comments with empty lines."""
    lines = master.split("\n")
    return [line for line in lines if line[:1] not in ("", "#")], [
        line for line in lines if line[:1] in ("", "#")
    ]


@pytest.mark.parametrize("edit", list(edit_cases()), ids=lambda case: request_id(case.request))
def test_edits(edit: Case, theirs: dict[Case, Outcome], tmp_path: Path) -> None:
    """The files are the same after the same edit.

    Postfix lets a changed entry of master.cf slip behind the comments that follow it; ours stays in its
    place.  So comments and empty lines are compared apart from the entries.
    """
    expected = theirs[edit]
    found = run(edit, tmp_path / "ours", our_command)
    assert (expected[:4], in_parts(expected.master)) == (found[:4], in_parts(found.master))


def test_defaults(tmp_path: Path) -> None:
    """Defaults are Postfix's, but for what is newer, the host's, Debian's or meant to differ."""
    case = Case("", MASTER, ("-d",))

    def defaults(outcome: Outcome) -> dict[str, str]:
        pairs = (line.partition(" =") for line in outcome.output.splitlines())
        return {name: value.strip() for name, _equals, value in pairs}

    expected = defaults(run(case, tmp_path / "peer", peer_command))
    found = defaults(run(case, tmp_path / "ours", our_command))
    assert set() == set(expected) - set(found)
    assert NEWER == set(found) - set(expected)
    assert OTHER_DEFAULTS == {name for name, value in expected.items() if found[name] != value}


LISTS = ["-a", "-A", "-l", "-m", "-Trun-version", "-Tpublic-key-algorithms"]
OTHER_LISTS = {
    ("-m", "internal"),  # nothing that an admin can name
    ("-m", "memcache"),
    ("-m", "nis"),
    ("-m", "passwd-file"),  # ours alone
}


def test_what_the_system_has(tmp_path: Path) -> None:
    """SASL types, lock and table types, versions: Postfix's, but for what is not served."""
    different = set()
    for number, option in enumerate(LISTS):
        case = Case("", MASTER, (option,))
        expected = run(case, tmp_path / f"peer{number}", peer_command)
        found = run(case, tmp_path / f"ours{number}", our_command)
        assert (frozenset(), 0) == (expected.messages, expected.status) == (found.messages, found.status)
        names = (set(outcome.output.splitlines()) for outcome in (expected, found))
        different |= {(option[:2], name) for name in set.symmetric_difference(*names)}
    assert different == OTHER_LISTS


NEWER = set(
    """
    allow_srv_lookup_fallback default_cache_db_type force_mime_input_conversion full_name_encoding_charset
    ignore_srv_lookup_error lmtp_log_tls_feature_status lmtp_requiretls_policy lmtp_tls_enable_rpk
    lmtp_tls_enforce_sts_mx_patterns lmtp_tlsrpt_enable lmtp_tlsrpt_skip_reused_handshakes
    lmtp_tlsrpt_socket_name maillog_file_permissions non_bdb_custom_mapping
    non_bdb_migration_allow_root_prefixes non_bdb_migration_allow_user_prefixes non_bdb_migration_level
    non_empty_end_of_header_action requiretls_enable requiretls_redact_dsn smtp_log_tls_feature_status
    smtp_requiretls_policy smtp_tls_enable_rpk smtp_tls_enforce_sts_mx_patterns smtp_tlsrpt_enable
    smtp_tlsrpt_skip_reused_handshakes smtp_tlsrpt_socket_name smtpd_client_ipv4_prefix_length
    smtpd_client_ipv6_prefix_length smtpd_hide_client_session smtpd_reject_filter_maps smtpd_tls_enable_rpk
    socketmap_max_query_size socketmap_max_reply_size tls_ffdhe_auto_groups tls_required_enable
    tlsproxy_tls_enable_rpk use_srv_lookup
    """.split()
)
"""Parameters of Postfix 3.8 and later, which Debian's 3.7 does not have."""

NEWER_DEFAULTS = set(
    """
    address_verify_map postscreen_cache_map lmtp_tls_security_level smtp_tls_security_level mail_release_date
    mail_version milter_default_action proxy_read_maps smtpd_forbid_bare_newline
    smtpd_forbid_unauth_pipelining
    """.split()
)
"""Defaults that changed after 3.7."""

OF_DEBIAN = set(
    """
    alias_database alias_maps html_directory manpage_directory readme_directory
    """.split()
)
"""Defaults that Debian builds in."""

OF_THE_PROCESS = {"process_id"}

MEANT = {name for name, declaration in SERVED.items() if declaration.differs}
"""Defaults of ours that differ, with the reason in their declaration."""

OTHER_DEFAULTS = NEWER_DEFAULTS | OF_DEBIAN | OF_THE_PROCESS | MEANT
