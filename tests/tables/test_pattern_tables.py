"""regexp: and pcre: tables: order, IF, flags, groups; wrong rules are told by line and left out."""

from pathlib import Path

import pytest

from pillarbox.tables.opening import open_with
from pillarbox.tables.table import LookupFault, LookupTable, Opening
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault


class Rules:
    """A rule file, opened."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rules"
        self.warnings: list[str] = []

    def open(self, kind: str, text: str, *, substitutes: bool = True) -> LookupTable:
        self.path.write_text(text)
        return open_with(
            f"{kind}:{self.path}",
            Opening(
                where="main.cf, line 1",
                clock=ManualClock(),
                warn=self.warnings.append,
                substitutes=substitutes,
            ),
        )

    def told(self) -> list[str]:
        return [warning.replace(str(self.path), "F") for warning in self.warnings]


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(tmp_path)


BOTH = [
    # name, rules, key, answer
    ("first match", "/a/ one\n/ab/ two\n", "ab", "one"),
    ("no match", "/a/ one\n", "b", None),
    ("either case", "/abc/ x\n", "xABCx", "x"),
    ("case with i", "/abc/i x\n", "ABC", None),
    ("groups", "/^(.)(.*)$/ $2-${1}-$(2)$$\n", "abc", "bc-a-bc$"),
    ("a group that took no part", "/^a(b)?$/ <$1>\n", "a", "<>"),
    ("not", "!/x/ no x\n", "a", "no x"),
    ("not not", "!!/x/ x\n", "ax", "x"),
    ("other delimiters", "|a/b| slash\n", "a/b", "slash"),
    ("delimiter in the pattern", "/a\\/b/ slash\n", "a/b", "slash"),
    ("if", "if /^a/\n/b/ both\nendif\n/b/ only b\n", "ab", "both"),
    ("if not held", "if /^a/\n/b/ both\nendif\n/b/ only b\n", "b", "only b"),
    ("if not", "if !/^a/\n/b/ b, no a\nendif\n", "cb", "b, no a"),
    ("nested", "if /a/\nif /b/\n/c/ abc\nendif\n/c/ ac\nendif\n", "ac", "ac"),
    ("continued", "/a/\n  text of\n\tthe rule\n", "a", "text of\tthe rule"),
    ("the key has blanks", "/a b/ x\n", "a b", "x"),
    ("empty text", "/a/\n", "a", ""),
]


@pytest.mark.parametrize("kind", ["regexp", "pcre"])
@pytest.mark.parametrize(("text", "key", "answer"), [row[1:] for row in BOTH], ids=[row[0] for row in BOTH])
def test_both_dialects(kind: str, text: str, key: str, answer: str | None, rules: Rules) -> None:
    """What pcre_table(5) and regexp_table(5) say with the same words."""
    table = rules.open(kind, text)
    assert (table.query(key), table.partial_keys) == (answer, False)


def test_posix_takes_the_longest(rules: Rules) -> None:
    """POSIX: leftmost, longest; Perl: the first alternative."""
    assert rules.open("regexp", "/(a|ab)(c|bcd)?/ $1-$2\n").query("abcd") == "a-bcd"
    assert rules.open("pcre", "/(a|ab)(c|bcd)?/ $1-$2\n").query("abcd") == "a-bcd"
    assert rules.open("regexp", "/(a|ab)/ $1\n").query("ab") == "ab"
    assert rules.open("pcre", "/(a|ab)/ $1\n").query("ab") == "a"


REGEXP = [
    ("basic syntax with x", "/^a+$/x plus\n", "a+", "plus"),
    ("classes", "/^[[:digit:]]+$/ digits\n", "123", "digits"),
    ("bracket first", "/^[]-]([])])$/ $1\n", "-)", ")"),
    ("two patterns", "/a(.)/!/c/ $1\n", "abd", "b"),
    ("two patterns, second there", "/a(.)/!/c/ $1\n", "abc", None),
    ("m: lines", "/^b$/m x\n", "a\nb\nc", "x"),
]
PCRE = [
    ("A: anchored", "/b/A x\n", "ab", None),
    ("A: anchored, at the start", "/b/A x\n", "ba", "x"),
    ("x: blanks", "/a b/x x\n", "ab", "x"),
    ("m: lines", "/^b$/m x\n", "a\nb\nc", "x"),
    ("s is on", "/a.b/ x\n", "a\nb", "x"),
    ("s turned off", "/a.b/s x\n", "a\nb", None),
    ("E: end of text", "/a$/E x\n", "a\n", None),
    ("U: ungreedy", "/^(a+)/U $1\n", "aaa", "a"),
    ("lookahead", "/^(?!x)(?P<first>.)/ $1\n", "ab", "a"),
]


@pytest.mark.parametrize(
    ("kind", "text", "key", "answer"),
    [("regexp", *row[1:]) for row in REGEXP] + [("pcre", *row[1:]) for row in PCRE],
    ids=[f"regexp {row[0]}" for row in REGEXP] + [f"pcre {row[0]}" for row in PCRE],
)
def test_one_dialect(kind: str, text: str, key: str, answer: str | None, rules: Rules) -> None:
    """Flags and syntax of one of them."""
    assert rules.open(kind, text).query(key) == answer


WRONG = [
    ("/(a/ x", "regexp", "Unmatched ( or \\("),
    ("/(a/ x", "pcre", "error in regex at offset 2: missing closing parenthesis"),
    ("/a", "regexp", 'no closing regexp delimiter "/": skipping this rule'),
    ("/a", "pcre", 'no closing regexp delimiter "/": ignoring this rule'),
    ("/a/Z x", "pcre", 'unknown regexp option "Z": skipping this rule'),
    ("/a/ $1", "pcre", 'out of range replacement index "1": skipping this rule'),
    ("!/(a)/ $1", "regexp", "$number found in negative match replacement text: skipping this rule"),
    ("endif", "pcre", "ignoring ENDIF without matching IF"),
    ("if /a/", "regexp", "IF has no matching ENDIF"),
    ("word", "regexp", "ignoring unrecognized request"),
]


@pytest.mark.parametrize(("rule", "kind", "reason"), WRONG)
def test_a_wrong_rule_is_told_and_left_out(rule: str, kind: str, reason: str, rules: Rules) -> None:
    """With file and line; the others count (an open IF holds back what follows it)."""
    table = rules.open(kind, f"\n/k/ kept\n{rule}\n")
    assert rules.told()[-1] == f"{kind} map F, line 3: {reason}"
    assert table.query("k") == "kept"


@pytest.mark.parametrize("kind", ["regexp", "pcre"])
def test_answers_that_nobody_outside_may_choose(kind: str, rules: Rules) -> None:
    """transport_maps and its kin: a rule that puts what it matched into its text is left out."""
    table = rules.open(kind, "/^(.*)@a$/ smtp:$1\n/@/ smtp:$$x\n", substitutes=False)
    assert rules.told() == [
        f"{kind} map F, line 1: regular expression substitution is not allowed: skipping this rule"
    ]
    assert table.query("evil@a") == "smtp:$x"


def test_a_pattern_that_runs_wild_is_a_fault(rules: Rules) -> None:
    """A rule that refuses mail must not be passed by exhausting it."""
    table = rules.open("pcre", "/^(a+)+$/ REJECT\n")
    with pytest.raises(LookupFault, match="pcre:"):
        table.query("a" * 60 + "!")


def test_rules_in_main_cf() -> None:
    """Braces around the table and each rule."""
    opening = Opening(where="main.cf, line 1", clock=ManualClock())
    assert open_with("pcre:{ {/a(.)/ $1}, {/b/ x} }", opening).query("ab") == "b"
    assert open_with("regexp:{{!/a/ x y}}", opening).query("b") == "x y"
    with pytest.raises(ConfigurationFault, match=r"no '\{' at start of text in \"/a/x\""):
        open_with("regexp:{/a/x}", opening)


def test_octets_that_are_not_utf8(rules: Rules) -> None:
    """Such a key is in no table, as in Postfix with smtputf8_enable; patterns are octets."""
    table = rules.open("regexp", "/./ any\n")
    assert table.query("\udce9") is None
    assert "non-UTF-8 key" in rules.told()[0]
    assert table.query("é") == "any"
