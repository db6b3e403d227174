"""Unique ids and what else a POP3 client gets by dovecot.conf: the same from Debian's Dovecot and from us."""

import poplib
import shutil

import pytest

from fakes.dovecot_pair import Server, dovecot_pair

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap pop3
mail_location = maildir:~/Maildir
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
protocol pop3 {
  CHOSEN
}
"""
NAMES = ("1.M1P1.host,S=19:2,", "2.M2P1.host:2,S", "3.M3P1.host:2,F", "4.M4P1.host:2,", "5.M5P1.host:2,")
CONTENTS = (
    b"Subject: m\n\nnul \0.\n",
    b"Subject: no body\n",
    b"Subject: m\n\n",
    b"Subject: m\n\nx",
    b"\n.\n",
)
UIDLIST = """\
3 V1600000001 N9 Gf81ab3a1e2ae5e5f9e2c0000aa2b1f5d
1 :1.M1P1.host,S=19
2 Pfrom-before :2.M2P1.host
5 P O2 :3.M3P1.host
6 Psame O1 G0123456789abcdef0123456789abcdef :4.M4P1.host
8 Psame :5.M5P1.host
"""


def put(server: Server) -> None:
    """Five messages and what another program has written of them."""
    maildir = server.home() / "Maildir"
    for place in ("cur", "new", "tmp"):
        (maildir / place).mkdir(parents=True)
    for name, content in zip(NAMES, CONTENTS, strict=True):
        (maildir / "cur" / name).write_bytes(content)
    (maildir / "dovecot-uidlist").write_text(UIDLIST)
    for path in (server.home(), *server.home().rglob("*")):
        shutil.chown(path, "nobody", "nogroup")


def by_pop3(server: Server) -> list[object]:
    """Numbers, sizes, unique ids and contents; then the flags that are left."""
    client = poplib.POP3("127.0.0.1", server.pop3, timeout=60)
    client.user("me")
    client.pass_("secret")
    found: list[object] = [client.list()[1], client.uidl()[1], client.uidl(2)]
    found += [(client.retr(number)[1], client.top(number, 0)[1]) for number in range(1, 5)]
    client.dele(1)
    found.append(client.uidl()[1])
    client.quit()
    talk = server.imap()
    talk.say(b"EXAMINE INBOX")
    found += talk.say(b"FETCH 1:* (UID FLAGS)")
    talk.close()
    return found


@pytest.mark.parametrize(
    "chosen",
    [
        "",
        "pop3_uidl_format = %v.%u",
        "pop3_uidl_format = %v-%u\n  pop3_no_flag_updates = yes",
        "pop3_uidl_format = %f\n  pop3_client_workarounds = outlook-no-nuls oe-ns-eoh",
        "pop3_uidl_format = %g",
        "pop3_uidl_format = %08Xv%08Xu",
        "pop3_uidl_format = %Mf",
        "pop3_uidl_format = UID%4.4Xv\n  pop3_uidl_duplicates = rename",
    ],
)
def test_the_same_with(chosen: str) -> None:
    """Formats of the servers that mail has come from, and what uidlists have kept of them."""
    with dovecot_pair(SETTINGS.replace("CHOSEN", chosen)) as pair:
        for server in pair:
            put(server)
        ours, theirs = (by_pop3(server) for server in pair)
        assert ours == theirs
