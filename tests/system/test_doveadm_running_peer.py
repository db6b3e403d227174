"""doveadm beside servers that run: users, logins, sessions, logs, and commands for many users.

The same commands by Dovecot's and by ours, each with its own server.  A command whose answers differ stands in
doveadm_running_differences.txt with the reason.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from fakes.dovecot_pair import Server
from fakes.mail_system import PATIENT_WITH_GUESSERS
from pillarbox.tools import doveadm

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS: Final = f"""\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = $mail_plugins quota
mail_attribute_dict = file:%h/dovecot-attributes
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=1M
}}
passdb {{
  driver = passwd-file
  args = {{base}}/users
}}
userdb {{
  driver = passwd-file
  args = {{base}}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
{PATIENT_WITH_GUESSERS}"""
USERS: Final = """\
me:{PLAIN}secret:65534:65534::{base}/home/me::
you:{PLAIN}geheim:65534:65534::{base}/home/you::userdb_quota_rule=*:storage=5M
off:{PLAIN}x:65534:65534::{base}/home/off::nologin
bare:{PLAIN}x
"""
MESSAGE: Final = b"From: a@b.c\nSubject: s\nMessage-ID: <1@x>\n\nhello\n"
COMMANDS: Final = tuple(
    line
    for line in r"""
auth
auth test
auth test me secret
auth test me wrong
auth test nobody x
auth test off x
auth test -x service=imap -x rip=192.0.2.1 me secret
auth login me secret
auth login me wrong
auth login bare x
auth lookup
auth lookup me
auth lookup nobody
auth lookup off
auth lookup -f user me
auth lookup -f frob me
auth lookup -f user me off
auth lookup nobody me
auth lookup me you
auth cache
auth cache frob
auth cache flush
auth cache flush a b
auth frob
user
user me
user nobody
user you
user bare
user -f home me
user -f uid me
user -f frob me
user -f home nobody
user -f home me you
user -f home me nobody
user -u me
user -u nobody
user -u me you
user -e %u me
user -e '%u/%h' me you
user -e '%{userdb:quota_rule}' you
user -e %{uid} nobody
user '*'
user 'm*'
user 'z*'
user 'm*' you
user me you
user me nobody
-f tab user me
-f json user me
-f flow user me
-f pager user me
-f json user nobody
-f json user '*'
-f tab user 'z*'
-f table user '*'
-f tab user -f home me
who
who me
who -1
who 192.0.2.1
who me you
who me 192.0.2.1
who 192.0.2.0/24 192.0.2.1
-f json who
-f tab who
-f flow who
-f pager who
-f table who
kick
kick me
kick 192.0.2.1
kick me you
penalty
-f tab penalty
penalty 192.0.2.0/24
penalty x
penalty -a BASE/nosuch
proxy
proxy list
proxy kick
proxy kick me
-f json proxy list
-f tab proxy list
process
process frob
process status
process status imap-login
service status auth
instance
instance list -c
instance list frob
instance remove
instance remove frob
log
log frob
log find
log errors -s 9999999999
-f tab log errors -s 9999999999
-f json log errors -s 9999999999
-f table log errors -s 9999999999
log test
pw -s PLAIN -p x
pw -s FROB -p x
pw -l
pw -t '{PLAIN}x' -p x
pw -t '{PLAIN}x' -p y
pw -t x -p y
pw -V -s PLAIN -p x
config -h protocols
stats
stats dump
-f json stats dump
-f table stats dump
stats remove frob
stats remove
stats add x event=foo
batch
batch -u me :
batch : mailbox list
batch -u me : mailbox list
batch -u me :: mailbox list
-f json batch -u me : mailbox list
batch -u me : mailbox path INBOX : mailbox list
batch -u me : frob
batch -u me : flags add
batch -u me : search frob : mailbox list
batch -u nobody : mailbox list
batch -A : search mailbox INBOX all
batch -u me : mailbox create Once : mailbox create Once : mailbox create Twice
mailbox list -u me 'Tw*'
mailbox delete -u me -e Once
mailbox delete -u me -e Once
mailbox delete -u me -e INBOX
mailbox create -u me Once
mailbox delete -u me -Z Once
mailbox list -F BASE/two
-f tab mailbox list -F BASE/two
batch -F BASE/two : search mailbox INBOX all
search -F BASE/nowhere all
-f tab search -F BASE/nowhere all
-f json mailbox list -F BASE/nowhere
mailbox path -u me -t index Sent
mailbox path -u me -t control Sent
mailbox path -u me -t dir Nope
mailbox path -u me -t alt-dir Sent
mailbox path -u me -t frob Sent
altmove -u me all
altmove -u me frob
altmove -u me -r mailbox Nope all
replicator status
replicator replicate me
replicator status -a BASE/nowhere
dict
-f frob user me
-x
-c
-o frob=1 user me
-o mail_debug=yes user -f home me
-o mail_location=~/nowhere mailbox list -u me
-o mail_location=auto:~/nowhere mailbox list -u me
-o mail_location=~/nowhere:INDEX=~/index search -u me all
-o mail_location=~/Maildir mailbox status -u me messages INBOX
-o plugin/quota_rule=*:storage=2M quota get -u me
mailbox path -u me INBOX
mailbox path -u me INBOX Sent
mailbox status -u me 'uidvalidity uidnext guid' INBOX
mailbox status -u me messages '*'
mailbox status -A messages INBOX
quota get -u me
quota get -u nobody
quota recalc -u me
quota get -u 'z*'
-f json quota get -A
-f json quota get -u 'z*'
mailbox list -u nobody
mailbox list -u 'z*'
search -u 'z*' all
-f tab search -u 'z*' all
-f json search -u 'z*' all
-f pager search -u 'z*' all
-f table search -u 'z*' all
-f tab search -u nobody all
-f tab mailbox list -u 'z*'
-f json mailbox list -u 'z*'
-f json mailbox status -u 'z*' messages INBOX
-f tab mailbox status -u 'z*' messages INBOX
-f json fetch -u 'z*' uid all
-f pager fetch -u 'z*' uid all
search -A mailbox INBOX all
mailbox metadata list -u me INBOX x
mailbox metadata set -u me INBOX /private/comment 'a b'
mailbox metadata set -u me INBOX /shared/comment 'c d'
mailbox metadata set -u me '' /private/comment x
mailbox metadata set -u me INBOX comment x
mailbox metadata set -u me INBOX /frob/comment x
mailbox metadata set -u me INBOX /private/vendor/a/b z
mailbox metadata set -u me Nope /private/comment x
mailbox metadata set -u me INBOX
mailbox metadata get -u me INBOX /private/comment
mailbox metadata get -u me INBOX /shared/comment
mailbox metadata get -u me INBOX /private/nope
mailbox metadata get -u me '' /private/comment
mailbox metadata get -u me Nope /private/comment
mailbox metadata get -u me INBOX
mailbox metadata get -u me INBOX comment
mailbox metadata get -u me Sent /private/specialuse
-f json mailbox metadata get -u me INBOX /private/comment
-f tab mailbox metadata get -u me INBOX /private/comment
-f pager mailbox metadata get -u me INBOX /private/comment
mailbox metadata get -A INBOX /private/comment
mailbox metadata list -u me ''
mailbox metadata list -u me INBOX
mailbox metadata list -u me INBOX /private/vendor
mailbox metadata list -u me INBOX /private/vendor/
mailbox metadata list -u me INBOX vendor
mailbox metadata list -u me Nope
mailbox metadata unset -u me INBOX /private/comment
mailbox metadata unset -u me INBOX /private/nope
mailbox metadata unset -u me Nope /private/nope
mailbox metadata get -u me INBOX /private/comment
import -u me
import -u me maildir:BASE/home/you/Maildir imported
flags add -u you '\Seen $Label1' mailbox INBOX all
import -u me maildir:BASE/home/you/Maildir imported all
mailbox list -u me 'imported*'
fetch -u me 'mailbox uid flags hdr.subject' mailbox 'imported/*' all
import -u me -s maildir:BASE/home/you/Maildir imported2 mailbox INBOX uid 1
import -u me maildir:BASE/home/you/Maildir '' mailbox INBOX uid 1
import -u me frob:BASE/x imported all
import -u me maildir:BASE/nowhere imported all
import -u me maildir:BASE/home/you/Maildir '' mailbox Nope all
mailbox list -u me -s 'imported*'
search -u me mailbox INBOX all
""".split("\n")
    if line
)
LIST: Final = Path(__file__).with_name("doveadm_running_differences.txt")
DIFFERENCES: Final = {
    line.partition(" | ")[0] for line in LIST.read_text().split("\n") if line and not line.startswith("#")
}


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs), with the same users, and a message for two of them."""
    with ExitStack() as stack:
        servers = []
        for name, program, command in (
            (
                "ours",
                [sys.executable, "-m", "pillarbox.tools.dovecot"],
                [sys.executable, "-m", "pillarbox.tools.doveadm"],
            ),
            ("theirs", ["/usr/sbin/dovecot"], ["/usr/bin/doveadm"]),
        ):
            server = Server(program, command, SETTINGS, "", name=name)
            stack.callback(server.end)
            text = server.configuration.read_text()
            static = text.index("passdb {"), text.index("service imap-login {")
            server.configuration.write_text(text[: static[0]] + text[static[1] :])
            (server.base / "two").write_text("me\nnobody\nyou\n")
            (server.base / "users").write_text(USERS.replace("{base}", str(server.base)))
            server.start()
            for user in ("me", "you"):
                server.lmtp(MESSAGE, to=(user,))
            servers.append(server)
        yield servers[0], servers[1]


def as_said(server: Server, status: int, output: bytes, errors: bytes) -> tuple[int, str, str]:
    """Without what cannot be the same."""
    texts = []
    for octets in (output, errors):
        text = octets.decode("utf-8", "backslashreplace").replace(str(server.base), "BASE")
        text = re.sub(r"(?<=\))(<[^>]*>)+(?=: )", "", text)
        text = re.sub(r"[0-9a-f]{32}|\b\d{10}\b|\S+(?=: (?:invalid option|option requires))", "X", text)
        texts.append(re.sub(r" {2,}", "  ", text))  # columns are as wide as BASE
    return status, texts[0], texts[1]


def test_the_same_commands_say_the_same(
    pair: tuple[Server, Server], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Output, complaints and exit status of each; and the listed differences are differences."""
    ours, theirs = pair
    found = {}
    for line in COMMANDS:
        words = shlex.split(line)
        here = [word.replace("BASE", str(ours.base)) for word in words]
        there = [word.replace("BASE", str(theirs.base)) for word in words]
        done = subprocess.run(
            [*theirs.doveadm_command, *there], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        expected = as_said(theirs, done.returncode, done.stdout, done.stderr)
        capfdbinary.readouterr()
        status = doveadm.main(["-c", str(ours.configuration), *here])
        said = as_said(ours, status, *capfdbinary.readouterr())
        if said != expected:
            found[line] = f"{line}\n    theirs: {expected}\n    ours:   {said}"
    assert [text for line, text in found.items() if line not in DIFFERENCES] == []
    assert sorted(found) == sorted(DIFFERENCES)
