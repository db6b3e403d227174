"""Quotas: the same conversations, deliveries, warnings and maildirsize as Debian's Dovecot."""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.dovecot_pair import Server, differences, dovecot_pair, play
from fakes.mail_system import until
from fakes.quota_play import SMALL, Warnings, maildirsize, of_size

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = quota
lmtp_save_to_detail_mailbox = yes
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    auto = create
  }
}
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = DRIVER:User quota
  quota_rule = *:storage=10K:messages=10
  quota_rule2 = Trash:storage=+5K
  quota_rule3 = Junk:ignore
  quota_rule4 = Tight*:storage=-50%%
  quota_warning = storage=75%% quota-warning 75 %u
  quota_warning2 = storage=50%% quota-warning 50 %u
  quota_warning3 = -storage=50%% quota-warning below %u
  quota_exceeded_message = Your box is full, see http://x/
MORE
}
"""
DRIVERS = {"count": "  quota_vsizes = yes", "maildir": ""}
SCRIPT: list[bytes | tuple[bytes, bytes]] = [
    b"GETQUOTAROOT INBOX",
    b'GETQUOTA "User quota"',
    b"GETQUOTA nosuch",
    b"GETQUOTAROOT Nosuch",
    b"GETQUOTA",
    b"GETQUOTAROOT",
    b'SETQUOTA "User quota" (STORAGE 500)',
    b'SETQUOTA "User quota" STORAGE',
    b'SETQUOTA "User quota" ()',
    (b"APPEND INBOX", SMALL),
    (b"APPEND INBOX", SMALL),
    (b"APPEND INBOX", SMALL),
    b"GETQUOTAROOT INBOX",
    (b"APPEND INBOX", of_size(11000)),
    (b"APPEND INBOX", of_size(7600)),
    b"GETQUOTAROOT INBOX",
    (b"APPEND INBOX", of_size(3000)),
    (b"APPEND Trash", of_size(3000)),
    b"GETQUOTAROOT Trash",
    b"SELECT INBOX",
    b"COPY 4 INBOX",
    b"COPY 4 Trash",
    b"CREATE Tight",
    b"MOVE 4 Tight",
    b"MOVE 4 Trash",
    b"COPY 1 Trash",
    b"CREATE Junk",
    (b"APPEND Junk", of_size(15000)),
    b"GETQUOTAROOT INBOX",
    b"STORE 1 +FLAGS.SILENT (\\Deleted)",
    b"EXPUNGE",
    b"GETQUOTAROOT INBOX",
    b"DELETE Trash",
    b"GETQUOTAROOT INBOX",
    *[(b"APPEND INBOX", b"Subject: %d\r\n\r\nx\r\n" % number) for number in range(10)],
    b"GETQUOTAROOT INBOX",
    b"STORE 1:* +FLAGS.SILENT (\\Deleted)",
    b"EXPUNGE",
    b"GETQUOTAROOT INBOX",
]


@pytest.fixture(scope="module", params=DRIVERS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server, Server]]:
    """Both, started."""
    driver = request.param
    with dovecot_pair(SETTINGS.replace("DRIVER", driver).replace("MORE", DRIVERS[driver])) as (ours, theirs):
        yield driver, ours, theirs


def test_imap(pair: tuple[str, Server, Server]) -> None:
    """Commands about quotas, and all that puts something into a mailbox; with the warnings."""
    driver, ours, theirs = pair
    warned = [Warnings(server) for server in (ours, theirs)]
    said = [play(server, SCRIPT) for server in (ours, theirs)]
    assert said[0] == said[1], differences(*said)
    heard = [each.close() for each in warned]
    assert heard[0] == heard[1]
    assert heard[0][0] == b"VERSION\tscript\t4\t0\nnoreply\n75\nme\n\n"
    files = [maildirsize(server.home()) for server in (ours, theirs)]
    assert files[0] == files[1]
    assert bool(files[0]) == (driver == "maildir")
    for server in (ours, theirs):
        (server.base / "run" / "quota-warning").unlink(missing_ok=True)


def test_only_of_the_protocols_that_have_the_plugin() -> None:
    """mail_plugins inside `protocol lmtp` alone: a client may save what no delivery may bring."""
    settings = SETTINGS.replace("mail_plugins = quota\n", "").replace("DRIVER", "count")
    settings = settings.replace("MORE", DRIVERS["count"]).replace(
        "protocol imap {\n  mail_plugins = $mail_plugins imap_quota\n",
        "protocol lmtp {\n  mail_plugins = quota\n",
    )
    big = of_size(9000)
    with dovecot_pair(settings) as servers:
        said = [
            play(server, [(b"APPEND INBOX", big), (b"APPEND INBOX", big), b"COPY 1 Trash"])
            for server in servers
        ]
        assert said[0] == said[1], differences(*said)
        assert "OVERQUOTA" not in repr(said[0])
        heard = [server.lmtp(SMALL.replace(b"\r\n", b"\n"), to=["me"]) for server in servers]
        assert heard[0] == heard[1]
        assert any("552 5.2.2 <me> Your box is full" in line for line in heard[0])


def test_lmtp(pair: tuple[str, Server, Server]) -> None:
    """A delivery may exceed the limit once, by a tenth; then nothing comes in, but what is ignored does."""
    _, ours, theirs = pair
    sizes = (6000, 3000, 1200, 500, 900, 400)
    said = []
    for server in (ours, theirs):
        play(server, [b"CREATE Junk"], "you")
        one = [of_size(size).replace(b"\r\n", b"\n") for size in sizes]
        said.append([*server.lmtp(*one, to=["you"]), *server.lmtp(one[0], to=["you+Junk", "you"])])
    assert said[0] == said[1]
    assert any("552 5.2.2 <you> Your box is full" in line for line in said[0])
    look = [b"GETQUOTAROOT INBOX", b"STATUS INBOX (MESSAGES)", b"STATUS Junk (MESSAGES)"]
    found = [play(server, look, "you") for server in (ours, theirs)]
    assert found[0] == found[1], differences(*found)
    # Received: tells an id of another length, so that sizes differ by a few octets.
    files = [maildirsize(server.home("you")) for server in (ours, theirs)]
    counts = [[line.rpartition(" ")[2] for line in lines] for lines in files]
    assert counts[0] == counts[1]


SIZES = {
    "below": (b"10240S,10C\n%b" % (b"30 0\n" * 100), 0),
    "full": (b"10240S,10C\n1 1\n%b" % (b"0 0\n" * 1300), 0),
    "within": (b"10240S,10C\n5000 5\n0 0\n", 3600),
    "over": (b"10240S,10C\n20000 5\n", 0),
    "overold": (b"10240S,10C\n20000 5\n", 16 * 60),
    "overyoung": (b"10240S,10C\n20000 5\n", 14 * 60),
    "overtwice": (b"10240S,10C\n20000 4\n0 1\n", 0),
    "others": (b"10241S,10C\n5000 5\n", 0),
    "negative": (b"10240S,10C\n5 5\n-9 0\n", 0),
    "torn": (b"10240S,10C\n5 5\n7000 1", 0),
    "nonsense": (b"10240S,10C\n5 5\nx\n", 0),
}
"""By user: what stands in maildirsize, and how many seconds ago it was written."""


@pytest.mark.parametrize("pair", ["maildir"], indirect=True)
def test_whether_maildirsize_is_believed(pair: tuple[str, Server, Server]) -> None:
    """A file of 5120 octets, or one that tells of too much for 15 minutes or in two lines, is made anew."""
    _, ours, theirs = pair
    found = []
    for server in (ours, theirs):
        told = []
        for user, (content, age) in SIZES.items():
            path = server.home(user) / "Maildir" / "maildirsize"
            for name in ("cur", "new", "tmp"):
                (path.parent / name).mkdir(parents=True)
            path.write_bytes(content)
            for place in (path.parent.parent, *path.parent.parent.rglob("*")):
                shutil.chown(place, "nobody", "nogroup")
            written = path.stat().st_mtime - age
            os.utime(path, (written, written))
            told.append((user, play(server, [b"GETQUOTAROOT INBOX"], user), path.read_bytes()))
        found.append(told)
    assert found[0] == found[1]
    believed = {user for user, _, content in found[0] if content == SIZES[user][0]}
    assert believed == {"below", "within", "over", "overyoung", "torn"}


def test_one_takes_the_others_tree(pair: tuple[str, Server, Server]) -> None:
    """What Dovecot has counted counts here, and the other way round; foreign files are found by both."""
    _, ours, theirs = pair
    play(theirs, [(b"APPEND INBOX", of_size(3000)), (b"APPEND Trash", SMALL)], "moved")
    theirs.home("moved").rename(ours.home("moved"))
    said = play(
        ours,
        [b"GETQUOTAROOT INBOX", (b"APPEND INBOX", of_size(5000)), b"GETQUOTAROOT INBOX"],
        "moved",
    )
    ours.home("moved").rename(theirs.home("moved"))
    again = play(theirs, [b"GETQUOTAROOT INBOX"], "moved")
    assert again[0] == said[2]


VARIOUS = """\
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = maildir:By file
  quota2 = count:second
  quota2_rule = *:messages=5
  quota3 = count:Unseen:hidden
  quota3_rule = *:messages=100
  quota4 = count:Told:noenforcing
  quota4_rule = *:bytes=1
  quota_rule = *:storage=1T
  quota_max_mail_size = 5K
  quota_vsizes = yes
}
"""


def test_several_roots_and_a_users_own_rule() -> None:
    """Of the userdb; hidden and not enforced; the largest message; files whose names tell no size."""
    fields = "allow_all_users=yes quota_rule=*:storage=9K:messages=20"
    with dovecot_pair(VARIOUS, fields=fields) as (ours, theirs):
        script: list[bytes | tuple[bytes, bytes]] = [
            b"GETQUOTAROOT INBOX",
            b"GETQUOTA Unseen",
            b"GETQUOTA second",
            (b"APPEND INBOX", of_size(6000)),
            (b"APPEND INBOX", of_size(4000)),
            (b"APPEND INBOX", SMALL),
            b"GETQUOTAROOT INBOX",
            (b"APPEND INBOX", of_size(4900)),
            (b"APPEND INBOX", of_size(4900)),
        ]
        said = [play(server, script) for server in (ours, theirs)]
        assert said[0] == said[1], differences(*said)
        for server in (ours, theirs):
            foreign = server.home() / "Maildir" / "new" / "1600000000.foreign.host"
            foreign.write_bytes(SMALL.replace(b"\r\n", b"\n"))
            (server.home() / "Maildir" / "maildirsize").unlink()
        more: list[bytes | tuple[bytes, bytes]] = [
            b"GETQUOTAROOT INBOX",
            b"SELECT INBOX",
            (b"APPEND INBOX", SMALL),
            (b"APPEND INBOX", SMALL),
            b"STORE 1:* +FLAGS.SILENT (\\Deleted)",
            b"EXPUNGE",
            b"GETQUOTAROOT INBOX",
        ]
        said = [play(server, more) for server in (ours, theirs)]
        assert said[0] == said[1], differences(*said)
        files = [maildirsize(server.home()) for server in (ours, theirs)]
        assert files[0] == files[1]
        for server in (ours, theirs):
            (server.home() / "Maildir" / "cur" / "1600000001.foreign.host:2,S").write_bytes(SMALL)
        for words in (
            ["quota", "get", "-u", "me"],
            ["-f", "tab", "quota", "get", "-u", "me"],
            ["-f", "json", "quota", "get", "-u", "me"],
            ["-f", "flow", "quota", "get", "-u", "me"],
            ["quota", "recalc", "-u", "me"],
            ["quota", "get", "-u", "me"],
        ):
            done = [server.doveadm(*words) for server in (ours, theirs)]
            assert (done[0].returncode, done[0].stdout) == (done[1].returncode, done[1].stdout), done[0]
        files = [maildirsize(server.home()) for server in (ours, theirs)]
        assert files[0] == files[1]


SCRIPT_SERVICE = """\
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = quota
service quota-warning {
  executable = script {base}/warn.sh first
  user = nobody
  unix_listener quota-warning {
    user = nobody
    mode = 0600
  }
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=10K
  quota_warning = storage=75%% quota-warning 75 %u "two words"
}
"""
WARN = """\
#!/bin/sh
printf '%s|' "$@" >> ${0%/*}/home/warned
id -un >> ${0%/*}/home/warned
"""


def _has_ended(path: Path) -> bool:
    return path.read_text().endswith("nobody\n")


def test_a_warning_runs_a_program() -> None:
    """The script service: its own arguments and the warning's, by its user, no shell between."""
    with dovecot_pair(SCRIPT_SERVICE) as pair:
        for server in pair:
            (server.base / "warn.sh").write_text(WARN)
            (server.base / "warn.sh").chmod(0o755)
            play(server, [(b"APPEND INBOX", of_size(8000))])
            warned = server.base / "home" / "warned"
            until(warned.exists, what=f"the program has run: {server.log()}")
            until(functools.partial(_has_ended, warned), what="it has ended")
        texts = [(server.base / "home" / "warned").read_text() for server in pair]
        assert texts[0] == texts[1]
        assert texts[0].startswith("first|75|me|")


def test_old_messages_make_room() -> None:
    """The trash plugin: the same may come, and nothing but Trash and Junk pays for it."""
    with tempfile.NamedTemporaryFile("w", prefix="trash-") as file:
        file.write("1 Junk\n2 Trash\n")
        file.flush()
        os.chmod(file.name, 0o644)
        settings = SETTINGS.replace("mail_plugins = quota\n", "mail_plugins = quota trash\n")
        settings = settings.replace("quota_rule2", "frob2").replace("quota_rule3", "frob3")
        settings = settings.replace("DRIVER", "count").replace(
            "MORE", f"  quota_vsizes = yes\n  trash = {file.name}"
        )
        script: list[bytes | tuple[bytes, bytes]] = [
            b"CREATE Junk",
            (b"APPEND Trash", of_size(2500)),
            (b"APPEND Junk", of_size(3000)),
            (b"APPEND INBOX", of_size(4000)),
            (b"APPEND INBOX", of_size(1000)),
            b"STATUS INBOX (MESSAGES)",
            (b"APPEND INBOX", of_size(2000)),
            (b"APPEND INBOX", of_size(1500)),
            (b"APPEND INBOX", of_size(9000)),
            (b"APPEND Trash", of_size(500)),
            b"STATUS INBOX (MESSAGES)",
            b"STATUS Junk (MESSAGES)",
        ]
        with dovecot_pair(settings) as pair:
            said = [
                [play(server, script), server.lmtp(b"Subject: s\n\n" + b"x" * 500 + b"\n")] for server in pair
            ]
            assert said[0] == said[1], said
            assert "quota(me): Info: trash plugin: 1 messages removed from Junk" in pair[0].log()
