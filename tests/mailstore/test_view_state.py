"""A view that is written down and goes on elsewhere tells its client what it would have told."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstore.test_view import Client, expunge, flag, mailbox_of
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, NewMessage
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.mailstore.view import NOTHING, MailboxView, ViewLost
from pillarbox.mailstore.view_state import ViewState, pack_uids, translated_keywords, unpack_uids
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

KEYWORDS = (b"", b"$Forwarded", b"work", b"$Junk")


def written_down(view: MailboxView) -> ViewState:
    """As another process reads it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(view.state()), type=ViewState)


def elsewhere(state: ViewState, mailbox: MemoryMailbox) -> MailboxView:
    """The same client's view, in another process."""
    return MailboxView(mailbox, read_only=False, known=state)


def change(mailbox: MemoryMailbox, step: str, value: int, *, origin: object = None) -> None:
    """What somebody does to the mailbox."""
    uids = mailbox.messages.uids
    match step:
        case "append":
            asyncio.run(mailbox.append([NewMessage(b"x")] * (value % 4 + 1)))
        case "expunge" if uids:
            expunge(mailbox, uids[value % len(uids)])
        case "flag" if uids:
            flag(mailbox, uids[value % len(uids)], origin=origin, keyword=KEYWORDS[value % 4])
        case "unflag" if uids:
            changed = FlagChange(FlagAction.REMOVE, Flag.SEEN)
            asyncio.run(mailbox.change_flags([Uid(uids[value % len(uids)])], changed, origin=origin))


CHANGES = ("append", "expunge", "flag", "unflag")
changes = st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 30)), max_size=12)
steps = st.lists(
    st.tuples(
        st.sampled_from((*CHANGES, "sync", "look", "sync without expunges", "park")), st.integers(0, 30)
    ),
    max_size=40,
)


@given(start=st.integers(0, 6), steps=steps)
def test_a_client_that_is_parked_now_and_then_knows_the_mailbox(
    start: int, steps: list[tuple[str, int]]
) -> None:
    """Numbers mean the same on both sides, whatever happens while nobody serves the client."""
    mailbox = mailbox_of(start)
    client = Client(MailboxView(mailbox, read_only=False))
    parked: ViewState | None = None
    for step, value in steps:
        if step in CHANGES:
            change(mailbox, step, value)
            continue
        if parked is not None:
            client.view, parked = elsewhere(parked, mailbox), None
        match step:
            case "look":
                client.view.take_in()
                assert [uid for uid, _ in client.messages] == list(client.view.known_uids())
                assert client.view.count == len(client.messages)
            case "park":
                parked = written_down(client.view)
            case _:
                client.hear(client.view.sync(tell_expunges=step == "sync"))
    if parked is not None:
        client.view = elsewhere(parked, mailbox)
    client.hear(client.view.sync(tell_expunges=True))
    assert client.messages == [(uid, client.flags_of(uid)) for uid in mailbox.messages.uids]
    assert client.view.recent == client.recent
    assert client.view.sync(tell_expunges=True) == NOTHING


@given(start=st.integers(0, 6), before=changes, after=changes, told=st.booleans())
def test_to_park_and_to_come_back_changes_nothing(
    start: int, before: list[tuple[str, int]], after: list[tuple[str, int]], told: bool
) -> None:
    """Two clients, one of whom is parked in between, hear the same."""
    boxes = [mailbox_of(start) for _ in range(2)]
    views = [MailboxView(mailbox, read_only=False) for mailbox in boxes]
    for mailbox, view in zip(boxes, views, strict=True):
        view.note_changes()
        for step, value in before:
            change(mailbox, step, value, origin=view if value % 2 else None)
        if told:
            view.sync(tell_expunges=False)
    views[1] = elsewhere(written_down(views[1]), boxes[1])
    for mailbox, view in zip(boxes, views, strict=True):
        for step, value in after:
            change(mailbox, step, value, origin=view if value % 2 else None)
        view.take_in()
    assert views[0].take_noted() == views[1].take_noted()
    assert views[0].known_uids() == views[1].known_uids()
    assert views[0].recent_ranges == views[1].recent_ranges
    assert views[0].sync(tell_expunges=True) == views[1].sync(tell_expunges=True)
    assert views[0].count == views[1].count
    assert views[0].last_uid == views[1].last_uid


@given(st.sets(st.integers(1, 0xFFFFFFFF)))
def test_uids_are_packed(uids: set[int]) -> None:
    """Any set of UIDs."""
    assert unpack_uids(pack_uids(sorted(uids))).tolist() == sorted(uids)


def test_keywords_that_have_other_bits_now_are_the_same_keywords() -> None:
    """Another program has written dovecot-keywords anew meanwhile."""
    mailbox = mailbox_of(2)
    flag(mailbox, 1, keyword=b"work")
    flag(mailbox, 2, keyword=b"$Junk")
    state = written_down(MailboxView(mailbox, read_only=False))
    other = mailbox_of(2)
    flag(other, 2, keyword=b"$Junk")
    flag(other, 1, keyword=b"work")
    told = elsewhere(state, other).sync(tell_expunges=True)
    assert told.keywords, "the list is another"
    assert told.flags == ()
    assert list(translated_keywords([1, 2, 3], [b"a", b"b"], [b"b"])) == [0, 1, 1]


def test_a_message_that_came_back_loses_the_view() -> None:
    """The client was told that it is gone: no number can be made for it between those that the client counts."""
    mailbox = mailbox_of(3)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 2)
    view.sync(tell_expunges=True)
    with pytest.raises(ViewLost):
        elsewhere(written_down(view), mailbox_of(3))


def test_a_message_that_came_back_before_the_client_heard_of_it_stays() -> None:
    """Nothing was told, nothing is."""
    mailbox = mailbox_of(3)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 2)
    told = elsewhere(written_down(view), mailbox_of(3)).sync(tell_expunges=True)
    assert told.expunged == ()
    assert [number for number, _ in told.flags] == [2]


def test_damaged_columns_are_refused() -> None:
    """ValueError, never a view that is wrong."""
    mailbox = mailbox_of(3)
    state = MailboxView(mailbox, read_only=False).state()
    for damaged in (
        msgspec.structs.replace(state, flags=b""),
        msgspec.structs.replace(state, uids=b"no DEFLATE"),
        msgspec.structs.replace(state, keyword_bits=state.flags),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - from several places
            elsewhere(damaged, mailbox)
