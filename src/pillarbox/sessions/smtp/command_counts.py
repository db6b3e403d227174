"""How often each SMTP command succeeded and failed, and how many did no work: the disconnect line and the limits.

DESCRIPTION
    Every command counts, by verb; XCLIENT as one that did not succeed, for the session begins anew, as in Postfix's
    line.  Refused ones add to `errors`; those that do no work (NOOP, RSET, HELO …) to
    `junk`.  A message that was taken sets both back (`forgive`).
"""

from typing import Final

from pillarbox.wire.smtp import commands
from pillarbox.wire.smtp.server import EndOfContent

VERBS: Final[dict[type, str]] = {
    commands.Helo: "helo",
    commands.Ehlo: "ehlo",
    commands.XClient: "xclient",
    commands.XForward: "xforward",
    commands.StartTls: "starttls",
    commands.Auth: "auth",
    commands.MailFrom: "mail",
    commands.RcptTo: "rcpt",
    commands.Data: "data",
    commands.Bdat: "bdat",
    commands.Rset: "rset",
    commands.Noop: "noop",
    commands.Vrfy: "vrfy",
    commands.Etrn: "etrn",
    commands.Quit: "quit",
    commands.Help: "help",
}
"""In the order of the disconnect line."""

_IN_ORDER: Final = (*VERBS.values(), "unknown")

JUNK: Final = frozenset(
    (commands.Helo, commands.Ehlo, commands.Rset, commands.Noop, commands.Vrfy, commands.Etrn, commands.Help)
)


class CommandCounts:
    """The counts of one session."""

    __slots__ = ("_by_verb", "errors", "junk")

    def __init__(self) -> None:
        self.errors = 0
        self.junk = 0
        self._by_verb: dict[str, list[int]] = {}

    def count(self, command: object, kind: type, *, succeeded: bool) -> None:
        """A command and how it went; one that failed at its end failed."""
        if (verb := VERBS.get(kind)) is not None:
            self.add(verb, succeeded=succeeded and kind is not commands.XClient)
            if kind in JUNK:
                self.junk += 1
        elif type(command) is EndOfContent:
            if command.chunked:
                self.add("bdat", succeeded=succeeded)
            elif not succeeded:
                self.take_back("data")
        elif not isinstance(command, commands.Refused):
            self.add("unknown", succeeded=succeeded)
        elif command.verb:
            self.add(command.verb.decode("ascii").lower(), succeeded=succeeded)

    def add(self, verb: str, *, succeeded: bool) -> None:
        """One more of a verb."""
        count = self._by_verb.get(verb)
        if count is None:
            count = self._by_verb[verb] = [0, 0]
        count[0] += succeeded
        count[1] += 1

    def take_back(self, verb: str) -> None:
        """What was answered with success has failed after all."""
        self._by_verb[verb][0] -= 1

    def forgive(self) -> None:
        """A message was taken: the client does work after all."""
        self.errors = self.junk = 0

    def totals(self) -> tuple[tuple[str, int, int], ...]:
        """Successes and totals by verb, in the order of the disconnect line."""
        counts = self._by_verb
        return tuple([(verb, counts[verb][0], counts[verb][1]) for verb in _IN_ORDER if verb in counts])
