"""What a session's view tells its client, for any order of changes and syncs."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.mailbox import FlagAction, FlagChange, MessageTable, NewMessage
from pillarbox.mailstore.memory.mailbox import MemoryMailbox
from pillarbox.mailstore.view import NOTHING, MailboxView, NoSuchNumber, Told, ViewLost
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid
from pillarbox.vocabulary.number_set import STAR, NumberSet


def mailbox_of(count: int, *, journal_limit: int = 1000) -> MemoryMailbox:
    """A mailbox with `count` messages, UIDs from 1."""
    mailbox = MemoryMailbox("INBOX", journal_limit=journal_limit)
    asyncio.run(mailbox.append([NewMessage(b"Subject: x\r\n\r\n")] * count))
    return mailbox


def expunge(mailbox: MemoryMailbox, *uids: int) -> None:
    asyncio.run(mailbox.expunge([Uid(uid) for uid in uids]))


def flag(mailbox: MemoryMailbox, *uids: int, origin: object | None = None, keyword: bytes = b"") -> None:
    change = FlagChange(FlagAction.ADD, Flag.SEEN, (keyword,) if keyword else ())
    asyncio.run(mailbox.change_flags([Uid(uid) for uid in uids], change, origin=origin))


class Client:
    """What a client knows that does what it is told."""

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.mailbox = view.mailbox
        self.messages = [(uid, self.flags_of(uid)) for uid in view.known_uids()]
        self.recent = view.recent
        self.silent: set[int] = set()

    def flags_of(self, uid: int) -> int:
        return self.mailbox.messages.flags[list(self.mailbox.messages.uids).index(uid)]

    def hear(self, told: Told) -> None:
        for number, uid in told.flags:
            assert self.messages[number - 1][0] == uid
            self.messages[number - 1] = (uid, self.flags_of(uid))
        for number in told.expunged:
            del self.messages[number - 1]
        if told.exists is not None:
            known = [uid for uid, _ in self.messages]
            new = [uid for uid in self.mailbox.messages.uids if not known or uid > known[-1]]
            self.messages += [(uid, self.flags_of(uid)) for uid in new]
            assert told.exists == len(self.messages)
        if told.recent is not None:
            self.recent = told.recent


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("expunge"), st.integers(0, 30)),
        st.tuples(st.just("flag"), st.integers(0, 30)),
        st.tuples(st.just("sync"), st.booleans()),
        st.tuples(st.just("look"), st.integers(0, 30)),
    ),
    max_size=40,
)


@given(start=st.integers(0, 6), steps=steps)
def test_after_any_changes_the_client_knows_the_mailbox(start: int, steps: list[tuple[str, int]]) -> None:
    """Numbers that are told mean what the client thinks, and in the end it knows all there is."""
    mailbox = mailbox_of(start)
    client = Client(MailboxView(mailbox, read_only=False))
    for step, value in steps:
        uids = mailbox.messages.uids
        match step:
            case "append":
                asyncio.run(mailbox.append([NewMessage(b"x")] * value))
            case "expunge" if uids:
                expunge(mailbox, uids[value % len(uids)])
            case "flag" if uids:
                flag(mailbox, uids[value % len(uids)])
            case "sync":
                client.hear(client.view.sync(tell_expunges=bool(value)))
            case "look":
                assert [uid for uid, _ in client.messages] == list(client.view.known_uids())
                assert client.view.count == len(client.messages)
    client.hear(client.view.sync(tell_expunges=True))
    expected = [(uid, client.flags_of(uid)) for uid in mailbox.messages.uids]
    assert expected == client.messages
    assert client.view.recent == client.recent
    assert client.view.sync(tell_expunges=True) == NOTHING


def test_expunges_are_told_highest_first() -> None:
    """The numbers below an expunged message do not move, so the highest goes first, as Dovecot does."""
    mailbox = mailbox_of(5)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 2, 3, 5)
    told = view.sync(tell_expunges=True)
    assert ((5, 3, 2), 2) == (told.expunged, told.recent)


def test_numbers_stay_while_expunges_may_not_be_told() -> None:
    """RFC 3501 §7.4.1: during FETCH, STORE and SEARCH a message that is gone still has its number."""
    mailbox = mailbox_of(3)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 2)
    assert view.sync(tell_expunges=False) == NOTHING
    assert view.count == 3
    assert view.number_of(3) == 3
    assert view.by_numbers(NumberSet.parse(b"2:3")).uids == [2, 3]
    assert view.sync(tell_expunges=True).expunged == (2,)
    assert view.number_of(3) == 2
    assert view.number_of(2) is None


def test_flags_are_told_with_the_numbers_before_the_expunges() -> None:
    """Flag changes come first, so their numbers are still the old ones."""
    mailbox = mailbox_of(3)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 1)
    flag(mailbox, 3)
    told = view.sync(tell_expunges=True)
    assert told.flags == ((3, 3),)
    assert told.expunged == (1,)


def test_a_silent_store_is_silent_to_its_own_session_only() -> None:
    """RFC 3501 §6.4.6: .SILENT; other sessions hear of the change all the same."""
    mailbox = mailbox_of(1)
    mine, other = (MailboxView(mailbox, read_only=False) for _ in range(2))
    flag(mailbox, 1, origin=mine)
    assert mine.sync(tell_expunges=True).flags == ()
    assert other.sync(tell_expunges=True).flags == ((1, 1),)


def test_a_new_keyword_is_told() -> None:
    """Dovecot sends FLAGS again when the mailbox has a keyword that the client does not know."""
    mailbox = mailbox_of(1)
    view = MailboxView(mailbox, read_only=False)
    flag(mailbox, 1, keyword=b"$Label1")
    assert view.sync(tell_expunges=True).keywords
    flag(mailbox, 1, keyword=b"$label1")
    assert not view.sync(tell_expunges=True).keywords


def test_recent_belongs_to_one_session() -> None:
    """RFC 3501 §2.3.2: the first session notified has \\Recent; one that cannot write takes none away."""
    mailbox = mailbox_of(2)
    looking = MailboxView(mailbox, read_only=True)
    first = MailboxView(mailbox, read_only=False)
    second = MailboxView(mailbox, read_only=False)
    assert (looking.recent, first.recent, second.recent) == (2, 2, 0)
    asyncio.run(mailbox.append([NewMessage(b"x")]))
    assert second.sync(tell_expunges=True) == Told(exists=3, recent=1)
    assert first.sync(tell_expunges=True) == Told(exists=3)
    assert second.recent_ranges == [(3, 4)]


NUMBERS = [
    # name, set, numbers
    ("one", b"2", [2]),
    ("all", b"1:*", [1, 2, 3]),
    ("backwards and twice", b"3:1,2", [1, 2, 3]),
    ("star alone", b"*", [3]),
    ("apart", b"1,3", [1, 3]),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in NUMBERS], ids=[row[0] for row in NUMBERS])
def test_sequence_sets_choose_rows(text: bytes, expected: list[int]) -> None:
    """Sets are read with `*` as the highest number, each message once, in order."""
    view = MailboxView(mailbox_of(3), read_only=False)
    chosen = view.by_numbers(NumberSet.parse(text))
    assert (expected, expected) == (chosen.numbers, chosen.uids)


@pytest.mark.parametrize("text", [b"4", b"1:4", b"4294967295"])
def test_numbers_above_exists_are_refused(text: bytes) -> None:
    """Dovecot answers BAD Invalid messageset; SEARCH reads them as nothing."""
    view = MailboxView(mailbox_of(3), read_only=False)
    with pytest.raises(NoSuchNumber):
        view.by_numbers(NumberSet.parse(text))
    assert view.by_numbers(NumberSet.parse(text), clamp=True).numbers == ([1, 2, 3] if b":" in text else [])


def test_an_empty_mailbox_has_no_star() -> None:
    """`FETCH 1:*` in an empty mailbox names a message that is not there; `UID FETCH 1:*` names none."""
    view = MailboxView(mailbox_of(0), read_only=False)
    with pytest.raises(NoSuchNumber):
        view.by_numbers(NumberSet.parse(b"1:*"))
    assert view.by_uids(NumberSet.parse(b"1:*")).uids == []


def test_uid_sets_leave_out_what_is_not_there() -> None:
    """RFC 3501 §6.4.8: "A non-existent unique identifier is ignored"; 9:* holds the last message."""
    mailbox = mailbox_of(5)
    expunge(mailbox, 2, 3)
    view = MailboxView(mailbox, read_only=False)
    assert view.by_uids(NumberSet.parse(b"1:4")).numbers == [1, 2]
    assert view.by_uids(NumberSet.parse(b"9:*")).uids == [5]
    assert view.by_uids(NumberSet.parse(b"9")).uids == []


@given(
    st.sets(st.integers(1, 900)),
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 4)), max_size=160),
)
def test_spans_of_uids_choose_what_is_in_them(there: set[int], spans: list[tuple[int, int]]) -> None:
    """Few or many of them, in any order, over each other, dense or scattered, with messages between or without."""
    mailbox = mailbox_of(0)
    mailbox.messages.uids.extend(sorted(there))
    view = MailboxView(mailbox, read_only=True)
    text = b",".join(b"%d:%d" % (low + more, low) if more else b"%d" % low for low, more in spans) or b"1001"
    named = {uid for low, more in spans for uid in range(low, low + more + 1)}
    chosen = view.by_uids(NumberSet.parse(text))
    assert chosen.uids == sorted(there & named)
    assert chosen.numbers == [sorted(there).index(uid) + 1 for uid in chosen.uids]


def test_a_span_of_all_uids_there_can_be_takes_no_room() -> None:
    """Many spans with billions of UIDs between them."""
    mailbox = mailbox_of(3)
    view = MailboxView(mailbox, read_only=True)
    text = b",".join(b"%d:%d" % (low, low + 20_000_000) for low in range(2, 4_000_000_000, 40_000_000))
    assert view.by_uids(NumberSet.parse(text)).uids == [2, 3]


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        (b"1", ((1, 1),)),
        (b"7:2,3,3:4294967295", ((7, 2), (3, 3), (3, 4294967295))),
        (b"*:4,*", ((STAR, 4), (STAR, STAR))),
        (b"007:08", ((7, 8),)),
    ],
)
def test_a_sequence_set_is_kept_as_it_was_written(text: bytes, ranges: tuple[tuple[int, int], ...]) -> None:
    """RFC 3501 §9: `seq-range = seq-number ":" seq-number`, in either order."""
    assert NumberSet.parse(text).ranges == ranges


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b",",
        b"1,",
        b"1:",
        b":1",
        b"1:2:3",
        b"0",
        b"4294967296",
        b"1,0",
        b" 1",
        b"1 ,2",
        b"[1]",
        b"1e1",
        b"+1",
    ],
)
def test_what_is_no_sequence_set_is_refused(text: bytes) -> None:
    """RFC 3501 §9: `nz-number`, and nothing between."""
    with pytest.raises(ValueError, match="number"):
        NumberSet.parse(text)


def test_a_view_that_fell_behind_the_journal_tells_all_flags() -> None:
    """Without the journal nothing is known of flags, but equal counts prove that nothing was expunged."""
    mailbox = mailbox_of(3, journal_limit=2)
    view = MailboxView(mailbox, read_only=False)
    flag(mailbox, 1, 2, 3)
    assert view.sync(tell_expunges=True).flags == ((1, 1), (2, 2), (3, 3))


def test_a_view_that_missed_expunges_is_lost() -> None:
    """Which messages went cannot be told any more: the session has to end."""
    mailbox = mailbox_of(5, journal_limit=2)
    view = MailboxView(mailbox, read_only=False)
    expunge(mailbox, 1, 2, 3)
    with pytest.raises(ViewLost):
        view.sync(tell_expunges=True)


@given(st.sets(st.integers(1, 120)), st.sets(st.integers(1, 120)))
def test_the_rows_of_many_messages_are_those_of_each(there: set[int], asked: set[int]) -> None:
    """Whether they are side by side, scattered or gone."""
    table = MessageTable()
    table.uids.extend(sorted(there))
    uids = sorted(asked)
    expected = [-1 if (row := table.row(Uid(uid))) is None else row for uid in uids]
    assert expected == list(table.rows(uids))
    assert isinstance(table.rows(sorted(there)), range)
