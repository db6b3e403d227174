"""Names of messages and users in texts: what comparisons of them choose."""

import pytest

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names

NAMES = {"user": "bob", "extension": "x;y", "size": "10"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("${{$user} == {bob}?{same}:{other}}", "same"),
        ("${{$user} != {bob}?{other}:{same}}", "same"),
        ("${{$size} > {9}?{larger}}", "larger"),
        ("${{$size} < {9}?{smaller}}.", "."),
        ("${{$user} == {bob}}", "true"),
        ("${{$nobody} == {}?{nobody}:{$user}}", "nobody"),
        ("${{$extension} == {x_y}?{as filtered}}", "as filtered"),
    ],
)
def test_comparisons(template: str, text: str) -> None:
    """postconf(5), for texts of which a program knows the names."""
    assert expand_names(template, NAMES, allowed="xybo10").text == text


def test_functions() -> None:
    """They are main.cf's."""
    with pytest.raises(ExpansionError, match="functions are not served here"):
        expand_names("${domain_to_ascii{x}}", NAMES, allowed=None)
