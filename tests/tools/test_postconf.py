"""The postconf command: what it prints, warns of, refuses and writes.

The same requests are compared with Debian's command in tests/system/test_postconf_peer.py.
"""

import ssl
from pathlib import Path
from typing import NamedTuple

import pytest

from pillarbox.tools import postconf

MAIN = """\
# made by hand
myhostname = mx.example.org
relayhost = ${helper}:25
helper = [relay.example.org]
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,
    check_policy_service inet:127.0.0.1:10023, permit
misspelt = 1
"""
MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o syslog_name=postfix/$service_name
  -o smtpd_tls_security_level=encrypt
relay unix - - n - - smtp
"""


class Ran(NamedTuple):
    """What a command did."""

    status: int
    output: str
    errors: str


class Command:
    """postconf on a directory of its own."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capture = capture

    def __call__(self, *arguments: str) -> Ran:
        self._capture.readouterr()
        status = postconf.main(["-c", str(self.directory), *arguments])
        found = self._capture.readouterr()
        output, errors = (text.replace(str(self.directory), "DIR") for text in found)
        return Ran(status, output, errors)

    def read(self, name: str) -> str:
        """A file's content."""
        return (self.directory / name).read_text()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, with a main.cf and a master.cf."""
    (tmp_path / "main.cf").write_text(MAIN)
    (tmp_path / "master.cf").write_text(MASTER)
    return Command(tmp_path, capsys)


UNUSED = "postconf: warning: DIR/main.cf: unused parameter: misspelt=1\n"

SHOWN = [  # request, output
    ("relayhost", "relayhost = ${helper}:25\n"),
    ("-h relayhost", "${helper}:25\n"),
    ("-H relayhost", "relayhost\n"),
    ("-x relayhost", "relayhost = [relay.example.org]:25\n"),
    ("-hx relayhost", "[relay.example.org]:25\n"),
    ("myorigin mydomain", "myorigin = $myhostname\nmydomain = example.org\n"),
    ("-x myorigin", "myorigin = mx.example.org\n"),
    ("-C user", "helper = [relay.example.org]\n"),
    ("-C user,service -n", "helper = [relay.example.org]\n"),
    ("-o relayhost=x relayhost", "relayhost = x\n"),
    ("-n mydestination relayhost", "relayhost = ${helper}:25\n"),
    ("relay_destination_rate_delay", "relay_destination_rate_delay = $default_destination_rate_delay\n"),
    ("-x relay_destination_rate_delay", "relay_destination_rate_delay = 0s\n"),
    (
        "-f smtpd_recipient_restrictions",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,\n"
        "    check_policy_service inet:127.0.0.1:10023, permit\n",
    ),
    (
        "-n",
        "config_directory = DIR\nhelper = [relay.example.org]\nmyhostname = mx.example.org\n"
        "relayhost = ${helper}:25\nsmtpd_recipient_restrictions = permit_mynetworks, "
        "reject_unauth_destination, check_policy_service inet:127.0.0.1:10023, permit\n",
    ),
]


@pytest.mark.parametrize(("request_", "output"), SHOWN, ids=[case[0] for case in SHOWN])
def test_parameters(run: Command, request_: str, output: str) -> None:
    """Each request prints its lines, and warns of a name that nothing uses."""
    warning = UNUSED
    if "relayhost=x" in request_:
        warning = "postconf: warning: DIR/main.cf: unused parameter: helper=[relay.example.org]\n" + UNUSED
    assert Ran(0, output, warning) == run(*request_.split())


def test_defaults_do_not_look_at_main_cf(run: Command) -> None:
    """-d shows what would be without main.cf."""
    assert Ran(0, "relayhost =\nsmtpd_banner = $myhostname ESMTP $mail_name\n", "") == run(
        "-d", "relayhost", "smtpd_banner"
    )
    (run.directory / "main.cf").unlink()
    assert run("-dh", "queue_run_delay") == Ran(0, "300s\n", "")


def test_all_parameters_are_listed_in_order(run: Command) -> None:
    """Without a name every parameter is there, once, sorted by octets."""
    names = run("-dH").output.split()
    assert sorted(set(names)) == names
    assert {"2bounce_notice_recipient", "smtpd_tls_CAfile", "relay_recipient_limit"} <= set(names)
    assert {"virtual_maps", "misspelt", "helper"}.isdisjoint(names)
    assert len(names) > 850


def test_unknown_names(run: Command) -> None:
    """A name that is no parameter is warned of; the exit status stays 0."""
    assert Ran(
        0, "relayhost = ${helper}:25\n", f"postconf: warning: nosuch: unknown parameter\n{UNUSED}"
    ) == run("nosuch", "relayhost")


def test_quiet(run: Command) -> None:
    """-q leaves out warnings of unused and undefined names, and of those that the system sets."""
    (run.directory / "main.cf").write_text("misspelt = $nosuch$nosuch\nprocess_id = 7\n")
    assert (
        "postconf: warning: DIR/main.cf: undefined parameter: nosuch\n"
        "postconf: warning: DIR/main.cf: undefined parameter: nosuch\n"
        "postconf: warning: DIR/main.cf: read-only parameter assignment: process_id=7\n"
        "postconf: warning: DIR/main.cf: unused parameter: misspelt=$nosuch$nosuch\n"
    ) == run("relayhost").errors
    assert "" == run("-q", "relayhost").errors


def test_where_a_value_comes_from(run: Command) -> None:
    """-v tells file and line."""
    found = run("-qv", "relayhost", "queue_run_delay").errors
    assert "postconf: relayhost: DIR/main.cf, line 3\npostconf: queue_run_delay: built-in default\n" == found


SERVICES = [
    ("-M relay", "relay      unix  -       -       n       -       -       smtp\n"),
    (
        "-Mf submission/inet",
        "submission inet  n       -       n       -       -       smtpd\n"
        "    -o syslog_name=postfix/$service_name\n    -o smtpd_tls_security_level=encrypt\n",
    ),
    ("-F smtp/inet/chroot", "smtp/inet/chroot = n\n"),
    ("-Fh */*/command", "smtpd\nsmtpd -o syslog_name=postfix/$service_name -o smtpd_tls_security_level=encrypt\nsmtp\n"),
    ("-P submission", "submission/inet/smtpd_tls_security_level = encrypt\nsubmission/inet/syslog_name = postfix/$service_name\n"),
    ("-Phx submission/inet/syslog_name", "postfix/submission\n"),
    ("-PH", "submission/inet/smtpd_tls_security_level\nsubmission/inet/syslog_name\n"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "output"), SERVICES, ids=[case[0] for case in SERVICES])
def test_services(run: Command, request_: str, output: str) -> None:
    """Services, their fields and their settings."""
    assert Ran(0, output, "") == run(*request_.split())


def test_unmatched_requests(run: Command) -> None:
    """A pattern that nothing matches is warned of."""
    assert Ran(0, "", 'postconf: warning: unmatched request: "nosuch/unix"\n') == run("-M", "nosuch/unix")


def test_edit_main_cf(run: Command) -> None:
    """-e, implied or not, -X and -# edit the file and print nothing."""
    assert Ran(0, "", "") == run("relayhost = [other.example]", "new=1")
    assert Ran(0, "", "") == run("-X", "misspelt")
    assert Ran(0, "", "") == run("-#", "smtpd_recipient_restrictions")
    assert (
        "# made by hand\nmyhostname = mx.example.org\nrelayhost = [other.example]\n"
        "helper = [relay.example.org]\n"
        "#smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,\n"
        "#    check_policy_service inet:127.0.0.1:10023, permit\nnew = 1\n"
    ) == run.read("main.cf")


def test_edit_master_cf(run: Command) -> None:
    """-M, -F and -P edit entries, fields and settings."""
    assert Ran(0, "", "") == run("-F", "smtp/inet/chroot=y")
    assert Ran(0, "", "") == run("-P", "submission/inet/syslog_name=x", "submission/inet/a=b")
    assert Ran(0, "", "") == run("-PX", "submission/inet/smtpd_tls_security_level")
    assert Ran(0, "", "") == run("-M#", "relay/unix")
    assert Ran(0, "", "") == run("-M", "lmtp/unix=lmtp unix - - n - - lmtp")
    assert (
        "smtp       inet  n       -       y       -       -       smtpd\n"
        "submission inet  n       -       n       -       -       smtpd\n"
        "    -o syslog_name=x\n    -o a=b\n"
        "#relay unix - - n - - smtp\n"
        "lmtp       unix  -       -       n       -       -       lmtp\n"
    ) == run.read("master.cf")


REFUSED = [
    ("-z", "invalid option -- 'z'"),
    ("--help", "invalid option -- '-'"),
    ("-c", "option requires an argument -- 'c'"),
    ("-n -d", "fatal: specify one of -d -n"),
    ("-M -n", "fatal: with option -M, do not specify -n"),
    ("-n -l", "fatal: with option -l, do not specify -n"),
    ("-X", "fatal: missing service argument"),
    ("-e", "fatal: -e requires name=value argument"),
    ("-e relayhost", "fatal: missing '=' after attribute name: \"relayhost\""),
    ("-C nosuch", 'fatal: unknown -C option value "nosuch" in "nosuch"'),
    ("-o x -n", "fatal: invalid parameter override: x: missing '=' after attribute name"),
    ("-M a/b/c", "fatal: -M option requires service_name[/type]"),
    ("-F a/b/c", 'fatal: invalid service attribute name: "c"'),
    ("-j", "fatal: option -j is not served yet: there is no JSON output yet"),
    ("-b -n", "fatal: with option -b, do not specify -n"),
    ("-b one two", "fatal: options -b and -t require at most one template file"),
    ("-t /nonexistent/templates", "fatal: open /nonexistent/templates: No such file or directory"),
]


@pytest.mark.parametrize(("request_", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(run: Command, request_: str, message: str) -> None:
    """What cannot be done is said, with exit status 1 and nothing changed."""
    found = run(*request_.split())
    assert (1, "") == (found.status, found.output)
    assert f"postconf: {message}\n" in found.errors
    assert (MAIN, MASTER) == (run.read("main.cf"), run.read("master.cf"))


FILES = [
    ("no main.cf", None, MASTER, "-n", 1, "postconf: fatal: open DIR/main.cf: No such file or directory\n"),
    ("edit without main.cf", None, MASTER, "a=b", 1,
     "postconf: fatal: open DIR/main.cf for reading: No such file or directory\n"),
    ("no master.cf", "", None, "-C user", 0, "postconf: warning: open DIR/master.cf: No such file or directory\n"),
    ("services without master.cf", "", None, "-M", 1,
     "postconf: fatal: open DIR/master.cf: No such file or directory\n"),
    ("syntax of main.cf", "x y\n", MASTER, "relayhost", 1,
     "postconf: fatal: DIR/main.cf, line 1: missing '=' after attribute name: \"x y\"\n"),
    ("syntax of master.cf", "", "x y\n", "relayhost", 1, "postconf: fatal: file DIR/master.cf: line 1: bad field count\n"),
    ("syntax of a value", "relayhost = ${\n", MASTER, "relayhost", 1,
     'postconf: warning: truncated macro reference: "${"\npostconf: fatal: macro processing error\n'),
    ("a value that cannot be expanded", "relayhost=$x\nx=$relayhost\n", MASTER, "-x relayhost", 1,
     'postconf: fatal: DIR/main.cf, line 2: unreasonable macro call nesting: "$relayhost"\n'),
    ("twice", "relayhost = a\nrelayhost = b\n", MASTER, "-C user", 0,
     "postconf: warning: DIR/main.cf, line 2: overriding earlier entry: relayhost=a\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("main", "master", "request_", "status", "errors"),
    [pytest.param(*case[1:], id=case[0]) for case in FILES],
)
def test_files(
    run: Command, main: str | None, master: str | None, request_: str, status: int, errors: str
) -> None:
    """Files that are missing or wrong are told as Postfix tells them."""
    for name, content in (("main.cf", main), ("master.cf", master)):
        (run.directory / name).unlink()
        if content is not None:
            (run.directory / name).write_text(content)
    assert Ran(status, "", errors) == run(*request_.split())


def test_the_environment_names_the_directory(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIL_CONFIG counts when there is no -c."""
    monkeypatch.setenv("MAIL_CONFIG", str(run.directory))
    assert 0 == postconf.main(["-q", "-h", "myhostname", "config_directory"])


def test_what_this_system_has(run: Command) -> None:
    """-a, -m and -T tell of SASL types, table types and the TLS library."""
    assert Ran(0, "cyrus\ndovecot\n", "") == run("-a")
    assert {"proxy", "texthash"} <= set(run("-m").output.split())
    assert Ran(0, f"{ssl.OPENSSL_VERSION}\n", "") == run("-T", "run-version")
    assert Ran(0, "dsa\necdsa\nrsa\n", "") == run("-T", "public-key-algorithms")  # as Debian's says
    assert Ran(1, "", "postconf: fatal: unknown 'postconf -T' mode: colour\n") == run("-T", "colour")
