"""Libraries of scripting languages, small clients and monitors, beside Debian's Postfix and Dovecot: the same output.

Ruby's net/smtp, net/imap and net/pop; Perl's Net::SMTP, Net::POP3, Mail::POP3Client and Mail::IMAPClient; nmh and fdm;
munin's plugins, which read the queue and the log.  Each runs on a host of either product, one after the other, as what
the first has sent is what the next ones read.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from fakes.host import Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_host import DOVECOT_CONF, MAIN_CF, USERS
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer(
        "postfix", "dovecot", "named", "rsyslogd", "unshare", "ruby", "perl", "fdm", "nmh", "munin"
    ),
]

_SUBMISSION: Final = """\
587 inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
_AUTH: Final = """\
auth_failure_delay = 0
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""
_CLIENTS: Final = Path(__file__).parent / "clients"
_PLUGINS: Final = "/usr/share/munin/plugins"
_MUNIN: Final = "MUNIN_LIBDIR=/usr/share/munin MUNIN_PLUGSTATE=/tmp/munin MUNIN_STATEFILE=/tmp/munin/state logfile=mail.log"
_FDM: Final = """\
action "keep" maildir "%h/fdm"
account "pop" pop3 server "127.0.0.1" user "bob" pass "{password}"
account "imap" imap server "127.0.0.1" user "bob" pass "{password}"
match all action "keep"
"""


def _script(language: str, name: str, user: str, *arguments: str) -> Callable[[Host], str]:
    words = " ".join(f"'{word}'" for word in (user, USERS[user], *arguments))
    text = (_CLIENTS / name).read_text()
    return lambda host: host.output(f"{language} - {words}", content=text)


def _delivered(count: int) -> Callable[[Host], str]:
    def wait(host: Host) -> str:
        until_logged(host, r"to=<bob@tutorial\.test>.*status=sent", count=count)
        return ""

    return wait


def _is_empty(host: Host, queue: str) -> bool:
    return not host.listing(f"/var/spool/postfix/{queue}")


def _deferred(host: Host) -> str:
    host.output(
        "sendmail -f alice@tutorial.test someone@nowhere.tutorial.test", content="Subject: waits\n\nx\n"
    )
    until_logged(host, "status=deferred")
    # Ours keeps the file of a message for the next one, in incoming, where Postfix has those that are being written.
    for queue in ("active", "incoming"):
        until(partial(_is_empty, host, queue), what="it waits")
    return ""


def _plugin(name: str, argument: str = "") -> Callable[[Host], str]:
    return lambda host: host.output(f"mkdir -p /tmp/munin; {_MUNIN} {_PLUGINS}/{name} {argument}")


def _fdm(host: Host) -> str:
    host.write("/home/bob/.fdm.conf", _FDM.format(password=USERS["bob"]), mode=0o600)
    host.output("chown bob /home/bob/.fdm.conf")
    said = "".join(host.output(f"fdm -v -k -a {name} fetch 2>&1", user="bob") for name in ("pop", "imap"))
    kept = [re.sub(r" in [\d.]+ seconds.*|size \d+, body \d+", "", line) for line in said.split("\n")[1:]]
    return "\n".join(sorted(line for line in kept if "version is" not in line))


def _inc(host: Host) -> str:
    host.write("/home/bob/.mh_profile", "Path: Mail\n")
    host.write("/home/bob/.netrc", f'machine 127.0.0.1 login bob password "{USERS["bob"]}"\n', mode=0o600)
    host.output("mkdir /home/bob/Mail; chown -R bob /home/bob/.mh_profile /home/bob/.netrc /home/bob/Mail")
    inc = "/usr/bin/mh/inc -host 127.0.0.1 -port 110 -user bob -notruncate -width 70"
    return host.output(f"{inc} && /usr/bin/mh/folders", user="bob")


def _send(host: Host) -> str:
    """By SMTP and by sendmail."""
    draft = "From: bob@tutorial.test\nTo: alice@tutorial.test\nSubject: by nmh\n\nHello.\n"
    for way in ("smtp -server 127.0.0.1 -port 25", "sendmail/pipe"):
        host.write("/home/bob/draft", draft)
        host.output(
            f"chown bob /home/bob/draft; cd /home/bob && setpriv --reuid=bob --clear-groups env HOME=/home/bob "
            f"/usr/bin/mh/send -mts {way} /home/bob/draft"
        )
    until_logged(host, r"to=<alice@tutorial\.test>.*status=sent", count=2)
    return host.output("grep -ch '^Subject: by nmh' /home/alice/Maildir/new/*")


STEPS: Final[dict[str, Callable[[Host], str]]] = {
    **{
        f"munin {name} {argument}, nothing yet": _plugin(name, argument)
        for name in ("postfix_mailqueue", "postfix_mailstats", "postfix_mailvolume")
        for argument in ("autoconf", "config", "")
    },
    "ruby sends": _script("ruby", "net_smtp_day.rb", "alice", "bob@tutorial.test"),
    "ruby's is there": _delivered(1),
    "ruby reads": _script("ruby", "net_imap_day.rb", "bob"),
    "perl sends": _script("perl", "net_smtp_day.pl", "alice", "bob@tutorial.test"),
    "perl's is there": _delivered(2),
    "perl reads": _script("perl", "mail_day.pl", "bob"),
    "fdm": _fdm,
    "nmh's inc": _inc,
    "nmh's send": _send,
    "mail waits": _deferred,
    "munin postfix_mailqueue": _plugin("postfix_mailqueue"),
    "munin postfix_mailstats": _plugin("postfix_mailstats"),
    # Its octets are those of the queue: names of hosts and ids are longer or shorter.
    "munin postfix_mailvolume": lambda host: re.sub(r"[1-9]\d*", "N", _plugin("postfix_mailvolume")(host)),
}


def _play(host: Host, product: str) -> dict[str, str]:
    host.write(
        "/etc/postfix/main.cf", MAIN_CF + "smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n"
    )
    host.write("/etc/postfix/master.cf", MASTER_CF + _SUBMISSION)
    host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF + _AUTH)
    host.write("/etc/aliases", "postmaster: alice\n")
    host.output("postalias /etc/aliases")
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.output("dovecot")
    host.until_answers(143)
    host.start_postfix()
    host.until_answers(25)
    return {name: step(host) for name, step in STEPS.items()}


@pytest.fixture(scope="module")
def said() -> tuple[dict[str, str], dict[str, str]]:
    """What each step has said: theirs, ours."""
    return play_to_both(_play)


@pytest.mark.parametrize("step", STEPS)
def test_the_same_output(said: tuple[dict[str, str], dict[str, str]], step: str) -> None:
    """Of both."""
    theirs, ours = said
    assert theirs[step] == ours[step]


def test_something_was_done(said: tuple[dict[str, str], dict[str, str]]) -> None:
    """Both would say the same if nothing had been sent."""
    _, ours = said
    assert "250 2.0.0 Ok: queued as ID" in ours["ruby sends"]
    assert ours["ruby reads"].startswith("1\n1\n")
    assert ours["munin postfix_mailqueue"].startswith("deferred.value 1\n")
    assert "delivered.value 4\n" in ours["munin postfix_mailstats"]
    assert "Perl" not in ours["nmh's inc"]
    assert "inbox+ has 3 messages" in ours["nmh's inc"]
