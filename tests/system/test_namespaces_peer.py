"""Namespaces with a prefix and another separator: the same conversation with Debian's Dovecot and with ours."""

import imaplib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.mail_system import PATIENCE, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

PORT = 11143
CONFIGURATION = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
mail_home = {base}/home/%u
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 11143
  }}
}}
{namespace}
"""
NAMESPACES = {
    "Courier's": "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n"
    " mailbox Sent {\n  special_use = \\Sent\n  auto = subscribe\n }\n}\n",
    "Courier's with access lists": "mail_plugins = acl quota\n"
    "protocol imap {\n mail_plugins = acl quota imap_acl imap_quota\n}\n"
    "plugin {\n acl = vfile\n quota = maildir:User quota\n}\n"
    "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\n",
    "none": "",
    "slash": "namespace inbox {\n inbox = yes\n separator = /\n}\n",
}
NOT_YET = {
    b"SUBSCRIBE INBOX.": "Dovecot means the name without the separator",
    b"EXAMINE inbox.c": "the name is spelled as the client did, not with INBOX in capitals",
    **dict.fromkeys(
        (
            b"STATUS INBOX.A.B (MESSAGES)",
            b"STATUS A.B (MESSAGES)",
            b"SELECT INBOX.nosuch",
            b"RENAME A.B C",
            b"DELETE INBOX.C",
        ),
        "a name with a dot is told as a mailbox that does not exist, not as one that cannot be",
    ),
}
"""Differences in the words of a refusal, the dots only where `/` is the separator."""
_MORE = re.compile(rb"(?<=x OK )\[MAILBOXID [^]]*\] |(?<=x NO )\[(?:NONEXISTENT|CANNOT)\] ")
"""What we say more: RFC 8474, and codes of RFC 5530 that Dovecot 2.4 gives."""
CONVERSATION = [
    b"MYRIGHTS nosuch",
    b"GETACL nosuch",
    b"GETQUOTAROOT nosuch",
    b"SETACL nosuch joe lr",
    b"DELETEACL nosuch joe",
    b"LISTRIGHTS nosuch joe",
    b"GETQUOTAROOT INBOX.nosuch",
    b"NAMESPACE",
    b'LIST "" ""',
    b"CREATE INBOX.A.B",
    b"CREATE A.B",
    b'LIST "" *',
    b'LIST "" %',
    b'LIST "" INBOX.%',
    b"LIST INBOX. %",
    b"SUBSCRIBE INBOX.A.B",
    b"SUBSCRIBE A.B",
    b'LSUB "" *',
    b'LSUB "" %',
    b"STATUS INBOX.A.B (MESSAGES)",
    b"STATUS A.B (MESSAGES)",
    b"SELECT nosuch",
    b"SELECT INBOX.nosuch",
    b"RENAME INBOX.A.B INBOX.C",
    b"RENAME A.B C",
    b'LIST "" *',
    b"EXAMINE inbox.c",
    b"DELETE INBOX.C",
    b"DELETE C",
    b"CREATE inBOX.d",
    b"SUBSCRIBE inbox.d",
    b"SELECT INbox.d",
    b"UNSELECT",
    b"RENAME inbox.d Inbox.e",
    b'LIST "" *',
    b'LSUB "" *',
    b"DELETE inbox.e",
    b"STATUS INBOX (MESSAGES)",
    b"STATUS INBOX. (MESSAGES)",
    b"SELECT INBOX.",
    b"SUBSCRIBE INBOX.",
    b"UNSUBSCRIBE INBOX.",
    b"RENAME INBOX. INBOX.f",
    b"CREATE INBOX.INBOX.up",
    b'LIST "" *',
    b'LIST "" INBOX.%',
    b"DELETE INBOX.INBOX.up",
    b'LIST "" INBOX.%',
    b"CREATE INBOX.Inbox",
    b"CREATE INBOX.inBox",
    b"CREATE INBOX.Inbox.below",
    b"STATUS INBOX.Inbox (MESSAGES)",
    b"STATUS INBOX.INbox (MESSAGES)",
    b'LIST "" INBOX.%',
    b"RENAME INBOX.inBox INBOX.iNBOX",
    b"SELECT INBOX.iNBOX",
    b"UNSELECT",
    b"DELETE INBOX.Inbox.below",
    b"DELETE INBOX.Inbox",
    b'LIST "" *',
]


@pytest.fixture(params=NAMESPACES)
def base(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory with a configuration, for either product in turn."""
    base = Path(tempfile.mkdtemp(prefix="namespaces-"))
    base.chmod(0o755)
    try:
        text = CONFIGURATION.format(base=base, namespace=NAMESPACES[request.param])
        (base / "dovecot.conf").write_text(text)
        yield base
    finally:
        shutil.rmtree(base)


def said(base: Path, program: list[str]) -> list[list[bytes]]:
    """What a server answers, line by line; without times, and untagged lines sorted."""
    home = base / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    shutil.chown(home, "nobody", "nogroup")
    subprocess.run([*program, "-c", str(base / "dovecot.conf")], check=True, timeout=60)
    try:
        client = imaplib.IMAP4("127.0.0.1", PORT, timeout=PATIENCE)
        client.login("me", "secret")
        answers = []
        for command in CONVERSATION:
            client.send(b"x " + command + b"\r\n")
            lines: list[bytes] = []
            while not lines or not lines[-1].startswith(b"x "):
                line = client.readline()
                assert line, command
                line = re.sub(rb" \([0-9.+ ]+ secs\)\.?", b"", line.rstrip())
                lines.append(re.sub(rb"\[UIDVALIDITY \d+\]|\[HIGHESTMODSEQ \d+\]", b"[N]", line))
            lines = [_MORE.sub(b"", line) for line in lines if not line.startswith(b"* OK [MAILBOXID")]
            answers.append([command, *sorted(lines[:-1]), lines[-1]])
        client.send(b"y LOGOUT\r\n")
        while client.readline():  # the session has ended when the connection does
            pass
        client.shutdown()
    finally:
        subprocess.run(["/usr/bin/doveadm", "-c", str(base / "dovecot.conf"), "stop"], check=True, timeout=60)
        until(lambda: not (base / "run" / "master.pid").exists(), what="it has stopped")
    return answers


def test_both_say_the_same(base: Path) -> None:
    """Names, separators and refusals."""
    theirs = said(base, ["/usr/sbin/dovecot"])
    ours = said(base, [sys.executable, "-m", "pillarbox.tools.dovecot"])
    different = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    different = [
        (one, other)
        for one, other in different
        if not (one[0] in NOT_YET and all(line[1].startswith(b"x NO ") for line in (one, other)))
    ]
    assert different == [], "\n".join(f"ours   {a}\ntheirs {b}" for a, b in different)
