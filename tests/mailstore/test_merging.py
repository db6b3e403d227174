"""What a synchronization plans: for one mailbox, without files (mailstore/synchronizing/merging.py)."""

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.synchronizing.merging import (
    Base,
    Meaning,
    Message,
    Plan,
    Side,
    backup,
    merge,
    pairs_of,
)

SEEN, FLAGGED = 1, 2


def side(*messages: Message, next_uid: int = 0, validity: int = 7, guid: bytes = b"m") -> Side:
    """A mailbox of these messages."""
    highest = max((one.uid for one in messages), default=0)
    return Side(guid, validity, next_uid or highest + 1, list(messages))


def carried_out(plan: Plan, before: Side, other: Side) -> Side:
    """What a side is after its plan."""
    theirs = {one.uid: one for one in other.messages}
    moved, flags = dict(plan.renumbered), dict(plan.flags)
    after = []
    for one in before.messages:
        if one.uid not in plan.expunged:
            uid = moved.get(one.uid, one.uid)
            after.append(Message(uid, one.guid, *flags.get(uid, one.meaning)))
    after += [Message(uid, theirs[there].guid, *theirs[there].meaning) for there, uid in plan.saved]
    after.sort(key=lambda one: one.uid)
    uids = [one.uid for one in after]
    assert len(set(uids)) == len(uids)
    assert all(uid < plan.next_uid for uid in uids)
    if not plan.is_rebuilt:
        assert plan.next_uid >= before.next_uid
        assert all(uid >= before.next_uid for uid in {*moved.values(), *(uid for _, uid in plan.saved)})
    return Side(plan.guid, plan.uid_validity, plan.next_uid, after)


def guids(one: Side) -> dict[int, bytes]:
    """UID → GUID."""
    return {message.uid: message.guid for message in one.messages}


def both(source: Side, target: Side, base: Base | None, *, one_way: bool = False) -> tuple[Side, Side]:
    """Both after a merge."""
    ours, theirs = merge(source, target, base, one_way=one_way)
    after = carried_out(theirs, target, source)
    return (source if one_way else carried_out(ours, source, target)), after


def test_a_new_copy_has_the_same_uids() -> None:
    """Into a mailbox that does not exist: UIDs, flags, UIDNEXT."""
    source = side(Message(3, b"a", SEEN), Message(9, b"b", 0, frozenset({b"k"})), next_uid=20)
    plan = backup(source, Side())
    assert carried_out(plan, Side(), source) == source
    assert not plan.is_rebuilt


def test_what_only_the_target_has_goes() -> None:
    """Its own message under the UID of another, too."""
    source = side(Message(1, b"a"), Message(2, b"b"))
    target = side(Message(1, b"a", SEEN), Message(2, b"x"), Message(3, b"y"))
    plan = backup(source, target)
    assert plan.expunged == [2, 3]
    assert plan.is_rebuilt
    assert carried_out(plan, target, source).messages == list(source.messages)


def test_one_uid_for_two_messages_becomes_two_new_ones() -> None:
    """So that no client takes one for the other: by GUID, on both sides."""
    source = side(Message(1, b"a"), Message(2, b"s"))
    target = side(Message(1, b"a"), Message(2, b"r"))
    ours, theirs = both(source, target, {(1, 1): (0, frozenset())})
    assert guids(ours) == guids(theirs) == {1: b"a", 3: b"r", 4: b"s"}


def test_flags_that_either_side_has_changed_since() -> None:
    """What was set is set, what was removed removed, on both."""
    keyword = frozenset({b"k"})
    base: dict[tuple[int, int], Meaning] = {(1, 1): (FLAGGED, keyword)}
    source, target = side(Message(1, b"a", FLAGGED | SEEN, keyword)), side(Message(1, b"a", FLAGGED))
    ours, theirs = both(source, target, base)
    assert ours.messages == theirs.messages == [Message(1, b"a", FLAGGED | SEEN)]
    target = side(Message(1, b"a", 0, keyword))
    ours, theirs = both(source, target, base)
    assert ours.messages == theirs.messages == [Message(1, b"a", SEEN, keyword)]


def test_without_memory_flags_are_united_and_nothing_is_lost() -> None:
    """Unless the other side remembers the very message under that UID."""
    source = side(Message(1, b"a", SEEN), Message(2, b"b"), Message(3, b"c"))
    target = side(Message(1, b"a", FLAGGED), Message(3, b"c"))
    ours, theirs = both(source, target, None)
    assert guids(ours) == guids(theirs) == {1: b"a", 3: b"c", 4: b"b"}
    assert theirs.messages[0].flags == SEEN | FLAGGED
    remembering = Side(b"m", 7, 4, target.messages, {2: b"b"})
    ours, theirs = both(source, remembering, None)
    assert guids(ours) == guids(theirs) == {1: b"a", 3: b"c"}


def test_one_way_keeps_what_the_target_has() -> None:
    """Its UIDVALIDITY, its messages, and that it has expunged one."""
    source = side(Message(1, b"a"), Message(2, b"b"), Message(3, b"c"), Message(4, b"d"))
    target = side(Message(2, b"b"), Message(3, b"c"), Message(4, b"x"))
    _, theirs = both(source, target, None, one_way=True)
    assert sorted(guids(theirs).values()) == [b"b", b"c", b"d", b"x"]
    other = side(Message(1, b"z"), validity=99, guid=b"n")
    _, theirs = both(source, other, None, one_way=True)
    assert (theirs.uid_validity, theirs.guid, guids(theirs)[1]) == (99, b"n", b"z")


MESSAGES = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(b"abcdefgh"),
        st.integers(0, 3),
        st.sampled_from((b"", b"k", b"l")),
    ),
    max_size=8,
    unique_by=lambda one: one[0],
).map(
    lambda rows: [
        Message(uid, bytes([guid]), flags, frozenset({name} - {b""}))
        for uid, guid, flags, name in sorted(rows)
    ]
)
SIDES = st.builds(
    lambda messages, more, validity: side(
        *messages, next_uid=max((one.uid for one in messages), default=0) + 1 + more, validity=validity
    ),
    MESSAGES,
    st.integers(0, 3),
    st.integers(7, 8),
)


@given(SIDES, SIDES)
def test_a_backup_is_the_same(source: Side, target: Side) -> None:
    """Whatever was there; and a second one has nothing to do."""
    after = carried_out(backup(source, target), target, source)
    assert after.messages == list(source.messages)
    assert not backup(source, after).changes(after)


@given(SIDES, SIDES, st.booleans())
def test_a_merge_makes_both_the_same(source: Side, target: Side, remembers: bool) -> None:
    """Same UIDs and flags; what neither has expunged is there; a second one has nothing to do."""
    base = (
        {(one.uid, other.uid): one.meaning for one, other in pairs_of(source, target)} if remembers else None
    )
    ours, theirs = both(source, target, base)
    assert (ours.messages, ours.uid_validity, ours.guid) == (
        theirs.messages,
        theirs.uid_validity,
        theirs.guid,
    )
    assert {one.guid for one in ours.messages} == {one.guid for one in (*source.messages, *target.messages)}
    later = {(one.uid, one.uid): one.meaning for one in ours.messages}
    plans = merge(ours, theirs, later)
    assert not plans[0].changes(ours)
    assert not plans[1].changes(theirs)


@given(SIDES, SIDES)
def test_one_way_loses_nothing_of_the_target(source: Side, target: Side) -> None:
    """Nor the target's UIDVALIDITY."""
    _, theirs = both(source, target, {}, one_way=True)
    assert theirs.uid_validity == target.uid_validity
    assert {one.guid for one in theirs.messages} == {one.guid for one in (*source.messages, *target.messages)}
