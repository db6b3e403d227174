"""Parameter expansion: what each form gives, and what each mistake is called."""

import pytest

from pillarbox.config.expansion import expand
from pillarbox.config.expansion_syntax import names_used
from pillarbox.config.value import Value
from pillarbox.vocabulary.faults import ConfigurationFault

DEFINED = {
    "e": "",
    "t": "yes",
    "n": "7",
    "refers_to_empty": "$e",
    "dollar": "$$t",
    "loop": "$pool",
    "pool": "${loop}",
    "name": "value",
}
VALUES = {name: Value(text, "main.cf", line) for line, (name, text) in enumerate(DEFINED.items(), 1)}

# Each row was compared with what Postfix 3.7 prints for `postconf -xh`.
CASES = [
    ("plain name", "$t", "yes"),
    ("braces", "${t}", "yes"),
    ("parentheses", "$(t)", "yes"),
    ("blanks inside braces", "${ t }", "yes"),
    ("name ends at a dot", "$t.x", "yes.x"),
    ("name ends at ?", "$t?x", "yes?x"),
    ("undefined is empty", "a${undefined}b", "ab"),
    ("if set", "${t?yes}", "yes"),
    ("if set, but empty", "${e?yes}", ""),
    ("if not set, but is", "${t:no}", ""),
    ("if not set", "${e:no}", "no"),
    ("undefined counts as empty", "${undefined:x}", "x"),
    ("both", "${t?{a}:{b}}", "a"),
    ("both, empty", "${e?{a}:{b}}", "b"),
    ("blanks between", "${ t ? { a } : { b } }", " a "),
    ("blanks of an open text stay", "X${t? a }Y", "X a Y"),
    ("an open text takes all", "${t?a:b}", "a:b"),
    ("open text as second", "X${e?{a}: b }Y", "X b Y"),
    ("empty texts", "[${t?}${t:}${e:}]", "[]"),
    ("nested reference", "${t?{$n}:{$e}}", "7"),
    ("nested braces", "${n?{a{b}c}}", "a{b}c"),
    ("closing brace after", "${n?a}b}", "ab}"),
    ("parentheses do not count braces", "$(n)(x)", "7(x)"),
    ("braces in parentheses", "$(t?{x})", "x"),
    ("dollar", "$$", "$"),
    ("dollar before a reference", "$$$t", "$yes"),
    ("dollar is not read again", "$dollar", "$t"),
    ("set is judged before expansion", "${refers_to_empty?x}", "x"),
    ("equal", "${{$t} == {yes} ? {a} : {b}}", "a"),
    ("not equal", "${{$t}!={yes}?{a}:{b}}", "b"),
    ("comparison alone, true", "${{$t} == {yes}}", "true"),
    ("comparison alone, false", "[${{$t} == {no}}]", "[]"),
    ("comparison, only if", "${{$t}=={yes}?a}", "a"),
    ("comparison, only else", "${{$t}=={no}:a}", "a"),
    ("comparison is true: no else", "[${{$t}=={yes}:a}]", "[]"),
    ("comparison sees expanded text", "${{$refers_to_empty}=={}?{y}:{n}}", "y"),
    ("numbers", "${{10} < {9} ? {a} : {b}}", "b"),
    ("numbers with zeros", "${{007} == {7} ? {a} : {b}}", "a"),
    ("at most", "${{10} <= {10} ? {a} : {b}}", "a"),
    ("at least", "${{9} >= {10} ? {a} : {b}}", "b"),
    ("more", "${{11} > {9} ? {a} : {b}}", "a"),
    ("not all digits: by octets", "${{10x} < {9} ? {a} : {b}}", "a"),
    ("minus is no digit", "${{-1} < {1}?{1}:{2}}", "1"),
    ("levels are not decimals", "${{3.10} <level {3.6} ? {a} : {b}}", "b"),
    ("level at least", "${{3.10} >=level {3.6} ? {a} : {b}}", "a"),
    ("levels equal", "${{01.0} ==level{1}?{1}:{2}}", "1"),
    ("levels with three parts", "${{1.2.3} <level{1.2}?{1}:{2}}", "2"),
    ("function", "${domain_to_ascii{bücher.example, b.example}}", "xn--bcher-kva.example, b.example"),
    ("function of a reference", "${domain_to_utf8{${e:xn--bcher-kva.example}}}", "bücher.example"),
    ("function with ?", "${domain_to_ascii{a} ? {x} : {y}}", "x"),
    ("function that cannot convert", "${domain_to_ascii{ü_-.-}}", "ü_-.-"),
    ("function the other way, cannot", "${domain_to_utf8{xn--99999999}}", "xn--99999999"),
    ("mistake in a text that is not chosen", "${t?{a}:{${bad-}}}", "a"),
]


@pytest.mark.parametrize(("template", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_expansion(template: str, expected: str) -> None:
    """Each form gives what Postfix gives."""
    assert expected == expand(Value(template, "main.cf", 99), VALUES.get)


MISTAKES = [
    ("dollar at the end", "a$", 'empty macro name: "a$"'),
    ("dollar before a minus", "$-x", 'empty macro name: "$-x"'),
    ("empty braces", "${}", 'empty macro name: "${}"'),
    ("empty parentheses", "$()", 'empty macro name: "$()"'),
    ("open brace", "${t?{a", 'truncated macro reference: "${t?{a"'),
    ("open parenthesis", "${t?$(n}", 'truncated macro reference: "$(n"'),
    ("bad character", "${t-}", 'attribute name syntax error at: "...t>>>-"'),
    ("two words", "${t x}", 'attribute name syntax error at: "...t>>> x"'),
    ("reference as name", "${$t}", 'attribute name syntax error at: "...>>>$t"'),
    ("unknown function", "${nosuch{a}}", 'attribute name syntax error at: "...nosuch>>>{a}"'),
    ("text after braces", "${t?{a} x}", '":" expected at: "...a}>>>x"'),
    ("text after else", "${e?{a}:{b} c}", 'unexpected input at: "...b}>>>c"'),
    ("else first", "${t:{a}?{b}}", 'unexpected input at: "...a}>>>?{b}"'),
    ("unbalanced braces", "$(t?{a)})", 'unbalanced {} in attribute expression: "{a"'),
    (
        "no operator",
        "${{a} b}",
        '"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: "...a}>>>b"',
    ),
    ("no right side", "${{a} == b}", '"{expression}" expected at: "...{a} ==>>> b"'),
    ("letters after an operator", "${{a} >=levels {b}}", 'bad operator suffix at: "...>=>>>levels"'),
    (
        "a sign after an operator",
        "${{a} !=- {b}}",
        '"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: "...a}>>>!=- {b}"',
    ),
    ("no right side, level", "${{a} ==level x}", '"{expression}" expected at: "...{a} ==>>> x"'),
    ("text after comparison", "${{a}=={a}x{b}}", '"?" or ":" expected at: "...}>>>x{b}"'),
    ("text after function", "${domain_to_ascii{a}x}", '"?" or ":" expected at: "...}>>>x"'),
    ("no level", "${{x} <level {3.6} ? {a} : {b}}", 'malformed compatibility level syntax: "x"'),
    ("four parts", "${{1.2.3.4} <level{2}?{1}:{2}}", 'malformed compatibility level syntax: "1.2.3.4"'),
    ("empty level", "${{} ==level{0}?{1}:{2}}", 'malformed compatibility level syntax: ""'),
    ("number too large", "${{99999999999999999999} < {1}}", "bad conversion: 99999999999999999999"),
    ("far too large", "${{" + "9" * 50 + "} < {1}}", "bad conversion: " + "9" * 50),
]


@pytest.mark.parametrize(("template", "expected"), [pytest.param(*case[1:], id=case[0]) for case in MISTAKES])
def test_mistakes_in_postfix_words(template: str, expected: str) -> None:
    """A mistake is named as Postfix names it, with file and line before."""
    with pytest.raises(ConfigurationFault) as caught:
        expand(Value(template, "main.cf", 99), VALUES.get)
    assert f"main.cf, line 99: {expected}" == str(caught.value)


def test_a_mistake_is_reported_where_it_stands() -> None:
    """A fault names the line of the value that holds the mistake, not of the one that refers to it."""
    values = {"a": Value("$b", "main.cf", 1), "b": Value("${", "main.cf", 2)}
    with pytest.raises(ConfigurationFault) as caught:
        expand(values["a"], values.get)
    assert "main.cf, line 2" == caught.value.where


def test_a_loop_is_refused() -> None:
    """A parameter that refers to itself is a fault, in Postfix's words."""
    with pytest.raises(ConfigurationFault, match="unreasonable macro call nesting"):
        expand(VALUES["loop"], VALUES.get)


@pytest.mark.parametrize(
    ("leaf", "message"), [("", "too many references"), ("x" * 10_000, "expanded value is too long")]
)
def test_doubling_is_bounded(leaf: str, message: str) -> None:
    """Values that double at each step end in a fault, not in memory or time."""
    values = {f"a{i}": Value(f"$a{i + 1}$a{i + 1}", "main.cf", i) for i in range(60)}
    values["a60"] = Value(leaf, "main.cf", 60)
    start = "a0" if not leaf else "a50"
    with pytest.raises(ConfigurationFault, match=message):
        expand(values[start], values.get)


def test_names_used_are_found_in_every_branch() -> None:
    """All names a template could refer to are found, chosen or not, nested, compared or converted, and each time."""
    template = "$a$a ${b?$c} ${d?{${e}}:{$(f)}} ${{$g} == {$h} ? {$i}} ${domain_to_ascii{$j}} $$k"
    assert list("aabcdefghij") == sorted(names_used(template))
