"""Settings of dovecot.conf that say what log lines look like and where they go: the same lines as from Dovecot."""

import contextlib
import difflib
import imaplib
import poplib
import re
import shutil
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = f"""\
protocols = imap pop3 lmtp
mail_location = maildir:~/Maildir
service pop3-login {{
  inet_listener pop3 {{
    port = {{pop3}}
  }}
}}
{PATIENT_WITH_GUESSERS}"""
_KNOWN_TO_LOGINS: Final = (
    "lport rport secured real_lip real_rip real_lport real_rport mech mechanism domain_first domain_last local_name "
    "orig_user orig_username orig_domain original_user auth_user auth_username auth_domain login_user login_domain "
    "master_user local_ip remote_ip local_port remote_port real_local_ip real_remote_port cert client_id"
).split()
FIELDS: Final = "allow_all_users=yes " + " ".join(
    f"{name}_={name}=<%{{{name}}}>" for name in _KNOWN_TO_LOGINS
)
"""Of the userdb: each variable of a login once; mail_log_prefix tells them."""
_OTHERS: Final = (
    "local_ip remote_ip local_port remote_port mechanism real_local_ip real_remote_ip real_local_port "
    "real_remote_port orig_username auth_username passdb:user"
).split()
CASES: Final = {
    "everything": """
login_log_format = %$; %s %q
login_log_format_elements = user=<%u> %m %r %l lport=%a rport=%b pid=%p mpid=%e %c k=%k <%{session}> real=%{real_rip}:%{real_rport} \
 %{local_name} d=%{auth_domain} %{orig_user} on=%{listener} %n.%d L=%Lu h=%h lit zz=%{frob} %s q=%{passdb:foo} %{if;%s;eq;imap;i;p} \
 OTHERS
mail_log_prefix = "%s[%u]{%{pid}}(%{session})%n/%d %r %l %{home} %p %i %{gid} %{auth_user} %5Lu %{local_ip} %{remote_ip} FIELDS: "
deliver_log_format = m=%m s=%s f=%f e=%e [%$] p=%p w=%w to=%{to_envelope} st=%{storage_id} t=%{frob} %%
log_timestamp = "%Y-%m-%dT%H:%M:%S%z "
info_log_path = {base}/info
debug_log_path = {base}/debug
auth_verbose = yes
auth_verbose_passwords = sha1:6
mail_plugins = last_login
plugin {
  last_login_dict = file:{base}/home/last-logins
  last_login_key = %s/%u/%r
  last_login_precision = ms
}
""".replace("OTHERS", " ".join(f"<%{{{name}}}>" for name in _OTHERS)).replace(
        "FIELDS", " ".join(f"%{{userdb:{name}_}}" for name in _KNOWN_TO_LOGINS)
    ),
    "within protocols": """
mail_log_prefix = "all %u "
info_log_path = /dev/stderr
log_timestamp =
auth_verbose = yes
auth_verbose_passwords = plain:3
protocol imap {
  mail_log_prefix = "imap only %u: "
  login_log_format_elements = u=%u rip=%r
}
protocol pop3 {
  login_log_format = P %s: %$
}
protocol lmtp {
  mail_log_prefix = "lmtp %s %u "
  deliver_log_format = %$ (%m) from %e
}
""",
}
DEBUGGED: Final = """
auth_debug = yes
mail_debug = yes
auth_mechanisms = plain cram-md5
mail_access_groups = games
namespace inbox {
  inbox = yes
  separator = /
}
namespace pub {
  type = public
  prefix = Public/
  separator = /
  location = maildir:{base}/pub:LAYOUT=fs:INDEX=~/public
  subscriptions = no
}
namespace {
  type = shared
  prefix = shared/%%u/
  separator = /
  location = maildir:%%h/Maildir
  list = children
}
passdb {
  driver = passwd-file
  args = username_format=%n {base}/users
  mechanisms = plain
}
passdb {
  driver = passwd-file
  args = {base}/users
  username_filter = *@example.org
}
userdb {
  driver = prefetch
}
userdb {
  driver = passwd-file
  args = {base}/users
}
"""
TOLD: Final = re.compile(
    r"(?:auth: |imap.*: Debug: (?:Effective|Namespace|fs|maildir..: |Home dir|User session)|Info: Disc).*"
)
UNTOLD: Final = re.compile(
    "Loading modules|Module loaded|Wrote new auth token|:Read |auth client connected|Namespace[^:]*: (?!type)|:LAYOUT=none"
)
MESSAGE: Final = b"From: Me <a@b.c>\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@x>\n\nhello\n"


def play(server: Server) -> None:
    """Sessions of each protocol; the last one is a wrong password's."""
    client = imaplib.IMAP4("127.0.0.1", server.port, timeout=PATIENCE)
    client.login("Me", "secret")  # auth_username_format makes a small letter of it
    client.logout()
    pop = poplib.POP3("127.0.0.1", server.pop3, timeout=PATIENCE)
    pop.user("me")
    pop.pass_("secret")
    pop.quit()
    server.lmtp(MESSAGE)
    server.lmtp(MESSAGE[MESSAGE.index(b"\n\n") :], sender="")
    imaplib.IMAP4("127.0.0.1", server.port, timeout=PATIENCE).logout()
    client = imaplib.IMAP4("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.suppress(imaplib.IMAP4.error):
        client.login("me", "wrong")
    client.logout()


def lines(server: Server, names: tuple[str, ...]) -> dict[str, list[str]]:
    """By file; without what is of one run or of Dovecot's own reading of a setting."""
    found = {}
    for name in names:
        path = server.base / name
        text = path.read_text() if path.exists() else ""
        text = re.sub(r"[A-Za-z0-9+/]{16}(?=[>)])|[A-Za-z0-9+/]{22}(?=[>)])", "ID", text)
        text = re.sub(r"\d{10}\.M\d+P\d+\.[^,]*", "NAME", text)
        text = re.sub(r"(?<=in )\d+(?= secs)|(?<=out=)\d+|:\d\d:\d\d|(?<=[=({<:: ])\d{4,5}\b", "N", text)
        found[name] = sorted(
            line
            for line in text.splitlines()
            if not re.search("starting up|Failed to expand|Unknown variable|state_dir|Killed with", line)
        )
    return found


def last_logins(server: Server) -> list[str]:
    """The keys of last_login_dict, each with a time of 13 digits."""
    path = server.base / "home" / "last-logins"
    lines = path.read_text().splitlines() if path.exists() else []
    assert all(re.fullmatch(r"1[0-9]{12}", line) for line in lines[1::2])
    return sorted(lines[::2])


def asked(server: Server) -> list[str]:
    """What doveadm log says: where the logs are, and what stands in the one for faults."""
    said = []
    for words in ("find", "errors -s 9999999999", "reopen", "test"):
        done = server.doveadm("log", *words.split())
        text = re.sub(r"\(\d{10}\)", "(TIME)", f"{words}: {done.returncode} {done.stdout}{done.stderr}")
        said.append(text.replace(str(server.base), "BASE"))
    return said


@pytest.mark.parametrize("case", CASES)
def test_lines(case: str) -> None:
    """Each file has the same lines."""
    names = ("log", "info", "debug", "screen")
    with dovecot_pair(SETTINGS + CASES[case], fields=FIELDS) as pair:
        said = []
        for server in pair:
            play(server)

            def has_ended(server: Server = server) -> bool:
                text = "".join(map("".join, lines(server, names).values()))
                return "auth failed" in text and text.count("Disconnect from local") == 2

            until(has_ended, what=f"all is logged: {lines(server, names)}")
            said.append(lines(server, names))
        for name in names:
            assert said[0][name] == said[1][name], "\n".join(
                difflib.unified_diff(said[1][name], said[0][name], lineterm="")
            )
        assert asked(pair[0]) == asked(pair[1])
        assert last_logins(pair[0]) == last_logins(pair[1])
        assert any("Login" in line for text in said[1].values() for line in text)


def debugged(server: Server) -> list[str]:
    """Logins that are right and wrong, by two mechanisms, and what the log tells of them."""
    (server.base / "users").write_text(f"you:{{PLAIN}}mine:65534:65534::{server.base}/home/you::\n")
    (server.base / "pub").mkdir()
    shutil.chown(server.base / "pub", "root", "games")
    (server.base / "pub").chmod(0o770)
    for user, password, is_plain, is_right in (
        ("me", "secret", True, True),
        ("you", "mine", True, True),
        ("you", "wrong", False, False),
        ("he@example.org", "secret", False, True),
        ("me", "wrong", True, False),
    ):
        begun = len(server.log())
        client = imaplib.IMAP4("127.0.0.1", server.port, timeout=PATIENCE)
        with contextlib.suppress(imaplib.IMAP4.error):
            client.login(user, password) if is_plain else client.login_cram_md5(user, password)
            if password == "mine":
                assert client.create("Public/Ours")[0] == "OK", "by the right of a group"
        client.logout()
        ended = "User session is finished" if is_right else "(auth failed, "
        until(lambda told=(begun, ended): told[1] in server.log()[told[0] :], what=ended)  # type: ignore[misc]
    assert server.doveadm("user", "you").returncode == 0
    found = [TOLD.search(line) for line in server.log().splitlines() if not UNTOLD.search(line)]
    lines = [match[0].replace(str(server.base), "BASE") for match in found if match is not None]
    lines = [
        re.sub(r"<\d+>|[A-Za-z0-9+/]{16}(?=>)|(?<=in )\d+(?= secs)|out=\d+", "N", line) for line in lines
    ]
    return [_of_protocol(line) for line in lines]


def _of_protocol(line: str) -> str:
    """Without what differs between two logins, and fields that only one of the products has."""
    line = re.sub(r"client in: AUTH\t\d+\t(\S+)\t.*?(\tresp=\S*)?$", r"client in: AUTH \1\2", line)
    line = re.sub(r"client passdb out: CONT.*", "client passdb out: CONT", line)
    line = re.sub(r"(client passdb out: \S+)\t\d+\t", r"\1 ", line)
    line = re.sub(r"master in: REQUEST.*", "master in: REQUEST", line)
    line = re.sub(r"(master in: USER)\t\d+\t(\S+).*", r"\1 \2", line)
    return re.sub(r"(userdb out: \S+)\t\d+\t(\w+).*", r"\1 \2", line)


def test_each_step_of_a_login_is_told() -> None:
    """auth_debug and mail_debug: the same lines in the same order; no password among them."""
    with dovecot_pair(SETTINGS + DEBUGGED) as pair:
        ours, theirs = (debugged(server) for server in pair)
        for service in ("auth", "imap"):
            # Dovecot tells of passdbs that it would skip, too, when the login is over.
            both = [
                [line for line in lines if line.startswith(service) and "skipping" not in line]
                for lines in (ours, theirs)
            ]
            assert both[0] == both[1], "\n".join(difflib.unified_diff(both[1], both[0], lineterm=""))
        assert not any("secret" in line or "mine" in line for line in ours)
        skipped = "auth: Debug: plain(me,127.0.0.1,<N>): skipping passdb: username filtered"
        assert skipped in ours
        assert skipped in theirs
