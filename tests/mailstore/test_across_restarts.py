"""A worker that goes on from what the last has written down sees what one sees that reads everything."""

import copy
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from fakes.crash_file_system import CrashFileSystem
from fakes.examples import examples
from fakes.maildir_on_model import ROOT, account_on, find
from mailstore.test_maildir_beside_others import BesideOthers
from pillarbox.mailstore.mailbox import FlagAction, FlagChange, Mailbox, MailboxStatus
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.maildir.file_names import parse_letters
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.identifiers import Uid

SNAPSHOT = f"{ROOT}/pillarbox.snapshot"
KEYWORDS = (b"Work", b"$Forwarded", *(b"k%d" % number for number in range(28)))


class AcrossRestarts(BesideOthers):
    """The same, and now and then our worker ends or is killed, and another begins."""

    @rule(names=st.sets(st.sampled_from(KEYWORDS), max_size=28), data=st.data())
    def we_set_keywords(self, names: set[bytes], data: st.DataObject) -> None:
        """STORE of keywords, perhaps more than there are letters."""
        if self.uids and names:
            uid = self.uids[data.draw(st.sampled_from(sorted(self.uids)))]
            change = FlagChange(FlagAction.ADD, keywords=tuple(sorted(names)))
            self.do(self.box.change_flags([Uid(uid)], change))

    @rule(
        is_killed=st.booleans(),
        is_opened=st.booleans(),
        meanwhile=st.lists(
            st.sampled_from(["deliver", "read", "flag", "remove", "touch", "rewrite"]), max_size=3
        ),
        data=st.data(),
    )
    def we_begin_anew(
        self, is_killed: bool, is_opened: bool, meanwhile: list[str], data: st.DataObject
    ) -> None:
        """A worker ends; other programs go on; two begin, one of which is told nothing by the first."""
        if not is_killed:
            self.box.close()
            self.do(self.account.close())
        for action in meanwhile:
            self.happens(action, data)
        self.clock.advance(0.001)  # a process with the same id makes no name that the last has made
        before = self.box.uid_validity
        untold = copy.deepcopy(self.files)
        if SNAPSHOT in untold.files():
            untold.unlink(SNAPSHOT)
        self.account = account_on(self.files, self.clock)
        if f"{ROOT}/dovecot-uidlist" in untold.files():  # else the mailbox gets a GUID by chance
            expected = self.seen(account_on(untold, self.clock), is_opened=is_opened)
            assert expected == self.seen(self.account, is_opened=is_opened)
        self.box = self.do(self.account.open("INBOX"))
        if self.box.uid_validity != before:  # the uidlist had been lost
            self.uids, self.highest = {}, 0
        self.refresh()

    def seen(self, account: MaildirAccount, *, is_opened: bool) -> tuple[object, ...]:
        """All that a client can learn."""
        if not is_opened:
            return shown(self.do(account.status("INBOX")))
        box = self.do(account.open("INBOX", read_only=True))
        found = table_of(box)
        contents = [self.do(box.content(Uid(uid))) for uid in box.messages.uids]
        identities = self.do(box.identities(box.messages.uids))
        box.close()
        return (*shown(self.do(account.status("INBOX"))), found, contents, identities)

    def happens(self, action: str, data: st.DataObject) -> None:
        """Something that another program does while no worker looks."""
        match action:
            case "deliver":
                self.other_delivers()
            case "touch":
                os_path = f"{ROOT}/cur"
                self.files.utime(os_path, modified_ns=self.files.stat(os_path).st_mtime_ns + 1)
            case "rewrite":
                rewrite(self.files, f"{ROOT}/dovecot-uidlist")
            case _ if self.model:
                number = self.pick(data)
                act: Callable[[], None] = {
                    "read": lambda: self.rename(number, ""),
                    "flag": lambda: self.rename(number, "FS"),
                    "remove": lambda: self.remove(number),
                }[action]
                act()

    def rename(self, number: int, letters: str) -> None:
        """The file gets other flags."""
        path = find(self.files, number)
        base = path.rpartition("/")[2].partition(":")[0]
        if path != (target := f"{ROOT}/cur/{base}:2,{letters}"):
            self.files.rename(path, target)
        self.model[number] = Flag(parse_letters(letters.encode()).flags)

    def remove(self, number: int) -> None:
        """The file goes."""
        self.files.unlink(find(self.files, number))
        del self.model[number]


def shown(status: MailboxStatus) -> tuple[object, ...]:
    """Of a STATUS what does not depend on the moment."""
    return (
        status.messages,
        status.unseen,
        status.deleted,
        status.uid_next,
        status.uid_validity,
        status.size,
        status.guid,
    )


def table_of(box: Mailbox) -> list[tuple[int, int, list[bytes]]]:
    """UID, flags and keywords of each message."""
    table, names = box.messages, box.keywords
    return [
        (
            uid,
            table.flags[row],
            sorted(name for bit, name in enumerate(names) if table.keywords[row] >> bit & 1),
        )
        for row, uid in enumerate(table.uids)
    ]


def rewrite(files: CrashFileSystem, path: str) -> None:
    """A uidlist is replaced by an equal one."""
    content = files.files().get(path)
    if content is not None:
        files.make_file(f"{path}.new", content)
        files.rename(f"{path}.new", path)


TestAcrossRestarts = AcrossRestarts.TestCase


TestAcrossRestarts.settings = settings(max_examples=examples(60), stateful_step_count=20, deadline=None)
