"""What has become of mailboxes, by their names and GUIDs (RFC 5465 §5.4)."""

import pytest

from pillarbox.sessions.imap.name_changes import NameChange, OwnChanges, name_changes


def look(**names: str) -> dict[str, bytes]:
    """Names → GUIDs, `_` for the separator."""
    return {name.replace("_", "/"): guid.encode() for name, guid in names.items()}


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        (look(a="1"), look(a="1"), []),
        (look(a="1"), look(a="1", b="2"), [("b", "")]),
        (look(a="1", b="2"), look(a="1"), [("b", "")]),
        (look(a=""), look(a="1"), []),  # it has got its GUID
        (look(a="1"), look(a="2"), [("a", "")]),  # deleted and made again
        (look(a="1"), look(b="1"), [("b", "a")]),
        (look(a="1", b="2"), look(a="2", b="1"), [("a", "b"), ("b", "a")]),
        (look(a="1"), look(b="1", a="2"), [("b", "a"), ("a", "")]),
        (look(a="1", a_x="2", a_x_y="3"), look(b="1", b_x="2", b_x_y="3"), [("b", "a")]),
        (look(a="1", a_x=""), look(b="1", b_x="2"), [("b", "a")]),  # nobody has looked at a/x
        (look(a="1", a_x="2"), look(b="1", c_x="2"), [("b", "a"), ("c/x", "a/x")]),
        (look(a="1", a_x="2"), look(b="1", b_x="9"), [("b", "a"), ("b/x", ""), ("a/x", "")]),
        (look(), look(a_x="1"), [("a", ""), ("a/x", "")]),
        (look(), look(a_x="1", a_y="2"), [("a", ""), ("a/x", ""), ("a/y", "")]),
        (look(a="1", a_x="2"), look(a="1"), [("a", ""), ("a/x", "")]),
        (look(a_x="1"), look(b_x="1"), [("b/x", "a/x")]),
    ],
)
def test_changes(before: dict[str, bytes], now: dict[str, bytes], changes: list[tuple[str, str]]) -> None:
    assert [(change.name, change.old_name) for change in name_changes(before, now, "/")] == changes


def test_what_a_client_has_done_itself() -> None:
    """Unless somebody has undone it since."""
    own = OwnChanges()
    own.names.append((NameChange("made"), True))
    own.names.append((NameChange("gone"), False))
    own.names.append((NameChange("new", "old"), True))
    now = {"made", "new", "new/below"}
    assert own.has(NameChange("made"), now)
    assert own.has(NameChange("gone"), now)
    assert own.has(NameChange("new", "old"), now)
    assert own.has(NameChange("new/below", "old/below"), now)
    assert not own.has(NameChange("made"), now - {"made"})
    assert not own.has(NameChange("gone"), {"gone"})
    assert not own.has(NameChange("new", "another"), now)
