"""What the supervisor does when a role ends unasked: it is started again, whoever else is left."""

from pathlib import Path

import pytest

from fakes.mail_system import USER, MailSystem, kill, until

pytestmark = pytest.mark.system


def test_delivery_role_is_started_again_beside_its_agent(rootless_system: MailSystem) -> None:
    """An agent outlives the delivery role that forked it: the supervisor sees the role's end all the same."""
    rootless_system.start()
    rootless_system.send(b"Subject: first\r\n\r\n")
    until(lambda: rootless_system.delivered(), what="the first is delivered, so there is an agent")
    before = rootless_system.roles()
    assert kill(before["delivery"])
    until(
        lambda: rootless_system.roles().get("delivery", 0) not in (0, before["delivery"]),
        what=lambda: f"there is a new delivery role: {rootless_system.roles()}, {before}",
        seconds=30,  # an agent stays for a minute
    )
    rootless_system.until_healthy()
    rootless_system.add_user("other@pillarbox.test", "password")
    rootless_system.send(b"Subject: second\r\n\r\n", recipient="other@pillarbox.test")
    until(lambda: rootless_system.delivered("other@pillarbox.test"), what="mail flows")
    rootless_system.send(b"Subject: third\r\n\r\n", recipient=USER)
    until(lambda: len(rootless_system.delivered()) == 2, what="mail for the first user flows as well")
    assert rootless_system.roles()["qmgr"] == before["qmgr"]
    assert rootless_system.stop() == 0


def command_line(pid: int) -> list[str]:
    """What ps(1) shows."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")


def name(pid: int) -> str:
    """What pgrep(1), killall(1) and monitors look for."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def parent(pid: int) -> int:
    """Its process id."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def test_zygote_that_is_killed_takes_its_roles_along(rootless_system: MailSystem) -> None:
    """A half whose zygote is gone has all roles again, from another, and mail that was accepted is there."""
    rootless_system.start()
    before = rootless_system.roles()
    for role in ("delivery", "smtp", "qmgr", "smtpd"):
        assert command_line(before[role])[1:] == ["-I", "-m", f"pillarbox.daemons.{role}"]
        assert name(before[role]) == {"delivery": "local"}.get(role, role)
    assert (name(before["mta supervisor"]), name(before["mailbox supervisor"])) == ("master", "dovecot")
    zygote = parent(before["qmgr"])
    assert command_line(zygote)[1:] == ["-I", "-m", "pillarbox.daemons.zygote"]
    assert parent(zygote) == before["mta supervisor"]
    rootless_system.send(b"Subject: first\r\n\r\n")
    assert kill(zygote)

    def all_new() -> bool:
        now = rootless_system.roles()
        return all(
            now.get(role, 0) not in (0, before[role]) for role in ("delivery", "smtp", "qmgr", "smtpd")
        )

    until(all_new, what=lambda: f"all are new: {rootless_system.roles()}, {before}", seconds=30)
    rootless_system.until_healthy()
    rootless_system.send(b"Subject: second\r\n\r\n")
    until(lambda: len(rootless_system.delivered()) == 2, what="both are delivered")
    assert rootless_system.roles()["auth"] == before["auth"]
    assert rootless_system.stop() == 0
