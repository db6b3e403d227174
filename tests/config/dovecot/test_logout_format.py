"""Figures of sessions in the log."""

import pytest

from pillarbox.config.dovecot.logout_format import (
    IMAP_FIGURES,
    IMAP_FORMAT,
    POP3_FIGURES,
    POP3_FORMAT,
    check,
    expand,
    refers_to,
)

USER = {"user": "me@x", "username": "me", "session": "s1"}


def test_figures_go_before_users_variables() -> None:
    """`%u` is the change of unique ids in POP3, and the user in IMAP."""
    assert expand("%u %n", POP3_FIGURES, {"uidl_change": "2/0"}, USER) == "2/0 me"
    assert expand("%u %{session}", IMAP_FIGURES, {}, USER) == "me@x s1"


def test_long_names() -> None:
    """Some figures have no other."""
    assert expand("%{deleted_bytes} %{output}", POP3_FIGURES, {"deleted_bytes": 3, "output": 4}, {}) == "3 4"


def test_the_usual_formats_can_be_expanded() -> None:
    """They are the defaults."""
    check(POP3_FORMAT, POP3_FIGURES)
    check(IMAP_FORMAT, IMAP_FIGURES)
    with pytest.raises(ValueError, match="Unknown variable '%t'"):
        check("%t", IMAP_FIGURES)
    with pytest.raises(ValueError, match="Unknown variable"):
        check("%{trashed}", POP3_FIGURES)


@pytest.mark.parametrize(("text", "refers"), [("%u", True), ("%{uidl_change}", True), ("%s", False)])
def test_what_is_referred_to(text: str, *, refers: bool) -> None:
    """By either name."""
    assert refers == refers_to(text, "uidl_change", POP3_FIGURES)
