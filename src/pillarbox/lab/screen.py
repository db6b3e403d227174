"""The lab on the terminal: mail as it flows, and in the end what each recipient got.

DESCRIPTION
    A line for each thing that happens to a message, with the lab's time.  An attempt that says the same as the
    one before is shown the second, fourth, eighth … time only.
"""

import re
import shutil
from typing import Final, TextIO

from pillarbox.lab.lab import Lab, Submitted, recipients
from pillarbox.lab.timeline import Line, elapsed, read_attempt
from pillarbox.lab.verdict import Result

_RED, _GREEN, _YELLOW, _BLUE, _DIM, _BOLD, _PLAIN = (
    "\x1b[31m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[34m",
    "\x1b[2m",
    "\x1b[1m",
    "\x1b[0m",
)
_COLOURS: Final = {"sent": _GREEN, "deferred": _YELLOW, "bounced": _RED, "expired": _RED}
_NOTICE: Final = re.compile(r"sender (non-delivery|delay|delivery status) notification: (\w+)")
_NARROW: Final = 80


class Screen:
    """Shows a lab's mail."""

    def __init__(self, lab: Lab, out: TextIO, *, colour: bool) -> None:
        self._lab = lab
        self._out = out
        self._colour = colour
        self._width = max(_NARROW, shutil.get_terminal_size((120, 40)).columns)
        self._scenario_of: dict[str, str] = {}  # by queue id
        self._notices: dict[str, str] = {}  # queue id of a notice → of its message
        self._last: dict[tuple[str, str], tuple[str, int]] = {}
        names = [len(name) for name in lab.scenarios]
        self._column = min(16, max(names, default=8))

    # -- while mail flows ------------------------------------------------------------------------------

    def begin(self, seed: int) -> None:
        """What there is."""
        lab = self._lab
        hosts = sum(host is not None for name in lab.scenarios for host in lab.internet.hosts(name))
        self._say(
            f"{self._paint(_BOLD, 'Pillarbox lab')}: {len(lab.scenarios)} scenarios, {hosts} mail hosts and "
            f"{len(lab.internet.zones.zones)} zones on loopback, seed {seed}."
        )
        self._say("Nothing leaves this machine.  Time is skipped while mail only waits.  Ctrl-C ends it.")
        self._say("")

    def submitted(self, one: Submitted) -> None:
        """A message was given to the system inside."""
        scenario = one.submission.scenario
        if one.queue_id:
            self._scenario_of[one.queue_id] = scenario.name
            to = ", ".join(name for name in recipients(scenario) if name not in one.refusals)
            self._event(one.at, scenario.name, _BLUE, "taken", f"{scenario.sender or '<>'} → {to}")
        for recipient, reply in one.refusals.items():
            self._event(one.at, scenario.name, _RED, "refused", f"{recipient}: {reply}")

    def line(self, line: Line) -> None:
        """A line of the log."""
        if (attempt := read_attempt(line)) is not None:
            if attempt.queue_id in self._notices:
                return
            key = (attempt.queue_id, attempt.recipient)
            what = f"{attempt.status} {attempt.text}"
            last, count = self._last.get(key, ("", 0))
            count = count + 1 if what == last else 1
            self._last[key] = (what, count)
            if count & (count - 1):
                return
            again = f" ({count} times)" if count > 1 else ""
            relay = "" if attempt.relay in ("none", "virtual") else f" by {attempt.relay.partition('[')[0]}"
            colour = _COLOURS.get(attempt.status, _PLAIN)
            name = self._scenario_of.get(attempt.queue_id, "")
            self._event(
                attempt.at, name, colour, attempt.status, f"{attempt.recipient}{relay}: {attempt.text}{again}"
            )
        elif (match := _NOTICE.match(line.text)) is not None:
            self._notices[match[2]] = line.queue_id
            kind = {"non-delivery": "it failed", "delay": "it is late"}.get(match[1], "it arrived")
            name = self._scenario_of.get(line.queue_id, "")
            self._event(line.at, name, _DIM, "notice", f"the sender hears that {kind}")
        elif "status=expired" in line.text:
            name = self._scenario_of.get(line.queue_id, "")
            self._event(line.at, name, _RED, "expired", "its time in the queue is up")

    def _event(self, at: float, name: str, colour: str, what: str, text: str) -> None:
        start = f"{elapsed(at - int(self._lab.began)):>12}  {name:<{self._column}}  "
        room = self._width - len(start) - 10
        shown = text if len(text) <= room else text[: room - 1] + "…"
        self._say(f"{self._paint(_DIM, start)}{self._paint(colour, f'{what:<9}')} {shown}")

    # -- the end ---------------------------------------------------------------------------------------

    def summary(self, found: list[Result], *, seconds: float) -> None:
        """What each recipient got; `seconds` of real time went by."""
        self._say("")
        self._say(self._paint(_BOLD, "What each recipient got"))
        for result in found:
            mark = self._paint(_GREEN, "✓") if result.is_right else self._paint(_RED, "✗")
            start = f" {mark} {result.recipient:<32} "
            self._say(start + self._came(result))
            for objection in result.objections:
                self._say(f"   {self._paint(_RED, objection)}")
        wrong = sum(not result.is_right for result in found)
        messages = len(self._lab.submitted)
        notices = len(self._notices)
        passed = elapsed(self._lab.clock.now() - self._lab.began).strip()
        self._say("")
        self._say(
            f"{messages} messages, {len(self._lab.attempts)} attempts, {notices} notices; "
            f"{passed} of the lab's time in {seconds:.0f} seconds."
        )
        if wrong:
            self._say(self._paint(_RED, f"{wrong} of {len(found)} recipients did not get what they should."))
        else:
            self._say(self._paint(_GREEN, f"All {len(found)} recipients got what they should."))

    def _came(self, result: Result) -> str:
        failed = [text for text in result.notices if text.startswith("failed")]
        times = f"{result.got} × " if result.got > 1 else ""
        if result.got:
            late = "" if result.attempts < 2 else f", attempt {result.attempts}"
            when = f" after {elapsed(result.finished).strip()}" if result.finished > 1 else ""
            text = f"{times}the message, at {result.where}{late}{when}"
        elif failed:
            text = f"nothing; the sender heard: {failed[0].removeprefix('failed ')}"
        elif result.expected.fate == "refused":
            text = f"nothing; refused: {result.expected.text}"
        else:
            text = "nothing yet"
        room = self._width - 38
        return text if len(text) <= room else text[: room - 1] + "…"

    # -- letters ---------------------------------------------------------------------------------------

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour else text

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
