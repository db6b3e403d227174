"""A Dovecot that is a client (imapc, dsync): the same comes of it whether Dovecot or ours serves it."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.doveadm import Doveadm
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.imap_scripts import PREPARATION

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

NAMESPACE: Final = """\
protocols = imap
namespace inbox {
  inbox = yes
  separator = /
}
"""
SERVED: Final = NAMESPACE + "mail_location = maildir:~/Maildir\n"
CLIENT: Final = (
    NAMESPACE
    + """\
mail_location = %(location)s
imapc_host = 127.0.0.1
imapc_port = %(port)d
imapc_user = me
imapc_password = secret
imapc_features = %(features)s
"""
)
FEATURES: Final = "rfc822.size fetch-headers fetch-bodystructure search modseq"
FETCHED: Final = "mailbox uid flags date.received size.virtual hdr text"
ON_THE_SERVER: Final = (
    b"SELECT INBOX", b"STORE 1 +FLAGS (\\Flagged abc)", b"STORE 3 +FLAGS (\\Deleted)", b"EXPUNGE", b"COPY 1:2 Trash",
    b"CREATE new", b"COPY 1 new", b"SUBSCRIBE new", b"RENAME Sent Gone",
)  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair(SERVED) as servers:
        for server in servers:
            talk = server.imap()
            for line in PREPARATION:
                assert talk.say(line.removeprefix(b"x "))[-1].startswith(b"x OK"), line
            talk.close()
        yield servers


def client_of(server: Server, *, location: str, features: str) -> Server:
    """A Dovecot whose imapc goes to that server, started."""
    settings = CLIENT % {"location": location, "port": server.port, "features": features}
    program = ["/usr/sbin/dovecot"], ["/usr/bin/doveadm"]
    client = Server(*program, settings, "allow_all_users=yes", name=f"client-of-{server.name}")
    client.start()
    return client


def copied(client: Server) -> list[str]:
    """What the copy has: messages, mailboxes, subscriptions."""
    told: list[str] = []
    for words in (
        ("fetch", "-u", "copy", FETCHED, "mailbox", "*"),
        ("mailbox", "status", "-u", "copy", "messages uidnext unseen", "*"),
        ("mailbox", "list", "-u", "copy", "-s"),
    ):
        done = client.doveadm(*words)
        assert done.stdout, done.stderr  # there are mailboxes whose status cannot be told, parents of others
        told += sorted(re.split(r"\f\n" if words[0] == "fetch" else "\n", done.stdout))
    return told


def backed_up(server: Server) -> list[object]:
    """A copy made by `doveadm backup`, and made again after changes on the server."""
    client = client_of(server, location="maildir:~/Maildir", features=FEATURES)
    talk = server.imap()
    told: list[object] = []
    try:
        for commands in ((), ON_THE_SERVER):
            told += [talk.say(command) for command in commands]
            told += [client.doveadm("backup", "-R", "-u", "copy", "imapc:").returncode, copied(client)]
    finally:
        talk.close()
        client.end()
    return told


def test_a_copy_that_is_kept_in_step(pair: tuple[Server, Server]) -> None:
    """dsync over imapc: the same copy, and the same changes to it."""
    ours, theirs = map(backed_up, pair)
    assert ours == theirs


def test_flags_in_the_words_of_imapc(pair: tuple[Server, Server]) -> None:
    """`( a b)` is how imapc writes keywords in APPEND."""
    said = []
    for server in pair:
        client = client_of(server, location="imapc:~/imapc", features="")
        try:
            talk = client.imap()
            said.append(
                [
                    talk.say(b"APPEND Entw&APw-rfe (a b)", b"Subject: x\r\n\r\ny\r\n"),
                    talk.say(b"SELECT Entw&APw-rfe"),
                    talk.say(b"FETCH 1 (FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE BODY.PEEK[TEXT])"),
                    talk.say(b"SEARCH KEYWORD a SUBJECT x"),
                    talk.say(b"STORE 1 -FLAGS (a)"),
                    talk.say(b"MOVE 1 Trash"),
                ]
            )
            talk.close()
        finally:
            client.end()
    ours, theirs = said
    assert ours[0][-1].startswith(b"x OK"), ours[0]
    assert ours == theirs
