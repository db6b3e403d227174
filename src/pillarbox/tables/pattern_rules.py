"""What regexp: and pcre: tables have in common: rules in order, IF … ENDIF, the first match decides.

DESCRIPTION
        /pattern/flags text          !/pattern/flags text          /pattern/flags!/pattern/flags text (regexp)
        if /pattern/flags … endif    if !/pattern/flags … endif

    Any character that is no letter, digit or blank may stand for the slashes.  Flags turn an option on, or off
    if it is on by default.  A rule that is wrong is warned of by line number and left out, as in Postfix.

    The key is matched as it is: whole, and in its own case.

FAULTS
    LookupFault  at query: the library gave up (a limit on steps, memory)

STANDARDS
    regexp_table(5), pcre_table(5)
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from pillarbox.config.logical_lines import BLANKS
from pillarbox.tables.file_values import FileValueFault
from pillarbox.tables.pattern_sources import rules_of
from pillarbox.tables.replacement import BadReplacement, Replacement
from pillarbox.tables.table import Keys, LookupFault, Opening, octets_of


class Matcher(Protocol):
    """A compiled pattern."""

    groups: int

    def search(self, subject: bytes) -> tuple[bytes, ...] | None:
        """The match and its groups; None if there is none."""
        ...


class PatternError(Exception):
    """A pattern cannot be compiled, or a search cannot be finished."""


class Dialect(msgspec.Struct, frozen=True):
    """How one kind of pattern is written."""

    kind: str
    compile: Callable[[bytes, int], Matcher]
    default_flags: int
    flags: dict[str, int]  # by letter; each turns its bit over
    obsolete_flags: str  # letters that are warned of, and no more
    after_unclosed: str  # what the warning of a missing delimiter says of the rule
    second_pattern: bool  # /a/!/b/
    below_one: str  # the warning of a $0


class Test(msgspec.Struct, frozen=True):
    """A pattern and whether it has to match."""

    matcher: Matcher
    wanted: bool


class Rule(msgspec.Struct):
    """A rule with a text; or one without, an IF, whose block goes on to `end` (None: to the table's end)."""

    line: int
    first: Test
    second: Test | None = None
    text: Replacement | None = None
    end: int | None = None


class _Skip(Exception):
    """The rule is left out; the warning, if there has not been one."""


class PatternTable:
    """`regexp:/path`, `pcre:/path`, and both with `{ {rule} … }`."""

    partial_keys = False

    def __init__(self, dialect: Dialect, name: str, *, opening: Opening) -> None:
        self.name = f"{dialect.kind}:{name}"
        self._keys = Keys(self.name, opening, fold=False)
        self.owner_uid, lines = rules_of(dialect.kind, name, opening)
        self._rules = _Parser(dialect, name, opening).rules(lines)

    def query(self, key: str) -> str | None:
        """The text of the first rule that matches."""
        checked = self._keys.folded(key)
        if checked is None:
            return None
        try:
            found = self._find(octets_of(checked).partition(b"\0")[0])
        except PatternError as error:
            raise LookupFault(self.name, str(error)) from error
        return None if found is None else self._keys.checked(key, found.decode("utf-8", "surrogateescape"))

    def _find(self, subject: bytes) -> bytes | None:
        rules = self._rules
        index = 0
        while index < len(rules):
            rule = rules[index]
            index += 1
            groups = _holds(rule.first, subject)
            if rule.text is None:
                if groups is None:
                    if rule.end is None:
                        return None
                    index = rule.end
            elif groups is not None and (rule.second is None or _holds(rule.second, subject) is not None):
                return rule.text.expand(groups)
        return None


def _holds(test: Test, subject: bytes) -> tuple[bytes, ...] | None:
    """The groups if the test holds: none for a pattern that has to be absent."""
    groups = test.matcher.search(subject)
    if test.wanted:
        return groups
    return () if groups is None else None


class _Parser:
    """Lines to rules."""

    def __init__(self, dialect: Dialect, name: str, opening: Opening) -> None:
        self._dialect = dialect
        self._map = f"{dialect.kind} map {name}"
        self._warn = opening.warn
        self._substitutes = opening.substitutes
        self._opening = opening

    def rules(self, lines: list[tuple[int, str]]) -> list[Rule]:
        """The rules; ENDIFs have become the `end` of their IFs."""
        found: list[Rule] = []
        open_ifs: list[Rule] = []
        for line, text in lines:
            try:
                if not _is_alnum(text[:1]):
                    found.append(self._match_rule(line, text))
                elif text[:2].lower() == "if" and not _is_alnum(text[2:3]):
                    found.append(self._if_rule(line, text[2:].lstrip(BLANKS)))
                    open_ifs.append(found[-1])
                elif text[:5].lower() == "endif" and not _is_alnum(text[5:6]):
                    if not open_ifs:
                        raise _Skip("ignoring ENDIF without matching IF")
                    open_ifs.pop().end = len(found)
                    if text[5:].strip(BLANKS):
                        raise _Skip("ignoring extra text after ENDIF")
                else:
                    raise _Skip("ignoring unrecognized request")
            except _Skip as skip:
                self._tell(line, str(skip))
        for rule in reversed(open_ifs):
            self._tell(rule.line, "IF has no matching ENDIF")
        return found

    def _tell(self, line: int, text: str) -> None:
        self._warn(f"{self._map}, line {line}: {text}")

    def _match_rule(self, line: int, text: str) -> Rule:
        pattern, options, wanted, rest = self._pattern(line, text)
        second: tuple[str, int, bool] | None = None
        if self._dialect.second_pattern and rest.startswith("!"):
            pattern_2, options_2, wanted_2, rest = self._pattern(line, rest)
            second = (pattern_2, options_2, wanted_2)
        rest = rest.lstrip(BLANKS)
        if not rest:
            self._tell(line, "no replacement text: using empty string")
        try:
            rest = self._opening.value(rest)
        except FileValueFault as fault:
            raise _Skip(f"{fault}: skipping this rule") from fault
        try:
            replacement = Replacement(rest, below_one=self._dialect.below_one)
        except BadReplacement as bad:
            reason = str(bad)
            if reason.endswith(f'macro name: "{rest}"') or reason.startswith("truncated"):
                self._warn(reason)
            else:
                self._tell(line, reason)
            raise _Skip("bad replacement syntax: skipping this rule") from bad
        if replacement.highest and not self._substitutes:
            raise _Skip("regular expression substitution is not allowed: skipping this rule")
        if replacement.highest and not wanted:
            raise _Skip("$number found in negative match replacement text: skipping this rule")
        first = Test(self._compile(pattern, options), wanted)
        if replacement.highest > first.matcher.groups:
            raise _Skip(f'out of range replacement index "{replacement.highest}": skipping this rule')
        rule = Rule(line, first, text=replacement)
        if second is not None:
            rule.second = Test(self._compile(second[0], second[1]), second[2])
        return rule

    def _if_rule(self, line: int, text: str) -> Rule:
        pattern, options, wanted, rest = self._pattern(line, text)
        rest = rest.lstrip(BLANKS)
        if rest:
            self._tell(line, f'ignoring extra text after IF statement: "{rest}"')
            self._tell(line, "do not prepend whitespace to statements between IF and ENDIF")
        return Rule(line, Test(self._compile(pattern, options), wanted))

    def _pattern(self, line: int, text: str) -> tuple[str, int, bool, str]:
        """Pattern, options, whether it has to match, and what follows."""
        dialect = self._dialect
        rest = text.lstrip(BLANKS + "!")
        wanted = text[: len(text) - len(rest)].count("!") % 2 == 0
        if not rest:
            raise _Skip("no regexp: skipping this rule")
        delimiter = rest[0]
        end = 1
        while end < len(rest) and rest[end] != delimiter:
            end += 2 if rest[end] == "\\" else 1
        if end >= len(rest):
            raise _Skip(f'no closing regexp delimiter "{delimiter}": {dialect.after_unclosed}')
        pattern = rest[1:end]
        options = dialect.default_flags
        position = end + 1
        while position < len(rest) and rest[position] not in _AFTER_FLAGS[dialect.second_pattern]:
            letter = rest[position]
            if letter in dialect.flags:
                options ^= dialect.flags[letter]
            elif letter in dialect.obsolete_flags:
                self._tell(line, f'ignoring obsolete regexp option "{letter}"')
            else:
                raise _Skip(f'unknown regexp option "{letter}": skipping this rule')
            position += 1
        return pattern, options, wanted, rest[position:]

    def _compile(self, pattern: str, options: int) -> Matcher:
        try:
            return self._dialect.compile(octets_of(pattern), options)
        except PatternError as error:
            raise _Skip(str(error)) from error


def _is_alnum(text: str) -> bool:
    return text.isascii() and text.isalnum()


_AFTER_FLAGS: Final = {False: BLANKS, True: BLANKS + "!"}
