"""Messages that fail, all given to one host at once, and what comes of each: reports and log lines."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from fakes.host import Host
from fakes.logs import until_whole
from fakes.mail_system import PATIENCE, until
from fakes.postfix_texts import normal_line, normal_notice
from fakes.smtp_submission import SmtpClient

_ID: Final = "[0-9A-F]{6,}"
_BUSY: Final = ("maildrop", "incoming", "active")
_WARNINGS: Final = re.compile(r"\]: (?:warning|error|fatal|panic|crit): ")
_CLOCKS: Final = re.compile(r"file system clock is|resetting file time stamps")
"""Postfix compares two clocks of the kernel's, which are apart by a tick."""
_UNINTERESTING: Final = re.compile(r": (?:removed|client=|uid=|message-id=)|: from=<")

_LINE: Final = 1500
"""Characters of a log line; postlogd(8) cuts it by octets, of which the delays take some."""


class Failing(Protocol):
    """A message that will not get where it is to go."""

    @property
    def name(self) -> str:
        """Of the cause."""
        ...

    @property
    def sender(self) -> str:
        """Address."""
        ...

    @property
    def recipients(self) -> tuple[str, ...]:
        """Addresses."""
        ...

    @property
    def parameters(self) -> tuple[str, str]:
        """Of MAIL and RCPT."""
        ...

    @property
    def message(self) -> bytes:
        """Header and body, lines end in CRLF."""
        ...

    @property
    def command(self) -> tuple[str, ...]:
        """Given to sendmail(1) with these options, not to smtpd(8)."""
        ...


def play(host: Host, causes: Sequence[Failing]) -> dict[str, str]:
    """Cause → its log lines and reports, without what is different each time; "" are warnings that name no message."""
    since = len(host.log())
    ids = _submit(host, causes)
    until(
        lambda: _is_over(host, since, ids),
        what=lambda: f"all is over: {_left(host, since, ids)}",
        seconds=3 * PATIENCE,
    )
    log = until_whole(host)[since:]
    submitted = "|".join(cause.name for cause in causes if cause.command)
    ids.update(re.findall(rf"\]: ({_ID}): uid=0 from=<alice\+({submitted})@", log))
    owners = _owners(log, ids)
    parts: dict[str, list[str]] = defaultdict(list)
    for line in log.split("\n"):
        found = re.search(rf"\]: (?:warning: )?({_ID}): ", line)
        if found and found[1] in owners and not _UNINTERESTING.search(line):
            parts[owners[found[1]]].append(_shown(line))
        elif not found and _WARNINGS.search(line) and not _CLOCKS.search(line):
            parts[""].append(_shown(line))
    for content in _reports(host):
        found = re.search(rf"\bid ({_ID})\b", content)
        assert found, content
        parts[owners[found[1]]].append(_report(content))
    return {name: "\n".join(sorted(set(some))) for name, some in parts.items()}


def _submit(host: Host, causes: Iterable[Failing]) -> dict[str, str]:
    """Queue id → cause."""
    ids: dict[str, str] = {}
    with SmtpClient(host) as client:
        for cause in causes:
            if cause.command:
                continue
            queue_id = client.submit(
                sender=cause.sender,
                recipients=cause.recipients,
                message=cause.message,
                parameters=(cause.parameters[0].strip(),),
                recipient_parameters=cause.parameters[1].strip(),
            )
            ids[queue_id] = cause.name
    for cause in causes:
        if cause.command:
            words = " ".join(f"'{word}'" for word in cause.command)
            said = host.run(
                f"sendmail {words} -f 'alice+{cause.name}@sender.test' -- {' '.join(cause.recipients)}",
                content=cause.message.replace(b"\r\n", b"\n"),
            )
            assert said.returncode == 0, (cause.name, said.stderr)
    return ids


def _is_over(host: Host, since: int, ids: dict[str, str]) -> bool:
    return not any(_files(host, name) for name in _BUSY) and not _unended(host.log()[since:], ids)


def _left(host: Host, since: int, ids: dict[str, str]) -> str:
    """What is not over, and what the log says of it."""
    log = host.log()[since:]
    names = _unended(log, ids).union(*(_files(host, name) for name in _BUSY))
    lines = [
        line for line in log.split("\n") if any(name in line for name in names) or _WARNINGS.search(line)
    ]
    return "\n".join([str(names), *lines])


def _files(host: Host, queue: str) -> list[str]:
    return [
        path.name
        for path in host.file(f"/var/spool/postfix/{queue}").rglob("*")
        if path.is_file() and "." not in path.name
    ]


def _unended(log: str, ids: dict[str, str]) -> set[str]:
    """Messages that are neither gone nor wait."""
    begun = set(ids) | set(re.findall(rf"qmgr\[\d+\]: ({_ID}): from=", log))
    begun |= set(re.findall(rf"(?:notification: |forwarded as )({_ID})", log))
    return begun - set(re.findall(rf"\]: ({_ID}): (?:removed|to=.*status=(?:deferred|SOFTBOUNCE))", log))


def _owners(log: str, ids: dict[str, str]) -> dict[str, str]:
    """Of every message, the cause that it came of."""
    owners = dict(ids)
    before = -1
    while before != len(owners):
        before = len(owners)
        for parent, child in re.findall(rf"\]: ({_ID}): .*(?:notification: |forwarded as )({_ID})", log):
            if parent in owners:
                owners[child] = owners[parent]
    return owners


def _shown(line: str) -> str:
    line = re.sub(rf"(forwarded as ){_ID}", r"\1ID", normal_line(line))
    return _temporary(line)[:_LINE]


def _report(text: str) -> str:
    """Without what is different each time; names of temporary files decide where lines are folded."""
    text = normal_notice(text)
    # The type of the report is that of its second part (RFC 6522 §3): Postfix has not got there yet.
    text = text.replace("\n\treport-type=global-delivery-status", " report-type=delivery-status")
    # An address that is not ASCII is utf-8 (RFC 6533 §3): Postfix has none for what came by SMTP.
    text = re.sub(r"Original-Recipient: rfc822;(?=.*[^\x00-\x7f])", "Original-Recipient: utf-8;", text)
    if text.count("\nFinal-Recipient: ") > 1:  # they come in the order in which they were tried
        text = "\n\n".join(sorted(text.split("\n\n")))
    return _temporary(text.replace("\n    ", " ")) if re.search("/(?:tmp|new)/", text) else text


def _temporary(text: str) -> str:
    return re.sub(r"/(tmp|new)/(?:\d+|ID)\.\w+\.[\w.,=]+", r"/\1/NAME", text)


def _reports(host: Host) -> Iterator[str]:
    for home in ("alice", "carol"):
        for path in host.file(f"/home/{home}/Maildir/new").glob("*"):
            yield path.read_text(errors="backslashreplace")
            path.unlink()


class KnownDifferences(msgspec.Struct, frozen=True):
    """A file of them: names of cases, and beginnings of log lines that do not count, as regular expressions."""

    names: frozenset[str]
    lines: re.Pattern[str]

    def compare(self, name: str, theirs: str, ours: str) -> None:
        """AssertionError if they differ and the name is not listed, or do not and it is."""
        expected, found = (
            "\n".join(line for line in text.split("\n") if not self.lines.match(line))
            for text in (theirs, ours)
        )
        assert expected or not name
        if name in self.names:
            assert expected != found, "it is on the list of differences, and there is none"
        else:
            assert expected == found, "\n".join(difflib.ndiff(expected.split("\n"), found.split("\n")))


def read_differences(path: Path) -> KnownDifferences:
    """Rows of: a name, or what begins log lines (it has a colon); kind (deliberate or not yet); reason."""
    rows = [line.split("\t") for line in path.read_text().split("\n") if line and not line.startswith("#")]
    assert all(kind in ("deliberate", "not yet") and reason for _, kind, reason in rows), rows
    lines = [name for name, _, _ in rows if ":" in name]
    return KnownDifferences(frozenset(name for name, _, _ in rows) - set(lines), re.compile("|".join(lines)))
