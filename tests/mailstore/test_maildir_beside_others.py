"""Any order of what we do and what other programs do to the same files: no message is lost or told twice."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes.examples import examples
from fakes.maildir_on_model import (
    ROOT,
    T,
    account_on,
    check_uidlist,
    deliver,
    find,
    fresh_files,
    new_message,
)
from pillarbox.mailstore.mailbox import (
    FlagAction,
    FlagChange,
)
from pillarbox.mailstore.maildir.file_names import change_letters
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid


class BesideOthers(RuleBasedStateMachine):
    """Our session and another program work on one mailbox; a dict says what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.files = fresh_files()
        self.clock = ManualClock()
        self.model: dict[int, Flag] = {}  # message number → flags
        self.uids: dict[int, int] = {}  # message number → UID, once it was seen
        self.highest = 0
        self.numbers = 0
        self.account = account_on(self.files, self.clock)
        self.box = self.do(self.account.open("INBOX"))

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to its end."""
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        """A second server that opens the tree afterwards sees the same."""
        try:
            self.refresh()
            later = account_on(self.files)
            box = self.do(later.open("INBOX"))
            assert self.box.uid_validity == box.uid_validity
            assert self.box.guid == box.guid
            assert list(self.box.messages.uids) == list(box.messages.uids)
            assert self.box.messages.flags == box.messages.flags
            self.do(box.append([new_message(self.number())]))
            check_uidlist(self.files)
        finally:
            self.runner.close()

    def number(self) -> int:
        """A message that was not there before."""
        self.numbers += 1
        return self.numbers

    def pick(self, data: st.DataObject) -> int:
        """One of the messages that are there."""
        return data.draw(st.sampled_from(sorted(self.model)))

    def number_in(self, uid: int) -> int:
        """What the message holds."""
        content = self.do(self.box.content(Uid(uid)))
        assert isinstance(content, bytes)
        return int(content)

    def refresh(self) -> None:
        """After a refresh the mailbox is what the files are."""
        self.do(self.box.refresh())
        table = self.box.messages
        seen = {}
        for row, uid in enumerate(table.uids):
            number = self.number_in(uid)
            seen[number] = Flag(table.flags[row])
            if number in self.uids:
                assert self.uids[number] == uid, "a UID changed"
            else:
                assert uid > self.highest, "a UID was given again, or in between"
        self.highest = max([self.highest, *table.uids])
        self.uids = {self.number_in(uid): uid for uid in table.uids}
        assert self.model == seen
        assert list(table.uids) == sorted(set(table.uids))
        assert self.box.uid_next > self.highest

    @rule()
    def we_refresh(self) -> None:
        """NOOP."""
        self.refresh()

    @rule(count=st.integers(1, 3), flags=st.sampled_from([Flag.NONE, Flag.SEEN, Flag.FLAGGED]))
    def we_append(self, count: int, flags: Flag) -> None:
        """APPEND: the UIDs that it tells are the messages'."""
        numbers = [self.number() for _ in range(count)]
        uids = self.do(self.box.append([new_message(number, flags) for number in numbers]))
        assert uids == sorted(uids)
        for number, uid in zip(numbers, uids, strict=True):
            self.model[number] = flags
            assert b"%d\r\n" % number == self.do(self.box.content(uid))

    @precondition(lambda self: self.uids)
    @rule(data=st.data(), flags=st.sampled_from([Flag.SEEN, Flag.DELETED]), add=st.booleans())
    def we_store(self, data: st.DataObject, flags: Flag, add: bool) -> None:
        """STORE on a message that may have been renamed or removed meanwhile."""
        number = data.draw(st.sampled_from(sorted(self.uids)))
        action = FlagAction.ADD if add else FlagAction.REMOVE
        changed = self.do(self.box.change_flags([Uid(self.uids[number])], FlagChange(action, flags)))
        if number in self.model:
            before = self.model[number]
            self.model[number] = before | flags if add else before & ~flags
            assert bool(changed) == (before != self.model[number])
        else:
            assert not changed

    @precondition(lambda self: self.uids)
    @rule(data=st.data())
    def we_expunge(self, data: st.DataObject) -> None:
        """EXPUNGE."""
        number = data.draw(st.sampled_from(sorted(self.uids)))
        gone = self.do(self.box.expunge([Uid(self.uids[number])]))
        assert bool(gone) == (number in self.model)
        self.model.pop(number, None)

    @rule(seconds=st.floats(0, 3))
    def time_goes_by(self, seconds: float) -> None:
        """The one-second rule must not hide anything."""
        self.clock.advance(seconds)

    @rule()
    def other_delivers(self) -> None:
        """A delivery by another program."""
        number = self.number()
        deliver(self.files, number)
        self.model[number] = Flag.NONE

    @precondition(lambda self: self.model)
    @rule(data=st.data(), flags=st.sampled_from([Flag.NONE, Flag.SEEN, Flag.ANSWERED]))
    def other_renames(self, data: st.DataObject, flags: Flag) -> None:
        """Another program reads the message: new → cur, or other flags."""
        number = self.pick(data)
        path = find(self.files, number)
        base = path.rpartition("/")[2].partition(":")[0]
        letters = change_letters(b"", flags=flags, keywords=0).decode()
        target = f"{ROOT}/cur/{base}:2,{letters}"
        if target != path:
            self.files.rename(path, target)
        self.model[number] = flags

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def other_removes(self, data: st.DataObject) -> None:
        """Another program deletes."""
        number = self.pick(data)
        self.files.unlink(find(self.files, number))
        del self.model[number]

    @rule(torn=st.sampled_from([b"9", b"99 :", b"17 W3 :x", b"\0\0\0"]))
    def other_dies_writing_the_uidlist(self, torn: bytes) -> None:
        """The end of the uidlist is half a line."""
        path = f"{ROOT}/dovecot-uidlist"
        if path in self.files.files():
            fd = self.files.open(path, os.O_WRONLY | os.O_APPEND)
            self.files.write_all(fd, [torn])
            self.files.close(fd)

    @rule()
    def uidlist_is_lost(self) -> None:
        """Somebody removes the uidlist while we have the mailbox open."""
        path = f"{ROOT}/dovecot-uidlist"
        if path in self.files.files():
            self.files.unlink(path)

    @invariant()
    def no_lock_stays(self) -> None:
        """Every operation gives its lock back."""
        assert not [path for path in self.files.files() if path.endswith(".lock")]


TestBesideOthers = BesideOthers.TestCase


TestBesideOthers.settings = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)
