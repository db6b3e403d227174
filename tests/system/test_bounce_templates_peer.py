"""postconf -b and -t beside Debian's: the same template files, the same texts, the same complaints."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes import counterparts

pytestmark = [pytest.mark.system, pytest.mark.peer("postfix")]

OURS = str(Path(sys.executable).with_name("postconf"))
MAIN = """\
compatibility_level = 3.6
myhostname = host.example
delay_warning_time = 4h
maximal_queue_lifetime = 10d
"""

FILES = {
    "none": None,
    "empty": "",
    "comments": "# nothing\n\n   \n",
    "one": "failure_template = <<EOF\nCharset: utf-8\nFrom: X (Y) <a@b>\nSubject: z\n\nAt $myhostname.\nEOF\n",
    "all four": "".join(
        f"{kind}_template = <<END\nSubject: {kind}\nPostmaster-Subject: p {kind}\n\n  Text.\n\n More.\nEND\n\n"
        for kind in ("verify", "success", "delay", "failure")
    ),
    "units": "delay_template = <<EOF\n\n$delay_warning_time $delay_warning_time_minutes ${delay_warning_time_hours} "
    "$(maximal_queue_lifetime_weeks) $maximal_queue_lifetime_seconds $$x\nEOF\n",
    "8-bit with charset": "success_template = <<EOF\nCharset: utf-8\n\nGrüße von $myhostname\nEOF\n",
    "8-bit without": "success_template = <<EOF\nSubject: x\n\nGrüße\nEOF\n",
    "unknown template": "other_template = <<EOF\n\nText\nEOF\nverify_template = <<EOF\n\nOwn text\nEOF\n",
    "unknown label": "failure_template = <<EOF\nBogus: x\n\nText\nEOF\n",
    "no text": "failure_template = <<EOF\nSubject: x\n\nEOF\n",
    "no end": "failure_template = <<EOF\n\nText\n",
    "no equals sign": "failure_template\n",
    "non-ASCII subject": "failure_template = <<EOF\nSubject: gr\u00fcn\n\nx\nEOF\n",
    "empty subject": "failure_template = <<EOF\nSubject:\n\nx\nEOF\n",
    "no notice to postmaster": "success_template = <<EOF\nPostmaster-Subject: x\n\nx\nEOF\n",
    "conditions": "delay_template = <<EOF\n\n${myhostname?yes} ${nosuch:no} ${myhostname?{a}:{b}}\nEOF\n",
    "units that do not fit": "delay_template = <<EOF\n\n$delay_warning_time_days $delay_warning_time_seconds "
    "$maximal_queue_lifetime_seconds $maximal_queue_lifetime_weeks\nEOF\n",
    "units of others": "delay_template = <<EOF\n\n$minimal_backoff_time_hours\nEOF\n",
    "undefined name": "verify_template = <<EOF\n\nHello $nosuch_name\nEOF\n",
}


def _messages(text: str) -> set[str]:
    """What is complained of: the kind of mistake, since Postfix breaks some texts over lines and repeats some."""
    kinds = (
        "8-bit message text",
        "unknown template name",
        'unknown "\\w+" header label',
        "inapplicable",
        'empty "',
        "non-ASCII",
        "zero result",
        "excessive result",
        "increase time unit",
        "reduce time unit",
        "missing message text",
        "end marker",
        "missing '='",
        "undefined",
        "most one",
    )
    return {kind for kind in kinds if re.search(kind, text)}


@pytest.mark.parametrize(("letter", "form"), [("-b", "standard"), ("-t", "standard"), ("-t", "obsolete")])
def test_templates(letter: str, form: str, tmp_path: Path) -> None:
    """Each file by each command: output, exit status and complaints."""
    (tmp_path / "main.cf").write_text(f"{MAIN}header_from_format = {form}\n")
    (tmp_path / "master.cf").write_text("")
    theirs = counterparts.program("postfix") or "postconf"
    cases: list[list[str]] = []
    for number, content in enumerate(FILES.values()):
        path = tmp_path / f"templates{number}"
        if content is not None:
            path.write_text(content)
        cases.append(["-c", str(tmp_path), letter, *([] if content is None else [str(path)])])

    def found(command: list[str]) -> tuple[int, str, set[str]]:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        return done.returncode, done.stdout.decode(), _messages(done.stderr.decode())

    with ThreadPoolExecutor(len(cases)) as pool:  # the original waits for a second after each fatal error
        at_once = pool.map(found, ([program, *case] for case in cases for program in (theirs, OURS)))
        results = list(at_once)
    for name, (their_status, their_output, their_messages), ours in zip(
        FILES, results[::2], results[1::2], strict=True
    ):
        if their_status != 0:
            their_output = ours[1]  # Postfix has printed what came before the mistake
        assert (their_status, their_output, their_messages) == ours, name


@pytest.mark.parametrize("letter", ["-A", "-l"])
def test_what_this_system_has(letter: str) -> None:
    """Types of client SASL and of locks."""
    theirs = subprocess.run([counterparts.program("postfix") or "", letter], capture_output=True, check=True)
    ours = subprocess.run([OURS, letter], capture_output=True, check=True)
    assert sorted(theirs.stdout.split()) == sorted(ours.stdout.split())
