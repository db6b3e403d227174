"""The units that `pillarbox install` writes, under a real systemd: ready when it says so, watched, and stopped whole."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.host import Host
from fakes.mail_system import until
from fakes.pillarbox_host import INSTALLED, run_pillarbox
from fakes.systemd_host import NoControlGroups, SystemdHost

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("systemd", "postfix", "unshare")]

MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.example.test
maillog_file = /var/log/mail.log
alias_maps =
alias_database =
"""
DOVECOT_CONF: Final = """\
protocols = imap
listen = *
ssl = no
log_path = /var/log/dovecot.log
mail_location = maildir:~/Maildir
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
"""
PORTS: Final = {"mta": 25, "mailbox": 143}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A booted host with both units, configured."""
    try:
        host = SystemdHost("mail.example.test", path=INSTALLED)
    except NoControlGroups as reason:
        pytest.skip(str(reason))
    try:
        host.write("/etc/postfix/main.cf", MAIN_CF)
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF)
        said = run_pillarbox(host, "install")
        assert "write /etc/systemd/system/pillarbox-mta.service\n" in said
        yield host
    finally:
        host.end()


def shown(host: Host, unit: str, name: str) -> str:
    """A property of a unit."""
    return host.output(f"systemctl show --value -p {name} {unit}").strip()


def inside(host: Host, unit: str) -> list[int]:
    """The processes of a unit."""
    group = shown(host, unit, "ControlGroup")
    if not group:
        return []  # nothing runs
    listed = host.run(f"cat /sys/fs/cgroup{group}/cgroup.procs").stdout  # which may just have gone
    return [int(pid) for pid in listed.split()]


def test_systemd_finds_nothing_to_complain_of(host: Host) -> None:
    """systemd-analyze verify."""
    done = host.run("systemd-analyze verify --man=no pillarbox-mta.service pillarbox-mailbox.service")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("half", ["mta", "mailbox"])
def test_the_life_of_a_unit(host: Host, half: str) -> None:
    """Started when it serves; reloaded; started again when killed; stopped with nothing left."""
    unit = f"pillarbox-{half}"
    host.output(f"systemctl start {unit}")
    assert host.answers(PORTS[half]), "systemd waits until it is ready"
    assert shown(host, unit, "ActiveState") == "active"
    supervisor = int(shown(host, unit, "MainPID"))
    assert supervisor in (before := inside(host, unit))
    assert len(before) > 2

    host.output(f"systemctl reload {unit}")
    until(lambda: shown(host, unit, "ActiveState") == "active", what="the reload is over")
    assert int(shown(host, unit, "MainPID")) == supervisor
    log = host.file({"mta": "/var/log/mail.log", "mailbox": "/var/log/dovecot.log"}[half])
    until(
        lambda: re.search("reload -- version|SIGHUP received - reloading configuration", log.read_text()),
        what="the reload is logged",
    )

    host.output(f"kill -KILL {supervisor}")
    until(
        lambda: shown(host, unit, "NRestarts") == "1" and shown(host, unit, "ActiveState") == "active",
        what=lambda: f"started again: {host.run(f'systemctl status {unit}').stdout}\n{log.read_text()}",
    )
    assert host.answers(PORTS[half])
    assert not set(before) & set(inside(host, unit)), "who served the dead supervisor has gone with it"

    host.output(f"systemctl stop {unit}")
    until(lambda: not inside(host, unit), what="nothing runs")
    assert shown(host, unit, "ActiveState") == "inactive"
    assert shown(host, unit, "Result") == "success"


@pytest.mark.parametrize("half", ["mta", "mailbox"])
def test_a_mistake_fails_the_start(host: Host, half: str) -> None:
    """`systemctl start` says no; the log says where the mistake is."""
    path, log = {
        "mta": ("/etc/postfix/main.cf", "/var/log/mail.log"),
        "mailbox": ("/etc/dovecot/dovecot.conf", "/var/log/dovecot.log"),
    }[half]
    good = host.file(path).read_text()
    host.write(
        path,
        good + {"mta": "message_size_limit = large\n", "mailbox": "auth_failure_delay = 5 parsecs\n"}[half],
    )
    try:
        done = host.run(f"systemctl start pillarbox-{half}")
        assert done.returncode == 1, host.file(log).read_text()
        until(lambda: not inside(host, f"pillarbox-{half}"), what="nothing runs")
    finally:
        host.write(path, good)
        host.run(f"systemctl stop pillarbox-{half}; systemctl reset-failed pillarbox-{half}")


def test_either_gives_way_to_the_other(host: Host) -> None:
    """What is started while the other product runs has the queue and the ports when that has stopped."""
    pairs = (("pillarbox-mta", "postfix", "postfix@-"), ("pillarbox-mailbox", "dovecot", "dovecot"))
    try:
        for ours, theirs, runs in pairs:
            host.output(f"systemctl start {ours}")
            host.output(f"systemctl start {theirs}")
            assert [shown(host, unit, "ActiveState") for unit in (ours, runs)] == ["inactive", "active"]
            host.output(f"systemctl start {ours}")
            assert [shown(host, unit, "ActiveState") for unit in (ours, runs)] == ["active", "inactive"]
    finally:
        host.run("systemctl stop postfix dovecot pillarbox-mta pillarbox-mailbox; systemctl reset-failed")


def test_in_place_of_debians_units(host: Host) -> None:
    """With --take-over the names are postfix and dovecot, and Debian's own instances stay out of the way."""
    host.output("systemctl enable --now pillarbox-mta pillarbox-mailbox")
    refused = run_pillarbox(host, "install --take-over", status=1)
    assert "pillarbox-mta.service runs, which is to have another name; nothing was changed" in refused
    host.output("systemctl stop pillarbox-mta pillarbox-mailbox")
    said = run_pillarbox(host, "install --take-over")
    assert said.endswith("next: `systemctl enable --now postfix dovecot`\n")
    again = run_pillarbox(host, "install")
    assert again.endswith("next: start both halves again; until then they go on with the programs that run\n")
    assert host.output("find /etc/systemd -name 'pillarbox*'") == "", "what has taken over stays in place"
    started = host.run("systemctl enable --now postfix dovecot")
    try:
        assert started.returncode == 0, host.output(
            "systemctl status 'postfix*' dovecot || :; tail -n 30 /var/log/mail.log"
        )
        for unit, port in (("postfix", 25), ("dovecot", 143)):
            assert host.answers(port)
            assert int(shown(host, unit, "MainPID")) in inside(host, unit)
            host.output(f"systemctl reload {unit}")
        assert host.output("systemctl list-units --plain --no-legend --failed") == ""
        assert "@-" not in host.output("systemctl list-units --plain --no-legend 'postfix@*'")
    finally:
        host.output("systemctl stop postfix dovecot")
        run_pillarbox(host, "uninstall")
