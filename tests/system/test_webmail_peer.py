"""A day of Roundcube with either product behind it: the same pages.

Two people log in, write to each other, read, answer, sort, search, mark, move and throw away; folders are made, renamed
and emptied; and what the browser is told stays the same, whichever product's IMAP and submission Roundcube talks to.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Final

import pytest

from fakes import webmail
from fakes.host import Host
from fakes.logs import until_logged
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_host import DOVECOT_CONF, MAIN_CF, USERS
from fakes.tutorial_products import PRODUCTS, bare_host_of
from fakes.webmail import Webmail

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare", "roundcube"),
]

_SUBMISSION: Final = """\
587 inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
_SASL: Final = "smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n"
_DOVECOT: Final = """\
auth_failure_delay = 0
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox Sent {
    special_use = \\Sent
  }
  mailbox Trash {
    special_use = \\Trash
  }
  mailbox Junk {
    special_use = \\Junk
  }
}
"""
_FROM_ELSEWHERE: Final = (
    "From: =?iso-8859-1?q?J=FCrgen?= <j@example.org>\nTo: bob@tutorial.test\nSubject: =?utf-8?b?w4RyZ2Vy?= here\n"
    "Date: Mon, 1 Jan 2024 10:00:00 +0100\nMessage-ID: <1@example.org>\nMIME-Version: 1.0\n"
    'Content-Type: multipart/mixed; boundary="out"\n\n--out\nContent-Type: multipart/alternative; boundary="in"\n\n'
    "--in\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n"
    "--in\nContent-Type: text/html; charset=utf-8\n\n<p>Grüße <b>bold</b></p>\n--in--\n"
    '--out\nContent-Type: application/pdf; name="r.pdf"\nContent-Transfer-Encoding: base64\n'
    'Content-Disposition: attachment; filename="r.pdf"\n\nJVBERi0xLjQK\n--out--\n',
    "From: list@example.org\nTo: bob@tutorial.test\nSubject: big\nDate: Tue, 2 Jan 2024 09:00:00 +0000\n"
    f"Message-ID: <2@example.org>\nList-Post: <mailto:list@example.org>\n\n{'many words ' * 6000}\n",
    "From: a@example.org\nTo: bob@tutorial.test\nCc: c@example.org\nSubject: Re: big\nDate: Wed, 3 Jan 2024 09:00:00 +0000\n"
    "In-Reply-To: <2@example.org>\nReferences: <2@example.org>\nMessage-ID: <3@example.org>\nX-Priority: 1\n\nshort\n",
    "From: b@example.org\nTo: bob@tutorial.test\nSubject: forwarded\nDate: Thu, 4 Jan 2024 09:00:00 +0000\n"
    "Message-ID: <4@example.org>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nsee below\n"
    "--m\nContent-Type: message/rfc822\n\nFrom: inner@example.org\nSubject: inner\nDate: Fri, 5 Jan 2024 09:00:00 +0000\n"
    "Content-Type: text/html\n\n<i>inner text</i>\n--m--\n",
)
LIST: Final = {"_mbox": "INBOX"}


class _Day:
    """One host, and the browsers of two people."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.alice, self.bob = Webmail(host), Webmail(host)

    def come(self, count: int, user: str) -> list[str]:
        """Wait until so much has been delivered."""
        until_logged(self.host, rf"to=<{user}@tutorial\.test>.*status=sent", count=count)
        return []

    def visible(self, action: str, **arguments: str) -> list[str]:
        """What a person can read on a page of bob's: text without what no two pages share."""
        page = self.bob.page("mail", action, **arguments)
        text = re.sub(r"<script.*?</script>|<head.*?</head>|<svg.*?</svg>", "", page, flags=re.DOTALL)
        links = re.findall(r"_part=[\d.]+[^\"]*?_mimetype=[^&\"]*|_part=[\d.]+", text)
        words = re.sub(r"<[^>]*>", "\n", text)
        return [
            re.sub(r"(\b\w{3}|Today|\b\d{4}-\d\d-\d\d) \d\d:\d\d", "TIME", line)
            for line in words.split("\n")
            if line.strip()
        ] + links


def _both_log_in(day: _Day) -> list[str]:
    wrong = Webmail(day.host).log_in("alice", "wrong")
    return [
        repr(wrong),
        *(
            repr(browser.log_in(user, USERS[user]))
            for user, browser in (("alice", day.alice), ("bob", day.bob))
        ),
    ]


def _mailboxes(day: _Day) -> list[str]:
    page = day.bob.page("settings", "folders")
    return re.findall(
        r'"folder-\w+[^>]*>|<li id="[^"]*" class="mailbox[^"]*"|<input[^>]*name="_subscribed[^>]*>', page
    )


STEPS: Final[dict[str, Callable[[_Day], list[str]]]] = {
    "both log in": _both_log_in,
    "an empty inbox": lambda day: day.bob.ask("list", **LIST),
    "alice writes": lambda day: day.alice.write(
        {"_to": "bob@tutorial.test", "_subject": "Grüße an Bob", "_message": "Hello,\n\nBob.\n"},
        files={"octets.bin": bytes(range(256)) * 40, "note.txt": b"a note\n"},
    ),
    "it has come": lambda day: day.come(1, "bob"),
    "what alice has sent": lambda day: day.alice.ask("list", _mbox="Sent"),
    "bob's inbox is looked at again": lambda day: day.bob.tell(
        "refresh", _mbox="INBOX", _list="1", _folderlist="1"
    ),
    "bob's inbox": lambda day: day.bob.ask("list", **LIST),
    "bob reads": lambda day: day.visible("show", _mbox="INBOX", _uid="1"),
    "bob's preview": lambda day: day.visible("preview", _mbox="INBOX", _uid="2"),
    "bob saves octets": lambda day: [
        repr(day.bob.raw("get", _mbox="INBOX", _uid="1", _part="2", _download="1"))
    ],
    "bob saves the pdf": lambda day: [
        repr(day.bob.raw("get", _mbox="INBOX", _uid="2", _part="2", _download="1"))
    ],
    "bob looks at the source": lambda day: [day.bob.raw("viewsource", _mbox="INBOX", _uid="3").decode()],
    "bob saves a message": lambda day: [
        day.bob.raw("viewsource", _mbox="INBOX", _uid="5", _save="1").decode()
    ],
    "bob reads what is big": lambda day: day.visible("show", _mbox="INBOX", _uid="3"),
    "bob reads what was forwarded": lambda day: day.visible("show", _mbox="INBOX", _uid="5"),
    "bob looks at headers": lambda day: day.visible("headers", _mbox="INBOX", _uid="5"),
    "bob answers": lambda day: day.bob.write({"_to": "alice@tutorial.test"}, _reply_uid="1", _mbox="INBOX"),
    "bob forwards": lambda day: day.bob.write(
        {"_to": "alice@tutorial.test", "_message": "fyi"}, _forward_uid="2", _mbox="INBOX"
    ),
    "bob forwards as attachment": lambda day: day.bob.write(
        {"_to": "alice@tutorial.test", "_message": "fyi"}, _forward_uid="5", _attachment="1", _mbox="INBOX"
    ),
    "alice has three": lambda day: day.come(3, "alice"),
    "alice's inbox": lambda day: day.alice.ask("list", **LIST),
    "bob keeps a draft": lambda day: day.bob.write(
        {"_to": "x@y.z", "_subject": "later", "_draft": "1", "_message": "…"}
    ),
    "drafts": lambda day: day.bob.ask("list", _mbox="Drafts"),
    "no address": lambda day: day.bob.write({"_to": "a@b@c", "_subject": "lost"}),
    **{
        f"sorted by {key}": partial(lambda key, day: day.bob.ask("list", **LIST, _sort=key), key)
        for key in ("subject_ASC", "date_DESC", "from_ASC", "to_DESC", "size_ASC", "arrival_ASC", "cc_ASC")
    },
    "threads": lambda day: day.bob.ask("list", **LIST, _threads="1", _sort="date_DESC"),
    "no threads": lambda day: day.bob.ask("list", **LIST, _threads="0", _sort="arrival_DESC"),
    **{
        f"search: {words} in {where}": partial(
            lambda words, where, day: day.bob.ask(
                "search", _q=words, _headers=where, _filter="ALL", _scope="base", _mbox="INBOX"
            ),
            words,
            where,
        )
        for words, where in (
            ("big", "subject,from"),
            ("grüße", "subject"),
            ("Ärger", "subject"),
            ("many words", "text"),
            ("example", "from,to,cc"),
            ("Jürgen", "from"),
            ('quo"te \\', "text"),
        )
    },
    **{
        f"filter: {keys}": partial(
            lambda keys, day: day.bob.ask(
                "search",
                _q="",
                _headers="",
                _filter=keys,
                _scope="all" if "HEADER" in keys else "base",
                _mbox="INBOX",
            ),
            keys,
        )
        for keys in (
            "UNSEEN",
            "FLAGGED",
            "UNANSWERED",
            "HEADER X-PRIORITY 1",
            "UNDELETED",
            "SINCE 3-Jan-2024",
        )
    },
    "no search any more": lambda day: day.bob.ask("list", **LIST),
    **{
        f"mark {flag}": partial(
            lambda flag, day: day.bob.tell("mark", _uid="2,3", _flag=flag, _mbox="INBOX"), flag
        )
        for flag in ("flagged", "unread", "read", "unflagged", "undelete")
    },
    "mark all": lambda day: day.bob.tell("mark", _uid="*", _flag="read", _mbox="INBOX", _folders="sel"),
    "a folder": lambda day: day.bob.submit("settings", "save-folder", _name="Ideen & Pläne", _framed="1"),
    "a folder inside": lambda day: day.bob.submit(
        "settings", "save-folder", _name="Mehr", _parent="Ideen &- Pl&AOQ-ne", _framed="1"
    ),
    "folders": _mailboxes,
    "copy": lambda day: day.bob.tell("copy", _uid="2,3", _mbox="INBOX", _target_mbox="Ideen &- Pl&AOQ-ne"),
    "move": lambda day: day.bob.tell("move", _uid="4", _mbox="INBOX", _target_mbox="Ideen &- Pl&AOQ-ne/Mehr"),
    "what was copied": lambda day: day.bob.ask("list", _mbox="Ideen &- Pl&AOQ-ne"),
    "what was moved": lambda day: day.bob.ask("list", _mbox="Ideen &- Pl&AOQ-ne/Mehr"),
    "rename": lambda day: day.bob.tell(
        "folder-rename", task="settings", _folder_oldname="Ideen &- Pl&AOQ-ne", _folder_newname="Ideen"
    ),
    "delete": lambda day: day.bob.tell("delete", _uid="3", _mbox="INBOX"),
    "move to Trash": lambda day: day.bob.tell("move", _uid="5", _mbox="INBOX", _target_mbox="Trash"),
    "move to Junk": lambda day: day.bob.tell("move", _uid="2", _mbox="INBOX", _target_mbox="Junk"),
    "Trash": lambda day: day.bob.ask("list", _mbox="Trash"),
    "expunge": lambda day: day.bob.tell("expunge", _mbox="INBOX"),
    "empty Trash": lambda day: day.bob.tell("purge", _mbox="Trash"),
    "unsubscribe": lambda day: day.bob.tell("unsubscribe", task="settings", _mbox="Ideen/Mehr"),
    "subscribe": lambda day: day.bob.tell("subscribe", task="settings", _mbox="Ideen/Mehr"),
    "size of a folder": lambda day: day.bob.tell("folder-size", task="settings", _mbox="Ideen"),
    "a folder goes": lambda day: day.bob.tell("folder-delete", task="settings", _mbox="Ideen"),
    "folders at last": _mailboxes,
    "counts": lambda day: day.bob.ask("getunread"),
    "a mailbox that is none": lambda day: day.bob.ask("list", _mbox="None"),
    "a message that is none": lambda day: day.visible("show", _mbox="INBOX", _uid="99"),
    "nobody there": lambda day: day.bob.write({"_to": "nobody@tutorial.test", "_subject": "lost"}),
    "it comes back": lambda day: day.come(2, "bob"),
    "what came back": lambda day: [  # its size is that of queue ids, too
        re.sub(r'"size":"[^"]*"', "", line) for line in day.bob.ask("list", **LIST, _sort="arrival_ASC")
    ],
    "on disk": lambda day: sorted(
        re.sub(r"[^/]*(:2,\w*)", r"FILE\1", line)
        for line in day.host.output(
            "cd /home/bob/Maildir && find . -path '*/cur/*' -o -path '*/new/*'"
        ).splitlines()
    ),
}


def _play(host: Host, product: str) -> dict[str, list[str]]:
    host.write("/etc/postfix/main.cf", MAIN_CF + _SASL)
    host.write("/etc/postfix/master.cf", MASTER_CF + _SUBMISSION)
    host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + _DOVECOT)
    host.write("/etc/aliases", "postmaster: alice\n")
    host.output("postalias /etc/aliases")
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.output("dovecot")
    host.until_answers(143)
    host.start_postfix()
    host.until_answers(25)
    webmail.serve(host)
    day, said = _Day(host), {}
    for name, step in STEPS.items():
        said[name] = step(day)
        if name == "it has come":
            _lay_down(host)
    return said


def _lay_down(host: Host) -> None:
    """More messages of bob's, from elsewhere."""
    for number, text in enumerate(_FROM_ELSEWHERE, 1):
        host.write(f"/home/bob/Maildir/new/{1900000000 + number}.M1P{number}.mail", text)
    host.output("chown -R bob:bob /home/bob/Maildir")


@pytest.fixture(scope="module")
def said() -> Iterator[tuple[dict[str, list[str]], dict[str, list[str]]]]:
    """What each step has said: theirs, ours."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as at_once:
        hosts = [stack.enter_context(bare_host_of(product)) for product in PRODUCTS]
        theirs, ours = at_once.map(_play, hosts, PRODUCTS)
        yield theirs, ours


@pytest.mark.parametrize("step", STEPS)
def test_the_same_pages(said: tuple[dict[str, list[str]], dict[str, list[str]]], step: str) -> None:
    """Of both."""
    theirs, ours = said
    assert theirs[step] == ours[step]


def test_something_was_done(said: tuple[dict[str, list[str]], dict[str, list[str]]]) -> None:
    """Two servers that refuse everything would be alike, too."""
    _, ours = said
    assert ours["both log in"] == ["False", "True", "True"]
    assert "Message sent successfully." in ours["alice writes"][-1]
    assert "Grüße an Bob" in "".join(ours["bob's inbox"])
    assert ours["bob saves the pdf"] == [repr(b"%PDF-1.4\n")]
    assert '"answered":1' in "".join(ours["no search any more"])
    assert "Threads 1 to 4 of 4" in "".join(ours["threads"])
    assert "Ideen" in "".join(ours["folders"])
    assert "Folder successfully emptied." in ours["empty Trash"][0]
    assert "Undelivered Mail Returned to Sender" in "".join(ours["what came back"])
