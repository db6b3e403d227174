"""Mail programs that people use: each sends, reads, and gets exactly the message that it should.

Every test has a user of its own, so that none depends on what another has left.
"""

import imaplib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import counterparts
from fakes.client_messages import body_of, field, inbox, message
from fakes.mail_system import PASSWORD, PATIENCE, MailSystem, until

pytestmark = pytest.mark.system


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Runs a program in a home of its own; what it prints.  An exit status that is not expected is an error."""

    def run_program(name: str, *arguments: str, content: bytes = b"", expect: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [counterparts.program(name) or name, *arguments],
            input=content,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"},
        )
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode in expect, f"{name} {arguments}: {done.returncode}\n{output}"
        return output

    return run_program


# -- sending -------------------------------------------------------------------------------------------------

SWAKS = [
    pytest.param("smtp", (), b"ESMTP", id="plain"),
    pytest.param("smtp", ("--tls",), b"ESMTPS", id="starttls"),
    pytest.param("submission", ("--auth", "PLAIN"), b"ESMTPA", id="auth-plain"),
    pytest.param("submission", ("--auth", "LOGIN"), b"ESMTPA", id="auth-login"),
    pytest.param("submission", ("--tls", "--auth", "PLAIN"), b"ESMTPSA", id="starttls-auth-plain"),
    pytest.param("submissions", ("--tls-on-connect", "--auth", "LOGIN"), b"ESMTPSA", id="tls-auth-login"),
    pytest.param("submissions", ("--tls-on-connect", "--auth", "PLAIN"), b"ESMTPSA", id="tls-auth-plain"),
    pytest.param("smtp", ("--protocol", "SMTP"), b"SMTP", id="helo"),
    pytest.param("smtp", ("--pipeline",), b"ESMTP", id="pipelining"),
]


@pytest.mark.peer("swaks", "imaplib")
@pytest.mark.parametrize(("service", "arguments", "protocol"), SWAKS)
def test_swaks(
    mail_system: MailSystem,
    user: str,
    run: Callable[..., str],
    service: str,
    arguments: tuple[str, ...],
    protocol: bytes,
) -> None:
    """swaks sends over every service; Received: tells how."""
    credentials = ("--auth-user", user, "--auth-password", PASSWORD) if "--auth" in arguments else ()
    output = run(
        "swaks",
        *(
            "--server",
            f"127.0.0.1:{mail_system.port(service)}",
            "--from",
            "sender@example.test",
            "--to",
            user,
        ),
        *("--h-Subject", "by swaks", "--body", "From swaks.", *arguments, *credentials),
    )
    assert "250 2.0.0 Ok: queued as " in output
    (content,) = inbox(mail_system, user, count=1)
    assert field(content, b"Subject") == b"by swaks"
    assert body_of(content).startswith(b"From swaks.\r\n")
    assert re.search(rb"\bby pillarbox\.test \(Postfix\) with " + protocol + rb" id ", content)


@pytest.mark.peer("swaks")
@pytest.mark.parametrize(
    ("service", "arguments", "reply"),
    [
        pytest.param("submission", (), "554 5.7.1", id="no login"),
        pytest.param("submission", ("--auth", "PLAIN", "--auth-password", "x"), "535 5.7.8", id="wrong"),
        pytest.param("smtp", ("--to", "nobody@pillarbox.test"), "550 5.1.1", id="unknown recipient"),
    ],
)
def test_swaks_is_refused(
    mail_system: MailSystem,
    user: str,
    run: Callable[..., str],
    service: str,
    arguments: tuple[str, ...],
    reply: str,
) -> None:
    """Who may not send is told so."""
    server = f"127.0.0.1:{mail_system.port(service)}"
    basic = ("--server", server, "--from", "sender@example.test", "--to", user, "--auth-user", user)
    selected = basic if "--auth" in arguments else basic[:-2]
    assert reply in run("swaks", *selected, *arguments, expect=tuple(range(1, 60)))


@pytest.mark.peer("curl", "imaplib")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_curl_sends(mail_system: MailSystem, user: str, run: Callable[..., str], scheme: str) -> None:
    """curl sends in clear text on the MTA's port, and with a login over TLS."""
    port = mail_system.port("smtp" if scheme == "smtp" else "submissions")
    login = ("-k", "-u", f"{user}:{PASSWORD}") if scheme == "smtps" else ()
    sent = message("by curl", user)
    run(
        "curl",
        *("-sS", f"{scheme}://127.0.0.1:{port}", "--mail-from", "sender@example.test", "--mail-rcpt", user),
        *("-T", "-", *login),
        content=sent,
    )
    (content,) = inbox(mail_system, user, count=1)
    assert content.endswith(sent)


@pytest.mark.peer("curl")
@pytest.mark.parametrize("scheme", ["imap", "imaps", "pop3", "pop3s"])
def test_curl_reads(mail_system: MailSystem, user: str, run: Callable[..., str], scheme: str) -> None:
    """curl fetches the very octets, in clear text and over TLS."""
    sent = message("for curl", user)
    mail_system.send(sent, recipient=user)
    until(lambda: mail_system.delivered(user), what="the message is delivered")
    path = "INBOX;MAILINDEX=1" if scheme.startswith("imap") else "1"
    url = f"{scheme}://127.0.0.1:{mail_system.port(scheme)}/{path}"
    output = run("curl", "-sS", "-k", url, "-u", f"{user}:{PASSWORD}")
    assert output.encode().endswith(sent)
    starttls = ("--ssl-reqd",) if not scheme.endswith("s") else ()
    if starttls:
        assert run("curl", "-sS", "-k", *starttls, url, "-u", f"{user}:{PASSWORD}") == output
    refused = run("curl", "-sS", "-k", url, "-u", f"{user}:wrong", expect=(67,))
    assert "Login denied" in refused


@pytest.mark.peer("msmtp", "imaplib")
@pytest.mark.parametrize("tls", ["off", "starttls", "tls"])
def test_msmtp(mail_system: MailSystem, user: str, run: Callable[..., str], tls: str, tmp_path: Path) -> None:
    """msmtp, as `sendmail` of a user without a mail system: login, with and without TLS."""
    port = mail_system.port("submissions" if tls == "tls" else "submission")
    (tmp_path / ".msmtprc").write_text(
        f"account default\nhost 127.0.0.1\nport {port}\nfrom sender@example.test\n"
        f"auth {'plain' if tls != 'off' else 'login'}\nuser {user}\npassword {PASSWORD}\n"
        f"tls {'off' if tls == 'off' else 'on'}\ntls_starttls {'on' if tls == 'starttls' else 'off'}\n"
        "tls_certcheck off\n"
        if tls != "off"
        else f"account default\nhost 127.0.0.1\nport {port}\nfrom sender@example.test\n"
        f"auth login\nuser {user}\npassword {PASSWORD}\ntls off\n"
    )
    (tmp_path / ".msmtprc").chmod(0o600)
    sent = message("by msmtp", user)
    run("msmtp", "--", user, content=sent.replace(b"\r\n", b"\n"))
    (content,) = inbox(mail_system, user, count=1)
    assert content.endswith(sent)


@pytest.mark.peer("mutt", "imaplib")
def test_mutt(mail_system: MailSystem, user: str, run: Callable[..., str], tmp_path: Path) -> None:
    """mutt sends by SMTP with a login, an attachment and all; it reads by IMAP, saves, flags and deletes."""
    settings = tmp_path / "muttrc"
    login = user.replace("@", "%40")
    settings.write_text(
        f"set from={user}\nset realname='Mutt User'\nset copy=no\nset ssl_starttls=no\nset ssl_force_tls=no\n"
        f"set smtp_url='smtp://{login}@127.0.0.1:{mail_system.port('submission')}/'\n"
        f"set smtp_pass='{PASSWORD}'\nset smtp_authenticators='plain'\n"
        f"set imap_user='{user}'\nset imap_pass='{PASSWORD}'\n"
        f"set folder='imap://127.0.0.1:{mail_system.port('imap')}/'\nset spoolfile='+INBOX'\n"
        "set confirmcreate=no\nset confirmappend=no\nset delete=yes\nset quit=yes\nset wait_key=no\n"
    )
    attachment = tmp_path / "attached.bin"
    attachment.write_bytes(bytes(range(256)) * 40)
    body = "Grüße von mutt.\n".encode()
    run("mutt", "-F", str(settings), "-s", "by mutt: ü", "-a", str(attachment), "--", user, content=body)
    (content,) = inbox(mail_system, user, count=1)
    assert field(content, b"From").endswith(b"<%s>" % user.encode())
    assert b"attached.bin" in content

    commands = "push '<save-message>=Saved<enter><quit>'"
    on_a_terminal(
        [counterparts.program("mutt") or "mutt", "-F", str(settings), "-e", commands, "-f", "+INBOX"]
    )
    with imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE) as client:
        client.login(user, PASSWORD)
        assert client.select() == ("OK", [b"0"])
        assert client.select("Saved") == ("OK", [b"1"])
        fetched = client.fetch("1", "BODY.PEEK[]")[1][0]
        assert isinstance(fetched, tuple)
        assert fetched[1] == content


def on_a_terminal(command: list[str]) -> None:
    """Run a program that wants to see a screen; exit status 0."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "vt100", "LANG": "C.UTF-8"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        screen = b""
        try:
            while data := os.read(ours, 4096):
                screen += data
        except OSError:  # EIO: the other end is closed
            pass
        os.close(ours)
        assert process.wait(PATIENCE) == 0, screen


# -- reading -------------------------------------------------------------------------------------------------


def files_of(root: Path) -> dict[str, int]:
    """All message files below a directory, with their inodes: a file that was written anew is another."""
    return {
        str(path.relative_to(root)): path.stat().st_ino
        for path in root.rglob("*")
        if path.is_file() and path.parent.name in ("new", "cur")
    }


@pytest.mark.peer("mbsync", "imaplib")
@pytest.mark.parametrize("tls", ["None", "IMAPS"])
def test_mbsync(
    mail_system: MailSystem, user: str, run: Callable[..., str], tls: str, tmp_path: Path
) -> None:
    """Two-way: mail comes down, mail and flags go up, folders are made; the second run moves nothing."""
    for number in range(5):
        mail_system.send(message(f"down-{number}", user), recipient=user)
    until(lambda: len(mail_system.delivered(user)) == 5, what="5 messages are delivered")
    local = tmp_path / "local"
    for name in ("cur", "new", "tmp"):
        (local / "Archive" / name).mkdir(parents=True)
    (local / "Archive" / "cur" / "1.up.host:2,FS").write_bytes(message("up-0", user).replace(b"\r\n", b"\n"))
    settings = tmp_path / ".mbsyncrc"
    port = mail_system.port("imaps" if tls == "IMAPS" else "imap")
    certificate = f"CertificateFile {mail_system.data}/etc/self-signed.pem\n" if tls == "IMAPS" else ""
    settings.write_text(
        f"IMAPAccount a\nHost {'localhost' if tls == 'IMAPS' else '127.0.0.1'}\nPort {port}\nUser {user}\n"
        f'Pass "{PASSWORD}"\nSSLType {tls}\n{certificate}AuthMechs {"PLAIN" if tls == "IMAPS" else "LOGIN"}\n\n'
        "IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel both\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n"
    )
    run("mbsync", "-c", str(settings), "-V", "both")
    assert len(list((local / "INBOX").glob("*/*,*")) + list((local / "INBOX" / "new").glob("*"))) >= 5
    with imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE) as client:
        client.login(user, PASSWORD)
        assert client.select("Archive") == ("OK", [b"1"])
        fetched = client.fetch("1", "(FLAGS BODY.PEEK[])")[1][0]
        assert isinstance(fetched, tuple)
        assert fetched[1].endswith(body_of(message("up-0", user)))
        assert b"\\Flagged" in fetched[0]
        assert b"\\Seen" in fetched[0]

    near, far = files_of(local), files_of(mail_system.maildir(user))
    second = run("mbsync", "-c", str(settings), "-DN", "both")  # -DN shows what it says to the server
    assert (files_of(local), files_of(mail_system.maildir(user))) == (near, far)
    assert re.search(r"> \d+ UID FETCH ", second), second
    assert not re.search(r"> \d+ (?:UID STORE|UID COPY|UID MOVE|APPEND|EXPUNGE|UID FETCH .*BODY)", second)

    seen = sorted((local / "INBOX").glob("new/*"))[0]
    seen.rename(local / "INBOX" / "cur" / (seen.name.partition(":")[0] + ":2,S"))
    run("mbsync", "-c", str(settings), "both")
    with imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE) as client:
        client.login(user, PASSWORD)
        client.select()
        assert len((client.search(None, "SEEN")[1][0] or b"").split()) == 1


@pytest.mark.peer("fetchmail")
@pytest.mark.parametrize("protocol", ["POP3", "IMAP"])
@pytest.mark.parametrize("tls", ["plain", "ssl"])
def test_fetchmail(
    mail_system: MailSystem, user: str, run: Callable[..., str], protocol: str, tls: str, tmp_path: Path
) -> None:
    """fetchmail takes every message once, as it is, and the server has none afterwards."""
    sent = [message(f"for-fetchmail-{number}", user) for number in range(3)]
    for content in sent:
        mail_system.send(content, recipient=user)
    until(lambda: len(mail_system.delivered(user)) == 3, what="3 messages are delivered")
    port = mail_system.port(protocol.lower() + ("s" if tls == "ssl" else ""))
    settings = tmp_path / "fetchmailrc"
    target = tmp_path / "fetched"
    settings.write_text(
        f'poll 127.0.0.1 protocol {protocol} port {port}\n  user "{user}" password "{PASSWORD}"\n'
        f"  {'ssl sslproto TLS1.2+ no sslcertck' if tls == 'ssl' else 'sslproto '}"
        + ("" if tls == "ssl" else "''")
        + f"\n  fetchall no keep\n  no rewrite\n  mda \"cat >>{target}; printf 'END OF MESSAGE\\n' >>{target}\"\n"
    )
    settings.chmod(0o600)
    run("fetchmail", "-f", str(settings), "--pidfile", str(tmp_path / "pid"))
    fetched = target.read_bytes().split(b"END OF MESSAGE\n")[:-1]
    bodies = [content.replace(b"\r\n", b"\n").partition(b"\n\n")[2] for content in fetched]
    assert bodies == [body_of(content).replace(b"\r\n", b"\n") for content in sent]
    assert run("fetchmail", "-f", str(settings), "--pidfile", str(tmp_path / "pid"), expect=(1,))
    assert mail_system.delivered(user) == []


# -- Python's own libraries ----------------------------------------------------------------------------------


@pytest.mark.peer("curl")
def test_clients_leave_no_rubbish(mail_system: MailSystem, user: str, run: Callable[..., str]) -> None:
    """After a message has been delivered and read, the queue is empty and tmp/ as well."""
    mail_system.send(message("clean", user), recipient=user)
    until(lambda: mail_system.delivered(user), what="the message is delivered")
    run("curl", "-sS", f"imap://127.0.0.1:{mail_system.port('imap')}/INBOX", "-u", f"{user}:{PASSWORD}")
    spool = mail_system.data / "spool"

    def is_empty() -> bool:
        queues = ("incoming", "active", "deferred", "defer", "bounce", "corrupt", "hold", "maildrop")
        # Names with a dot are smtpd's reserve of empty files.
        return not [
            path
            for name in queues
            for path in (spool / name).rglob("*")
            if path.is_file() and "." not in path.name
        ]

    until(is_empty, what="the queue is empty")
    assert list((mail_system.maildir(user) / "tmp").iterdir()) == []
    assert shutil.disk_usage(spool).free
