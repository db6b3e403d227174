"""local(8) through the real processes, for system users who exist only in this test."""

import os
import pwd
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.mail_system import MailSystem, until
from fakes.system_users import SystemUsers

pytestmark = [pytest.mark.system, pytest.mark.root]

ALIASES = """\
staff alice, bob, someone@example.org
filter "|id -u; exit 75"
list alice, no-list
owner-list list
command "|exit 67"
owner-command command
one no-one
other someone@example.org
owner-one other
owner-other one
postmaster board
board no-board, someone@example.org
owner-board no-owner
"""
FORWARD = '\\carol, bob, "|cat >/home/carol/out", /home/carol/file\n'


@pytest.fixture(scope="module")
def users() -> Iterator[SystemUsers]:
    """alice, bob and carol."""
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        with SystemUsers(base, ["alice", "bob", "carol"]) as users:
            yield users


@pytest.fixture(scope="module")
def system(users: SystemUsers) -> Iterator[MailSystem]:
    """Delivers local.test to them."""
    system = MailSystem(rootless=False)
    try:
        system.make_home()
        aliases = users.base / "aliases"
        aliases.write_text(ALIASES)
        users.write("carol", ".forward", FORWARD)
        system.configure(
            mydestination="local.test",
            myorigin="local.test",
            virtual_mailbox_domains="",
            virtual_mailbox_maps="",
            local_recipient_maps="",
            alias_maps=f"texthash:{aliases}",
            home_mailbox="Maildir/",
            recipient_delimiter="+",
            default_transport="error:5.4.4 no route",
            notify_classes="bounce, 2bounce",
            sender_canonical_maps='regexp:{ {/^""$$/ list@local.test} {/^(double-bounce)@/ $$1@local.test} }',
        )
        system.start()
        yield system
        assert system.stop() == 0
        assert "Traceback" not in system.log() + system.screen()
    finally:
        system.end()


def sent(system: MailSystem, recipient: str, count: int = 1) -> str:
    """Send a message; its delivery lines."""
    before = len(system.log())
    system.send(b"Subject: test\r\n\r\nFrom here\r\n", recipient=f"{recipient}@local.test")

    def lines() -> list[str]:
        own = [line for line in system.log()[before:].split("\n") if f"to=<{recipient}@local.test>" in line]
        return [line for line in own if "/local[" in line and "status=" in line]

    until(lambda: len(lines()) >= count, what=lambda: f"delivered:\n{system.log()[before:]}")
    return "\n".join(lines())


def test_maildir_of_a_user(system: MailSystem, users: SystemUsers) -> None:
    """The file is the user's, in a Maildir that was made for it, with the trace fields in front."""
    line = sent(system, "alice")
    assert ": to=<alice@local.test>, relay=local, delay=" in line
    assert "dsn=2.0.0, status=sent (delivered to maildir)" in line
    (file,) = Path("/home/alice/Maildir/new").iterdir()
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (users.uids["alice"],) * 2 + (0o600,)
    assert file.read_bytes().startswith(
        b"Return-Path: <sender@example.test>\nX-Original-To: alice@local.test\n"
        b"Delivered-To: alice@local.test\nReceived: "
    )


def test_alias(system: MailSystem) -> None:
    """Users of ours get the mail at once, others a message of their own."""
    lines = sent(system, "staff", 3)
    for user in ("alice", "bob"):
        assert f": to=<{user}@local.test>, orig_to=<staff@local.test>, relay=local, " in lines
    assert ": to=<staff@local.test>, relay=local, " in lines
    assert "status=sent (forwarded as " in lines


def test_unknown_user(system: MailSystem) -> None:
    """Nobody of that name."""
    assert 'dsn=5.1.1, status=bounced (unknown user: "nobody-here")' in sent(system, "nobody-here")


def test_command_of_an_alias_has_the_rights_of_default_privs(system: MailSystem) -> None:
    """Root's alias file does not make root of a command."""
    line = sent(system, "filter")
    assert "dsn=4.3.0, status=deferred (temporary failure. Command output: 65534 )" in line


def test_forward_file(system: MailSystem, users: SystemUsers) -> None:
    """Mailbox, command and file with the user's rights, in the order of the file; the forwarded message last."""
    lines = sent(system, "carol+x", 4).split("\n")
    endings = [line.partition("status=")[2].split(" as ")[0] for line in lines[:4]]
    assert endings == [
        "sent (delivered to command: cat >/home/carol/out)",
        "sent (delivered to file: /home/carol/file)",
        "sent (delivered to maildir)",
        "sent (forwarded",
    ]
    assert {Path(f"/home/carol/{name}").stat().st_uid for name in ("out", "file")} == {users.uids["carol"]}
    text = Path("/home/carol/file").read_text()
    assert text.startswith("From sender@example.test  ")
    assert text.endswith("\n\n>From here\n\n")


def children_of(pid: int) -> dict[int, dict[str, str]]:
    """Forked children, and what /proc says of each."""
    text = "".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children"))
    return {
        int(child): dict(
            line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().split("\n") if line
        )
        for child in text.split()
    }


def test_rights(system: MailSystem, users: SystemUsers) -> None:
    """Aliases are postfix's work, users' files each user's, root's mailbox that of a root without capabilities."""
    sent(system, "alice")
    sent(system, "root")
    by_uid = {status["Uid"]: status for status in children_of(system.roles()["delivery"]).values()}
    postfix = pwd.getpwnam("postfix")
    local_delivery = by_uid["\t".join([str(postfix.pw_uid)] * 4)]
    assert local_delivery["NoNewPrivs"] == "1"
    assert local_delivery["Gid"] == "\t".join([str(postfix.pw_gid)] * 4)
    alice = by_uid["\t".join([str(users.uids["alice"])] * 4)]
    assert (alice["Gid"], alice["Groups"].strip()) == (
        "\t".join([str(users.uids["alice"])] * 4),
        str(users.uids["alice"]),
    )
    assert int(alice["CapPrm"], 16) == 0
    root = by_uid["0\t0\t0\t0"]
    assert {int(root[name], 16) for name in ("CapPrm", "CapEff", "CapInh")} == {0}
    assert root["NoNewPrivs"] == "1"


ROUNDS = [
    "list",  # its owner is sent what it is sent itself
    "command",
    "one",  # two lists are each other's owner
    "no-recipient",  # postmaster is a list, which cannot be reached either
]


def is_done(log: str) -> bool:
    """Whether everything that was taken has left the queue."""
    begun = set(re.findall(r"/qmgr\[\d+\]: (\w+): from=", log))
    begun |= set(re.findall(r"(?:notification: |forwarded as )(\w+)", log))
    return begun <= set(re.findall(r"/qmgr\[\d+\]: (\w+): removed", log))


def test_no_message_goes_round(system: MailSystem) -> None:
    """Whoever the owner of a list is, no report is reported on; the same of notices to postmaster, and of `<>`."""
    before = len(system.log())
    for recipient in ROUNDS:
        system.send(b"Subject: test\r\n\r\nx\r\n", recipient=f"{recipient}@local.test")
    until(lambda: is_done(system.log()[before:]), what="nothing is left")
    log = system.log()[before:]
    assert log.count(": to=<someone@example.org>, ") < 20, log
    assert "undeliverable postmaster notification discarded" in log


def test_reload_takes_new_settings(system: MailSystem) -> None:
    """A new generation of the delivery role delivers by the new main.cf."""
    system.configure(home_mailbox="Mail/box/", expand_owner_alias="yes")
    roles = system.roles()
    os.kill(roles["mta supervisor"], signal.SIGHUP)
    until(
        lambda: system.is_healthy() and not {roles["delivery"], roles["qmgr"]} & set(system.roles().values()),
        what="both are replaced",
    )
    assert "status=sent (delivered to maildir)" in sent(system, "bob")
    assert list(Path("/home/bob/Mail/box/new").iterdir())
    test_no_message_goes_round(system)  # what owners stand for are the senders now
