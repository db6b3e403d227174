"""What the supervisor does when a role ends unasked: it is started again, whoever else is left."""

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
        seconds=5,
    )
    rootless_system.until_healthy()
    rootless_system.add_user("other@pillarbox.test", "password")
    rootless_system.send(b"Subject: second\r\n\r\n", recipient="other@pillarbox.test")
    until(lambda: rootless_system.delivered("other@pillarbox.test"), what="mail flows")
    rootless_system.send(b"Subject: third\r\n\r\n", recipient=USER)
    until(lambda: len(rootless_system.delivered()) == 2, what="mail for the first user flows as well")
    assert rootless_system.roles()["qmgr"] == before["qmgr"]
    assert rootless_system.stop() == 0
