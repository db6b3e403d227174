"""LAYOUT=fs, CONTROL=, INDEX= and listescape: the same conversation and the same files as Debian's Dovecot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.dovecot_pair import Server, differences, dovecot_pair, play
from fakes.mail_system import until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

MESSAGE = b"Subject: a\r\n\r\nbody\r\n"
NAMESPACE = "protocols = imap\nnamespace inbox {\n inbox = yes\n separator = /\n" + (
    " mailbox few {\n  auto = no\n  autoexpunge = 30d\n  autoexpunge_max_mails = 2\n }\n"
    " mailbox masked/* {\n  autoexpunge = 30d\n  autoexpunge_max_mails = 1\n }\n}\n"
)
LAYOUTS = {
    "fs": "mail_location = maildir:~/Maildir:LAYOUT=fs\n" + NAMESPACE,
    "fs with control": "mail_location = maildir:~/Maildir:LAYOUT=fs:CONTROL=~/ctl:INDEX=~/idx\n" + NAMESPACE,
    "control": "mail_location = maildir:%{home}/Maildir:CONTROL=%{home}/ctl:INDEX=~/idx\n" + NAMESPACE,
}
SCRIPT: list[bytes | tuple[bytes, bytes]] = [
    b"NAMESPACE",
    b"CREATE a/b/c",
    b"CREATE a/cur",
    b"CREATE cur",
    b"CREATE ..",
    b"CREATE a/../b",
    b"CREATE INBOX/kid",
    b"CREATE Entw&APw-rfe/x",
    b"CREATE ~x",
    b"CREATE x//y",
    b'LIST "" *',
    b"SELECT a/b",
    b"CREATE a/b",
    b"SUBSCRIBE a/b/c",
    b"SUBSCRIBE gone/too",
    b'LSUB "" *',
    (b"APPEND a/b", MESSAGE),
    (b"APPEND a/b/c (keyword)", MESSAGE),
    (b"APPEND INBOX (keyword)", MESSAGE),
    b"DELETE a/b",
    b'LIST "" a*',
    b"STATUS a/b/c (MESSAGES UIDNEXT)",
    b"RENAME a/b/c n/m/c",
    b"SELECT n/m/c",
    b"FETCH 1 (UID FLAGS)",
    b"UNSELECT",
    b"RENAME n o",
    b"STATUS o/m/c (MESSAGES UIDNEXT)",
    b"DELETE nosuch",
]
DOTS = [b"CREATE a.b", b"CREATE .hidden", b'LIST "" *', b"RENAME a.b z/z.z", b'LIST "" *']
"""Names with dots, that only a tree can hold."""
ESCAPED: list[bytes | tuple[bytes, bytes]] = [
    (b"APPEND INBOX (k)", MESSAGE),
    *(
        b'CREATE "%b"' % name
        for name in (b"a.b", b"c\\\\d", b"c\\\\2e", b".hid", b"dot.", b"..", b"x/..", b"x/.", b"b/~x")
    ),
    *(
        b"CREATE ~q",
        b"CREATE q~",
        b"CREATE cur",
        b"CREATE Gr&APw-n.x",
        b"CREATE INBOX.x",
        b"CREATE INBOX/k.d",
    ),
    *(b'LIST "" *', b'LIST "" %', b'LIST "" a.*', b"SUBSCRIBE a.b", b"SUBSCRIBE b/~x", b'SUBSCRIBE "c\\\\d"'),
    *(b'LSUB "" *', b"RENAME q~ ~y/z.z", (b"APPEND a.b (k)", MESSAGE), b"COPY 1 a.b", b"SELECT ~y/z.z"),
    *(b"RENAME a.b a.c/d.e", b"STATUS a.c/d.e (MESSAGES)", b"DELETE ~q", b"UNSUBSCRIBE b/~x", b'LIST "" *'),
]
DELIBERATE = {
    b'LIST "" a*': "with CONTROL=, Dovecot lists a mailbox that has just been deleted as if it could be selected",
}
"""Differences that only Maildir++ with CONTROL= has."""


@pytest.fixture(scope="module", params=LAYOUTS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server, Server]]:
    """Both, started."""
    with dovecot_pair(LAYOUTS[request.param]) as (ours, theirs):
        yield request.param, ours, theirs


def shape(home: Path) -> list[str]:
    """Directories and control files; names of messages, caches and what only one of the two makes left out."""
    found = []
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        if path.parent.name in ("cur", "new"):
            name = f"{path.parent.relative_to(home)}/MESSAGE{path.name.partition(':')[1:]}"
        elif path.parent.name == "tmp" and path.is_file():
            continue  # what locks are links to
        elif any(word in name for word in ("index", "mailbox.log", "uidvalidity", "uidlist", "pillarbox")):
            continue  # of caches, or made at another moment
        elif home.name == "ctl" and path.is_dir():
            continue
        found.append(name)
    return found


def test_both_say_and_write_the_same(pair: tuple[str, Server, Server]) -> None:
    """A conversation about mailboxes, then the files."""
    layout, ours, theirs = pair
    script = [*SCRIPT, *(DOTS if layout.startswith("fs") else ())]
    said = [play(server, script) for server in (ours, theirs)]
    if layout == "control":
        said = [[answer for answer in answers if answer[0] not in DELIBERATE] for answers in said]
    assert said[0] == said[1], differences(*said)
    for name in ("Maildir", "ctl"):
        assert shape(ours.home() / name) == shape(theirs.home() / name)
    control = "ctl" if "control" in layout else "Maildir"
    texts = [(server.home() / control / "subscriptions").read_text() for server in (ours, theirs)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("layout", ["", ":LAYOUT=fs"])
def test_names_with_escapes(layout: str) -> None:
    """The plugin listescape: names that directories cannot have, in answers and on disk."""
    settings = f"mail_location = maildir:~/Maildir{layout}\nmail_plugins = listescape\n" + NAMESPACE
    with dovecot_pair(settings) as pair:
        said = [play(server, ESCAPED) for server in pair]
        assert said[0] == said[1], differences(*said)
        shapes = [set(shape(server.home() / "Maildir")) for server in pair]
        assert shapes[0] == shapes[1] - {"maildirfolder"}  # with the plugin, Dovecot makes a folder of INBOX
        texts = [(server.home() / "Maildir" / "subscriptions").read_text() for server in pair]
        assert texts[0] == texts[1]


def test_one_takes_the_others_tree(pair: tuple[str, Server, Server]) -> None:
    """What Dovecot has made is moved to us, changed here, and moved back: UIDs and keywords stay."""
    layout, ours, theirs = pair
    user = "taken"
    play(theirs, [b"CREATE x/y", (b"APPEND x/y (\\Seen k1)", MESSAGE), (b"APPEND x/y (k2)", MESSAGE)], user)
    look = [b"STATUS x/y (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)", b"SELECT x/y", b"FETCH 1:* (UID FLAGS)"]
    play(theirs, look, user)  # they are no longer \\Recent
    theirs_say = play(theirs, look, user)
    theirs.home(user).rename(ours.home(user))
    ours_say = play(ours, look, user)
    assert ours_say[0][1:-1] == theirs_say[0][1:-1]
    assert ours_say[2] == theirs_say[2]
    changed = play(
        ours,
        [b"SELECT x/y", b"UID STORE 2 +FLAGS (\\Flagged k3)", (b"APPEND x/y (k1)", MESSAGE), *look],
        user,
    )
    ours.home(user).rename(theirs.home(user))
    again = play(theirs, look, user)
    assert again[0][1:-1] == changed[3][1:-1]
    assert again[2] == changed[5]
    assert b"k3" in again[2][2], layout


def test_old_messages_go_when_a_session_ends(pair: tuple[str, Server, Server]) -> None:
    """autoexpunge_max_mails, of a mailbox and of those that a mask names."""
    _, ours, theirs = pair
    script: list[bytes | tuple[bytes, bytes]] = []
    for name in (b"few", b"masked/a", b"other"):
        script += [b"CREATE " + name, *[(b"APPEND " + name, MESSAGE)] * 4]
    look = [b"STATUS %b (MESSAGES UIDNEXT)" % name for name in (b"few", b"masked/a", b"other")]
    expected = [
        b"* STATUS few (MESSAGES 2 UIDNEXT 5)",
        b"* STATUS masked/a (MESSAGES 1 UIDNEXT 5)",
        b"* STATUS other (MESSAGES 4 UIDNEXT 5)",
    ]
    for server in (ours, theirs):
        play(server, script, "many")

        def has_gone(server: Server = server) -> bool:  # it goes after the client has been let go
            return [answer[1] for answer in play(server, look, "many")] == expected

        until(has_gone, what=f"old messages of {server.name} have gone")
