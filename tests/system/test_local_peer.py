"""Local delivery beside Debian's Postfix: the same configuration, users and messages; the same log and files."""

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from fakes.local_hosts import Host, OurHost, TheirHost, files_below, send, until_quiet
from fakes.namespaces import elsewhere
from fakes.system_users import SystemUsers
from system.local_cases import MAILDIR, MBOX, NO_ORIGINAL, PROGRAMS, ROOT_SPOOL, SPOOL, VIRTUAL, Case

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "procmail", "maildrop"),
]

SHARED: Final = Path("/home/shared")
LISTS: Final = Path("/home/lists")

DIFFERENCES: Final[dict[str, str]] = {
    "virtual without uid": "deliberate: the warning is the queue manager's, and names the message",
    "virtual with a low uid": "deliberate: the warning is the queue manager's, and names the message",
    "include that only root may read": "deliberate: nothing of ours reads a file as root; the warning says what to do",
}
"""Case → why it differs: `deliberate: …` or `not yet: …`.  Core cases may not stand here."""

_SCRIPT: Final = """\
#!/bin/sh
name=$1-$(printf '%s' "$*" | tr -c 'a-zA-Z0-9\n' _)
{ printf '<%s>' "$@"; echo; cat; } >"/home/shared/$name"
"""
_FILTER: Final = """\
/^5\\.7\\.0 (permission.*)$/ 4.7.0 not now: $1
/^5\\.3\\.5 local/ 2.0.0 fine
/^2\\.0\\.0 delivered to command: exit 0$/ 2.0.1 done
"""
_SINK: Final = "127.0.0.1:2400"
_DOVECOT_CONF: Final = """\
mail_location = maildir:~/Mail
log_path = /dev/null
"""
_PIPES: Final = """\
plain unix - n n - - pipe
  user=nobody argv=/home/shared/script plain ${sender} ${recipient} ${user} ${extension} ${mailbox} ${domain}
  ${nexthop} $size ${client_address} ${client_hostname} ${client_helo} ${client_protocol} ${sasl_username}
  x${original_recipient}y
flagged unix - n n - - pipe
  flags=BDFORXhuq.> user=nobody:mail null_sender= argv=/home/shared/script flagged ${sender} ${recipient} ${domain}
quoted unix - n n - - pipe
  flags=q user=nobody argv=/home/shared/script quoted ${sender} ${recipient} ${mailbox}
fails unix - n n - - pipe
  user=nobody argv=/bin/sh -c { echo no luck; exit 3 }
waits unix - n n - - pipe
  user=nobody argv=/bin/sh -c { exit 75 }
says unix - n n - - pipe
  user=nobody argv=/bin/sh -c { echo done and done }
small unix - n n - - pipe
  size=10 user=nobody argv=/bin/true
crlf unix - n n - - pipe
  eol=\\r\\n user=nobody directory=/tmp argv=/home/shared/script crlf
missing unix - n n - - pipe
  user=nobody argv=/no/such/program ${recipient}
slow unix - n n - - pipe
  user=nobody argv=/bin/sleep 1000
"""
_PIPE_NAMES: Final = "plain flags=flagged quoted fails waits says small crlf missing slow".split()
_FALLBACKS: Final = "".join(
    f"pipe-{user} {transport or user}:hop.Example\n"
    for user, _, transport in (name.partition("=") for name in _PIPE_NAMES)
)

_WORD: Final = re.compile(r"\w+")

SETUPS: Final[dict[str, tuple[dict[str, Case], dict[str, str]]]] = {
    "maildir": (
        MAILDIR,
        {
            "home_mailbox": "Maildir/",
            "fallback_transport_maps": "texthash:{base}/fallback",
            "flagged_destination_recipient_limit": "1",
            "slow_time_limit": "2s",
        },
    ),
    "spool": (
        SPOOL,
        {
            "luser_relay": "relay-$local@example.org",
            "mailbox_command_maps": "inline:{ {command-user = cat >/home/command-user/out; exit 0} }",
            "mailbox_transport_maps": "inline:{ transport-user=says: }",
            "expand_owner_alias": "yes",
            "allow_mail_to_commands": "include, forward",
            "allow_mail_to_files": "include, forward",
            "command_execution_directory": "$home",
            "propagate_unmatched_extensions": "canonical, virtual, alias, forward, include",
            "mailbox_delivery_lock": "dotlock, fcntl",
        },
    ),
    "mbox": (
        MBOX,
        {
            "home_mailbox": "mbox",
            "mailbox_size_limit": "4100",
            "message_size_limit": "4000",
            "frozen_delivered_to": "no",
            "reset_owner_alias": "yes",
            "forward_path": "",
            "prepend_delivered_header": "command, forward",
            "local_command_shell": "/bin/sh -c",
            "fallback_transport": "says:",
            "local_delivery_status_filter": "regexp:{base}/filter",
        },
    ),
    "root_spool": (ROOT_SPOOL, {"mail_spool_directory": str(LISTS)}),
    "programs": (
        PROGRAMS,
        {
            "mailbox_command": "/usr/lib/dovecot/dovecot-lda -c /home/lists/dovecot.conf -f $SENDER -a $RECIPIENT",
            "mailbox_transport_maps": "inline:{ lmtp-user=lmtp:inet:" + _SINK + " }",
            "mailbox_command_maps": "inline:{ {procmail-user = /usr/bin/procmail -a $EXTENSION DEFAULT=$HOME/p/} }",
        },
    ),
    "virtual": (
        VIRTUAL,
        {
            "virtual_mailbox_domains": "virtual.test",
            "virtual_mailbox_base": "/home",
            "virtual_mailbox_maps": "texthash:{base}/mailboxes",
            "virtual_uid_maps": "texthash:{base}/uids",
            "virtual_gid_maps": "texthash:{base}/uids",
            "virtual_mailbox_limit": "4100",
            "message_size_limit": "4000",
        },
    ),
    "original": (
        NO_ORIGINAL,
        {
            "enable_original_recipient": "no",
            "home_mailbox": "Maildir/",
            "fallback_transport_maps": "texthash:{base}/fallback",
            "flagged_destination_recipient_limit": "1",
            "virtual_mailbox_domains": "virtual.test",
            "virtual_mailbox_base": "/home",
            "virtual_mailbox_maps": "texthash:{base}/mailboxes",
            "virtual_uid_maps": "texthash:{base}/uids",
            "virtual_gid_maps": "texthash:{base}/uids",
            "virtual_alias_domains": "alias.test",
            "virtual_alias_maps": "inline:{ @alias.test=@virtual.test }",
        },
    ),
}


def names_of(cases: dict[str, Case], setup: str) -> dict[str, dict[str, str]]:
    """Case → the names in its texts."""
    found: dict[str, dict[str, str]] = {}
    for number, name in enumerate(cases):
        user, other, alias = (f"{letter}{setup[0]}{number}" for letter in "uva")
        found[name] = {
            "u": user, "v": other, "a": alias, "U": user.upper(), "A": alias.upper(),
            "home": f"/home/{user}", "shared": str(SHARED), "lists": str(LISTS),
        }  # fmt: skip
    return found


def filled(text: str, names: dict[str, str]) -> str:
    """The text with the case's names."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def prepare(cases: dict[str, Case], names: dict[str, dict[str, str]], users: SystemUsers) -> None:
    """Everything that is there before the first message."""
    for directory, mode in ((SHARED, 0o1777), (LISTS, 0o755)):
        directory.mkdir()
        directory.chmod(mode)
    script = SHARED / "script"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    lines: list[str] = []
    for name, case in cases.items():
        own = names[name]
        lines += [filled(line, own) for line in case.aliases]
        if not case.home:
            shutil.rmtree(own["home"])
            os.chmod("/home", 0o755)
        for path, file in case.files.items():
            target = Path(filled(path, own))
            target.write_text(filled(file.text, own))
            target.chmod(file.mode)
            owner = file.owner or (
                "u" if target.is_relative_to(own["home"]) or target.parent.name == "mail" else "root"
            )
            uid = 0 if owner == "root" else users.uids[own[owner]]
            os.chown(target, uid, uid)
            target.chmod(file.mode)
        for path, mode in case.directories.items():
            directory = Path(filled(path, own))
            directory.mkdir()
            directory.chmod(mode)
            os.chown(directory, users.uids[own["u"]], users.uids[own["u"]])
        for path, goal in case.links.items():
            link, goal = Path(filled(path, own)), filled(goal, own)
            if goal.startswith("="):
                link.hardlink_to(link.parent / goal[1:])
            else:
                link.symlink_to(goal)
            os.lchown(link, users.uids[own["u"]], users.uids[own["u"]])
    (users.base / "aliases").write_text("\n".join(lines) + "\n")
    owners = {name: {**own, "uid": str(users.uids[own["u"]])} for name, own in names.items()}
    for table, field in (("mailboxes", "mailbox"), ("uids", "uid")):
        rows = [
            f"{own['a']}@virtual.test {filled(getattr(cases[name], field), own)}\n"
            for name, own in owners.items()
            if cases[name].mailbox and getattr(cases[name], field)
        ]
        (users.base / table).write_text("".join(rows))
    (users.base / "filter").write_text(_FILTER)
    (LISTS / "dovecot.conf").write_text(_DOVECOT_CONF)
    (users.base / "fallback").write_text(_FALLBACKS)


def message(case: Case, names: dict[str, str]) -> bytes:
    """What is sent."""
    text = f"{filled(case.header, names)}Subject: test\nFrom: a@example.test\nDate: Mon, 23 Nov 2026 10:00:00 +0000\n"
    text += "Message-Id: <one@example.test>\n\nFrom here on:\n.\n..\nFrom x\n\n>From y\nlast\n"
    return text.replace("\n", "\r\n").encode()


class Outcome:
    """What came of a setup's cases on one host."""

    def __init__(self, host: Host, cases: dict[str, Case], names: dict[str, dict[str, str]]) -> None:
        ids = {
            name: send(host, filled(case.to, names[name]), message(case, names[name]), sender=case.sender)
            for name, case in cases.items()
        }
        log = until_quiet(host, list(ids.values()))
        self.deliveries = {name: log.deliveries(queue_id) for name, queue_id in ids.items()}
        self.warnings = {
            name: sorted(
                {line for line in log.warnings if any(own[key] in _WORD.findall(line) for key in "uva")}
            )
            for name, own in names.items()
        }
        self.files = files_below([Path("/home"), Path("/var/mail")])


def run(setup: str, host: str) -> Outcome:
    """The setup's cases on a host of its own, with users of its own."""
    cases, settings = SETUPS[setup]
    names = names_of(cases, setup)
    accounts = [own[key] for own in names.values() for key in "uv"]
    more = ["command-user", "transport-user", "procmail-user", "lmtp-user"]
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base.chmod(0o755)
        users = stack.enter_context(SystemUsers(base, [*accounts, *more]))
        prepare(cases, names, users)
        sink = stack.enter_context(
            subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", "-L", _SINK, "10"])
        )
        stack.callback(sink.kill)
        own = {name: filled(value, {"base": str(base)}) for name, value in settings.items()}
        own["alias_maps"] = f"texthash:{base}/aliases"
        (base / "postfix").mkdir()
        if host == "ours":
            return Outcome(stack.enter_context(OurHost(own, _PIPES)), cases, names)
        return Outcome(stack.enter_context(TheirHost(base / "postfix", own, _PIPES)), cases, names)


def files_of(outcome: Outcome, own: dict[str, str]) -> dict[str, tuple[int, int, str, str]]:
    """Files that belong to a case."""
    return {
        path: entry
        for path, entry in outcome.files.items()
        if any(
            own[key] in path.replace("*", "").split("/") or path.endswith(f"/{own[key]}x") for key in "uva"
        )
    }


def others(outcome: Outcome, names: dict[str, dict[str, str]]) -> dict[str, tuple[int, int, str, str]]:
    """Files that belong to no case: what pipes wrote."""
    claimed = {path for own in names.values() for path in files_of(outcome, own)}
    return {path: entry for path, entry in outcome.files.items() if path not in claimed}


@pytest.mark.parametrize("setup", SETUPS)
def test_the_same_as_postfix(setup: str) -> None:
    """Delivery lines, warnings and files are equal, but for the differences that are known."""
    cases = SETUPS[setup][0]
    with elsewhere(run, setup, "theirs") as at_work:
        ours = run(setup, "ours")
        theirs = at_work.result()
    names = names_of(cases, setup)
    reports: list[str] = []
    different: set[str] = set()
    assert others(ours, names) == others(theirs, names)
    for name in cases:
        pairs = [
            ("log", ours.deliveries[name], theirs.deliveries[name]),
            ("warnings", ours.warnings[name], theirs.warnings[name]),
            ("files", files_of(ours, names[name]), files_of(theirs, names[name])),
        ]
        for what, mine, other in pairs:
            if mine != other:
                different.add(name)
                if name not in DIFFERENCES:
                    reports.append(f"== {name}: {what}\n  ours:   {mine!r}\n  theirs: {other!r}")
    assert not reports, "\n" + "\n".join(reports)
    assert {name for name in DIFFERENCES if name in cases} <= different, "no longer different: take it off"


def test_the_list_of_differences() -> None:
    """It names cases that exist and are not core, and says of each why."""
    cases = {name: case for table, _ in SETUPS.values() for name, case in table.items()}
    assert len(cases) == sum(len(table) for table, _ in SETUPS.values())
    for name, reason in DIFFERENCES.items():
        assert not cases[name].core, name
        assert reason.startswith(("deliberate: ", "not yet: ")), name
