"""Our postmulti beside Debian's: several instances on one host, from `-e init` to `-e destroy`.

DESCRIPTION
    The same commands are typed on a host of either product.  What they print, their exit status, the files and the log
    are compared.  Left out: what is printed of errors, which Postfix's tells to terminals and the log only; versions;
    the order of parameters that `postconf -e` adds together, which is that of a hash table.
"""

import re
from typing import Final

import msgspec
import pytest

from fakes.host import Host
from fakes.mail_system import until
from fakes.smtp_submission import SmtpClient
from fakes.tutorial_products import play_to_both

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "rsyslogd", "unshare")]

MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.tutorial.test
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8
home_mailbox = Maildir/
inet_interfaces = 127.0.0.1
"""
LIVES: Final = {
    "single": "postmulti -l; postmulti -p status; postmulti -x postconf -h config_directory",
    "not yet": "postmulti -e create -I postfix-out",
    "init": "postmulti -e init; postconf -n | grep multi_",
    "create": "postmulti -e create -I postfix-out -G grp; grep -v '^#' /etc/postfix-out/main.cf | grep . | sort",
    "create elsewhere": "postmulti -g grp -e create -I postfix-in config_directory=/etc/postfix.in/",
    "directories": "cd /; find etc/postfix-out etc/postfix.in var/spool/postfix-out var/lib/postfix-out "
    "var/lib/postfix-in var/spool/postfix-in -printf '%p %u\\n' | sort",
    "stock": "diff /etc/postfix-out/master.cf /etc/postfix/master.cf.proto; postconf -n multi_instance_directories",
    "enable": "postmulti -i postfix-out -e enable",
    "list": "for a in -R '-g grp' '-i -' '-i /etc/postfix-out' '-i out' '-g x'; "
    'do echo "$a"; postmulti -l $a; done',
    "environment": "postmulti -x env | grep '^MAIL_CONFIG\\|^[a-z_]*=' | grep -v 'daemon_dir' | sort",
    "reversed": "postmulti -R -x sh -c 'postconf -h config_directory; false'",
    "group": "postmulti -g grp -x postconf -e relayhost=x; postmulti -x postconf relayhost",
    "nonsense": "postmulti -i - -x nonsense",
    "start": "postfix start",
    "status": "postfix status",
    "status of one": "postfix -c /etc/postfix status",
    "status of a group": "postmulti -g grp -p status",
    "enabled": "postmulti -i out -e destroy",
    "disable": "postmulti -i out -e disable",
    "running": "postmulti -i out -e destroy; postmulti -i out -e deport",
    "skipped": "postmulti -i out -p stop",
    "stop one": "postfix -c /etc/postfix-out stop",
    "control": "postfix reload; postfix flush",
    "stop": "postfix stop; postfix status",
    "deport": "postmulti -i out -e deport; postmulti -l; postconf alternate_config_directories",
    "import": "postmulti -G g2 -I postfix-o2 -e import config_directory=/etc/postfix-out; postmulti -l; "
    "postconf alternate_config_directories; postconf -c /etc/postfix-out -n | grep multi_",
    "assign": "postmulti -i o2 -I - -G - -e assign; postmulti -l; postconf -c /etc/postfix-out -n | grep multi_",
    "destroy": "postmulti -i in -e destroy; ls -d /etc/postfix.in /var/spool/postfix-in /var/lib/postfix-in",
    "remains": "postmulti -i /etc/postfix-out -e destroy; cd /; "
    "find etc/postfix-out var/spool/postfix-out var/lib/postfix-out -type d -o -name '*.cf' | sort",
    "as before": "postmulti -l; postfix status",
}
"""In this order, one after the other."""
WRONG: Final = [
    "",
    *(
        "-e bogus",
        "-l x",
        "-p",
        "-x",
        "-R -p status",
        "-l -p",
        "-a -g x -l",
        "-i x -g x -l",
        "-I postfix-x -l",
    ),
    *("-I postfix-x -i - -e enable", "-e assign -i -", "-e enable", "-e enable -i x", "-e enable -i - x=y"),
    *("-e create", "-e create -I x", "-e create -I postfix-a/b", "-e create -I postfix-a,b"),
    *("-e create -I postfix-x -G a,b", "-e create -I postfix-x foo", "-e create -I postfix-x foo=bar"),
    *("-e create -I postfix-x queue_directory=x", "-e create -I postfix-x queue_directory=/"),
    *(
        "-e import -I postfix-x queue_directory=/x",
        "-e import -I postfix-x",
        "-e create -i nope -I postfix-x",
    ),
    "-e create -I postfix-x queue_directory=/var/spool/postfix",
    "-e create -I postfix-x config_directory=/etc/postfix",
    *("-I a -I b -l", "-Z", "-e destroy -i -", "-g none -x true", "-g none -l", "-g none -p status", "-l -i"),
    "-e import -I postfix-x config_directory=/nonexistent",
]
_AGE: Final = "touch -d yesterday /etc/postfix*/main.cf"
"""Postfix's programs wait until what they change or read is two seconds old."""
TWO_INSTANCES: Final = """\
postmulti -e init && postmulti -e create -I postfix-out &&
postconf -c /etc/postfix-out -e myhostname=out.tutorial.test inet_interfaces=127.0.0.1 master_service_disable= \
    mydestination=localhost home_mailbox=Maildir/ mynetworks=127.0.0.0/8 alias_maps= local_recipient_maps= &&
touch -d yesterday /etc/postfix*/main.cf && sed -i 's/^smtp  *inet/10026 inet/' /etc/postfix-out/master.cf &&
postmulti -i out -e enable && postconf -e relayhost=[127.0.0.1]:10026 mydestination= && postfix start
"""


class Told(msgspec.Struct):
    """What one product told."""

    lives: dict[str, tuple[int, str]]
    wrong: str
    log: list[str]
    relayed: list[str]


def play(host: Host, product: str) -> Told:
    """Everything, on one host."""
    host.write("/etc/postfix/main.cf", MAIN_CF)
    host.output("echo 'postmaster: root' >/etc/aliases && postalias /etc/aliases")
    host.output("sed -i '/^ifmail\\|^bsmtp\\|^scalemail/,+1s/^/#/' /etc/postfix/master.cf*")
    host.output("sed -i '/^debugger_command/,+2s/^/#/' /etc/postfix/main.cf.proto")
    lives = {}
    for name, commands in LIVES.items():
        done = host.run(f"{_AGE}; {commands}")
        lives[name] = (done.returncode, done.stdout)
    lines = log_lines(host)
    mark = len(host.log())
    wrong = host.output(
        "mkdir /tmp/wrong; n=100; while read arguments; do "
        "( postmulti $arguments >/tmp/wrong/$n 2>/dev/null; echo $? >>/tmp/wrong/$n ) & n=$((n+1)); done; "
        "wait; cat /tmp/wrong/*",
        content="\n".join(WRONG) + "\n",
    )
    lines += sorted(log_lines(host, since=mark))
    return Told(lives, wrong, lines, relayed(host))


def relayed(host: Host) -> list[str]:
    """A message that the primary instance hands to another one, as the log tells of it."""
    host.output(TWO_INSTANCES)
    mark = len(host.log())
    with SmtpClient(host) as client:
        client.submit(sender="a@x.test", recipients=["alice@localhost"], message=b"Subject: x\r\n\r\nx\r\n")
    until(lambda: re.search(r"postfix-out/local\[.*status=sent", host.log()[mark:]), what="mail has come")
    until(
        lambda: re.search(r"postfix/qmgr\[.*removed", host.log()[mark:]), what="it has left the first queue"
    )
    host.output("postfix stop")
    return sorted(set(re.findall(r" (postfix\S*/(?:smtpd|smtp|local|qmgr))\[", host.log()[mark:])))


def log_lines(host: Host, *, since: int = 0) -> list[str]:
    """Lines without time, process and version, and without what only one of them tells, or only at times."""
    found = []
    for line in host.log()[since:].splitlines():
        line = re.sub(r"^.{15} \S+ |(?<=\[)\d+(?=\])|(?<=PID: )\d+|(?<=version )[\d.]+", "", line)
        if not re.search(
            r"postmulti-script\[\]: (made|set owner)|statistics:|refreshing|reload --|running: PID|not running|"
            r"waiting for the Postfix mail system",  # if it takes a second or more
            line,
        ):
            found.append(line)
    return found


@pytest.fixture(scope="module")
def told() -> tuple[Told, Told]:
    """Theirs, ours."""
    return play_to_both(play)


def test_instances_live_the_same(told: tuple[Told, Told]) -> None:
    """What is printed, and the exit status, of each step."""
    theirs, ours = told
    for name in LIVES:
        assert theirs.lives[name] == ours.lives[name], name
    assert "postfix-out     grp             y         /etc/postfix-out\n" in ours.lives["list"][1]


def test_wrong_use_is_refused_the_same(told: tuple[Told, Told]) -> None:
    """The exit status of each."""
    theirs, ours = told
    assert theirs.wrong == ours.wrong


def test_the_log_is_the_same(told: tuple[Told, Told]) -> None:
    """Each instance under its name; why something was refused."""
    theirs, ours = told
    assert theirs.log == ours.log


def test_mail_goes_from_one_instance_to_another(told: tuple[Told, Told]) -> None:
    """Both run at once, each with its own queue and its own name in the log."""
    theirs, ours = told
    assert theirs.relayed == ours.relayed
    assert "postfix-out/local" in ours.relayed
