"""What dovecot.conf sets of POP3 sessions: answers, flags, logs and uidlists as with Debian's Dovecot."""

import re
import shutil
import socket
from collections.abc import Sequence

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap pop3
mail_location = maildir:~/Maildir
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
CHOSEN
"""
CONTENTS = (
    b"X-UIDL: own id\nSubject: one\n\nx\n",
    b"Subject: two\nX-UIDL:  <second@x>\nX-Uidl: third\n\n.\nlonger\n",
    b"Subject: three\n\n",
    b"X-UIDL:\nSubject: four\n\nx\n",
)
UIDLIST = """\
3 V1600000001 N9 Gf81ab3a1e2ae5e5f9e2c0000aa2b1f5d
1 :1.M1P1.host
2 :2.M2P1.host
5 Pkept :3.M3P1.host
6 :4.M4P1.host
"""


def put(server: Server, contents: Sequence[bytes] = CONTENTS) -> None:
    """Four messages."""
    maildir = server.home() / "Maildir"
    for place in ("cur", "new", "tmp"):
        (maildir / place).mkdir(parents=True)
    for number, content in enumerate(contents, 1):
        (maildir / "cur" / f"{number}.M{number}P1.host:2,{'S' if number == 1 else ''}").write_bytes(content)
    (maildir / "dovecot-uidlist").write_text(UIDLIST)
    for path in (server.home(), *server.home().rglob("*")):
        shutil.chown(path, "nobody", "nogroup")


class Pop3:
    """A client that has logged in, or is about to."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.pop3), timeout=PATIENCE)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self.say(b"USER me")
        self._socket.sendall(b"PASS secret\r\n")

    def greeting(self) -> bytes:
        """What is said to the login."""
        return self._lines.readline()

    def say(self, command: bytes) -> list[bytes]:
        """The lines of the answer."""
        self._socket.sendall(command + b"\r\n")
        lines = [self._lines.readline()]
        word = command.split(b" ")[0]
        if lines[0].startswith(b"+OK") and (
            word in (b"RETR", b"TOP", b"CAPA") or command in (b"UIDL", b"LIST")
        ):
            while lines[-1] not in (b".\r\n", b""):
                lines.append(self._lines.readline())
        return lines

    def close(self) -> None:
        """It goes."""
        self._lines.close()
        self._socket.close()


def ended(server: Server, sessions: int) -> list[str]:
    """What the log says of the ends of so many sessions, without ids."""
    found: list[str] = []

    def all_there() -> bool:
        found[:] = re.findall(r"pop3\(me\)<\d+><[^>]*>: (.*)", server.log())
        return len(found) == sessions

    until(all_there, what=f"{sessions} ends: {server.log()}")
    return [line.replace(str(server.base), "") for line in found]


def left(server: Server) -> list[object]:
    """Flags of the messages that are left, and their lines in dovecot-uidlist."""
    talk = server.imap()
    talk.say(b"EXAMINE INBOX")
    flags = talk.say(b"FETCH 1:* (UID FLAGS)")
    talk.close()
    uids = {line.split(b"UID ")[1].split(b" ")[0].decode() for line in flags[:-1]}
    lines = (server.home() / "Maildir" / "dovecot-uidlist").read_text().splitlines()[1:]
    return [flags, [re.sub(r" [SW]\d+(?= )", "", line) for line in lines if line.split(" ")[0] in uids]]


def have(server: Server, sessions: Sequence[Sequence[bytes]]) -> list[object]:
    """POP3 sessions, one after the other, some of which do not end with QUIT, and what each has left."""
    found: list[object] = []
    for number, commands in enumerate(sessions, 1):
        client = Pop3(server)
        found += [client.greeting(), *((command, client.say(command)) for command in commands)]
        client.close()
        found.append(ended(server, number)[number - 1])
        found.append(left(server))
    return found


ALL = (
    b"STAT",
    b"LIST",
    b"UIDL",
    b"CAPA",
    b"LAST",
    b"LAST 1",
    b"RETR 3",
    b"LAST",
    b"RSET",
    b"LAST",
    b"TOP 2 0",
)
ODD = (
    *(
        b"RETR 4294967295",
        b"RETR 4294967296 1",
        b"RETR 18446744073709551616 1",
        b"TOP 2 18446744073709551616 x",
    ),
    *(b"TOP 9 x", b"TOP 2 -1", b"TOP 1 1x", b"TOP 1 1 1"),
)
"""Numbers that are too large; the second argument of a message that is not there, or is deleted."""
TO_QUIT = (*ALL, b"UIDL 2", b"RETR 4", b"DELE 2", *ODD, b"STAT", b"QUIT")
WITHOUT_QUIT = (b"UIDL", b"LAST", b"RETR 1", b"RETR 2", b"DELE 1", b"LAST")
SESSIONS = (TO_QUIT, WITHOUT_QUIT, (b"UIDL", b"QUIT"))
"""The second is cut off, and the third sees what they have left."""
LONG = "%t %p %r %b %d %m %s %i %o %u %{deleted_bytes} %{message_count} %{user} %n %{uidl_change}"


@pytest.mark.parametrize(
    "chosen",
    [
        "",
        'pop3_deleted_flag = "$POP3Deleted"',
        'pop3_deleted_flag = "$POP3Deleted"\npop3_delete_type = expunge',
        "pop3_deleted_flag = Gone\npop3_delete_type = flag\npop3_logout_format = " + LONG,
        "pop3_enable_last = yes",
        "pop3_enable_last = yes\npop3_no_flag_updates = yes",
        "pop3_reuse_xuidl = yes",
        "pop3_save_uidl = yes\npop3_uidl_format = %v.%u",
        "pop3_save_uidl = yes\npop3_uidl_duplicates = rename\npop3_uidl_format = %1.1Mu",
        "pop3_logout_format = " + LONG,
        "protocol pop3 {\n  pop3_logout_format = in=%i out=%o\n}",
    ],
)
def test_the_same_with(chosen: str) -> None:
    """Answers, log, flags and uidlist."""
    with dovecot_pair(SETTINGS.replace("CHOSEN", chosen)) as pair:
        for server in pair:
            put(server)
        ours, theirs = (have(server, SESSIONS) for server in pair)
        assert ours == theirs


def test_header_ids_that_are_saved() -> None:
    """They stay when they are no longer asked for.  (Dovecot breaks those with blanks in them; ours are left out.)"""
    contents = [content.replace(b"own id", b"own-id").replace(b"X-UIDL:\n", b"") for content in CONTENTS]
    with dovecot_pair(SETTINGS.replace("CHOSEN", "pop3_reuse_xuidl = yes\npop3_save_uidl = yes")) as pair:
        for server in pair:
            put(server, contents)
        ours, theirs = (have(server, SESSIONS) for server in pair)
        assert ours == theirs
        assert "1 Pown-id :1.M1P1.host" in str(ours)


def test_one_session_at_a_time() -> None:
    """pop3_lock_session: the second waits for the first, at most ten seconds."""
    with dovecot_pair(SETTINGS.replace("CHOSEN", "pop3_lock_session = yes")) as pair:
        said: list[list[bytes]] = []
        for server in pair:
            first = Pop3(server)
            said.append([first.greeting()])
            assert (server.home() / "Maildir" / "dovecot-pop3-session.lock").exists()
            second = Pop3(server)
            said[-1] += first.say(b"QUIT")
            said[-1] += [second.greeting(), *second.say(b"STAT"), *second.say(b"QUIT")]
            first.close()
            second.close()
        holding = [Pop3(server) for server in pair]
        assert [client.greeting() for client in holding] == [b"+OK Logged in.\r\n"] * 2
        waiting = [Pop3(server) for server in pair]
        for client, lines in zip(waiting, said, strict=True):
            lines.append(client.greeting())
        for client in (*holding, *waiting):
            client.close()
        assert said[0] == said[1]
        assert said[0][-1] == b"-ERR [IN-USE] Mailbox is locked by another POP3 session.\r\n"
        assert ended(pair[0], 4)[2:] == ended(pair[1], 4)[2:]
