"""The access policy delegation protocol, a server's side: requests in pieces, and answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.policy_delegation import PolicyReply, encode_request
from pillarbox.wire.policy_requests import LONGEST, PolicyRequests, encode_action

TWO = b"request=smtpd_access_policy\nrecipient=a@b.c\nsize=12\n\nrecipient=x=y\nfrob\nrecipient=z\n\n"
FOUND = [
    {"request": b"smtpd_access_policy", "recipient": b"a@b.c", "size": b"12"},
    {"recipient": b"z"},
]


@given(st.lists(st.integers(0, len(TWO)), max_size=6))
def test_requests_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    """Also where an empty line is cut in two."""
    requests, found, at = PolicyRequests(), [], 0
    for cut in [*sorted(cuts), len(TWO)]:
        found += requests.feed(TWO[at:cut])
        at = cut
    assert found == FOUND


def test_a_request_without_lines_is_one() -> None:
    """It has no recipient."""
    assert PolicyRequests().feed(b"\nsize=1\n\n") == [{}, {"size": b"1"}]


def test_what_never_ends_is_a_fault() -> None:
    """Nothing grows without bounds."""
    requests = PolicyRequests()
    assert requests.feed(b"x" * LONGEST) == []
    with pytest.raises(ValueError, match="without an end"):
        requests.feed(b"x")


@given(st.dictionaries(st.sampled_from(("recipient", "sender", "size")), st.binary(max_size=20)))
def test_what_our_client_asks_is_understood(attributes: dict[str, bytes]) -> None:
    """Both sides are ours; nothing breaks a line."""
    (found,) = PolicyRequests().feed(encode_request(attributes.items()))
    assert set(found) == {"request", *attributes}


def test_what_we_answer_is_understood() -> None:
    """A line end in an answer is none."""
    assert PolicyReply().feed(encode_action("554 5.2.2 a\nb")) == b"554 5.2.2 a b"
