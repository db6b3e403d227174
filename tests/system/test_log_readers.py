"""What admins' log readers make of our log and of the originals': pflogsumm, logwatch and fail2ban-regex, the same mail on both."""

import re
from collections.abc import Iterator

import pytest

from fakes.host import LOG, PACKAGED, Host
from fakes.logs import lines_with, until_logged
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, install, remove_originals
from fakes.tutorial_host import DOMAIN, MAIN_CF, tutorial_host
from fakes.typed_smtp import Typed, send, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "rsyslogd", "pflogsumm", "logwatch", "fail2ban", "unshare"),
]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Postfix's host and ours, after the same traffic."""
    started: list[Host] = []
    try:
        for path in (PACKAGED, INSTALLED):
            host = tutorial_host(path)
            started.append(host)
            if path == INSTALLED:
                remove_originals(host)
                install(host)
            host.write("/etc/postfix/main.cf", MAIN_CF)
            host.write("/etc/aliases", "team: alice, bob\nnobody-there: someone-else\n")
            host.output("postalias /etc/aliases")
            host.start_postfix()
            host.until_answers(25)
            traffic(host)
        yield started[0], started[1]
    finally:
        for host in started:
            host.end()


def traffic(host: Host) -> None:
    """Mail that arrives, is refused, is abandoned."""
    for number in range(3):
        until_gone(host, send(host, to=f"alice@{DOMAIN}", subject=f"number {number}"))
    until_gone(host, send(host, to=f"team@{DOMAIN}", subject="for the team"))
    for number in range(2):
        session = Typed(host)
        session(f"HELO refused.{DOMAIN}")
        session("MAIL FROM:<refused@example.test>")
        session(f"RCPT TO:<nobody{number}@{DOMAIN}>")
        session("QUIT")
        session.close()
    left = Typed(host)
    left(f"HELO left.{DOMAIN}")
    left("MAIL FROM:<left@example.test>")
    left.close()
    until_logged(host, "lost connection after MAIL")
    until_logged(host, "NOQUEUE: reject: RCPT", count=2)
    until(
        lambda: len(lines_with(host, "smtpd.*: connect from")) == len(lines_with(host, ": disconnect from")),
        what="all sessions are logged to their end",
    )


def summary(host: Host) -> str:
    """pflogsumm's page, without what differs by right.

    Octets (of host names and ids), delays, warnings of each product's own, the daemon's version.
    """
    text = host.output(f"PATH={PACKAGED} pflogsumm --no-no-msg-size {LOG}")
    text = text.partition("Master daemon messages")[0]
    text = re.sub(r"^Warnings.*?(?=^Fatal Errors)", "", text, flags=re.M | re.S)
    text = re.sub(r"\d+ +bytes (received|delivered)", r"N bytes \1", text)
    text = re.sub(r"^( +\d+) +\d+( +\d+) +\d+\.\d s +\d+\.\d s", r"\1 N \2 S S", text, flags=re.M)
    text = re.sub(r"^( +\d+) +\d+( +\S+)$", r"\1 N\2", text, flags=re.M)
    return re.sub(r"(by message size\n-+\n)((?: +\d+ +\S+\n)+)", lambda m: m[1] + "…\n", text)


def test_pflogsumm_gives_the_same_summary(hosts: tuple[Host, Host]) -> None:
    """Totals, per hour, per domain, senders, recipients, rejects: equal."""
    original, ours = hosts
    assert summary(ours) == summary(original)
    assert re.search(r"^ +4 +received$", summary(ours), re.M), summary(ours)
    assert re.search(r"^ +5 +delivered$", summary(ours), re.M)
    assert re.search(r"^ +2 +rejected \(28%\)$", summary(ours), re.M)


def watched(host: Host) -> str:
    """logwatch's page, without what differs by right: octets, delays, and warnings of each product's own."""
    options = "--service postfix --range all --detail 10 --output stdout --format text"
    text = host.output(f"PATH={PACKAGED} logwatch {options}")
    text = text.partition("Postfix Begin")[2].partition("=== Delivery Delays")[0]
    sections = re.split(r"\n \n", text)
    lines = "\n".join(part for part in sections if "iscellaneous warnings" not in part).splitlines()
    return "\n".join(line for line in lines if " Bytes " not in line)


def test_logwatch_gives_the_same_page(hosts: tuple[Host, Host]) -> None:
    """What was accepted, rejected and for which users, connections, deliveries by domain, starts: equal."""
    original, ours = hosts
    assert watched(ours) == watched(original)
    assert re.search(r"^ +2 +5xx Reject unknown user -", watched(ours), re.M), watched(ours)
    assert re.search(r"^ +5 +Delivered -", watched(ours), re.M)


def matched(host: Host, filter_name: str) -> list[str]:
    """Hosts and how often each rule matched."""
    shown = host.output(f"fail2ban-regex -v {LOG} '/etc/fail2ban/filter.d/{filter_name}'")
    counts = re.findall(r"^\|? +(\d+)\) \[(\d+)\]", shown, re.M)
    found = re.findall(r"^\| +(\d+\.\d+\.\d+\.\d+) ", shown, re.M)
    total = re.search(r"(\d+) matched", shown)
    assert total is not None, shown
    return [total[0], *(f"rule {rule}: {count}" for rule, count in counts), *sorted(found)]


@pytest.mark.parametrize("mode", ["normal", "more", "ddos", "aggressive", "rbl", "auth", "extra", "errors"])
def test_fail2ban_matches_the_same(hosts: tuple[Host, Host], mode: str) -> None:
    """Every mode of fail2ban's own filter bans the same addresses as often."""
    original, ours = hosts
    assert matched(ours, f"postfix.conf[mode={mode}]") == matched(original, f"postfix.conf[mode={mode}]")
    if mode in ("normal", "more", "aggressive"):
        assert int(matched(ours, f"postfix.conf[mode={mode}]")[0].split()[0]) >= 2


def test_other_programs_find_the_commands_by_path(hosts: tuple[Host, Host]) -> None:
    """Mailman 3 runs /usr/sbin/postmap, and roles of configuration management /usr/sbin/postconf, whatever PATH is."""
    calls = (
        "/usr/sbin/postconf -h myhostname && echo 'a b' >/tmp/table && /usr/sbin/postmap hash:/tmp/table && "
        "/usr/sbin/postmap -q a hash:/tmp/table && /usr/sbin/postqueue -p && /usr/sbin/postfix status"
    )
    theirs, ours = (host.output(calls) for host in hosts)
    assert ours == theirs
