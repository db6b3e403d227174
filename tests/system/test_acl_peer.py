"""Access lists, public and shared mailboxes: the same conversations of two users as with Debian's Dovecot."""

import re
import shutil
from collections.abc import Iterator

import pytest

from fakes.dovecot_pair import Server, differences, dovecot_pair, play

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = acl quota
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota
}
namespace inbox {
  inbox = yes
  separator = /
}
namespace public {
  type = public
  separator = /
  prefix = Public/
  location = maildir:{base}/home/public
  subscriptions = no
}
namespace shared {
  type = shared
  separator = /
  prefix = shared/%%u/
  location = maildir:%%h/Maildir
  subscriptions = no
  list = children
}
plugin {
  acl = vfile
  acl_shared_dict = file:{base}/home/shared-mailboxes
  quota = maildir:User quota
  quota_rule = *:storage=9M
}
"""
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"
LISTS = {
    "box": "anyone lr\nuser=me ie\n",
    "drop": "anyone li\n",
    "hidden": "anyone rwi\n",
    "put": "anyone lrsi\n",
    "locked": "user=you lrwstipekxa\n",
    "look": "authenticated lrwstipekxa\nuser=you lri\n-user=me w\nowner lr\n",
    "read": "anyone lr\n",
    "seen": 'anyone lrs\n"user=a b" l\n',
    "words": "user=me lrwi\nuser=you lrw\n",
}
Script = list[bytes | tuple[bytes, bytes]]
OWNER: Script = [
    b"NAMESPACE",
    b"CREATE mine",
    b"GETACL INBOX",
    b"GETACL mine",
    b"MYRIGHTS INBOX",
    b"GETACL nosuch",
    b"LISTRIGHTS INBOX you",
    b"LISTRIGHTS INBOX -you",
    b"SETACL mine you lrs",
    b"GETACL mine",
    b"SETACL mine you +i",
    b"SETACL mine -you +s",
    b"SETACL mine anyone l",
    b"SETACL mine x lrq",
    b"SETACL mine $grp lr",
    b"SETACL mine authenticated r",
    b"SETACL mine owner lrwstipekxa",
    b"SETACL mine cd cd",
    b"GETACL mine",
    b"DELETEACL mine cd",
    b"DELETEACL mine nosuch",
    b"DELETEACL mine $grp",
    b"GETACL mine",
    b"CREATE mine/below",
    b"GETACL mine/below",
    b'LIST "" *',
    b'LIST "" %',
    b"MYRIGHTS Public/box",
    b"MYRIGHTS Public/look",
    b"MYRIGHTS Public/locked",
    b"MYRIGHTS Public/read",
    b"GETACL Public/box",
    b"GETACL Public/look",
    b"GETACL Public/read",
    b"SELECT Public/box",
    b"SELECT Public/locked",
    b"STATUS Public/locked (MESSAGES)",
    (b"APPEND Public/locked", MESSAGE),
    (b"APPEND Public/read", MESSAGE),
    (b"APPEND Public/look (\\Flagged)", MESSAGE),
    b"SELECT Public/look",
    b"STORE 1 +FLAGS (\\Flagged)",
    b"STORE 1 +FLAGS (\\Seen \\Flagged)",
    b"FETCH 1 FLAGS",
    b"COPY 1 Public/read",
    b"STORE 1 FLAGS (\\Flagged \\Deleted)",
    b"FETCH 1 FLAGS",
    b"COPY 1 INBOX",
    b"STORE 1 -FLAGS (\\Deleted)",
    b"SELECT Public/read",
    b"UNSELECT",
    b"CREATE Public/box/kid",
    b"CREATE Public/new",
    b"CREATE Public/read/kid",
    b"CREATE Public/look/kid",
    b"GETACL Public/look/kid",
    b"DELETE Public/box",
    b"DELETE Public/read",
    b"RENAME Public/box Public/b2",
    b"RENAME Public/read Public/b2",
    b"RENAME Public/look/kid Public/look/kid2",
    b"DELETE Public/look/kid2",
    b"SETACL Public/box you lr",
    b"SETACL Public/read you lr",
    b"DELETEACL Public/read you",
    b"LISTRIGHTS Public/box you",
    b"SUBSCRIBE Public/read",
    b"SUBSCRIBE Public/locked",
    b'LSUB "" *',
    b'LIST (SUBSCRIBED) "" *',
    b"GETACL",
    b"SETACL mine",
    b"SETACL mine you",
    b"MYRIGHTS",
    b"STATUS Public (MESSAGES)",
    (b"APPEND mine (\\Seen)", MESSAGE),
    (b"APPEND mine", MESSAGE),
    (b"APPEND Public/drop", MESSAGE),
    (b"APPEND INBOX (\\Seen \\Deleted)", MESSAGE),
    b"SELECT INBOX",
    b"COPY * Public/put",
    b"UID MOVE * Public/put",
    b"SELECT Public/put",
    b"FETCH 1:* FLAGS",
    b"SELECT mine",
    b"COPY 1 Public/drop",
    b"COPY 1 Public/hidden",
    b"MOVE 1 Public/drop",
    b"STATUS Public/drop (MESSAGES)",
    b"SELECT Public/hidden",
    b"UNSELECT",
    b"STATUS Public/hidden (MESSAGES)",
    b"MYRIGHTS Public/hidden",
    b"SUBSCRIBE Public/hidden",
    b"UNSUBSCRIBE Public/hidden",
    b'LIST "" Public/h*',
    (b"APPEND mine (\\Seen)", MESSAGE),
    b"SETACL INBOX you lr",
    b"GETACL INBOX",
    (b"APPEND Public/words (one)", MESSAGE),
    b"SELECT Public/words",
    b"STORE 1 +FLAGS (\\Flagged two)",
    b"STORE 1 FLAGS (\\Seen \\Answered TWO three)",
    b"FETCH 1 FLAGS",
    b"STORE 1 FLAGS.SILENT (\\Deleted)",
    b"FETCH 1 FLAGS",
    b"UNSELECT",
]
OTHER: Script = [
    b'LIST "" *',
    b"NAMESPACE",
    b"MYRIGHTS shared/me/mine",
    b"SELECT shared/me/mine",
    b"FETCH 1:* FLAGS",
    b"STORE 2 +FLAGS (\\Seen \\Deleted)",
    b"FETCH 2 BODY.PEEK[TEXT]",  # BODY[TEXT] tells \\Seen with Dovecot, though it is not stored
    b"EXPUNGE",
    (b"APPEND shared/me/mine (\\Flagged)", MESSAGE),
    b"FETCH 3 FLAGS",
    b"COPY 1 INBOX",
    b"MOVE 1 INBOX",
    b"UNSELECT",
    b"SELECT shared/me/INBOX",
    b"UNSELECT",
    b"STATUS shared/me (MESSAGES)",
    b"MYRIGHTS shared/me",
    b"GETACL shared/me/mine",
    b"SETACL shared/me/mine you lrwstipekxa",
    b'LIST "" shared/%',
    b'LIST "" shared/*',
    b"SELECT shared/nobody/x",
    b"CREATE shared/me/new",
    b"DELETE shared/me/mine",
    b'LIST "" %',
    b"SELECT Public/locked",
    b"SELECT shared/me/nosuch",
    b"SELECT Public/seen",
    b"UNSELECT",
    b"SUBSCRIBE shared/me/mine",
    b"SUBSCRIBE Public/drop",
    b"SUBSCRIBE Public/words",
    b'LSUB "" *',
    b'APPEND INBOX CATENATE (URL "/Public/drop/;UID=1")',
    b'APPEND INBOX CATENATE (URL "/shared/me/mine;UIDVALIDITY=1/;UID=1" TEXT {1+}\r\nx)',
    b"GETQUOTAROOT shared/me/mine",
    b"GETQUOTAROOT shared/me/nosuch",
    b"GETQUOTAROOT shared/nobody/x",
    b"GETQUOTAROOT INBOX",
    b"RENAME Public/words words",
]


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """Both, with a public tree."""
    fields = "uid=nobody gid=nogroup home={base}/home/%u allow_all_users=yes"
    with dovecot_pair(SETTINGS, fields=fields) as (ours, theirs):
        for server in (ours, theirs):
            public = server.base / "home" / "public"
            for name, text in LISTS.items():
                for place in ("cur", "new", "tmp"):
                    (public / f".{name}" / place).mkdir(parents=True)
                (public / f".{name}" / "dovecot-acl").write_text(text)
            for path in (public, *public.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")
        yield ours, theirs


def test_rights_in_a_listing() -> None:
    """LIST-MYRIGHTS (RFC 8440), which Dovecot 2.3 has not, and a list for all mailboxes; by us alone."""
    settings = SETTINGS.replace("acl = vfile", "acl = vfile:{base}/global").replace("acl_shared_dict", "#")
    with dovecot_pair(settings) as pair:
        for server in pair:
            (server.base / "home" / "public").mkdir()
            shutil.chown(server.base / "home" / "public", "nobody", "nogroup")
            (server.base / "global").write_text('* -owner a\n"Trash*" owner lr\nDrafts user=me lrs\n')
        script: Script = [
            b"CREATE Trash",
            b"CREATE Drafts",
            b"CREATE Other",
            b"MYRIGHTS Trash",
            b"MYRIGHTS Drafts",
            b"MYRIGHTS Other",
            b"DELETE Trash",
        ]
        said = [play(server, script) for server in pair]
        assert said[0] == said[1], differences(*said)
        [listed] = play(pair[0], [b'LIST "" % RETURN (MYRIGHTS)'])
        assert b"* MYRIGHTS Trash lr" in listed
        assert b"* MYRIGHTS Other lrwstipekxcd" in listed


def test_two_users(pair: tuple[Server, Server]) -> None:
    """One shares and looks around in public; the other sees what he may; then who shares with whom, and the files."""
    for user, script in (("me", OWNER), ("you", OTHER)):
        said = [play(server, script, user) for server in pair]
        assert said[0] == said[1], differences(*said)
    for name in ("me/Maildir/.mine/dovecot-acl", "me/Maildir/.mine.below/dovecot-acl", "shared-mailboxes"):
        files = [(server.base / "home" / name).read_text() for server in pair]
        assert files[0] == files[1], name


DEFAULTS: dict[str, Script] = {
    "me": [
        b"CREATE plain",
        b"CREATE own",
        b"SETACL INBOX you lrs",
        b"SETACL own third lr",
        b"SETACL own you l",
        b"CREATE new",
        b"GETACL new",
        b"GETACL plain",
        b"CREATE own/below",
        b"GETACL own/below",
        b"MYRIGHTS plain",
        b"CREATE Public/top",
        b"GETACL Public/top",
        b"MYRIGHTS Public/locked",
        b"MYRIGHTS Public/bare",
        b"SELECT Public/bare",
        b'LIST "" Public/*',
        b"CREATE Public/bare/below",
        b"GETACL Public/bare/below",
    ],
    "you": [
        b"MYRIGHTS shared/me/plain",
        b"SELECT shared/me/plain",
        b"MYRIGHTS shared/me/own",
        b"MYRIGHTS shared/me/new",
        b"CREATE shared/me/x",
        b"MYRIGHTS Public/bare",
    ],
    "third": [b"MYRIGHTS shared/me/own", b"MYRIGHTS shared/me/plain"],
}


@pytest.mark.parametrize("setting", ["acl_defaults_from_inbox = yes", ""])
def test_lists_that_are_a_default(setting: str) -> None:
    """That of a public tree's root, and of INBOX if that is wished."""
    fields = "uid=nobody gid=nogroup home={base}/home/%u allow_all_users=yes"
    with dovecot_pair(
        SETTINGS.replace("acl = vfile\n", f"acl = vfile\n  {setting}\n"), fields=fields
    ) as pair:
        for server in pair:
            public = server.base / "home" / "public"
            for name, text in {"": "user=me lrkxa\n", ".bare": "", ".locked": "user=me l\n"}.items():
                for place in ("cur", "new", "tmp"):
                    (public / name / place).mkdir(parents=True)
                if text:
                    (public / name / "dovecot-acl").write_text(text)
            for path in (public, *public.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")
        for user, script in DEFAULTS.items():
            said = [play(server, script, user) for server in pair]
            assert said[0] == said[1], differences(*said)
        found = b"* MYRIGHTS shared/me/plain lrs"
        assert any(found in answers for answers in play(pair[0], DEFAULTS["you"], "you")) == bool(setting)


def test_annotations_of_mailboxes_that_are_shared() -> None:
    """Private ones are each user's own (RFC 5464 §3.2.1).

    Who has l and one of r, s, w, i and p may know and set them, shared ones, too (§3.3).
    """
    options = "mail_attribute_dict = file:%h/Maildir/dovecot-attributes\nimap_metadata = yes\nprotocol imap {"
    fields = "uid=nobody gid=nogroup home={base}/home/%u allow_all_users=yes"
    ask = b"GETMETADATA shared/me/box (/private/comment /shared/comment)"
    own = [b"CREATE own", b"SETACL own owner lr"]
    own += [b'SETMETADATA own (/private/comment "mine" /shared/comment "ours")', b"SETACL own owner l"]
    own += [b"SETMETADATA own (/shared/comment NIL)"]
    rights = {"you": b"lrw", "third": b"lr", "only-post": b"lp", "fourth": b"l", "fifth": b"rswip"}
    with dovecot_pair(SETTINGS.replace("protocol imap {", options), fields=fields) as pair:
        script: Script = [b"CREATE box", *(b"SETACL box %b %b" % (u.encode(), r) for u, r in rights.items())]
        script += [b'SETMETADATA box (/private/comment "mine" /shared/comment "ours")', *own]
        plays: list[tuple[str, Script]] = [("me", script)]
        for user in rights:
            change = b'SETMETADATA shared/me/box (/%%b/comment "%b")' % user.encode()
            plays.append((user, [ask, change % b"private", ask, change % b"shared", ask]))
        plays.append(("me", [b"GETMETADATA box (/private/comment /shared/comment)"]))
        for user, steps in plays:
            ours, theirs = (
                # Dovecot says twice why nobody is told: behind `*`, too
                [
                    [line for line in lines if not line.startswith(b"* NO ")]
                    for lines in play(server, steps, user)
                ]
                for server in pair
            )
            assert ours == theirs, differences(ours, theirs)
        assert b"only-post" in b"".join(ours[-1])  # who came last


FILES = {
    "groups": "group=staff lr\ngroup=boss ws\n-group=staff w\n",
    "taken": "-anyone lr\nuser=me lrs\n",
    "taken-again": "-anyone lr\nuser=me lrsw\n-user=me w\n",
    "taken-from-groups": "-group=staff w\n-group=boss s\ngroup=staff lrws\n",
    "taken-before-user": "group=staff lr\n-group=boss r\nuser=me lrw\n",
    "override": "user=me lrwstipekxa\ngroup-override=staff lr\n",
    "override-taken": "anyone lrw\ngroup-override=staff l\n-user=me l\n",
    "override-given": "user=me lr\ngroup-override=staff lrwia\n-group-override=staff w\n",
    "no-lookup": "group=staff lr\nuser=me s\n",
    "only-post": "anyone p\n",
    "only-admin": "user=me a\n",
    "alias": "anonymous lr\n",
    "names": "user=me lr :lookup:write\n",
    "names-at-once": "user=me lr:lookup\n",
    "nobody": "group= lr\nuser=me\n",
}
NONSENSE = {
    "unknown": "this is bad\n",
    "upper": "user=me LR\n",
    "more": "user=me lr extra\n",
    "obsolete": "user=me lcd\n",
    "quotes": '"user=me lr\n',
}
GROUPS = "uid=nobody gid=nogroup home={base}/home/%u allow_all_users=yes acl_groups=staff,boss"
LOOK = (
    b"MYRIGHTS %b",
    b"SELECT %b",
    b"UNSELECT",
    b"STATUS %b (MESSAGES)",
    b"CREATE %b/kid",
    b"GETACL %b/kid",
)
OWN_LISTS = (
    b"me lr", b"owner lr", b"me +l", b"owner +w", b"me -a", b"owner -l", b"me \"\"", b'owner ""', b"-me l",
    b"-owner w", b"$staff lr", b"!$staff lra", b"!staff lr", b"#staff lr", b"-#x l", b"-$staff lr", b"-!$staff lr",
    b"user=you l", b"ME lr", b"you lrq", b"you cd", b"anyone l",
)  # fmt: skip


def _put_lists(server: Server) -> None:
    public = server.base / "home" / "public"
    for name, text in (FILES | NONSENSE).items():
        for place in ("cur", "new", "tmp"):
            (public / f".{name}" / place).mkdir(parents=True)
        (public / f".{name}" / "dovecot-acl").write_text(text)
    for path in (public, *public.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")


def test_words_of_lists() -> None:
    """Groups and what is taken from whom, lists that make no sense; a directory of lists instead of a file.

    Its owner keeps the right to change a list, whatever he gives himself.
    """
    settings = SETTINGS.replace("acl = vfile", "acl = vfile:{base}/global")
    script: Script = [
        step % (b"Public/" + name.encode()) if b"%b" in step else step for name in FILES for step in LOOK
    ]
    own: Script = [
        b"CREATE filed",
        b"MYRIGHTS filed",
        b"CREATE above",
        b"CREATE above/filed",
        b"MYRIGHTS above/filed",
        b"MYRIGHTS above",
    ]
    for number, words in enumerate(OWN_LISTS):
        box, look = b"m%d" % number, [b"MYRIGHTS m%d" % number]
        if words.startswith(b"-"):
            look = []  # Dovecot learns a second later what it has taken from itself
        own += [b"CREATE " + box, b"SETACL %b %b" % (box, words), *look]
        if words not in (b"me -a", b"-owner w"):  # its process knows them from before
            own += [b"GETACL " + box]
        own += [b"DELETEACL %b %b" % (box, words.split()[0]), *look]
    own += [
        b"DELETEACL filed anyone",
        b"SETACL m0 me lr",
        b"SETACL m0 owner lrs",
        b"GETACL m0",
        b"SETACL m0 me -ra",
        b"GETACL m0",
        b"SETACL m0 you d",
        b"GETACL m0",
        b"SETACL m0 you -d",
        b"GETACL m0",
    ]
    with dovecot_pair(settings, fields=GROUPS) as pair:
        for server in pair:
            _put_lists(server)
            lists = server.base / "global"
            (lists / "above" / "filed").parent.mkdir(parents=True)
            (lists / "filed").write_text("-owner x\n")
            (lists / "above" / "filed").write_text("owner lr\n")
            (lists / "above" / ".DEFAULT").write_text("-owner ws\n")
        for steps in (script, own):
            said = [play(server, steps) for server in pair]
            assert said[0] == said[1], differences(*said)
        for name in NONSENSE:
            nonsense: Script = [b"MYRIGHTS Public/" + name.encode(), b"SELECT Public/" + name.encode()]
            for answers in [play(server, nonsense) for server in pair]:
                assert all(answer[1].startswith(b"x NO ") for answer in answers), answers
        for number, words in enumerate(OWN_LISTS):
            paths = [server.home() / "Maildir" / f".m{number}" / "dovecot-acl" for server in pair]
            texts = [path.read_text() if path.exists() else None for path in paths]
            assert texts[0] == texts[1], words
        assert re.search(
            r"imap\(me\)<\d+><[^>]+>: Error: ACL file .*/\.upper/dovecot-acl line 1: Unknown ACL 'L'",
            pair[0].log(),
        )
        [listed] = play(pair[0], [b'LIST "" Public/%'])
        assert b'* LIST (\\HasNoChildren) "/" Public/groups' in listed
        assert not any(b"Public/upper" in line for line in listed)
