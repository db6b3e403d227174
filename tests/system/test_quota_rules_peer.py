"""Rules, graces, limits and flags of quotas: each the same as Debian's Dovecot, with both back-ends."""

import shutil
from collections.abc import Sequence
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair, play
from fakes.quota_play import SMALL, Warnings, maildirsize, of_size

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = quota
lmtp_save_to_detail_mailbox = yes
OUTSIDE
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
  quota = DRIVER
  CHOSEN
}
"""
DRIVERS: Final = {"count": "count:User quota\n  quota_vsizes = yes", "maildir": "maildir:User quota"}
LARGE = of_size(3000)
APPENDS: list[bytes | tuple[bytes, bytes]] = [
    *[(b"APPEND INBOX", LARGE)] * 4,
    *[(b"APPEND Trash", LARGE)] * 2,
]
FULL: list[bytes | tuple[bytes, bytes]] = [
    (b"APPEND INBOX", SMALL),
    (b"APPEND INBOX", SMALL),
    b"SELECT INBOX",
]
Script = Sequence[bytes | tuple[bytes, bytes]]
CASES: dict[str, tuple[str, Script]] = {
    "per cent": (
        "quota_rule = *:storage=10K\n  quota_rule2 = Trash:storage=+50%%\n  quota_rule3 = Low:storage=20%%\n"
        "  quota_rule4 = M:messages=+2:storage=-1K",
        [*APPENDS, b"CREATE Low", (b"APPEND Low", LARGE), b"CREATE M", (b"APPEND M", LARGE)],
    ),
    "grace in per cent": ("quota_rule = *:storage=10K\n  quota_grace = 50%%", APPENDS),
    "no grace": ("quota_rule = *:storage=10K\n  quota_grace = 0", APPENDS),
    "grace in octets": ("quota_rule = *:storage=10K\n  quota_grace = 2K", APPENDS),
    "words": (
        "quota_rule = *:messages=1\n  quota_exceeded_message = Full for %u (%n)",
        [*FULL, b"COPY 1 Trash", b"COPY 1 INBOX", b"MOVE 1 Trash"],
    ),
    "by bytes": ("quota_rule = *:bytes=7000\n  quota_rule2 = Trash:ignore", APPENDS),
    "warnings": (
        "quota_rule = *:storage=10K:messages=4\n  quota_warning = messages=50%% quota-warning half %u\n"
        "  quota_warning2 = storage=90%% quota-warning ninety\n  quota_warning3 = -messages=2 quota-warning under two\n"
        "  quota_warning4 = bytes=4000 quota-warning four",
        [*APPENDS, b"SELECT INBOX", b"STORE 1:* +FLAGS (\\Deleted)", b"EXPUNGE"],
    ),
    "no rule": ("", [*APPENDS, b"GETQUOTAROOT INBOX", b'GETQUOTA "User quota"']),
    "zero": ("quota_rule = *:storage=0", [*APPENDS, b"GETQUOTAROOT Trash"]),
    "a rule of one mailbox": ("quota_rule = Trash:storage=+1K", [*APPENDS, b"GETQUOTAROOT Trash"]),
    "one of two has limits": (
        "quota2 = count:second\n  quota2_rule = *:messages=3\n  quota_vsizes = yes",
        [*APPENDS, b"GETQUOTAROOT INBOX", b'GETQUOTA "User quota"', b"GETQUOTA second"],
    ),
    "only a size": (
        "quota_max_mail_size = 2K",
        [*APPENDS, (b"APPEND INBOX", SMALL), b"SELECT INBOX", b"COPY 1 Trash", b"GETQUOTAROOT INBOX"],
    ),
    "set": (
        "quota_rule = *:storage=10K\n  quota_set = dict:file:%h/limits",
        [
            b'SETQUOTA "User quota" (STORAGE 500)',
            b'SETQUOTA "User quota" (STORAGE 1 MESSAGE 5)',
            b"SETQUOTA nope (STORAGE 5)",
            b'SETQUOTA "User quota" (FOO 5)',
        ],
    ),
}


def have(server: Server, script: Script, *, delivered: bool) -> list[object]:
    """What is answered to a script, to deliveries and to doveadm; warnings, and maildirsize."""
    warnings = Warnings(server)
    said: list[object] = list(play(server, script))
    if delivered:
        one, other = LARGE.replace(b"\r\n", b"\n"), SMALL.replace(b"\r\n", b"\n")
        said.append(server.lmtp(one, other, one, to=["me", "me+Trash"]))
    for words in (["get"], ["recalc"], ["get"]):
        done = server.doveadm("quota", *words, "-u", "me")
        said.append((done.returncode, done.stdout))
    said += play(server, [b"GETQUOTAROOT INBOX", b"GETQUOTAROOT Trash"])
    # Received: tells an id of another length, so that sizes differ by a few octets.
    sizes = [line.rpartition(" ")[2] for line in maildirsize(server.home())]
    return [*said, warnings.close(), sizes]


@pytest.mark.parametrize(
    ("driver", "case"),
    [
        ("maildir", "per cent"),
        ("maildir", "no rule"),
        ("maildir", "warnings"),
        *(("count", case) for case in CASES),
    ],
)
def test_rules(driver: str, case: str) -> None:
    """Answers to APPEND, COPY and to quota commands, replies to deliveries, warnings, doveadm's tables."""
    chosen, script = CASES[case]
    settings = SETTINGS.replace("DRIVER", DRIVERS[driver]).replace("CHOSEN", chosen).replace("OUTSIDE", "")
    with dovecot_pair(settings) as pair:
        ours, theirs = (have(server, script, delivered=case != "only a size") for server in pair)
        assert ours == theirs


def test_deliveries_to_a_full_mailbox() -> None:
    """quota_full_tempfail: for later."""
    settings = SETTINGS.replace("DRIVER", DRIVERS["count"]).replace("OUTSIDE", "quota_full_tempfail = yes")
    with dovecot_pair(settings.replace("CHOSEN", "quota_rule = *:storage=5K")) as pair:
        said = []
        for server in pair:
            play(server, APPENDS)
            message = LARGE.replace(b"\r\n", b"\n")
            said.append(
                [server.lmtp(message, to=to) for to in (["me", "you"], ["me"], ["me+Trash"], ["you"])]
            )
        assert said[0] == said[1]


def test_a_message_that_never_fits() -> None:
    """552, so that its sender hears of it; Dovecot has it tried again for days."""
    settings = SETTINGS.replace("DRIVER", DRIVERS["count"]).replace("OUTSIDE", "")
    with dovecot_pair(settings.replace("CHOSEN", "quota_max_mail_size = 2K")) as pair:
        said = [server.lmtp(LARGE.replace(b"\r\n", b"\n"), to=["me"]) for server in pair]
        text = "<me> Mail size is larger than the maximum size allowed by server configuration"
        assert said == [[f"552 5.2.2 {text}"], [f"451 4.2.0 {text}"]]


OVER = "quota_rule = *:storage=2K\n  quota_rule2 = Trash:storage=+10K\n  quota_over_flag_value = T*\n"
OVER_SCRIPT = "  quota_over_script = quota-warning mismatch %u"


@pytest.mark.parametrize("fields", ["", " quota_over_flag=true", " quota_over_flag=FALSE"])
@pytest.mark.parametrize("lazily", ["", "\n  quota_over_flag_lazy_check = yes"])
def test_what_the_userdb_believes(lazily: str, fields: str) -> None:
    """quota_over_flag: who is told when it is not so, at logins, deliveries, and when somebody asks."""
    settings = SETTINGS.replace("DRIVER", DRIVERS["count"]).replace("OUTSIDE", "")
    settings = settings.replace("CHOSEN", OVER + OVER_SCRIPT + lazily)
    with dovecot_pair(settings, fields="allow_all_users=yes" + fields) as pair:
        heard = []
        for server in pair:
            play(server, [b"NOOP"])  # the first login makes Trash
            warnings = Warnings(server)
            said: list[object] = list(play(server, [b"NOOP", (b"APPEND Trash", LARGE)]))
            said += play(server, [b"SELECT INBOX"])
            said += play(server, [b"GETQUOTAROOT INBOX", b"GETQUOTAROOT INBOX"])
            said.append(server.lmtp(SMALL.replace(b"\r\n", b"\n"), to=["me"]))
            heard.append([said, warnings.close()])
        assert heard[0] == heard[1]


EARLY: Final = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
lmtp_rcpt_check_quota = yes
quota_full_tempfail = TEMPFAIL
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = DRIVER
  quota_rule = *:storage=10K:messages=2
  quota_exceeded_message = No room for %u.
}
"""


@pytest.mark.parametrize("tempfail", ["no", "yes"])
@pytest.mark.parametrize("driver", ["maildir:User quota", "count:User quota\n  quota_vsizes = yes"])
def test_who_is_over_quota_hears_it_at_rcpt(driver: str, tempfail: str) -> None:
    """lmtp_rcpt_check_quota: with as many messages as are allowed, or too many octets; not with a large message to come."""
    with dovecot_pair(EARLY.replace("DRIVER", driver).replace("TEMPFAIL", tempfail)) as pair:
        said = []
        for server in pair:
            maildir = server.home("large") / "Maildir"
            for place in ("tmp", "cur", "new"):
                (maildir / place).mkdir(parents=True)
            (maildir / "new" / "1700000000.M1P1.host").write_bytes(of_size(20000))
            for path in (maildir.parent, maildir, *maildir.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")
            answers = [
                server.lmtp(SMALL, to=to) for to in (["me"], ["large", "me"], ["me+x", "large"], ["you"])
            ]
            said.append([*answers, server.lmtp(of_size(20000), to=["you"]), server.lmtp(SMALL, to=["you"])])
        assert said[0] == said[1]
        code = "452 4.2.2" if tempfail == "yes" else "552 5.2.2"
        assert said[0][1][0] == f"RCPT {code} <large> No room for large."
        assert said[0][2][0] == f"RCPT {code} <me+x> No room for me."
        assert not said[0][4][0].startswith("RCPT")
