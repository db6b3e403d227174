"""The base subject of RFC 5256 §2.1."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message import base_subject as module
from pillarbox.message.base_subject import base_subject

CASES = [
    ("hello", "hello", False),
    ("Re: hello", "hello", True),
    ("RE: re: Fwd: hello", "hello", True),
    ("fw: hello", "hello", True),
    ("Re[2]: hello", "hello", True),
    ("re [x] : hello", "hello", True),
    ("[list] hello", "hello", False),
    ("[list] Re: [list] hello", "hello", True),
    ("Re: [list] hello", "hello", True),
    ("[list]", "[list]", False),
    ("Re: [list]", "[list]", True),
    ("[a] [b]", "[b]", False),
    ("[a] [b] Re: [c] x", "x", True),
    ("[a][b] [c] x", "x", False),
    ("hello (fwd)", "hello", True),
    ("hello (FWD) (fwd) ", "hello", True),
    ("[fwd: hello]", "hello", True),
    ("[Fwd: Re: [x] hello (fwd)]", "hello", True),
    ("[fwd: hello", "[fwd: hello", False),
    ("  a \t b\r\n c ", "a b c", False),
    ("Re:", "", True),
    ("", "", False),
    ("Rex: hello", "Rex: hello", False),
    ("Antwort: hello", "Antwort: hello", False),
]


@pytest.mark.parametrize(("subject", "base", "is_reply"), CASES)
def test_base_subject(subject: str, base: str, is_reply: bool) -> None:
    """The examples of people, and the corners of the grammar."""
    assert (base, is_reply) == base_subject(subject)


@given(st.text(alphabet="re fwd:[]()x\t", max_size=40))
def test_it_is_its_own_base(subject: str) -> None:
    """What is left has nothing left to take off."""
    base, _ = base_subject(subject)
    assert (base, False) == base_subject(base)


@given(st.text(alphabet="re fwd:[]()xé\t\r\n", max_size=20))
def test_words_alone_are_their_own_base(subject: str) -> None:
    """What is not looked at step by step would have come to the same."""
    quick = base_subject(subject)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WORDS", re.compile("(?!)"))
        assert quick == base_subject(subject)


def test_many_blobs_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each a try for a leader through all that follow: a subject of 4096 characters took a tenth of a second."""
    tried: list[int] = []
    leader = module._LEADER

    class Counted:
        def match(self, text: str) -> re.Match[str] | None:
            tried.append(len(text))
            return leader.match(text)

    monkeypatch.setattr(module, "_LEADER", Counted())
    assert base_subject("[a]" * 1000 + "x") == ("x", False)
    assert len(tried) < 5
