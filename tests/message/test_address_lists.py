"""Lists of addresses: which words make an address, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.address_lists import Element, ListedAddress, listed, parse, render
from pillarbox.message.address_tokens import Token, tokens_of

LISTS = [
    # text, addresses as they stand
    ("", ['""']),
    ("<>", ['""']),
    ("a", ["a"]),
    ("a b", ["a", "b"]),
    ("a@b c@d", ["a@b", "c@d"]),
    ("Name <a@b>", ["a@b"]),
    ('"Name, of" A. <a@b>, (c) d', ["a@b", "d"]),
    ("<a b@c>", ["ab@c"]),
    ("<@x,@y:a@b>", ["@x, @y:a@b"]),
    ("group: a, b <c>;, d", ["a", "c", "d"]),
    ("none:;", []),
    ("a: <b>", ["a", "b"]),
    ("a:b", ["a:b"]),
    ("<a> <b>", ["a", "b"]),
    ("a <b> c", ["b", "c"]),
    ("a (b) . c", ["a.c"]),
    ("x <a", ["x<a"]),
    ("a > b", ["a", "b"]),
    ('"a b"@c', ['"a b"@c']),
    ("a@[1.2.3.4]", ["a@[1.2.3.4]"]),
    ("a\\ b", ['"a b"']),
    (",,;", []),
]


@pytest.mark.parametrize(("text", "addresses"), LISTS, ids=[repr(row[0]) for row in LISTS])
def test_addresses(text: str, addresses: list[str]) -> None:
    """RFC 822 §6, and what there is besides."""
    assert listed(text) == addresses


def _flat(elements: list[Element]) -> list[Token]:
    return [token for one in elements for token in (one.tokens if isinstance(one, ListedAddress) else [one])]


_texts = st.text(st.sampled_from('ab@.<>,:;()[]"\\! \n%'), max_size=30)


@given(_texts)
def test_nothing_is_lost(text: str) -> None:
    """Every token is there; there may be more commas, and the colons behind names of groups have a blank."""
    found = sorted((token.kind.name, token.text.strip()) for token in _flat(parse(text)))
    for token in tokens_of(text):
        found.remove((token.kind.name, token.text.strip()))
    assert set(found) <= {("OPERATOR", ",")}


_words = st.text(st.sampled_from("ab.!%'\"\\ ()@,"), min_size=1, max_size=6)
_quoted = _words.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
_locals = st.one_of(_quoted, st.sampled_from(["a", "a.b", "a+b", "\u00e4"]))
_addresses = st.builds("{}@{}".format, _locals, st.sampled_from(["c.test", "[192.0.2.1]", "d"]))
_elements = st.one_of(
    _addresses,
    st.builds("{} <{}>".format, st.one_of(_quoted, st.just("A B.")), _addresses),
    st.builds("{} (a \\( comment)".format, _addresses),
)


@given(st.lists(_elements, min_size=1, max_size=5))
def test_a_list_written_anew_says_the_same(elements: list[str]) -> None:
    """What has been written anew is read as the same addresses, and written in the same way again."""
    first = parse(", ".join(elements))
    text = " ".join(render(first, lambda _: None))
    second = parse(text)
    assert [one.address for one in second if isinstance(one, ListedAddress)] == [
        one.address for one in first if isinstance(one, ListedAddress)
    ]
    assert " ".join(render(second, lambda _: None)) == text
