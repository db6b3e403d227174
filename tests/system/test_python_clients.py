"""Python's own smtplib, imaplib and poplib, and what is said by hand over a socket, against the real processes."""

import imaplib
import poplib
import re
import smtplib
import socket
import ssl

import pytest

from fakes.client_messages import body_of, inbox, message
from fakes.mail_system import PASSWORD, PATIENCE, MailSystem, until

pytestmark = pytest.mark.system


def insecure() -> ssl.SSLContext:
    """TLS that trusts the self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.peer("smtplib", "imaplib")
def test_smtplib(mail_system: MailSystem, user: str) -> None:
    """STARTTLS, login, two recipients, one of them refused; RSET; the announced extensions."""
    mail_system.add_user("second-" + user, PASSWORD)
    with smtplib.SMTP("127.0.0.1", mail_system.port("submission"), timeout=PATIENCE) as client:
        client.starttls(context=insecure())
        client.ehlo()
        wanted = {
            "pipelining",
            "size",
            "8bitmime",
            "smtputf8",
            "enhancedstatuscodes",
            "chunking",
            "dsn",
            "auth",
        }
        assert wanted <= set(client.esmtp_features)
        assert "starttls" not in client.esmtp_features  # RFC 3207 §4.2
        client.login(user, PASSWORD)
        sent = message("by smtplib", user)
        refused = client.sendmail(user, [user, "second-" + user, "nobody@pillarbox.test"], sent)
        assert list(refused) == ["nobody@pillarbox.test"]
        assert refused["nobody@pillarbox.test"][0] == 550
        client.rset()
        client.sendmail(user, [user], sent)
    for name, count in ((user, 2), ("second-" + user, 1)):
        contents = inbox(mail_system, name, count=count)
        assert len(contents) == count
        assert all(content.endswith(sent) for content in contents)


class Conversation:
    """SMTP by hand."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.lines = self.sock.makefile("rb")
        assert self.reply().startswith(b"220 ")

    def reply(self) -> bytes:
        """One reply, all its lines."""
        lines = [self.lines.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(self.lines.readline())
        return b"".join(lines)

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.sock.close()


@pytest.mark.peer("imaplib")
def test_pipelining_and_chunks_by_hand(mail_system: MailSystem, user: str) -> None:
    """All commands in one packet with BDAT between them: one reply each, in order (RFC 2920, RFC 3030)."""
    sent = message("by hand", user)
    first, second = sent[:70], sent[70:]
    smtp = Conversation(mail_system.port("smtp"))
    smtp.sock.sendall(b"EHLO client.example\r\n")
    assert b"\r\n250-PIPELINING\r\n" in smtp.reply()
    smtp.sock.sendall(
        b"MAIL FROM:<sender@example.test> SIZE=%d BODY=8BITMIME\r\n"
        b"RCPT TO:<%s>\r\nRCPT TO:<nobody@pillarbox.test>\r\nBDAT %d\r\n%sBDAT %d LAST\r\n%sRSET\r\nQUIT\r\n"
        % (len(sent), user.encode(), len(first), first, len(second), second)
    )
    codes = [smtp.reply()[:3] for _ in range(7)]
    assert codes == [b"250", b"250", b"550", b"250", b"250", b"250", b"221"]
    assert smtp.lines.read() == b""
    smtp.close()
    (content,) = inbox(mail_system, user, count=1)
    assert content.endswith(sent)


@pytest.mark.peer("imaplib")
def test_idle_is_pushed(mail_system: MailSystem, user: str) -> None:
    """IDLE tells of a delivery by itself, within a moment and without a word of the client (RFC 2177)."""
    with socket.create_connection(("127.0.0.1", mail_system.port("imap")), timeout=PATIENCE) as sock:
        lines = sock.makefile("rb")

        def read_until(start: bytes) -> bytes:
            while not (line := lines.readline()).startswith(start):
                assert line, f"the end came before {start!r}"
            return line

        sock.sendall(f'a LOGIN {user} "{PASSWORD}"\r\nb SELECT INBOX\r\nc IDLE\r\n'.encode())
        read_until(b"+ ")
        sock.settimeout(PATIENCE)
        for number in (1, 2):
            mail_system.send(message(f"idle-{number}", user), recipient=user)
            assert read_until(b"* %d EXISTS" % number) == b"* %d EXISTS\r\n" % number
        sock.sendall(b"DONE\r\nd LOGOUT\r\n")
        read_until(b"c OK")
        read_until(b"d OK")
        lines.close()


@pytest.mark.peer("imaplib")
@pytest.mark.parametrize("tls", ["plain", "starttls", "imaps"])
def test_imaplib(mail_system: MailSystem, user: str, tls: str) -> None:
    """APPEND and COPY tell UIDs, MOVE moves, EXPUNGE by UID takes the named only; a second session sees all."""
    client: imaplib.IMAP4
    if tls == "imaps":
        client = imaplib.IMAP4_SSL(
            "127.0.0.1", mail_system.port("imaps"), ssl_context=insecure(), timeout=PATIENCE
        )
    else:
        client = imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE)
    with client:
        if tls == "starttls":
            client.starttls(insecure())
        client.login(user, PASSWORD)
        assert {"UIDPLUS", "MOVE", "IDLE", "NAMESPACE", "SPECIAL-USE"} <= set(
            client.capability()[1][0].decode().split()
        )
        client.select()
        for number in range(4):
            _, answer = client.append("INBOX", r"(\Seen)", None, message(f"append-{number}", user))
            assert re.search(rb"\[APPENDUID \d+ %d\]" % (number + 1), answer[0])  # RFC 4315 §3
        assert client.create("Elsewhere")[0] == "OK"
        assert client.uid("COPY", "1:2", "Elsewhere")[0] == "OK"
        assert re.fullmatch(rb"\d+ 1:2 1:2", client.response("COPYUID")[1][0] or b"")
        moved = client.uid("MOVE", "3", "Elsewhere")
        assert moved[0] == "OK"
        client.uid("STORE", "1:2", "+FLAGS", r"(\Deleted)")
        assert client.uid("EXPUNGE", "1")[0] == "OK"
        assert client.uid("SEARCH", "ALL")[1] == [b"2 4"]
        fetched = client.uid("FETCH", "4", "(FLAGS BODY.PEEK[])")[1][0]
        assert fetched[1] == message("append-3", user)
        with imaplib.IMAP4("127.0.0.1", mail_system.port("imap"), timeout=PATIENCE) as other:
            other.login(user, PASSWORD)
            assert other.select("Elsewhere") == ("OK", [b"3"])
            assert other.select() == ("OK", [b"2"])
            other.store("1", "+FLAGS", r"(\Answered)")
        client.noop()
        assert client.uid("SEARCH", "ANSWERED")[1] == [b"2"]


@pytest.mark.peer("poplib")
@pytest.mark.parametrize("tls", ["plain", "stls", "pop3s"])
def test_poplib(mail_system: MailSystem, user: str, tls: str) -> None:
    """LIST, UIDL, TOP, RETR give what was sent; DELE counts after QUIT, and not after a lost connection."""
    sent = [message(f"pop-{number}", user) for number in range(3)]
    for content in sent:
        mail_system.send(content, recipient=user)
    until(lambda: len(mail_system.delivered(user)) == 3, what="3 messages are delivered")

    def log_in() -> poplib.POP3:
        if tls == "pop3s":
            client: poplib.POP3 = poplib.POP3_SSL(
                "127.0.0.1", mail_system.port("pop3s"), context=insecure(), timeout=PATIENCE
            )
        else:
            client = poplib.POP3("127.0.0.1", mail_system.port("pop3"), timeout=PATIENCE)
        if tls == "stls":
            client.stls(insecure())
        assert {"UIDL", "TOP", "USER", "PIPELINING", "RESP-CODES"} <= set(client.capa())
        client.user(user)
        client.pass_(PASSWORD)
        return client

    client = log_in()
    count, size = client.stat()
    listed = [int(line.split()[1]) for line in client.list()[1]]
    assert (count, size) == (3, sum(listed))
    uidl = client.uidl()[1]
    assert len({line.split()[1] for line in uidl}) == 3
    fetched = [b"\r\n".join(client.retr(number)[1]) + b"\r\n" for number in (1, 2, 3)]
    assert [len(content) for content in fetched] == listed
    assert sorted(body_of(content) for content in fetched) == sorted(map(body_of, sent))
    top = b"\r\n".join(client.top(1, 1)[1])
    assert top.endswith(b"\r\n\r\nFirst line.")
    client.dele(1)
    client.close()  # without QUIT: RFC 1939 §6

    client = log_in()
    assert client.stat()[0] == 3
    client.dele(2)
    client.quit()
    client = log_in()
    assert [line.split()[1] for line in client.uidl()[1]] == [
        line.split()[1] for line in uidl if not line.startswith(b"2 ")
    ]
    client.quit()
