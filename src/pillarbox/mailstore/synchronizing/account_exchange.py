"""Two places of one user's mail are made the same: mailboxes, messages, subscriptions, annotations.

DESCRIPTION
    Mailboxes are the same if their GUIDs are, else if their names are.  `Direction.BACKUP` makes the target what
    the source is: what else is there goes.  `MERGE` brings over what has happened on either side since the last run
    (mailstore/synchronizing/memory_of_runs.py), `ONE_WAY` only what has happened at the source.  A mailbox that one
    side has deleted is deleted on the other if no message has come to it since.  Of several that have one GUID at
    one place, whichever it is, all but one are given another.  A name that the other place refuses is in
    `Exchange.refused`; the rest is done.

    The source of a backup, or one-way, only gets UIDs for messages that have none yet.

PROMISES
    A run that ends anywhere has lost nothing that was at the source (MERGE: at either side) and not expunged at the
    other; the next one does the rest.

FAULTS
    those of mailstore/synchronizing/exchange.py and place.py

STANDARDS
    doveadm-sync(1)
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto

import msgspec

from pillarbox.mailstore.mailbox import MailboxExists, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.mailbox_names import INBOX, SEPARATOR
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.synchronizing.exchange import bring_from, carry_out, side_of, sizes_of
from pillarbox.mailstore.synchronizing.memory_of_runs import Common, CommonMailbox, read_common, write_common
from pillarbox.mailstore.synchronizing.merging import Message, Plan, Side, backup, merge, pairs_of
from pillarbox.mailstore.synchronizing.place import Place


class Direction(Enum):
    """What is to become of differences."""

    BACKUP = auto()
    ONE_WAY = auto()
    MERGE = auto()


class Choice(msgspec.Struct, frozen=True):
    """Which mailboxes and which messages."""

    includes: Callable[[str, bytes], bool] = lambda _name, _guid: True
    """Whether a mailbox of that name (the store's) and GUID is synchronized."""
    subscriptions: Callable[[str], bool] = lambda _name: True
    flag: tuple[int, bytes] | None = None
    """System flag or keyword that new messages must have."""
    is_without_flag: bool = False
    max_size: int | None = None
    since: float | None = None
    before: float | None = None

    def wanted(self, folder: FolderFiles) -> Callable[[Message], bool]:
        """Which of the folder's messages are brought to a place that lacks them."""
        fitting: set[int] | None = None
        if self.has_measures:
            fitting = {uid for uid, size, date in sizes_of(folder) if self.fits(size, date)}
        has_flags = self.wanted_by_flags()

        def is_wanted(message: Message) -> bool:
            return (fitting is None or message.uid in fitting) and has_flags(message)

        return is_wanted

    @property
    def has_measures(self) -> bool:
        """Whether a message's size or date matters."""
        return not (self.max_size is None and self.since is None and self.before is None)

    @property
    def is_partial(self) -> bool:
        """Whether some messages are left out."""
        return self.has_measures or self.flag is not None

    def fits(self, size: int, date: float) -> bool:
        """Whether a message of so many octets, that came then, is brought over."""
        return (
            (self.max_size is None or size <= self.max_size)
            and (self.since is None or date >= self.since)
            and (self.before is None or date <= self.before)
        )

    def wanted_by_flags(self) -> Callable[[Message], bool]:
        """Which messages are brought over, as far as their flags go."""
        if self.flag is None:
            return lambda _message: True
        bit, keyword = self.flag

        def has_wanted(message: Message) -> bool:
            has = bool(message.flags & bit) or keyword in {name.lower() for name in message.keywords}
            return has != self.is_without_flag

        return has_wanted


class Exchange:
    """One run."""

    def __init__(self, source: Place, target: Place, direction: Direction, choice: Choice) -> None:
        self._source, self._target = source, target
        self._direction = direction
        self._choice = choice
        self.missed = 0
        """Messages that went while they were to be copied, and mailboxes: another run is needed."""
        self.refused: dict[str, str] = {}
        """Names that mailboxes cannot have at the other place, and why; those stayed as they were."""
        self.changed_source = False
        """Whether anything was written there."""
        self._apart: dict[bytes, str] = {}
        """Mailboxes that keep another name at the target: one-way, or as it refuses the source's."""

    def run(self) -> None:
        """Make them the same."""
        try:
            self._run()
        finally:
            self._source.close()
            self._target.close()

    def _run(self) -> None:
        self._source.make()
        self._target.make()
        self._tell_apart(self._source, self._target)
        self._tell_apart(self._target, self._source)
        common = read_common(self._source, self._target)
        known = Common(self._source.root, self._target.root) if common is None else common
        self._settle_names(known)
        left = Common(self._source.root, self._target.root)
        unfinished = set[bytes]()
        for guid, name in self._pairs(known).items():
            try:
                self._exchange(name, self._apart.get(guid, name), known.mailboxes.get(guid), left)
            except NoSuchMailbox as fault:
                if fault.reason:
                    self._refuse(name, fault)
                else:
                    self.missed += 1
                unfinished.add(guid)
            except (MailboxExists, MailboxNameRefused) as fault:
                self._refuse(name, fault)
                unfinished.add(guid)
        for guid, one in known.mailboxes.items():
            if guid not in left.mailboxes and (
                guid in unfinished or not self._choice.includes(one.name, guid)
            ):
                left.mailboxes[guid] = one
        left.subscriptions = self._exchange_subscriptions(None if common is None else common.subscriptions)
        write_common(left, self._target)

    def _tell_apart(self, place: Place, other: Place) -> None:
        """Of mailboxes with one GUID (a directory was copied) all but one get another.

        The one that the other place has under the same name keeps it.
        """
        alike: defaultdict[bytes, list[str]] = defaultdict(list)
        for name, guid in place.mailboxes().items():
            if guid:
                alike[guid].append(name)
        doubled = {guid: names for guid, names in alike.items() if len(names) > 1}
        theirs = other.mailboxes() if doubled else {}
        for guid, names in doubled.items():
            first = next((name for name in names if theirs.get(name) == guid), names[0])
            for name in names:
                if name != first:
                    place.update(name, guid=uuid.uuid4().hex.encode("ascii"))
                    self.changed_source = self.changed_source or place is self._source

    def _refuse(self, name: str, fault: NoSuchMailbox | MailboxExists | MailboxNameRefused) -> None:
        if isinstance(fault, MailboxExists):
            why = "another mailbox has that name"
        else:
            why = fault.reason if isinstance(fault, NoSuchMailbox) else str(fault)
        self.refused[name] = why

    def _mailboxes(self, place: Place) -> dict[str, bytes]:
        """Those that are synchronized."""
        chosen = {name: guid for name, guid in place.mailboxes().items() if self._choice.includes(name, guid)}
        for name, guid in chosen.items():
            if not guid:
                chosen[name] = place.folder(name).guid  # nobody has opened it yet
        return chosen

    # --- names --------------------------------------------------------------------------------------

    def _settle_names(self, known: Common) -> None:
        """Each mailbox that both have gets one name; those that are to go go."""
        for _ in range(10_000):
            source, target = self._mailboxes(self._source), self._mailboxes(self._target)
            names = {guid: name for name, guid in source.items()}
            theirs = {guid: name for name, guid in target.items()}
            moved = next(
                (
                    (guid, names[guid], name)
                    for guid, name in sorted(theirs.items(), key=lambda item: item[1])
                    if guid in names
                    and guid not in self._apart
                    and names[guid] != name
                    and INBOX not in (name, names[guid])
                ),
                None,
            )
            if moved is None:
                break
            guid, ours, other = moved
            before = known.mailboxes.get(guid)
            try:
                if self._direction is not Direction.BACKUP and before is not None and before.name == ours:
                    if self._direction is Direction.ONE_WAY:
                        self._apart[guid] = other
                        continue
                    self._give_name(self._source, source, theirs, ours, other)
                else:
                    self._give_name(self._target, target, names, other, ours)
            except (MailboxExists, MailboxNameRefused) as fault:
                self._refuse(ours, fault)
                self._apart[guid] = other
        if self._direction is Direction.BACKUP:
            ours_guids = set(source.values())
            for name, guid in sorted(target.items(), reverse=True):
                if guid not in ours_guids and name not in source and name != INBOX:
                    self._target.delete(name, guid)

    def _give_name(
        self, place: Place, there: Mapping[str, bytes], wanted: Mapping[bytes, str], old: str, new: str
    ) -> None:
        """Rename one of `place`; who has the name there makes room."""
        if place is self._source:
            self.changed_source = True
        if new in there and there[new] not in wanted and self._direction is Direction.BACKUP:
            place.delete(new, there[new])
        elif new in there or new.startswith(old + SEPARATOR):
            aside = f"{new if new in there else old}-{uuid.uuid4().hex[:8]}".replace(SEPARATOR, "-")
            place.tree.rename(new if new in there else old, aside)
            return
        place.tree.rename(old, new)

    def _pairs(self, known: Common) -> dict[bytes, str]:
        """GUID at the source (else the target) → name, of all that both are to have.

        A mailbox that one side has deleted is deleted at the other.
        """
        source, target = self._mailboxes(self._source), self._mailboxes(self._target)
        found = {guid: name for name, guid in source.items()}
        if self._direction is Direction.BACKUP:
            return found
        theirs = {guid: name for name, guid in target.items()}
        for guid, name in list(found.items()):
            if guid in theirs or name in target or name == INBOX:
                continue
            before = known.mailboxes.get(guid)
            if before is not None and self._has_nothing_new(self._source, name, before, at=0):
                del found[guid]
                if self._direction is Direction.MERGE:
                    self._source.delete(name, guid)
                    self.changed_source = True
        for guid, name in theirs.items():
            if guid in source.values() or name in source or name == INBOX:
                continue
            before = known.mailboxes.get(guid)
            if before is not None and self._has_nothing_new(self._target, name, before, at=1):
                self._target.delete(name, guid)
            elif self._direction is Direction.MERGE:
                found[guid] = name
        return found

    @staticmethod
    def _has_nothing_new(place: Place, name: str, before: CommonMailbox, *, at: int) -> bool:
        folder = place.folder(name)
        if folder.uid_validity != before.uid_validities[at]:
            return False
        return set(folder.uids) <= {one[at] for one in before.messages}

    # --- messages -----------------------------------------------------------------------------------

    def _exchange(self, name: str, there: str, before: CommonMailbox | None, left: Common) -> None:
        """Make one mailbox the same, which the target calls `there`."""
        ours_folder, ours = self._side(self._source, name)
        theirs_folder, theirs = self._side(self._target, there)
        base = None
        if before is not None and before.uid_validities == (ours.uid_validity, theirs.uid_validity):
            base = before.base()
        wanted = self._wanted(ours_folder, theirs_folder)
        if self._direction is Direction.BACKUP:
            plans = (Plan(ours.guid, ours.uid_validity, ours.next_uid), backup(ours, theirs, wanted=wanted))
        else:
            one_way = self._direction is Direction.ONE_WAY
            plans = merge(ours, theirs, base, one_way=one_way, wanted=wanted)
        if theirs_folder is None:
            self._target.begin(there, plans[1].guid, plans[1].uid_validity)
            theirs_folder = self._target.folder(there)
        ours_plan, theirs_plan = plans
        if self._direction is Direction.MERGE and ours_folder is None:
            self._source.begin(name, ours_plan.guid, ours_plan.uid_validity)
            ours_folder = self._source.folder(name)
            self.changed_source = True
        if theirs_plan.changes(theirs):
            self.missed += carry_out(theirs_plan, self._target, there, bring_from(ours_folder))
        if self._direction is Direction.MERGE and ours_plan.changes(ours):
            self.changed_source = True
            moved = dict(theirs_plan.renumbered)
            ours_plan.saved = [(moved.get(uid, uid), new) for uid, new in ours_plan.saved]
            self.missed += carry_out(ours_plan, self._source, name, bring_from(self._target.folder(there)))
        self._exchange_attributes(ours_plan.guid, theirs_plan.guid)
        gone = ours_plan.expunged if self._direction is Direction.ONE_WAY else []
        self._remember(name, there, left, gone)

    @staticmethod
    def _side(place: Place, name: str) -> tuple[FolderFiles | None, Side]:
        if not place.tree.is_mailbox(name):
            return None, Side()
        folder = place.folder(name)
        return folder, side_of(folder)

    def _wanted(self, ours: FolderFiles | None, theirs: FolderFiles | None) -> Callable[[Message], bool]:
        tests = [self._choice.wanted(folder) for folder in (ours, theirs) if folder is not None]
        return lambda message: any(test(message) for test in tests)

    def _remember(self, name: str, there: str, left: Common, gone: Collection[int]) -> None:
        """`gone`: messages of the source that the target has had."""
        ours, theirs = side_of(self._source.folder(name)), side_of(self._target.folder(there))
        left.mailboxes[ours.guid] = CommonMailbox(
            name,
            (ours.uid_validity, theirs.uid_validity),
            [
                (one.uid, other.uid, one.flags, tuple(sorted(one.keywords)))
                for one, other in pairs_of(ours, theirs)
            ]
            + [(uid, 0, 0, ()) for uid in gone],
        )

    # --- what is beside the messages ----------------------------------------------------------------

    def _exchange_attributes(self, ours: bytes, theirs: bytes) -> None:
        """Annotations, where each place has its own."""
        if not (self._source.has_own_attributes and self._target.has_own_attributes):
            return
        mine, others = self._source.attributes.of_mailbox(ours), self._target.attributes.of_mailbox(theirs)
        changes: dict[str, bytes | None] = {
            entry: value for entry, value in mine.items() if others.get(entry) != value
        }
        if self._direction is Direction.BACKUP:
            changes |= dict.fromkeys(others.keys() - mine.keys())
        if changes:
            self._target.attributes.change(theirs, changes)
        if self._direction is Direction.MERGE and (news := others.keys() - mine.keys()):
            self._source.attributes.change(ours, {entry: others[entry] for entry in news})
            self.changed_source = True

    def _exchange_subscriptions(self, before: Collection[str] | None) -> list[str]:
        """The same for what is subscribed to; what is to be remembered of it."""
        ours = [name for name in self._source.subscriptions.read() if self._choice.subscriptions(name)]
        theirs = [name for name in self._target.subscriptions.read() if self._choice.subscriptions(name)]
        known = set(before or ())
        if self._direction is Direction.BACKUP:
            wanted = ours
        else:  # what one side has and both had is gone at the other
            wanted = [name for name in ours if name in theirs or name not in known]
            wanted += [name for name in theirs if name not in ours and name not in known]
        for name in wanted:
            if name not in theirs:
                self._target.subscriptions.add(name)
        for name in theirs:
            if name not in wanted:
                self._target.subscriptions.remove(name)
        if self._direction is Direction.MERGE:
            for name in wanted:
                if name not in ours:
                    self._source.subscriptions.add(name)
            for name in ours:
                if name not in wanted:
                    self._source.subscriptions.remove(name)
        common = ours if self._direction is Direction.ONE_WAY else wanted
        return sorted({*common, *(name for name in known if not self._choice.subscriptions(name))})
