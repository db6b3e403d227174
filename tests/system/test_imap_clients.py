"""More mail programs and libraries over IMAP and POP3, with the extensions that they use."""

import imaplib
import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes import client_libraries, counterparts
from fakes.mail_system import PASSWORD, PATIENCE, MailSystem, until
from fakes.terminal import Terminal
from system.conftest import make_users, new_system

pytestmark = pytest.mark.system
NOT_FOR_SERVERS: Final = {
    "test_fetch",  # compares what cannot be compared
    "test_move",  # imaplib has no such command before Python 3.14
    "test_small_connection_timeout_fail",  # a server on the same machine answers in time
    "test_small_read_timeout_fail",
}
"""Live tests of IMAPClient 4.1.0 that say nothing of the server."""


@pytest.fixture(scope="module")
def mail_system(request: pytest.FixtureRequest) -> Iterator[MailSystem]:
    """A running system; its rights make no difference to what IMAP says."""
    system = new_system("rootless")
    make_users(system, request)
    with system.running():
        yield system


def run(home: Path, name: str, *arguments: str, content: str = "", seconds: float = 60) -> str:
    """Run a program in a home of its own; what it prints."""
    done = subprocess.run(
        [counterparts.program(name) or name, *arguments],
        input=content.encode(),
        capture_output=True,
        check=False,
        timeout=seconds,
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"},
    )
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{name} {arguments}: {done.returncode}\n{output}"
    return output


def deliver(system: MailSystem, user: str, count: int) -> None:
    """Some messages."""
    for number in range(count):
        text = f"From: a@example.org\r\nTo: {user}\r\nSubject: number {number}\r\n\r\nbody {number}\r\n"
        system.send(text.encode(), recipient=user)
    until(lambda: len(system.delivered(user)) == count, what=f"{count} messages are delivered")


def talk(system: MailSystem, user: str) -> imaplib.IMAP4:
    """A session of our own."""
    client = imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=PATIENCE)
    client.login(user, PASSWORD)
    return client


def subjects(system: MailSystem, user: str, mailbox: str = "INBOX") -> list[tuple[str, str]]:
    """(subject, flags) of a mailbox, sorted."""
    with talk(system, user) as client:
        count = int(client.select(mailbox, readonly=True)[1][0] or b"0")
        if not count:
            return []
        answer = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    found = []
    for entry in answer:
        if isinstance(entry, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", entry[0])
            names = sorted(set((flags[1] if flags else b"").decode().split()) - {"\\Recent"})
            found.append((entry[1].decode().strip().removeprefix("Subject: "), " ".join(names)))
    return sorted(found)


def on_a_terminal(home: Path, command: list[str], *, seconds: float = PATIENCE) -> None:
    """Run a program that wants a screen, to its end."""
    ours, theirs = os.openpty()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "vt100", "LANG": "C.UTF-8"}
    drawn = b""
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=home
    ) as process:
        os.close(theirs)
        deadline = time.monotonic() + seconds
        try:
            while process.poll() is None and time.monotonic() < deadline:
                ready, _, _ = select.select([ours], [], [], 0.1)
                if ready:
                    try:
                        drawn += os.read(ours, 65536)
                    except OSError:
                        break
            status = process.wait(max(1.0, deadline - time.monotonic()))
        finally:
            process.kill()
            os.close(ours)
    assert status == 0, drawn.decode("utf-8", "replace")[-3000:]


@pytest.mark.peer("neomutt")
@pytest.mark.skipif(not counterparts.is_here("neomutt"), reason="neomutt is not installed")
@pytest.mark.parametrize("extensions", ["plain", "qresync"])
def test_neomutt(mail_system: MailSystem, user: str, extensions: str, tmp_path: Path) -> None:
    """Opens, flags, saves, deletes; with COMPRESS=DEFLATE and QRESYNC, over a header cache, twice."""
    deliver(mail_system, user, 4)
    yes = "yes" if extensions == "qresync" else "no"
    settings = tmp_path / "neomuttrc"
    settings.write_text(
        f"set imap_user='{user}'\nset imap_pass='{PASSWORD}'\nset ssl_starttls=no\nset ssl_force_tls=no\n"
        f"set folder='imap://127.0.0.1:{mail_system.port('imap')}/'\nset spool_file='+INBOX'\n"
        f"set imap_deflate={yes}\nset imap_condstore={yes}\nset imap_qresync={yes}\n"
        f"set header_cache={tmp_path}/cache\nset confirm_create=no\nset confirm_append=no\nset delete=yes\n"
        "set quit=yes\nset wait_key=no\nset sort=mailbox-order\nset resolve=no\n"
    )
    program = counterparts.program("neomutt") or "neomutt"

    def keys(text: str) -> None:
        on_a_terminal(tmp_path, [program, "-F", str(settings), "-e", f"push '{text}'", "-f", "+INBOX"])

    keys("<first-entry><flag-message><next-entry><save-message>=Saved<enter><quit>")
    keys("<last-entry><delete-message><quit>")
    left = subjects(mail_system, user)
    assert ["number 0", "number 2"] == [subject for subject, _ in left]
    assert "\\Flagged" in left[0][1]
    assert ["number 1"] == [subject for subject, _ in subjects(mail_system, user, "Saved")]
    with talk(mail_system, user) as client:
        client.select()
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.append("INBOX", "", "", b"Subject: number 9\r\n\r\nnew\r\n")
    keys("<first-entry><flag-message><quit>")
    left = subjects(mail_system, user)
    assert ["number 2", "number 9"] == [subject for subject, _ in left]
    assert "\\Flagged" in left[0][1]


@pytest.mark.peer("offlineimap")
@pytest.mark.skipif(not counterparts.is_here("offlineimap"), reason="offlineimap is not installed")
def test_offlineimap(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Down, up, flags both ways, folders; the second run moves nothing."""
    deliver(mail_system, user, 3)
    with talk(mail_system, user) as client:
        client.create("Lists/deep")
        client.append("Lists/deep", "(\\Seen)", "", b"Subject: in a list\r\n\r\nx\r\n")
    settings = tmp_path / "offlineimaprc"
    settings.write_text(
        "[general]\naccounts = a\nui = basic\n[Account a]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {tmp_path}/mail\nsep = .\n"
        f"[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {mail_system.port('imap')}\n"
        f"remoteuser = {user}\nremotepass = {PASSWORD}\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\n"
    )
    run(tmp_path, "offlineimap", "-c", str(settings), "-o")
    mail = tmp_path / "mail"
    assert 3 == len([path for place in ("new", "cur") for path in (mail / "INBOX" / place).iterdir()])
    assert 1 == len(list((mail / "Lists.deep" / "cur").iterdir()))
    new = next(iter((mail / "INBOX" / "new").iterdir()), None) or next(
        iter((mail / "INBOX" / "cur").iterdir())
    )
    new.rename(mail / "INBOX" / "cur" / (new.name.partition(":")[0] + ":2,FS"))
    (mail / "Lists.deep" / "new" / "1.up.host").write_bytes(b"Subject: from below\n\nup\n")
    with talk(mail_system, user) as client:
        client.select()
        client.append("INBOX", "(\\Answered)", "", b"Subject: number 7\r\n\r\nx\r\n")
    run(tmp_path, "offlineimap", "-c", str(settings), "-o")
    assert 1 == sum("\\Flagged \\Seen" == flags for _, flags in subjects(mail_system, user))
    assert ["from below", "in a list"] == [
        subject for subject, _ in subjects(mail_system, user, "Lists/deep")
    ]
    before = sorted(path.name for path in mail.rglob("*") if path.is_file())
    said = run(tmp_path, "offlineimap", "-c", str(settings), "-o")
    assert before == sorted(path.name for path in mail.rglob("*") if path.is_file())
    assert not re.search(r"(?i)copy message|adding flags|delet", said)


@pytest.mark.peer("getmail")
@pytest.mark.skipif(not counterparts.is_here("getmail"), reason="getmail is not installed")
@pytest.mark.parametrize("protocol", ["POP3", "IMAP"])
def test_getmail(mail_system: MailSystem, user: str, protocol: str, tmp_path: Path) -> None:
    """Every message once, though they stay on the server."""
    deliver(mail_system, user, 3)
    (tmp_path / "getmail").mkdir()
    (tmp_path / "taken").mkdir()
    settings = tmp_path / "getmail" / "rc"
    settings.write_text(
        f"[retriever]\ntype = Simple{protocol}Retriever\nserver = 127.0.0.1\n"
        f"port = {mail_system.port(protocol.lower())}\nusername = {user}\npassword = {PASSWORD}\n"
        "[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
        f'arguments = ("-c", "cat >$(mktemp {tmp_path}/taken/XXXXXX)")\n[options]\nread_all = false\ndelete = false\n'
    )
    for _ in range(2):
        run(tmp_path, "getmail", "--getmaildir", str(tmp_path / "getmail"), "--rcfile", "rc")
        assert 3 == len(list((tmp_path / "taken").iterdir()))
    assert 3 == len(subjects(mail_system, user))
    deliver_one = b"Subject: later\r\n\r\nx\r\n"
    with talk(mail_system, user) as client:
        client.append("INBOX", "", "", deliver_one)
    run(tmp_path, "getmail", "--getmaildir", str(tmp_path / "getmail"), "--rcfile", "rc")
    assert 4 == len(list((tmp_path / "taken").iterdir()))


@pytest.mark.peer("interimap")
def test_interimap(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Two mailboxes kept the same by QRESYNC, one of them compressed; the last run moves nothing."""
    other = "far-" + user
    mail_system.add_user(other, PASSWORD)
    deliver(mail_system, user, 3)
    (tmp_path / ".config" / "interimap").mkdir(parents=True)
    (tmp_path / ".local" / "share").mkdir(parents=True)
    common = f"type = imap\nhost = 127.0.0.1\nport = {mail_system.port('imap')}\nSTARTTLS = NO\npassword = {PASSWORD}\n"
    (tmp_path / ".config" / "interimap" / "config").write_text(
        f'database = state.db\nlist-mailbox = "*"\n[local]\n{common}username = {user}\ncompress = YES\n'
        f"[remote]\n{common}username = {other}\n"
    )
    run(tmp_path, "interimap")
    assert subjects(mail_system, user) == subjects(mail_system, other)
    with talk(mail_system, user) as client:
        client.select()
        client.store("1", "+FLAGS", "(\\Flagged $Work)")
        client.store("2", "+FLAGS", "(\\Deleted)")
        client.expunge()
    with talk(mail_system, other) as client:
        client.create("Lists/deep")
        client.append("Lists/deep", "(\\Seen)", "", b"Subject: in a list\r\n\r\nx\r\n")
        client.select()
        client.append("INBOX", "", "", b"Subject: number 8\r\n\r\nx\r\n")
    run(tmp_path, "interimap")
    for name in ("INBOX", "Lists/deep"):
        assert subjects(mail_system, user, name) == subjects(mail_system, other, name)
    assert [("number 0", "$Work \\Flagged"), ("number 2", ""), ("number 8", "")] == subjects(
        mail_system, other
    )
    assert "UID" not in run(tmp_path, "interimap")


@pytest.mark.peer("imapfilter")
def test_imapfilter(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Searches, moves, flags and lists from a script."""
    deliver(mail_system, user, 3)
    script = tmp_path / "filter.lua"
    script.write_text(
        "options.timeout = 60; options.starttls = false; options.certificates = false\n"
        f"account = IMAP {{ server = '127.0.0.1', port = {mail_system.port('imap')}, username = '{user}', "
        f"password = '{PASSWORD}' }}\n"
        "account:create_mailbox('Filtered')\naccount:subscribe_mailbox('Filtered')\n"
        "account.INBOX:contain_subject('number 1'):move_messages(account['Filtered'])\n"
        "account.INBOX:contain_body('body 2'):mark_flagged()\n"
        "unread = (account.INBOX:is_unseen() * account.INBOX:contain_from('a@example.org')); unread:mark_seen()\n"
        "print(account.INBOX:check_status())\n"
    )
    assert re.search(r"(?m)^2\s+\d+\s+0\s", run(tmp_path, "imapfilter", "-c", str(script)))
    assert [("number 0", "\\Seen"), ("number 2", "\\Flagged \\Seen")] == subjects(mail_system, user)
    assert ["number 1"] == [subject for subject, _ in subjects(mail_system, user, "Filtered")]


@pytest.mark.peer("alpine")
def test_alpine(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Opens INBOX, reads, deletes and expunges by the keys that a person types."""
    deliver(mail_system, user, 3)
    settings = tmp_path / "pinerc"
    settings.write_text(
        f"inbox-path={{127.0.0.1:{mail_system.port('imap')}/imap/notls/user={user}}}INBOX\n"
        "feature-list=expunge-without-confirm,expunge-without-confirm-everywhere,quit-without-confirm\n"
        "last-version-used=9.99\nsort-key=arrival\n"
    )
    with Terminal(
        tmp_path, [counterparts.program("alpine") or "alpine", "-p", str(settings), "-i"]
    ) as alpine:
        alpine.see("PASSWORD")
        alpine.press(PASSWORD + "\r")
        alpine.see("Preserve password")
        alpine.press("n")
        alpine.see("number 2")
        alpine.press("\r")
        alpine.see("body 0")
        alpine.press("d")
        alpine.see("body 1")
        alpine.press("<")
        alpine.see("number 2")
        alpine.press("x")
        alpine.see("xpunged")
        alpine.press("q")
        assert alpine.end() == 0
    assert [("number 1", "\\Seen"), ("number 2", "")] == subjects(mail_system, user)


@pytest.mark.peer("s-nail")
def test_s_nail(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Reads, flags and deletes in INBOX over IMAP."""
    deliver(mail_system, user, 3)
    place = f"imap://{user.replace('@', '%40')}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{mail_system.port('imap')}/INBOX"
    said = run(
        tmp_path, "s-nail", "-n", "-S", "v15-compat", "-S", "imap-auth=login", "-S", "tls-verify=ignore",
        "-f", place, content="type 1\ndelete 2\nflag 3\nquit\n",
    )  # fmt: skip
    assert "body 0" in said
    assert [("number 0", "\\Seen"), ("number 2", "\\Flagged")] == subjects(mail_system, user)


@pytest.mark.peer("movemail")
@pytest.mark.parametrize("protocol", ["imap", "pop"])
def test_movemail(mail_system: MailSystem, user: str, protocol: str, tmp_path: Path) -> None:
    """GNU Mailutils takes everything away into an mbox file."""
    deliver(mail_system, user, 3)
    port = mail_system.port({"imap": "imap", "pop": "pop3"}[protocol])
    place = f"{protocol}://{user.replace('@', '%40')}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}"
    run(tmp_path, "movemail", place, str(tmp_path / "taken.mbox"))
    assert 3 == (tmp_path / "taken.mbox").read_text().count("Subject: number")
    assert [] == subjects(mail_system, user)


@pytest.mark.peer("mpop")
def test_mpop(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """Mail that stays on the server is taken once (UIDL), then deleted."""
    deliver(mail_system, user, 3)
    settings = tmp_path / "mpoprc"
    taken = tmp_path / "taken.mbox"

    def take(keep: str) -> int:
        settings.write_text(
            f"account a\nhost 127.0.0.1\nport {mail_system.port('pop3')}\ntls off\nauth user\nuser {user}\n"
            f"password {PASSWORD}\nkeep {keep}\ndelivery mbox {taken}\naccount default : a\n"
        )
        settings.chmod(0o600)
        run(tmp_path, "mpop", "-C", str(settings))
        return taken.read_text().count("Subject: number")

    assert (take("on"), take("on")) == (3, 3)
    assert 3 == len(subjects(mail_system, user))
    assert 3 == take("off")
    assert [] == subjects(mail_system, user)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.peer(name)) for name in client_libraries.LIBRARIES]
)
def test_libraries(mail_system: MailSystem, user: str, name: str) -> None:
    """What each does in a day with a mailbox, IDLE, MOVE and SORT included; the scripts are in clients/."""
    deliver(mail_system, user, 3)
    client_libraries.run_day(name, mail_system.port("imap"), user, PASSWORD)


@pytest.mark.peer("imapclient")
def test_live_tests_of_imapclient(mail_system: MailSystem, user: str, tmp_path: Path) -> None:
    """The tests that IMAPClient brings for any server; those it fails, it fails with Dovecot, too."""
    output = client_libraries.run_live_tests(mail_system.port("imap"), user, PASSWORD, tmp_path / "live.ini")
    run_count = re.search(r"^Ran (\d+) tests", output, re.MULTILINE)
    assert run_count is not None, output
    assert int(run_count[1]) >= 50
    assert set(re.findall(r"^(?:FAIL|ERROR): (\w+)", output, re.MULTILINE)) <= NOT_FOR_SERVERS, output
