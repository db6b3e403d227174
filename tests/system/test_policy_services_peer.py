"""Policy services beside Debian's Postfix: the same answers, good and bad, and the same programs of others.

A host of each product is asked by the same clients, and asks the same services: one that answers as the sender's name
says, then Debian's postgrey and policyd-spf.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest

from fakes.host import ADDRESS, PACKAGED, Host
from fakes.logs import until_logged, until_whole
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install, remove_originals
from fakes.tutorial_host import DOMAIN, MAIN_CF, tutorial_host
from fakes.typed_smtp import QUEUE_ID, Typed, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "rsyslogd", "postgrey", "policyd-spf", "mlmmj", "unshare"),
]

ANSWERS: Final[dict[str, bytes | None]] = {
    "ok": b"action=OK\n\n",
    "dunno": b"action=DUNNO\n\n",
    "refused": b"action=REJECT  two  blanks  \n\n",
    "deferred": b"action=DEFER later, please\n\n",
    "greylisted": b"action=DEFER_IF_PERMIT grey\n\n",
    "more": b"other=1\naction=REJECT and more\nmore=2\n\n",
    "twice": b"action=DUNNO\naction=REJECT second\n\n",
    "prepends": b"action=PREPEND X-Answer: x  \n\n",
    "prepends-nothing": b"action=PREPEND\n\n",
    "prepends-words": b"action=PREPEND no header: x\n\n",
    "informs": b"action=INFO  two  blanks  \n\n",
    "ends": None,
    "no-action": b"foo=bar\n\n",
    "no-attribute": b"garbage\n\n",
    "not-utf8": b"action=REJECT gr\xc3\xbc\xff\n\n",
    "late": b"action=DUNNO\n\n",
    "unreachable": b"action=DUNNO\n\n",
    "missing": b"action=DUNNO\n\n",
    "class": b"action=closed\n\n",
    "nothing": b"action=\n\n",
    "blank": b"action= dunno\n\n",
}
"""Who sends → what the service says; None ends the connection."""

DIFFERENCES: Final = {
    "nothing": "deliberate: an answer without a word lets nobody in; the client is to come again",
    "blank": "deliberate: a blank in front of a word is no reason to defer mail",
}

_MAIN_CF: Final = f"""\
{MAIN_CF}
alias_maps = hash:/etc/aliases
mynetworks = 127.0.0.0/8
recipient_delimiter = +
smtpd_policy_service_retry_delay = 1s
policyd-spf_time_limit = 3600
smtpd_restriction_classes = asked, unreachable, missing, closed, spf, greylist
unreachable = check_policy_service inet:127.0.0.1:7001
missing = check_policy_service unix:private/none
closed = reject
spf = check_policy_service unix:private/policyd-spf
greylist = check_policy_service inet:127.0.0.1:10023
asked = check_policy_service inet:127.0.0.1:7000
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, check_sender_access inline:{{
  unreachable@x.test=unreachable, missing@x.test=missing, grey@x.test=greylist, x.test=asked,
  hard.{DOMAIN}=spf, soft.{DOMAIN}=spf, good.{DOMAIN}=spf }}
mlmmj_destination_recipient_limit = 1
transport_maps = regexp:{{ {{ /^piped(\\+.*)?@/ mlmmj:piped }} }}
smtpd_end_of_data_restrictions = check_sender_access inline:{{ {{ late@x.test=PREPEND X-Late: yes }} }}
"""
_SERVER: Final = f"""\
import socketserver
ANSWERS = {ANSWERS!r}
class Service(socketserver.StreamRequestHandler):
    def handle(self):
        sender = ""
        for line in self.rfile:
            if line.startswith(b"sender="):
                sender = line[7:].decode().partition("@")[0]
            if line == b"\\n":
                answer = ANSWERS[sender]
                if answer is None:
                    return
                self.wfile.write(answer)
socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 7000), Service)
print("up", flush=True)
server.serve_forever()
"""
_SPF: Final = f"""\
hard IN TXT "v=spf1 ip4:198.51.100.1 -all"
soft IN TXT "v=spf1 ip4:198.51.100.1 ~all"
good IN TXT "v=spf1 ip4:{ADDRESS} -all"
"""
LISTS: Final = {"aliased": "nobody:nogroup", "piped": "list:list"}
"""mlmmj's lists and whose they are: one is an alias, one a transport."""
_LIST: Final = """\
set -e; umask 022; l=/var/spool/mlmmj/{name}
mkdir -p $l; cd $l
mkdir archive bounce control digesters.d incoming moderation nomailsubs.d queue queue/discarded requeue subconf \
  subscribers.d text unsubconf
cp /usr/share/mlmmj/text.skel/en/* text
echo {name}@{domain} >control/listaddress; echo alice@{domain} >control/owner; echo [{name}] >control/prefix
touch control/subonlypost index
printf 'alice@{domain}\nbob@{domain}\n' >subscribers.d/b
chown -R {owner} $l
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """One of each product, with Debian's master.cf and the services."""
    started: dict[str, Host] = {}
    try:
        for product, path in (("original", PACKAGED), ("pillarbox", INSTALLED)):
            host = started[product] = tutorial_host(path)
            if product == "pillarbox":
                remove_originals(host)
                install(host)
            prepare(host)
        yield started
    finally:
        for host in started.values():
            host.end()


def prepare(host: Host) -> None:
    """Configure and start everything."""
    host.write("/etc/postfix/main.cf", _MAIN_CF)
    host.output("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf")
    with host.file("/etc/postfix/master.cf").open("a") as file:
        file.write("policyd-spf unix - n n - 0 spawn\n  user=nobody argv=/usr/bin/policyd-spf\n")
        file.write(
            "mlmmj unix - n n - - pipe\n  flags=ORhu user=list argv=/usr/bin/mlmmj-receive -F -L /var/spool/mlmmj/$nexthop\n"
        )
    if host.path == PACKAGED:
        host.output("/usr/lib/postfix/configure-instance.sh -")
    with host.file(f"/etc/bind/db.{DOMAIN}").open("a") as zone:
        zone.write(_SPF)
    host.output("kill -HUP $(pidof named)")
    host.write(
        "/etc/aliases",
        'postmaster: bob\naliased: "|/usr/bin/mlmmj-receive -F -L /var/spool/mlmmj/aliased/"\n',
    )
    host.output("useradd --create-home carol")
    for name, owner in LISTS.items():
        host.output(_LIST.format(name=name, owner=owner, domain=DOMAIN))
    host.write("/root/service.py", _SERVER)
    host.output("newaliases && { python3 /root/service.py >/tmp/service 2>&1 & }")
    host.output(
        "postgrey --daemonize --inet=127.0.0.1:10023 --delay=1 --user=postgrey --dbdir=/var/lib/postgrey"
    )
    until(lambda: "up" in host.output("cat /tmp/service"), what="the service listens")
    host.until_answers(10023)
    host.start_postfix()
    host.until_answers(25)


def said(host: Host, sender: str, *recipients: str) -> tuple[list[str], list[str], list[str]]:
    """What a client of another host hears and what is logged, with a message to those who are taken; its X- fields."""
    since = len(until_whole(host))
    session = Typed(host)
    session("HELO client.test")
    heard = [session(f"MAIL FROM:<{sender}>"), *(session(f"RCPT TO:<{to}@{DOMAIN}>") for to in recipients)]
    fields: list[str] = []
    if any(line.startswith("2") for line in heard[1:]):
        session("DATA")
        queued = session(f"Subject: {sender}\r\n\r\nHello.\r\n.")
        heard.append(re.sub(f"{QUEUE_ID}$", "ID", queued))
        until_gone(host, queued.rpartition(" ")[2])
        shown = host.output(f"grep -rlx 'Subject: {sender}' /home/alice/Maildir/new | xargs cat")
        fields = re.findall(r"^(?:X-(?!Original-To)|Received-SPF|no ).*", shown, re.M)
    session("QUIT")
    session.close()
    until(lambda: "disconnect from" in host.log()[since:], what="the session is logged to its end")
    lines = re.findall(r"postfix/smtpd\[\d+\]: ((?:warning|NOQUEUE): .*)", until_whole(host)[since:])
    notices = re.findall(r"from=<double-bounce@.*nrcpt", host.log()[since:])
    return heard, [*lines, f"{len(notices)} notices"], fields


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_means_what_it_means_to_postfix(name: str, hosts: dict[str, Host]) -> None:
    """Replies, log lines, notices to postmaster and what is put in front: equal, but for what is known."""
    found = {product: said(host, f"{name}@x.test", "alice", "nobody") for product, host in hosts.items()}
    if name in DIFFERENCES:
        assert found["original"] != found["pillarbox"], "no longer different: take it off"
    else:
        assert found["original"] == found["pillarbox"]


@pytest.mark.parametrize("name", ["hard", "soft", "good"])
def test_policyd_spf(name: str, hosts: dict[str, Host]) -> None:
    """Debian's policyd-spf, run by spawn(8): a refusal, or its field in front of the message."""
    found = {product: said(host, f"x@{name}.{DOMAIN}", "alice") for product, host in hosts.items()}
    assert found["original"] == found["pillarbox"]
    assert ("SPF fail" in found["original"][0][1]) == (name == "hard")
    assert len(found["original"][2]) == (name != "hard")


def test_postgrey(hosts: dict[str, Host]) -> None:
    """Debian's postgrey: not now, whoever the recipient is; a second later the message, with its field."""

    def greeted(host: Host) -> tuple[list[str], list[str], list[str]]:
        return said(host, "grey@x.test", "alice", "nobody")

    def taken(host: Host) -> tuple[list[str], list[str], list[str]] | None:
        found = greeted(host)
        return found if found[0][-1].startswith("250 2.0.0") else None

    first = [greeted(host) for host in hosts.values()]
    second = [
        found
        for host in hosts.values()
        if (found := until(partial(taken, host), what="postgrey lets it pass")) is not None
    ]
    assert first[0] == first[1]
    assert "450 4.2.0 <grey@x.test>" in first[0][0][2]
    for found in second:
        found[2][:] = [re.sub(r" \d+ seconds?| by .*", "", field) for field in found[2]]
    assert second[0] == second[1]
    assert second[0][2] == ["X-Greylist: delayed"]


@pytest.mark.parametrize("name", LISTS)
def test_mlmmj(name: str, hosts: dict[str, Host]) -> None:
    """A list by an alias or by a pipe: its members get the message, strangers an answer."""
    kept = {}
    for product, host in hosts.items():
        since = len(until_whole(host))
        for sender in ("alice", "carol"):
            host.output(
                f"sendmail -f {sender}@{DOMAIN} {name}@{DOMAIN}",
                content=f"To: {name}@{DOMAIN}\nSubject: from {sender}\n\nHello.\n",
            )
        until_logged(host, rf"from=<{name}\+bounces-1-bob=", since=since)
        until_logged(host, rf"from=<{name}\+bounces-help@", since=since)
        for queue_id in re.findall(rf"({QUEUE_ID}): from=<{name}\+", host.log()[since:]):
            until_gone(host, queue_id)
        shown = host.output("cat /home/bob/Maildir/new/* /home/carol/Maildir/new/*")
        kept[product] = sorted(
            re.findall(rf"^(?:Return-Path: <{name}|Delivered-To|Subject: .*{name}).*", shown, re.M)
        )
    assert kept["original"] == kept["pillarbox"]
    assert f"Subject: [{name}] from alice" in kept["original"]
