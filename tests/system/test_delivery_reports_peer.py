"""What sendmail -bv and -v report, beside Debian's Postfix: the same log, and the same report but for ids and times.

Both have the same users, aliases and servers; each case has an envelope sender of its own, whose report is compared.
"""

import difflib
import itertools
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes.local_hosts import DOMAIN, Host, Log, OurHost, TheirHost
from fakes.mail_system import until
from fakes.system_users import SystemUsers

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix"),
]

_SINKS: Final = {
    "ok": ("127.0.0.1:2401",),
    "hard": ("-f", "RCPT", "127.0.0.1:2402"),
    "soft": ("-r", "RCPT", "127.0.0.1:2403"),
    "badsender": ("-f", "MAIL", "127.0.0.1:2404"),
    "lmtp": ("-L", "127.0.0.1:2405"),
    "nopipe": ("-p", "127.0.0.1:2406"),
}
_PIPES: Final = """\
cat unix - n n - - pipe
  flags=DR user=nobody argv=/bin/sh -c { cat >/dev/null } ${recipient}
small unix - n n - - pipe
  size=10 user=nobody argv=/bin/true
slow unix - n n - - pipe
  user=nobody argv=/bin/sleep 1000
cleanup unix n - n - 0 cleanup
  -o message_drop_headers=auto-submitted,return-path
pickup unix n - n 60 1 pickup
  -o cleanup_service_name=other-cleanup
other-cleanup unix n - n - 0 cleanup
  -o { header_checks = regexp:{{/^X-Strip:/ IGNORE}} }
"""
_SETTINGS: Final = {
    "home_mailbox": "Maildir/",
    "alias_maps": "texthash:{base}/aliases",
    "mailbox_transport_maps": "inline:{{ throughlmtp=lmtp:inet:127.0.0.1:2405 }}",
    "mailbox_command_maps": "inline:{{ {{piped = cat >/dev/null}} }}",
    "virtual_mailbox_domains": "virtual.test",
    "virtual_mailbox_base": "/home",
    "virtual_mailbox_maps": "inline:{{ dir@virtual.test=v/, file@virtual.test=w }}",
    "virtual_uid_maps": "static:6001",
    "virtual_gid_maps": "static:6001",
    "virtual_alias_domains": "alias.test",
    "virtual_alias_maps": "inline:{{ {{both@alias.test = user, someone@ok.test}} one@alias.test=user }}",
    "transport_maps": "inline:{{ ok.test=smtp:[127.0.0.1]:2401, hard.test=smtp:[127.0.0.1]:2402, "
    "soft.test=smtp:[127.0.0.1]:2403, badsender.test=smtp:[127.0.0.1]:2404, lmtp.test=lmtp:inet:127.0.0.1:2405, "
    "nopipe.test=smtp:[127.0.0.1]:2406, refused.test=smtp:[127.0.0.1]:2499, {{error.test=error:5.7.9 not served}}, "
    "{{retry.test=retry:4.7.9 not yet}}, {{discard.test=discard:thrown away}}, pipe.test=cat:, slow.test=slow:, small.test=small:, "
    "nosuch.test=nosuch: }}",
    "smtp_connection_cache_on_demand": "no",
    "slow_time_limit": "1s",
    "enable_threaded_bounces": "yes",
}
_ALIASES: Final = """\
alias user, other
nested alias, "|/bin/false --with arguments", /home/shared/file, /home/shared/dir/
list :include:{base}/list
elsewhere someone@ok.test, user
owned nobodyhere
owner-owned other
command "|exit 1"
killed "|kill -9 $$"
tempfail "|exit 75"
says "|echo well, well; exit 77"
own "|echo 5.7.1 not from you; exit 1"
odd "|echo odd; exit 3"
"""
_FORWARDS: Final = {
    "forwards": "\\forwards, user, someone@hard.test, |cat\n",
    "looks": "~/file, /home/looks/other/\n",
}
_MESSAGE: Final = b"Subject: verbose\nFrom: a@example.test\nMessage-Id: <one@example.test>\nX-Strip: 1\nAuto-Submitted: no\n\nHello.\n"


class Case(msgspec.Struct, frozen=True):
    """What is asked of sendmail."""

    recipients: tuple[str, ...]
    options: tuple[str, ...] = ("-bv",)


def _cases() -> dict[str, Case]:
    local = (
        "user unknown user+ext alias nested list elsewhere owned command forwards looks piped throughlmtp postmaster"
    ).split()
    domains = "ok hard soft badsender lmtp nopipe refused error retry discard pipe small nosuch".split()
    to = {name: f"{name}@{DOMAIN}" for name in local} | {
        domain: f"someone@{domain}.test" for domain in domains
    }
    to |= {name: f"{name}@virtual.test" for name in ("dir", "file", "novirtual")}
    to |= {f"{name} alias": f"{name}@alias.test" for name in ("one", "both", "no")}
    cases = {f"-bv {name}": Case((address,)) for name, address in to.items()}
    cases["-bv many"] = Case(
        (f"user@{DOMAIN}", f"unknown@{DOMAIN}", "x@ok.test", "y@ok.test", "z@hard.test", "dir@virtual.test")
    )
    verbose = (
        "user",
        "unknown",
        "alias",
        "command",
        "elsewhere",
        "ok",
        "soft",
        "hard",
        "error",
        "discard",
        "pipe",
        "dir",
    )
    cases |= {f"-v {name}": Case((to[name],), ("-v",)) for name in verbose}
    cases |= {
        f"-v {name}": Case((f"{name}@{DOMAIN}",), ("-v",)) for name in "killed tempfail says own odd".split()
    }
    cases["-v slow"] = Case(("x@slow.test",), ("-v",))
    cases["-v success"] = Case(("alias", "x@ok.test", "y@hard.test"), ("-N", "success", "-v"))
    cases |= {
        f"success {name} alias": Case((to[f"{name} alias"], "x@ok.test"), ("-N", "success"))
        for name in ("one", "both")
    }
    verp = (
        *(to[name] for name in ("user", "unknown", "alias", "ok", "hard", "dir", "pipe", "both alias")),
        "y@ok.test",
    )
    cases["verp"] = Case(verp, ("-XV",))
    cases["verp with delimiters"] = Case(
        (to["user"], to["hard"], to["soft"]), ("-XV+=", "-N", "success,failure")
    )
    cases["-v verp"] = Case((to["user"], to["hard"], to["unknown"]), ("-v", "-XV"))
    cases |= {f"-bv {name}": Case((name,)) for name in ('""', f'""@{DOMAIN}')}
    cases["-v many"] = Case(("user", "x@soft.test", "x@hard.test"), ("-v",))
    cases["success"] = Case(
        ("alias", "x@ok.test", "user", "forwards"), ("-N", "success", "-V", "envelope+id")
    )
    return cases


CASES: Final = _cases()
DIFFERENCES: Final[dict[str, str]] = {}
"""Case → why it differs: `deliberate: …` or `not yet: …`."""


def _sender(name: str) -> str:
    return f"reporter+{list(CASES).index(name)}@{DOMAIN}"


class Played:
    """What came of all cases on one host."""

    def __init__(self, host: Host) -> None:
        self.said: dict[str, tuple[int, bytes, bytes]] = {}
        for name, case in CASES.items():
            arguments = (*case.options, "-f", _sender(name), *case.recipients)
            done = host.sendmail(*arguments, stdin=b"" if "-bv" in case.options else _MESSAGE)
            self.said[name] = (done.returncode, done.stdout, done.stderr)
        until(lambda: self._are_done(host), what=lambda: f"all done:\n{host.log()}")
        log = Log(host.log())
        ids = {name: self._id(log, name) for name in CASES}
        self.deliveries = {name: sorted(log.deliveries(queue_id)) for name, queue_id in ids.items()}
        self.senders = sorted(
            sender[1]
            for user in ("user", "other")
            for path in Path(f"/home/{user}/Maildir/new").iterdir()
            if (sender := re.match(rb"Return-Path: <(.*)>\n", path.read_bytes())) is not None
        )
        self.reports: dict[str, list[str]] = {name: [] for name in CASES}
        for path in Path("/home/reporter/Maildir/new").iterdir():
            text = path.read_bytes().decode()
            to = re.search(r"(?m)^X-Original-To: reporter\+(\d+)", text)
            assert to is not None
            name = list(CASES)[int(to[1])]
            self.reports[name].append(_normal(text))
        for reports in self.reports.values():
            reports.sort()

    def _are_done(self, host: Host) -> bool:
        log = Log(host.log())
        ids = {name: self._id(log, name) for name in CASES}
        return (
            all(ids.values())
            and log.is_quiet(list(ids.values()))
            and all(
                name == "verp"
                or any("delivery status notification" in rest for _, rest in log.lines[queue_id])
                for name, queue_id in ids.items()
            )
        )

    @staticmethod
    def _id(log: Log, name: str) -> str:
        """The queue id of the message of a case; empty if it is not there yet."""
        begins = f"from=<{_sender(name)}>, size="
        ids = [
            queue_id
            for queue_id, lines in log.lines.items()
            if any(row[1].startswith(begins) for row in lines)
        ]
        return ids[0] if ids else ""


def _normal(text: str) -> str:
    """A report without ids, times and process ids."""
    text = re.sub(r"\w{3}, [ \d]?\d \w{3} \d{4} [\d:]{8} [+-]\d{4} \(\w+\)", "DATE", text)
    text = re.sub(r"(?<=[ <.\"-])[0-9A-F]{7,15}(?=[ ;@.\n/)])", "ID", text)
    text = re.sub(r"ID\.\w+/", "ID.TIME/", text)
    text = re.sub(r"(?m)^(Message-Id: <)\d{14}", r"\1TIME", text)
    text = re.sub(r"/tmp/\w+", "/tmp/*", text)
    text = re.sub(r"(?<=userid )\d+", "UID", text)
    # Recipients stand in the order in which they were done.
    return "\n\n".join(
        paragraph
        for of_recipient, group in itertools.groupby(text.split("\n\n"), key=_is_of_recipient)
        for paragraph in (sorted(group) if of_recipient else group)
    )


def _is_of_recipient(paragraph: str) -> bool:
    return paragraph.startswith(("<", "Final-Recipient:"))


def _play(host: str) -> Played:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base.chmod(0o755)
        names = ["reporter", "user", "other", "forwards", "looks", "piped", "throughlmtp"]
        users = stack.enter_context(SystemUsers(base, names))
        for name, text in _FORWARDS.items():
            users.write(name, ".forward", text)
        Path("/home/v").mkdir()
        shutil.chown("/home/v", "reporter", "reporter")
        Path("/home/shared").mkdir(mode=0o1777)
        Path("/home/shared").chmod(0o1777)
        (base / "aliases").write_text(_ALIASES.format(base=base))
        (base / "list").write_text("user\nother, x@lmtp.test\n")
        for arguments in _SINKS.values():
            sink = stack.enter_context(
                subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", *arguments, "10"])
            )
            stack.callback(sink.kill)
        settings = {name: value.format(base=base) for name, value in _SETTINGS.items()}
        (base / "postfix").mkdir()
        if host == "ours":
            return Played(stack.enter_context(OurHost(settings, _PIPES)))
        return Played(stack.enter_context(TheirHost(base / "postfix", settings, _PIPES)))


def test_the_same_as_postfix() -> None:
    """What the command says, delivery lines and reports are equal, but for the differences that are known."""
    theirs, ours = _play("theirs"), _play("ours")
    assert ours.senders == theirs.senders
    reports: list[str] = []
    different: set[str] = set()
    for name in CASES:
        for what in ("said", "deliveries", "reports"):
            mine, other = getattr(ours, what)[name], getattr(theirs, what)[name]
            if mine != other:
                different.add(name)
                if name not in DIFFERENCES:
                    reports.append(f"== {name}: {what}\n" + _difference(mine, other))
    assert not reports, "\n" + "\n".join(reports)
    assert different == set(DIFFERENCES), "no longer different: take it off"
    assert all(ours.reports[name] for name in CASES), "a report for each"


def _difference(mine: object, other: object) -> str:
    def lines(value: object) -> list[str]:
        return "\n".join(map(str, value)).split("\n") if isinstance(value, list) else [repr(value)]

    return "\n".join(
        difflib.unified_diff(lines(other), lines(mine), "postfix", "pillarbox", n=1, lineterm="")
    )
