"""Queries made of keys, and answers made of values: what sqlite_table(5) says of percent signs."""

import pytest

from pillarbox.tables.lookup_template import BadTemplate, Templates, TooManyValues


def templates(query: str, result_format: str = "%s", warnings: list[str] | None = None) -> Templates:
    told = [] if warnings is None else warnings
    return Templates("sqlite:/x", query, result_format, warn=told.append)


QUESTIONS = [
    ("k = '%s'", "user@mail.b.test", "k = '(user@mail.b.test)'"),
    ("%u at %d, %U at %D of %S", "u@b.test", "(u) at (b.test), (u) at (b.test) of (u@b.test)"),
    ("%u", "bare", "(bare)"),
    ("%d", "bare", None),
    ("%d", "user@", None),
    ("%u", "@b.test", None),
    ("%d", "@b.test", "(b.test)"),
    ("%1 %2 %3", "u@mail.b.test", "(test) (b) (mail)"),
    ("%3", "u@b.test", None),
    ("%2", "u@.test", None),
    ("%u %d", '"a@b"@c.test', '("a@b") (c.test)'),
    ("100%% %s", "x", "100% (x)"),
]


@pytest.mark.parametrize(("query", "key", "question"), QUESTIONS)
def test_a_question(query: str, key: str, question: str | None) -> None:
    """What lacks a part that is asked for is not asked."""
    assert question == templates(query).question(key, lambda text: f"({text})")


ANSWERS = [
    ("q", "%s", ["a", None, "b"], "k", "a,b"),
    ("q", "smtp:[%s]", ["mx.test"], "k", "smtp:[mx.test]"),
    ("q", "%u-%d-%S-%U-%D", ["a@b.test", "bare"], "k@c.test", "a-b.test-k@c.test-k-c.test"),
    ("q", "%u", ["@b.test", "x"], "k", "x"),
    ("q", "%2.%1", ["v"], "k@c.test", "c.test"),
    ("q", "%%", ["v"], "k", "%"),
    ("q", "%s", [None], "k", None),
]


@pytest.mark.parametrize(("query", "shape", "values", "key", "answer"), ANSWERS)
def test_an_answer(query: str, shape: str, values: list[str | None], key: str, answer: str | None) -> None:
    """Values with their format, with commas between."""
    assert answer == templates(query, shape).answer(values, key, limit=0)


def test_what_is_empty_is_told() -> None:
    """And passed over."""
    told: list[str] = []
    asked = templates("%s", warnings=told)
    assert asked.question("", str) is None
    assert asked.answer(["", "x"], "k", limit=0) == "x"
    assert told == [
        'table "sqlite:/x": empty query string -- ignored',
        'table "sqlite:/x": empty lookup result for: "k" -- ignored',
    ]


def test_more_values_than_allowed() -> None:
    """expansion_limit counts what would be given."""
    assert templates("%s").answer(["a", None, "b"], "k", limit=2) == "a,b"
    with pytest.raises(TooManyValues):
        templates("%s").answer(["a", "b", "c"], "k", limit=2)


@pytest.mark.parametrize(("query", "shape", "what"), [("%x", "%s", "query"), ("%s", "100%", "result")])
def test_a_bad_template(query: str, shape: str, what: str) -> None:
    """Another letter, or none."""
    with pytest.raises(BadTemplate, match=f"Invalid {what} template"):
        templates(query, shape)
