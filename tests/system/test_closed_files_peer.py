"""Files beside the mail that cannot be read or written, and a lock that another program holds for long.

Each user has one such file.  What clients are told and what they are refused is what Dovecot tells and refuses; codes and
texts of refusals are not compared.
"""

import os
import poplib
import shutil
import socket
from collections.abc import Iterator, Sequence

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap pop3
mail_location = maildir:~/Maildir
mail_plugins = acl quota
mail_attribute_dict = file:~/Maildir/dovecot-attributes
imap_metadata = yes
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota
  mail_max_userip_connections = 0
}
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
namespace inbox {
  inbox = yes
  separator = /
}
namespace shared {
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:{base}/home/%%u/Maildir
  subscriptions = no
  list = children
}
plugin {
  acl = vfile
  acl_shared_dict = file:{base}/home/shared-mailboxes
  quota = count:User quota
  quota_vsizes = yes
}
"""
MAIL = b"Subject: x\r\n\r\nbody\r\n"
BEFORE = (
    b"CREATE Work",
    b"CREATE Sub",
    b"APPEND INBOX (\\Seen) {%d+}\r\n%b" % (len(MAIL), MAIL),
    b"SUBSCRIBE INBOX",
    b"SETACL Work third lrs",
    b'SETMETADATA INBOX (/shared/comment "x")',
)
LOOK = (
    b'LIST "" *',
    b'LIST (SUBSCRIBED) "" *',
    b'LSUB "" *',
    b"STATUS Sub (MESSAGES)",
    b"GETACL Sub",
    b"MYRIGHTS Work",
    b"SUBSCRIBE Sub",
    b"SETACL Sub third lr",
    b"SETMETADATA Sub (/shared/comment NIL)",
    b"STATUS Work (MESSAGES)",
    b"SELECT Work",
    b"APPEND Work {1+}\r\na",
    b"SELECT INBOX",
    b"COPY 1 Work",
    b"FETCH 1 FLAGS",
    b"CREATE New",
    b"RENAME New Newer",
    b"NOOP",
)
CLOSED = {
    "mailbox": "Maildir/.Work",
    "subscriptions": "Maildir/subscriptions",
    "attributes": "Maildir/dovecot-attributes",
    "list": "Maildir/.Work/dovecot-acl",
    "shared": "../shared-mailboxes",
}
"""User → what nobody but root may read."""
READ_ONLY = {"root": ("Maildir", b"SETACL INBOX third lr"), "sub": ("Maildir/.Sub", b"DELETEACL Sub third")}
"""User → the directory in which only root may make files, and what needs one."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """Both, for all tests."""
    with dovecot_pair(SETTINGS) as servers:
        yield servers


def told(server: Server, user: str, commands: Sequence[bytes]) -> list[list[bytes]]:
    """Answers; of the tagged ones whether they are OK, of NO nothing else."""
    client = server.imap(user)
    said = [client.say(command) for command in commands]
    client.close()
    return [
        [c, *(x for x in lines[:-1] if not x.startswith(b"* NO")), lines[-1][:4]]
        for c, lines in zip(commands, said, strict=True)
    ]


@pytest.mark.parametrize("user", CLOSED)
def test_what_cannot_be_read_hides_nothing_else(pair: tuple[Server, Server], user: str) -> None:
    """A client that is told of no mailbox can do nothing at all; the log says which file it is."""
    said = []
    for server in pair:
        told(server, user, BEFORE)
        path = server.home(user) / CLOSED[user]
        mode = path.stat().st_mode
        os.chown(path, 0, 0)
        path.chmod(0)
        said.append(told(server, user, LOOK))
        path.chmod(mode)
        shutil.chown(path, "nobody", "nogroup")
    assert said[0] == said[1]
    lines = [line for line in pair[0].log().splitlines() if f"imap({user})" in line]
    assert any(path.name in line and line.endswith(": Permission denied") for line in lines)


@pytest.mark.parametrize("user", READ_ONLY)
def test_a_list_that_cannot_be_written(pair: tuple[Server, Server], user: str) -> None:
    """NO, and the session goes on."""
    said = []
    place, command = READ_ONLY[user]
    for server in pair:
        told(server, user, BEFORE)
        told(server, user, [b"SETACL Sub third lr"])
        path = server.home(user) / place
        os.chown(path, 0, 0)
        path.chmod(0o755)
        said.append(told(server, user, [command, b"NOOP"]))
        shutil.chown(path, "nobody", "nogroup")
    assert said[0] == said[1]
    assert "dovecot-acl.lock: Permission denied" in pair[0].log()


def test_a_message_that_cannot_be_read(pair: tuple[Server, Server]) -> None:
    """By POP3, too: an error, the others go on, and the log says which file and whose mail it is."""
    for server in pair:
        told(server, "pop", BEFORE)
        # Not by APPEND: what has just been stored is in memory yet.
        closed = server.home("pop") / "Maildir" / "cur" / f"9999999999.closed.host,S={len(MAIL)},W=20:2,"
        closed.write_bytes(MAIL)
        closed.chmod(0)
        client = poplib.POP3("127.0.0.1", server.pop3, timeout=PATIENCE)
        client.user("pop")
        client.pass_("secret")
        with pytest.raises(poplib.error_proto, match=r"^b'-ERR "):
            client.retr(2)
        assert client.retr(1)[1] == MAIL.splitlines()
        client.quit()
        lines = [line for line in server.log().splitlines() if " pop3(pop)<" in line and ": Error: " in line]
        assert closed.name in lines[-1]
        assert "Permission denied" in lines[-1]


def test_a_lock_holds_up_its_own_mailbox_alone(pair: tuple[Server, Server]) -> None:
    """Clients of a user whose mailbox another program has locked wait; another user's do not."""
    command = b"APPEND INBOX {1+}\r\na"
    for server in pair:
        for user in ("locked", "free"):
            told(server, user, BEFORE)
        lock = server.home("locked") / "Maildir" / "dovecot-uidlist.lock"
        lock.write_text(f"{os.getpid()}:{socket.gethostname()}")
        waiting = [server.imap("locked") for _ in range(6)]
        for client in waiting:
            client.send(command)
        assert told(server, "free", [command])[0][-1] == b"x OK"
        lock.unlink()
        assert [client.hear()[-1][:4] for client in waiting] == [b"x OK"] * 6
        for client in waiting:
            client.close()
