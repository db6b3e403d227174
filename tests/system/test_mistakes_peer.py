"""An admin's mistakes: what `postfix check` and `postfix start` of either product make of them.

Both refuse the same, or ours more; what ours says is one line, with the place and what to do.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from fakes.host import PACKAGED, Host
from fakes.pillarbox_host import INSTALLED, install, remove_originals
from fakes.tutorial_host import MAIN_CF, tutorial_host

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "rsyslogd", "unshare")]


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and what ours says of it."""

    said: str
    main_cf: str = ""
    master_cf: str = ""
    command: str = ""
    refused_by: tuple[str, ...] = ("check", "start")
    """Our commands that fail."""
    stricter: str = ""
    """Why ours refuse more than Postfix's, whose programs find out one by one when mail comes."""


_EACH_ITSELF: Final = "deliberate: mail would wait or be lost until somebody reads the log"
_LINE: Final = MAIN_CF.count("\n") + 1
MISTAKES: Final = {
    "none": Mistake(said="", refused_by=()),
    "unknown name": Mistake(
        main_cf="smtpd_helo_requird = yes",
        said=f"main.cf, line {_LINE}: unused parameter: smtpd_helo_requird=yes (is smtpd_helo_required meant?)",
        refused_by=(),
    ),
    "unknown name of a service": Mistake(
        master_cf="2525 inet n - n - - smtpd -o smtpd_bannr=x",
        said="master.cf: unused parameter: smtpd_bannr=x (is smtpd_banner meant?)",
        refused_by=(),
    ),
    "number": Mistake(
        main_cf="message_size_limit = 10M",
        said=f'main.cf, line {_LINE}: parameter message_size_limit: "10M" is not a number of digits only',
    ),
    "time": Mistake(
        main_cf="queue_run_delay = 5x",
        said=f'main.cf, line {_LINE}: parameter queue_run_delay: "5x" is not a time such as 300s',
        stricter=_EACH_ITSELF,
    ),
    "no equals sign": Mistake(
        main_cf="this is a line",
        said=f"main.cf, line {_LINE}: missing '=' after attribute name: \"this is a line\"",
    ),
    "brace": Mistake(
        main_cf="smtpd_banner = ${myhostname",
        said=f'main.cf, line {_LINE}: truncated macro reference: "${{myhostname"',
    ),
    "host name": Mistake(
        main_cf="myhostname = mail..test",
        said=f"main.cf, line {_LINE}: parameter myhostname: bad parameter value: mail..test",
    ),
    "rights of the queue's owner": Mistake(
        main_cf="default_privs = postfix",
        said=f"main.cf, line {_LINE}: parameters default_privs and mail_owner specify the same user postfix",
    ),
    "protocol": Mistake(
        main_cf="inet_protocols = ipv4, ipv5",
        said=f'main.cf, line {_LINE}: unknown inet_protocols value "ipv5" in "ipv4, ipv5" (all, ipv4 or ipv6)',
    ),
    "address of another host": Mistake(
        main_cf="inet_interfaces = 127.0.0.1, 198.51.100.77",
        said=f"main.cf, line {_LINE}: parameter inet_interfaces: no local interface found for 198.51.100.77",
    ),
    "queue in no place": Mistake(
        main_cf="queue_directory = /var/spool/postifx",
        said=f"main.cf, line {_LINE}: chdir(/var/spool/postifx): No such file or directory "
        "(if that is where the queue is to be: postfix set-permissions)",
    ),
    "a host without IPv6": Mistake(
        main_cf="inet_interfaces = loopback-only",
        command="sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1",
        said="",
        refused_by=(),
    ),
    "files that are not there": Mistake(
        main_cf="""virtual_alias_maps = hash:/etc/postfix/none
transport_maps = hash:/etc/postfix/none
relocated_maps = pcre:/none
alias_maps = hash:/none
mydestination = /etc/postfix/none
mynetworks = 127.0.0.1/8 /etc/postfix/none
smtp_tls_security_level = may
smtp_tls_cert_file = /etc/postfix/none.pem""",
        master_cf="""relay2 unix - - n - - smtp -o smtp_tls_security_level=encrypt -o smtp_tls_cert_file=/none
pipe2 unix - n n - - pipe flags=R user=nosuchuser argv=/bin/true""",
        said="",
        refused_by=(),
    ),
    "table of a type that is not served": Mistake(
        main_cf="virtual_mailbox_maps = mysql:/etc/postfix/none",
        said=f"main.cf, line {_LINE}: parameter virtual_mailbox_maps: unsupported dictionary type: mysql",
        stricter="deliberate: where Postfix has such tables, mail would wait until somebody reads the log",
    ),
    "short line": Mistake(master_cf="foo inet n - n", said='master.cf, line 1: missing "wakeup" field'),
    "type of service": Mistake(
        master_cf="foo inet6 n - n - - smtpd", said="master.cf, line 1: bad transport type: inet6"
    ),
    "port": Mistake(
        master_cf="nosuchport inet n - n - - smtpd",
        said='master.cf, line 1: unknown service "nosuchport" (give the port as a number)',
        refused_by=("start",),
    ),
    "no master.cf": Mistake(command="rm /etc/postfix/master.cf", said="no /etc/postfix/master.cf file found"),
    "queue of another": Mistake(
        command="chown nobody /var/spool/postfix/active",
        said="postfix may not open /var/spool/postfix/active (type: postfix set-permissions)",
    ),
}


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """One of each product."""
    started: dict[str, Host] = {}
    try:
        for product, path in (("original", PACKAGED), ("pillarbox", INSTALLED)):
            host = started[product] = tutorial_host(path)
            host.write("/etc/postfix/main.cf", MAIN_CF)
            if product == "pillarbox":
                remove_originals(host)
                install(host)
            else:
                host.output("/usr/lib/postfix/configure-instance.sh -")
            host.output("touch /etc/aliases && newaliases")
        yield started
    finally:
        for host in started.values():
            host.end()


def tried(host: Host, mistake: Mistake, commands: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Which of the commands, `start` among them, fail, and what they say; everything is as it was afterwards."""
    host.write("/etc/postfix/main.cf", f"{MAIN_CF}{mistake.main_cf}\n")
    stock = host.file("/usr/share/postfix/master.cf.dist").read_text()
    host.write("/etc/postfix/master.cf", f"{mistake.master_cf}\n{stock}")
    if mistake.command:
        host.output(mistake.command)
    done = {name: host.run(f"postfix {name}") for name in commands}
    if not done["start"].returncode:
        host.run("postfix stop")
    host.output("chown postfix /var/spool/postfix/active")
    host.output("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0")
    failed = tuple(name for name, command in done.items() if command.returncode)
    assert all(command.returncode in (0, 1) for command in done.values())
    return failed, "".join(command.stderr for command in done.values())


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_of(name: str, hosts: dict[str, Host]) -> None:
    """Exit statuses, and our line."""
    mistake = MISTAKES[name]
    failed, said = tried(hosts["pillarbox"], mistake, ("check", "start"))
    assert failed == mistake.refused_by, said
    lines = [
        re.sub(r"^postfix(?:/postfix-script)?: (?:warning|fatal): ", "", line) for line in said.splitlines()
    ]
    assert all(mistake.said in line for line in lines), said
    assert len(lines) == 2 - (mistake.refused_by == ("start",)) if mistake.said else not lines, said
    theirs = tried(hosts["original"], mistake, ("start",))[0]
    if mistake.stricter:
        assert "start" not in theirs, "no longer stricter: take it off"
    else:
        assert ("start" in theirs) == ("start" in failed)
