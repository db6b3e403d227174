"""doveadm on mailboxes: the same commands, one after the other, by Dovecot's and by ours, on copies of the same mail.

No daemon runs.  A command whose answers differ stands in doveadm_differences.txt with the reason.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.doveadm import Doveadm
from pillarbox.tools import doveadm

pytestmark = [pytest.mark.system, pytest.mark.peer("dovecot")]

MESSAGES: Final = (
    "From: A1 <a1@b.c>\nTo: t@x.y\nSubject: hello 1\nMessage-ID: <x1@b.c>\nDate: Mon, 1 Jan 2024 10:00:00 +0200\n\n"
    "Hello body 1\nsecond\n",
    "From: A2 <a2@b.c>\nTo: t@x.y\nSubject: hello 2\nMessage-ID: <x2@b.c>\nDate: Tue, 2 Jan 2024 10:00:00 -0330\n\n"
    "Hello body 2\nsecond\n",
    "From: A3 <a3@b.c>\nTo: t@x.y\nSubject: hello 3\nMessage-ID: <x3@b.c>\n\nno date\n",
    "Received: one\nReceived: two\n\tthree\nSubject: =?utf-8?q?h=C3=A9?=\n  folded\nFrom: a1@x\n\nbody\n",
    "Subject: m\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npre\n--b\n"
    "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nh=E9llo\n--b\n"
    "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAEC\n--b--\n",
)
COMMANDS: Final = tuple(
    line
    for line in r"""
mailbox list
mailbox list --subscriptions
mailbox list --subs --mailbox-mask Tr*
mailbox list Tr* -s
mailbox list -u
mailbox list --user
mailbox list --subscriptions=yes
mailbox list --nosuch
mailbox list -- -s
mailbox status --fieldstr messages --mailbox-mask INBOX
mailbox status INBOX --fieldstr messages
mailbox status messages INBOX -q
search ALL -q
search --query ALL
search all --socket
fetch uid all --q
fetch --field uid all
fetch uid --query all
flags add --flag '\Seen' uid 1
pw -q
pw -s
pw --frob
pw a b
pw --list --plaintext
pw --scheme PLAIN --plaintext secret
pw -p secret -s PLAIN -u a
pw -p secret -s PLAIN.b64
pw -p secret -s PLAIN.foo
pw -p secret -s SHA1.HEX
pw -p secret -s CRAM-MD5
pw -p secret -s PLAIN-MD4
pw -p secret -s DIGEST-MD5 -u a@b
pw -p secret -s DIGEST-MD5
pw -p secret -t {MD5}5ebe2294ecd0e0f08eab7690d2a6ee69
pw -p secret -t {HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56
pw -p secret -t {PLAIN-TRUNC}3-sec
who -q
kick -q
kick --force -q
user -q
user -f
auth test -q x
auth login a -f
auth lookup --frob
auth cache flush -q
log errors -q
log find -q
log find /nosuch x
log reopen -q
log reopen x
log test x
reload -q
reload x y
stop x
stop --now
instance list -q
mailbox create -s Trash
mailbox create Archive/2024 Zoo
mailbox list
mailbox list -s
mailbox list Nope
mailbox list 'Tr*' INBOX
mailbox list -8 '*'
mailbox list '%'
-f tab mailbox list
-f json mailbox list
-f pager mailbox list
-f table mailbox list
mailbox create
mailbox create Trash
mailbox create ''
mailbox create a//b
mailbox create Trash Several a//b Severals
mailbox path Trash
mailbox path Nope
mailbox status 'messages vsize' '*'
mailbox status 'messages recent uidnext unseen vsize' INBOX
mailbox status frob INBOX
mailbox status messages Nope
mailbox status messages INBOX Nope
mailbox status -t 'messages vsize' '*'
-f tab mailbox status 'messages unseen' '*'
-f json mailbox status 'messages guid' INBOX
-f table mailbox status 'messages unseen' '*'
mailbox status
search all
search
search mailbox INBOX
search mailbox INBOX uid 2:*
search mailbox INBOX 1
search mailbox inbox all
search mailbox Nope all
search mailbox 'Arch*' all
search mailbox '%' uid 1
search mailbox ''
search mailbox INBOX frob
search mailbox INBOX since
search mailbox INBOX since foo
search OR mailbox INBOX mailbox Trash
search mailbox INBOX '(' from a1 or subject 2 ')'
search mailbox INBOX from a1 or subject 2
search mailbox INBOX '(' from a1 subject 1 or subject 2 ')'
search from a1 or from a2 or from a3
search not '(' from a1 or from a2 ')'
search mailbox INBOX not from a1
search not mailbox INBOX all
search mailbox INBOX mailbox Trash all
search '(' mailbox INBOX or mailbox Trash ')' uid 1
search mailbox INBOX '(' from a1
search mailbox INBOX from a1 ')'
search mailbox INBOX not
search mailbox INBOX uid x
search mailbox INBOX before 1d
search mailbox INBOX since 1w
search mailbox INBOX since 1700000000
search mailbox INBOX since '5 days 12 hours'
search mailbox INBOX savedsince 1h
search mailbox INBOX savedbefore 30d
search mailbox INBOX savedbefore 2001-01-01
search mailbox INBOX sentsince 2024-01-02
search mailbox INBOX sentbefore 02-Jan-2024
search mailbox INBOX senton 1-Jan-2024
search mailbox INBOX sentbefore 30d
search mailbox INBOX on 0d
search mailbox INBOX older 999999999
search mailbox INBOX younger 1h
search mailbox INBOX header Message-ID x2
search mailbox INBOX header Subject ''
search mailbox INBOX larger 10
search mailbox INBOX larger 1k
search mailbox INBOX smaller 130
search mailbox INBOX new
search mailbox INBOX unseen seen
search mailbox INBOX keyword foo
search mailbox INBOX body second
search mailbox INBOX text héllo
search mailbox-guid abc all
-f tab search mailbox INBOX all
-f json search mailbox INBOX all
-f table search mailbox INBOX all
-f pager search mailbox INBOX uid 1:2
-f json search mailbox INBOX uid 77
fetch
fetch uid
fetch frob mailbox INBOX uid 1
fetch body.utf8 mailbox INBOX uid 1
fetch uid mailbox INBOX all
fetch uid mailbox INBOX uid 77
fetch 'user mailbox mailbox-guid seq uid guid flags' mailbox INBOX all
fetch 'size.physical size.virtual refcount storageid' mailbox INBOX all
fetch 'date.received date.received.unixtime' mailbox INBOX all
fetch 'date.sent date.sent.unixtime' mailbox INBOX all
fetch hdr mailbox INBOX all
fetch body mailbox INBOX uid 1:4
fetch text mailbox INBOX uid 1:4
fetch 'text.utf8 uid' mailbox INBOX uid 1:4
fetch text.utf8 mailbox INBOX uid 5
fetch 'body.snippet body.preview' mailbox INBOX all
fetch 'hdr.subject hdr.nope hdr.to.utf8' mailbox INBOX uid 1
fetch 'hdr.subject hdr.received hdr.subject.utf8' mailbox INBOX uid 4
fetch 'imap.envelope imap.body imap.bodystructure' mailbox INBOX all
fetch 'body.1 binary.1' mailbox INBOX uid 5
fetch 'body.2.mime body.2 body.9' mailbox INBOX uid 5
fetch 'body.1' mailbox INBOX uid 1
fetch 'uid body.1 flags' mailbox INBOX uid 1:2
fetch 'hdr body' mailbox INBOX uid 1:2
fetch 'pop3.uidl pop3.order' mailbox INBOX uid 1:2
fetch 'uid flags' mailbox Nope all
-f tab fetch 'uid flags hdr.subject' mailbox INBOX uid 1:2
-f flow fetch 'uid flags' mailbox INBOX uid 1:2
-f flow fetch 'hdr.received uid' mailbox INBOX uid 4
-f json fetch 'uid flags hdr text' mailbox INBOX uid 1:2
-f table fetch 'uid flags' mailbox INBOX uid 1:2
-f table fetch 'uid hdr' mailbox INBOX uid 1
-f table fetch uid mailbox INBOX uid 77
flags add
flags
flags add '\Seen $Label1 foo' mailbox INBOX uid 1:2
flags remove '\seen' mailbox INBOX uid 2
flags replace '\Flagged bar' mailbox INBOX uid 3
flags add '\Bogus' mailbox INBOX uid 1
flags add '\Seen' mailbox Nope all
fetch 'uid flags' mailbox INBOX all
search mailbox INBOX keyword FOO
copy
copy Trash mailbox INBOX uid 1
copy Trash user other mailbox INBOX all
copy Trash mailbox Nope all
move Trash mailbox INBOX uid 2
move Nope mailbox INBOX uid 3
fetch 'mailbox uid flags hdr.subject' all
save
save -m Trash
save -m Nope
deduplicate
deduplicate -m mailbox Trash all
deduplicate mailbox INBOX all
fetch 'mailbox uid' all
expunge
expunge all
expunge mailbox INBOX or mailbox Trash
expunge '(' mailbox INBOX or all ')'
expunge mailbox Nope all
expunge mailbox '*' subject nothing
expunge mailbox Trash uid 2
fetch 'mailbox uid' mailbox Trash all
expunge mailbox Trash all
expunge -d mailbox Archive/2024 all
mailbox list
index
index INBOX
index -n 1 '*'
index Nope
force-resync
force-resync INBOX
force-resync '*'
purge
mailbox unsubscribe Trash
mailbox list -s
mailbox delete -s Trash
mailbox delete Trash
mailbox create A/B A/C
mailbox delete -r A
mailbox list
mailbox delete INBOX
mailbox delete Nope Several Nobody Severals
mailbox rename INBOX Foo
mailbox rename Nope Foo
mailbox rename Zoo INBOX
mailbox rename Zoo Circus
mailbox rename Zoo
mailbox rename Circus Circus
mailbox update
mailbox update --mailbox-guid 0123 INBOX
mailbox update --uid-validity x INBOX
mailbox update --min-first-recent-uid 3 INBOX
mailbox update --uid-validity 78 Nope
mailbox update INBOX Trash
mailbox update --uid-validity 77 --min-next-uid 90 Circus
mailbox update -g 0123456789abcdef0123456789abcdef Circus
mailbox status 'uidvalidity uidnext' Circus
mailbox create -g xx Guided
mailbox create -g 0123456789abcdef0123456789abcdee Guided
mailbox update -g 0123456789abcdef0123456789abcdee Circus
mailbox create -g 0123456789abcdef0123456789abcdee Guarded
mailbox delete Guarded
mailbox cache purge Nope
mailbox cache purge INBOX
mailbox list
mailbox list -x
mailbox
""".split("\n")
    if line
)
CONTENT: Final = b"Subject: saved\nMessage-ID: <x1@b.c>\n\nby doveadm save\n"
LIST: Final = Path(__file__).with_name("doveadm_differences.txt")
LISTS: Final = r"""
mailbox create Work Other
acl
acl get Work
acl get -m Work
acl rights Work
acl set Work user=bob lookup read
acl get Work
acl set Work user=bob insert
acl add Work user=bob write write-seen
acl remove Work user=bob insert
acl get Work
acl set Work anyone lookup
acl set Work group=g lookup read
acl set Work authenticated admin
acl set Work owner lookup
acl set Work group-override=x read
acl get Work
acl get -m Work
acl rights Work
acl delete Work user=bob
acl get Work
acl delete Work user=nosuch
acl set Work bob read
acl set Work user=bob frob
acl set Work user=bob
acl set Work
acl set
acl get
acl get Nope
acl set Nope user=bob read
acl rights Nope
acl delete Nope user=x
acl add Work user=bob read read
acl set Work user=carl lr
acl set Work user=dora all
acl get INBOX
acl set INBOX user=bob lookup read
acl get INBOX
acl get Work Other
acl rights INBOX
acl debug Work
acl debug Nope
acl remove Work user=nosuch read
acl remove Work anyone lookup
acl get Work
acl set Work user= read
acl set Work =x read
acl delete Work anyone
acl delete Work
acl set Work '#user' read
acl set Work user=a:b read
acl set Work user=é read
acl get Work
acl set Work -- -user=bob read
acl set Work user=bob -read
acl set Work owner write read lookup admin
acl rights Work
acl set Work user=tester insert create expunge
acl rights Work
acl set Work anonymous read
acl set Work user=tester -- -insert
acl get Work
acl add Work user=tester -- -read read
acl get Work
acl get Work
acl get Work
acl rights Work
acl set Work 'user=x y' read
acl set Work user=q ''
acl get ''
acl get a//b
acl add Nope user=x read
acl set '' user=x read
acl debug INBOX
-f tab acl get Work
-f json acl get Work
-f flow acl get Work
-f pager acl get Work
-f json acl rights Work
-f flow acl rights Work
-f pager acl rights Work
acl get --match-me --mailbox Work
acl recalc
acl recalc x
""".strip().splitlines()
"""Of access lists; there is one for all mailboxes, too."""
LIST_FOR_ALL: Final = "Work user=glob lrw\nWork owner a\n* -anyone x\n"
LISTED: Final = """
mail_plugins = acl
plugin {
  acl = vfile:BASE/global
}
"""
DIFFERENCES: Final = {
    line.partition(" | ")[0] for line in LIST.read_text().split("\n") if line and not line.startswith("#")
}


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Doveadm, Path]]:
    """Dovecot's doveadm with its mail, and a directory where a copy of that lies."""
    with tempfile.TemporaryDirectory(prefix="doveadm-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        (root / "theirs").mkdir()
        theirs = Doveadm(root / "theirs")
        for message in MESSAGES:
            theirs.run("save", "-m", "INBOX", content=message.encode())
        ours = root / "ours"
        shutil.copytree(theirs.base, ours)
        configuration = (ours / "dovecot.conf").read_text().replace(str(theirs.base), str(ours))
        (ours / "dovecot.conf").write_text(configuration)
        for name in ("dovecot.index", "dovecot.index.log", "dovecot.index.cache", "dovecot.list.index.log"):
            (ours / "Maildir" / name).unlink(missing_ok=True)
        if os.getuid() == 0:
            owner = (theirs.base / "Maildir").stat()
            for path in (ours, *ours.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
        monkeypatch.setenv("USER", "tester")
        monkeypatch.setenv("HOME", str(ours))
        yield theirs, ours


def theirs_says(theirs: Doveadm, words: list[str]) -> tuple[int, bytes, bytes]:
    """Exit status, standard output and error."""
    environment = {"HOME": str(theirs.base), "USER": "tester", "PATH": os.environ["PATH"] + ":/usr/sbin"}
    done = subprocess.run(
        ["/usr/bin/doveadm", "-c", str(theirs.base / "dovecot.conf"), *words],
        input=CONTENT,
        capture_output=True,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


def as_said(said: tuple[int, bytes, bytes], base: Path) -> tuple[int, str, str]:
    """Without what cannot be the same."""
    status, output, errors = said
    texts = [
        re.sub(r"[0-9a-f]{32}", "GUID", text.decode("utf-8", "backslashreplace").replace(str(base), "BASE"))
        for text in (output, errors)
    ]
    return status, texts[0], texts[1]


def in_order(said: tuple[int, str, str]) -> tuple[int, str, str]:
    """Lines (or objects) sorted, INBOX last by itself."""
    status, output, errors = said
    return status, "\n".join(sorted(re.split(r"\n|\f|,", output.strip("[]")))), errors


def differing(
    pair: tuple[Doveadm, Path],
    commands: Iterable[str],
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Command → what both say of it, where that is not the same."""
    theirs, ours = pair
    theirs.give_files()
    found = {}
    (ours / "message").write_bytes(CONTENT)
    for line in commands:
        words = shlex.split(line)
        expected = as_said(theirs_says(theirs, words), theirs.base)
        capfdbinary.readouterr()
        with open(ours / "message", "rb") as standard_input:
            monkeypatch.setattr("sys.stdin", type("Input", (), {"buffer": standard_input}))
            status = doveadm.main(["-c", str(ours / "dovecot.conf"), *words])
        if "mailbox list" in line or "'*'" in line:  # Dovecot's order is the directory's
            expected = in_order(expected)
        said = as_said((status, *capfdbinary.readouterr()), ours)
        if "mailbox list" in line or "'*'" in line:
            said = in_order(said)
        if said != expected:
            found[line] = f"{line}\n    theirs: {expected}\n    ours:   {said}"
    return found


def test_the_same_commands_say_the_same(
    pair: tuple[Doveadm, Path], capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output, complaints and exit status of each; and the listed differences are differences."""
    found = differing(pair, COMMANDS, capfdbinary, monkeypatch)
    assert [text for line, text in found.items() if line not in DIFFERENCES] == []
    assert sorted(found) == sorted(DIFFERENCES)


def test_access_lists(
    pair: tuple[Doveadm, Path], capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """doveadm acl says the same, and leaves the same files."""
    theirs, ours = pair
    for base in (theirs.base, ours):
        (base / "global").write_text(LIST_FOR_ALL)
        with (base / "dovecot.conf").open("a") as configuration:
            configuration.write(LISTED.replace("BASE", str(base)))
    found = differing(pair, LISTS, capfdbinary, monkeypatch)
    assert found == {}
    for name in (".Work/dovecot-acl", "dovecot-acl"):
        assert (ours / "Maildir" / name).read_text() == (theirs.maildir / name).read_text()
