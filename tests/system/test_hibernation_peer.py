"""System users whose clients idle: with imap_hibernate_timeout none of them has a process, and all are told of mail.

Each test runs twice: with Debian's Dovecot, which proves the test, and with Pillarbox, whose dovecot.conf is the same.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from fakes.host import PACKAGED, Host
from fakes.mail_system import PATIENT_WITH_GUESSERS, until
from fakes.tutorial_host import USERS, tutorial_host
from system.test_mailbox_half_in_place import install_commands

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare"),
]
DOVECOT_CONF: Final = """\
protocols = imap
listen = *
mail_location = maildir:~/Maildir
ssl = no
disable_plaintext_auth = no
first_valid_uid = 100
namespace inbox {
  inbox = yes
  separator = /
}
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
imap_hibernate_timeout = 1 secs
service imap {
  extra_groups = dovecot
  unix_listener imap-master {
    user = dovecot
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
    group = dovecot
  }
}
"""


@pytest.fixture(scope="module", params=["original", "pillarbox"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The mailbox half runs; two users of the system."""
    ours = request.param == "pillarbox"
    host = tutorial_host(f"/usr/local/sbin:{PACKAGED}" if ours else PACKAGED)
    try:
        if ours:
            install_commands(host)
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + PATIENT_WITH_GUESSERS)
        host.output("dovecot")
        host.until_answers(143)
        yield host
    finally:
        host.end()


class Client:
    """A user's client."""

    def __init__(self, host: Host, user: str) -> None:
        self._sock = host.connect(143)
        self._file = self._sock.makefile("rwb")
        self.hear(b"* OK")
        self.say(f'a LOGIN {user} "{USERS[user]}"'.encode())
        self.hear(b"a OK")
        self.say(b"b SELECT INBOX")
        self.hear(b"b OK")

    def say(self, line: bytes) -> None:
        """One line."""
        self._file.write(line + b"\r\n")
        self._file.flush()

    def hear(self, end: bytes) -> list[bytes]:
        """Lines up to one that begins with `end`."""
        lines = [self._file.readline().rstrip()]
        while not lines[-1].startswith(end):
            assert lines[-1], lines
            lines.append(self._file.readline().rstrip())
        return lines

    def close(self) -> None:
        """The client goes."""
        self._file.close()
        self._sock.close()


def until_alone(host: Host, user: str) -> None:
    """No process has the user's uid."""
    until(lambda: not host.output(f"pgrep -u {user} || true").strip(), what=f"{user} has no process")


def deliver(host: Host, user: str, name: str) -> None:
    """Another program's delivery."""
    there = f"/home/{user}/Maildir"
    host.output(
        f"printf 'Subject: x\\n\\nx\\n' > {there}/tmp/{name}; chown {user}: {there}/tmp/{name};"
        f" mv {there}/tmp/{name} {there}/new/{name}"
    )


def test_users_without_a_process_are_told_of_their_mail(host: Host) -> None:
    """And of nobody else's; again and again; their commands are answered."""
    clients = {user: Client(host, user) for user in USERS}
    for client in clients.values():
        client.say(b"i IDLE")
        client.hear(b"+ idling")
    for number in (1, 2):
        for user in clients:
            until_alone(host, user)
        deliver(host, "alice", f"{number}.a.b")
        assert clients["alice"].hear(b"* %d RECENT" % number) == [
            b"* %d EXISTS" % number,
            b"* %d RECENT" % number,
        ]
        assert not host.output("pgrep -u bob || true").strip()
    until_alone(host, "alice")
    who = host.output("doveadm who")
    assert all(f"{user} " in who for user in USERS), who
    for client in clients.values():
        client.say(b"DONE")
        client.hear(b"i OK Idle completed")
    clients["alice"].say(b"c FETCH 1:2 (UID FLAGS)")
    fetched = [b"* %d FETCH (UID %d FLAGS (\\Recent))" % (number, number) for number in (1, 2)]
    assert clients["alice"].hear(b"c ")[:2] == fetched
    clients["bob"].say(b"c STATUS INBOX (MESSAGES UIDNEXT)")
    assert clients["bob"].hear(b"c ")[0] == b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1)"
    for client in clients.values():
        client.close()


def test_what_was_expunged_and_flagged_meanwhile(host: Host) -> None:
    """By the same user's other client."""
    deliver(host, "bob", "1.a.b")
    deliver(host, "bob", "2.a.b")
    idling, other = Client(host, "bob"), Client(host, "bob")
    idling.say(b"i IDLE")
    idling.hear(b"+ idling")
    other.say(b"i IDLE")
    other.hear(b"+ idling")
    until_alone(host, "bob")
    other.say(b"DONE")
    other.hear(b"i OK")
    other.say(b"c STORE 2 +FLAGS.SILENT (\\Flagged)")
    other.hear(b"c OK")
    other.say(b"d STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.hear(b"d OK")
    other.say(b"e EXPUNGE")
    assert b"* 1 EXPUNGE" in other.hear(b"e OK")
    told = idling.hear(b"* 1 EXPUNGE")
    number = 2
    while not any(line.startswith(b"* %d FETCH (FLAGS (\\Flagged" % number) for line in told):
        number = 1  # told after the EXPUNGE, as Dovecot does that has learnt of both at once
        told = idling.hear(b"* ")
    idling.close()
    other.close()
