"""Several userdbs with rules, and a TCP socket of the auth service: what Debian's Dovecot makes of them, and ours."""

import base64
import itertools
import re
import socket
import subprocess
import sys
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

CHAINS: Final = {
    "what was found goes on": (
        "result_success = continue-ok",
        "skip = found\n  result_success = continue\n  override_fields = seen=2",
        "result_success = continue-ok\n  result_failure = return-fail",
        "skip = notfound\n  default_fields = seen=4",
    ),
    "what was not found is right": (
        "result_failure = continue-ok\n  override_fields = seen=1",
        "skip = notfound\n  result_failure = return-ok\n  result_success = continue-fail",
        "result_success = continue",
        "result_success = return\n  auth_verbose = yes",
    ),
    "one is missing": (
        "args = {base}/nowhere",
        "result_failure = return-fail\n  override_fields = seen=2",
        "",
        "",
    ),
}
"""What each of four userdbs says besides its file."""
NAMES: Final = {
    f"u{''.join(map(str, places)) or '0'}": places
    for size in range(5)
    for places in itertools.combinations(range(1, 5), size)
}
"""A user for each choice of files that know him."""


def userdbs(rules: tuple[str, ...]) -> str:
    """Four blocks; the last args that a block has counts."""
    return "".join(
        f"userdb {{\n  driver = passwd-file\n  args = {{base}}/users{place}\n  {rule}\n}}\n"
        for place, rule in enumerate(rules, 1)
    )


def served(product: str, settings: str) -> Server:
    """A server that runs with those databases only."""
    commands = {
        "ours": [[sys.executable, "-m", f"pillarbox.tools.{name}"] for name in ("dovecot", "doveadm")],
        "theirs": [["/usr/sbin/dovecot"], ["/usr/bin/doveadm"]],
    }[product]
    server = Server(commands[0], commands[1], settings, "", name=product)
    text = server.configuration.read_text()
    server.configuration.write_text(
        text[: text.index("userdb {")] + text[text.index("service imap-login {") :]
    )
    for place in range(1, 5):
        lines = [
            f"{name}::{1000 + place}:{1000 + place}::/home/{name}.{place}::userdb_f{place}=yes\n"
            for name, places in NAMES.items()
            if place in places
        ]
        (server.base / f"users{place}").write_text("".join(lines))
    return server


@pytest.mark.parametrize("name", CHAINS)
def test_rules_lead_to_the_same_account(name: str) -> None:
    """result_success, result_failure, skip, fields, and a database that is not there."""
    said = []
    for product in ("theirs", "ours"):
        server = served(product, "protocols =\n" + userdbs(CHAINS[name]))
        try:
            server.start()
            fields = ":".join(f"%{{userdb:{field}}}" for field in ("f1", "f2", "f3", "f4", "seen"))
            server.doveadm("user", "warm-up")  # Dovecot's first answer of a missing file is another one
            done = server.doveadm("user", "-e", f"%{{username}} %h {fields}", *NAMES)
            missing = [line for line in done.stderr.split("\n") if "exist" in line or "failed" in line]
            said.append((done.stdout.replace(str(server.base), "BASE").split("\n"), len(missing)))
        finally:
            server.end()
    assert said[0] == said[1]
    assert len(said[0][0]) > 5, "somebody is known"


def static_passdb(args: str, rest: str = "") -> str:
    """A block."""
    return f"passdb {{\n  driver = static\n  args = {args}\n  {rest}\n}}\n"


FIELDS: Final = (
    "protocols = imap\nauth_verbose = yes\nauth_failure_delay = 0\n"
    "passdb {\n  driver = passwd-file\n  args = {base}/users\n  username_filter = file*\n}\n"
    + static_passdb("password=far allow_nets=here,127.0.0.0/33,10.0.0.0/8")
    + static_passdb("password=near allow_nets=here,127.0.0.1,there")
    + static_passdb("password={SHA256}x nopassword=y", "username_filter = any")
    + static_passdb(
        "password=fields foo=F userdb_b=B userdb_acl_groups=%u",
        "override_fields = userdb_c=C-%{passdb:foo:none}-%{passdb:zz:none}",
    )
    + "mail_location = maildir:{base}/home/M-%{userdb:b:none}-%{userdb:c:none}-%{userdb:q:none}-%{userdb:z:none}"
    "-%{uid}.%{gid}.%i\n"
)
"""allow_nets with what is no network, nopassword beside a password, and fields of databases in variables."""
USERS: Final = "file1:{PLAIN}own::::::foo=of-file unheard-of=1 userdb_b=b\nfile2:{ZORK}own::::::\n"
"""Fields that only variables know, and a scheme that nobody knows."""


def test_fields_of_passdbs_count_as_in_dovecot() -> None:
    """Who gets in, what the log says of it, and where the mail is."""
    said = []
    attempts = (
        ("me", "far"),
        ("me", "near"),
        ("any", "thing"),
        ("me", "fields"),
        ("file1", "own"),
        ("file2", "own"),
    )

    def prepare(server: Server) -> None:
        (server.base / "users").write_text(USERS)

    with dovecot_pair(
        FIELDS, fields="allow_all_users=yes d=%{userdb:b:none} q=Q%{passdb:foo:none}", prepare=prepare
    ) as servers:
        for server in servers:
            heard = []
            for user, password in attempts:
                with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
                    sock.sendall(f"a LOGIN {user} {password}\r\nb CREATE x\r\nc LOGOUT\r\n".encode())
                    text = b"".join(sock.makefile("rb"))
                heard.append([text.find(b"a OK") > 0, text.find(b"b OK") > 0])
            told = re.findall(r"auth: (?:Info|Error): (.*?),<[^>]*>(.*)", server.log())
            places = sorted(path.name for path in server.home().parent.glob("M-*"))
            shown = server.doveadm("user", "me").stdout.replace(str(server.base), "BASE")
            said.append((heard, told, places, shown))
    assert said[0] == said[1]
    assert [has_logged_in for has_logged_in, _ in said[0][0]] == [False, True, True, True, True, False]

    assert "M-B-C-F-none-QF-none-65534.65534.65534" in said[0][2]


def test_passwords_are_checked_over_tcp() -> None:
    """inet_listener of service auth: where an MTA of another host asks (smtpd_sasl_path = inet:…)."""
    said = []
    for product in ("theirs", "ours"):
        settings = (
            "protocols =\nuserdb {\n  driver = static\n  args = uid=1 gid=1\n}\n"
            "service auth {\n  inet_listener mta {\n    port = {pop3}\n  }\n}\n"
        )
        server = served(product, settings)
        try:
            server.start()
            said.append(answers(server.pop3))
        finally:
            server.end()
    assert said[0] == said[1]
    assert [line.split(b"\t")[0] for line in said[0]] == [b"OK", b"FAIL"]


def answers(port: int) -> list[bytes]:
    """What is said of a right password and of a wrong one."""
    found = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock, sock.makefile("rb") as lines:
        sock.sendall(b"VERSION\t1\t1\nCPID\t4242\n")
        while lines.readline() != b"DONE\n":
            pass
        for number, password in enumerate((b"secret", b"wrong"), 1):
            response = base64.b64encode(b"\0me\0" + password)
            sock.sendall(b"AUTH\t%d\tPLAIN\tservice=smtp\tresp=%b\n" % (number, response))
            found.append(lines.readline())
    return found


def test_a_mistake_in_arguments_ends_the_start() -> None:
    """Dovecot's auth process dies of it when the first user asks; ours says it at once, in the same words."""
    settings = "protocols =\nuserdb {\n  driver = static\n  args = uid=nosuchuser gid=1\n}\n"
    server = served("ours", settings)
    try:
        command = [sys.executable, "-m", "pillarbox.tools.dovecot", "-c", str(server.configuration)]
        done = subprocess.run(command, check=False, timeout=PATIENCE, capture_output=True, text=True)
    finally:
        server.end()
    assert (done.returncode, done.stdout) == (89, "")
    assert done.stderr.endswith(": static userdb: Invalid uid: nosuchuser\n")
