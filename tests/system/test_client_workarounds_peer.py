"""imap_client_workarounds, each word on and off: the same answers as Debian's Dovecot."""

import pytest

from fakes.dovecot_pair import Server, dovecot_pair

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap
mail_location = maildir:~/Maildir
imap_client_workarounds = WORDS
namespace inbox {
  inbox = yes
  separator = /
}
"""
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"
Said = list[tuple[bytes, list[bytes]]]


def new_mail(server: Server) -> Said:
    """Each command while there is a message that another client has just stored."""
    one, other = server.imap(), server.imap()
    other.say(b"CREATE box")
    one.say(b"SELECT INBOX")
    said = []
    for command in (
        b"NOOP", b"STORE 1 +FLAGS (\\Seen)", b"CHECK", b"STATUS box (MESSAGES)", b'LIST "" INBOX', b"COPY 1 box",
        b"EXPUNGE", b"CREATE new", b"APPEND INBOX {1+}\r\nx", b"UID EXPUNGE 9", b"MOVE 1 box", b"NOOP",
    ):  # fmt: skip
        other.say(b"APPEND INBOX", MESSAGE)
        answer = one.say(command)
        if command[:4] in (b"COPY", b"STOR"):  # files in new/: the other server may not have moved them yet
            answer = [line for line in answer if not line.endswith(b" RECENT")]
        said.append((command, answer))
    one.close()
    other.close()
    return said


def separators(server: Server) -> Said:
    """One too many, behind every name; one session knows what it did before."""
    talk = server.imap()
    for name in (b"box", b"top"):
        talk.say(b"CREATE " + name)
    said = [
        (command, talk.say(command))
        for command in (
            b"SELECT box/", b"UNSELECT", b"EXAMINE INBOX/", b"UNSELECT", b"SELECT box/", b"CREATE dir/", b"RENAME top/ dir2/",
            b"SUBSCRIBE dir2/", b"UNSUBSCRIBE dir2/", b'LIST "" dir2/', b"SELECT /", b'SELECT ""', b"CREATE /",
            b"CREATE INBOX/", b"RENAME dir2 a/", b"DELETE a/", b"DELETE dir2/", b"APPEND nosuch/ {1+}\r\nx", b'LIST "" *',
        )
    ]  # fmt: skip
    talk.close()
    return said


def subscribed(server: Server) -> Said:
    """What cannot be selected is subscribed to, or above what is."""
    talk = server.imap()
    for command in (
        b"CREATE up/mid/low",
        b"SUBSCRIBE up/mid/low",
        b"SUBSCRIBE gone",
        b"CREATE was",
        b"SUBSCRIBE was",
        b"DELETE was",
    ):
        talk.say(command)
    said = [
        (command, talk.say(command))
        for command in (
            b'LSUB "" *', b'LSUB "" %', b'LSUB "" up/%', b'LSUB up/ mid/%', b'LSUB "" was', b'LIST (SUBSCRIBED) "" *',
        )
    ]  # fmt: skip
    talk.close()
    return said


@pytest.mark.parametrize("words", ["", "delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags"])
def test_each_word(words: str) -> None:
    """All commands with it and without."""
    with dovecot_pair(SETTINGS.replace("WORDS", words)) as pair:
        for look in (new_mail, separators, subscribed):
            ours, theirs = (look(server) for server in pair)
            for one, other in zip(ours, theirs, strict=True):
                assert one == other
