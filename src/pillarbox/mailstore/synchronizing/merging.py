"""What makes two mailboxes one: which messages each side lacks, has too many, or has with other flags.

DESCRIPTION
    Two messages are the same if their GUIDs are; of several with one GUID those with the same UID, then the first
    with the first.  `backup` makes the target what the source is.  `merge` brings together what has happened on
    both sides since they were synchronized last (`Base`): a flag that one side has set or removed since is set or
    removed on the other, and what is gone on one side goes on the other.

    Where nothing is remembered, flags of both sides are united.  A message that only one side has was expunged by
    the other if both have a later one under the same UID, and the other remembers its UID and GUID
    (`Side.remembered`); `one_way`, where the source stays as it is, the first is enough.

    A message keeps its UID wherever that is free and no lower than UIDNEXT.  Where both sides have given one UID
    to different messages, both messages get new ones, by GUID, so that no client takes one for the other.  The
    source's UIDVALIDITY becomes that of both; with `one_way` the target keeps its own.

STANDARDS
    RFC 3501 §2.3.1.1 (UIDs); doveadm-sync(1)
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

Meaning = tuple[int, frozenset[bytes]]
"""System flags and keywords."""


class Message(msgspec.Struct, frozen=True):
    """One message of a side."""

    uid: int
    guid: bytes
    flags: int = 0
    keywords: frozenset[bytes] = frozenset()

    @property
    def meaning(self) -> Meaning:
        """Its flags, of both kinds."""
        return self.flags, self.keywords


class Side(msgspec.Struct, frozen=True):
    """A mailbox as one place has it; an empty one without GUID where it does not exist."""

    guid: bytes = b""
    uid_validity: int = 0
    next_uid: int = 1
    messages: Sequence[Message] = ()
    """In UID order."""
    remembered: Mapping[int, bytes] = {}
    """UID → GUID, of messages that may be gone."""


Base = Mapping[tuple[int, int], Meaning]
"""Of a mailbox that was synchronized: (UID at the source, UID at the target) → flags, as both had them."""


class Plan(msgspec.Struct):
    """What is done on one side."""

    guid: bytes
    uid_validity: int
    next_uid: int = 1
    expunged: list[int] = []
    saved: list[tuple[int, int]] = []
    """(UID on the other side, UID here), rising by the latter."""
    renumbered: list[tuple[int, int]] = []
    """(UID, new UID)"""
    flags: list[tuple[int, Meaning]] = []
    """By the UID that a message has afterwards; only of messages that are here already."""
    is_rebuilt: bool = False
    """Whether UIDs come that are lower than others have been, so that what programs remember is void."""

    def changes(self, side: Side) -> bool:
        """Whether there is anything to do."""
        return bool(
            self.expunged
            or self.saved
            or self.renumbered
            or self.flags
            or (self.guid, self.uid_validity, self.next_uid) != (side.guid, side.uid_validity, side.next_uid)
        )


Wanted = Callable[[Message], bool]
"""Whether a message that the other side lacks is to be saved there."""


def pairs_of(source: Side, target: Side) -> list[tuple[Message, Message]]:
    """The messages that both have."""
    rest: defaultdict[bytes, list[Message]] = defaultdict(list)
    theirs = {message.uid: message for message in target.messages}
    found: list[tuple[Message, Message]] = []
    left: list[Message] = []
    for message in source.messages:
        other = theirs.get(message.uid)
        if other is not None and other.guid == message.guid:
            found.append((message, theirs.pop(message.uid)))
        else:
            left.append(message)
    for other in theirs.values():
        rest[other.guid].append(other)
    found += [(message, rest[message.guid].pop(0)) for message in left if rest[message.guid]]
    return sorted(found, key=lambda pair: pair[0].uid)


def _all(_message: Message) -> bool:
    return True


def backup(source: Side, target: Side, *, wanted: Wanted = _all) -> Plan:
    """What makes the target the same as the source."""
    if not source.uid_validity:
        raise ValueError("the source is no mailbox yet")
    plan = Plan(source.guid, source.uid_validity)
    plan.is_rebuilt = _is_another(target, plan)
    pairs = pairs_of(source, target)
    partner = {mine.uid: other for mine, other in pairs}
    kept = {other.uid for _, other in pairs}
    plan.expunged = [message.uid for message in target.messages if message.uid not in kept]
    for message in source.messages:
        known = partner.get(message.uid)
        if known is None:
            if wanted(message):
                plan.saved.append((message.uid, message.uid))
            continue
        if known.uid != message.uid:
            plan.renumbered.append((known.uid, message.uid))
        if known.meaning != message.meaning:
            plan.flags.append((message.uid, message.meaning))
    lowest = min((new for _, new in (*plan.saved[:1], *plan.renumbered)), default=target.next_uid)
    plan.is_rebuilt = plan.is_rebuilt or lowest < target.next_uid
    plan.next_uid = source.next_uid if plan.is_rebuilt else max(source.next_uid, target.next_uid)
    return plan


def merge(
    source: Side, target: Side, base: Base | None, *, one_way: bool = False, wanted: Wanted = _all
) -> tuple[Plan, Plan]:
    """What makes both the same; with `one_way` only the second, the target's, is carried out."""
    return _Merge(source, target, base, one_way=one_way, wanted=wanted).plans()


class _Merge:
    def __init__(
        self, source: Side, target: Side, base: Base | None, *, one_way: bool, wanted: Wanted
    ) -> None:
        self._source, self._target, self._base = source, target, base
        self._one_way = one_way
        self._wanted = wanted
        self._same_validity = source.uid_validity == target.uid_validity or not target.uid_validity
        keeps_target = one_way and target.uid_validity
        validity = target.uid_validity if keeps_target else source.uid_validity or target.uid_validity
        guid = target.guid if keeps_target else source.guid or target.guid
        if not source.uid_validity:
            self._same_validity = True
        self._theirs = Plan(guid, validity)  # the target's
        self._ours = Plan(guid, validity)
        if not one_way:
            self._theirs.is_rebuilt = _is_another(target, self._theirs)
            self._ours.is_rebuilt = _is_another(source, self._ours)

    def plans(self) -> tuple[Plan, Plan]:
        pairs = pairs_of(self._source, self._target)
        our_only, their_only = self._without(pairs)
        if self._one_way:
            their_only = []
        conflicts = {one.uid for one in our_only} & {one.uid for one in self._target.messages}
        conflicts |= {one.uid for one in their_only} & {one.uid for one in self._source.messages}
        fresh: list[tuple[bytes, int, int]] = []  # GUID, UID at the source (0: none), UID at the target
        free_from_target, free_from_source = self._target.next_uid, self._source.next_uid
        displaced: set[int] = set()
        for one in our_only:
            if self._same_validity and one.uid >= free_from_target:
                self._theirs.saved.append((one.uid, one.uid))
            elif self._source.uid_validity == self._theirs.uid_validity and not self._same_validity:
                self._theirs.saved.append((one.uid, one.uid))  # the target is made anew
            else:
                fresh.append((one.guid, one.uid, 0))
        for other in their_only:
            if self._same_validity and other.uid >= free_from_source:
                self._ours.saved.append((other.uid, other.uid))
            else:
                fresh.append((other.guid, 0, other.uid))
        if self._one_way and self._same_validity:  # the target's own message under the same UID moves, too
            shared = {other.uid for _, other in pairs}
            for other in self._target.messages:
                if other.uid in conflicts and other.uid not in shared:
                    displaced.add(other.uid)
                    fresh.append((other.guid, 0, other.uid))
        for mine, other in pairs:
            if mine.uid != other.uid and not self._one_way:
                if self._same_validity:
                    fresh.append((mine.guid, mine.uid, other.uid))
                else:
                    self._theirs.renumbered.append((other.uid, mine.uid))
            self._merge_flags(mine, other)
        self._number(fresh, displaced)
        self._finish()
        return self._ours, self._theirs

    def _without(self, pairs: Sequence[tuple[Message, Message]]) -> tuple[list[Message], list[Message]]:
        """What only the source has, and only the target, and is to stay; the rest is expunged."""
        mine = {one.uid for one, _ in pairs}
        others = {other.uid for _, other in pairs}
        last_common = max((one.uid for one, other in pairs if one.uid == other.uid), default=0)
        known_here, known_there = set[int](), set[int]()
        for here, there in self._base or ():
            known_here.add(here)
            known_there.add(there)
        our_only, their_only = list[Message](), list[Message]()
        for one in self._source.messages:
            if one.uid in mine:
                continue
            if self._base is not None:
                is_gone = one.uid in known_here
            else:
                is_gone = self._was_common(one, self._target, last_common)
            if is_gone:
                self._ours.expunged.append(one.uid)
            elif self._wanted(one):
                our_only.append(one)
        for other in self._target.messages:
            if other.uid in others:
                continue
            if self._base is not None:
                is_gone = other.uid in known_there
            else:
                is_gone = self._was_common(other, self._source, last_common)
            if is_gone:
                self._theirs.expunged.append(other.uid)
            elif self._wanted(other):
                their_only.append(other)
        return our_only, their_only

    def _was_common(self, one: Message, other: Side, last_common: int) -> bool:
        """Whether the other side has had it, although nothing is remembered of the last run."""
        if not self._same_validity or one.uid > last_common:
            return False
        return self._one_way or other.remembered.get(one.uid) == one.guid

    def _merge_flags(self, mine: Message, other: Message) -> None:
        if mine.meaning == other.meaning:
            return
        before = None if self._base is None else self._base.get((mine.uid, other.uid))
        if before is None:
            wanted = (mine.flags | other.flags, mine.keywords | other.keywords)
        else:
            wanted = _changed(before, mine.meaning, other.meaning)
        if mine.meaning != wanted:
            self._ours.flags.append((mine.uid, wanted))
        if other.meaning != wanted:
            self._theirs.flags.append((other.uid, wanted))

    def _number(self, fresh: Iterable[tuple[bytes, int, int]], displaced: set[int]) -> None:
        """UIDs above all that either side has given."""
        next_uid = max(self._source.next_uid, self._target.next_uid)
        ours_now, theirs_now = dict(self._ours.flags), dict(self._theirs.flags)
        for _, here, there in sorted(fresh):
            if here and there:
                self._ours.renumbered.append((here, next_uid))
                self._theirs.renumbered.append((there, next_uid))
            elif here:
                self._ours.renumbered.append((here, next_uid))
                self._theirs.saved.append((here, next_uid))
            elif there in displaced:
                self._theirs.renumbered.append((there, next_uid))
            else:
                self._theirs.renumbered.append((there, next_uid))
                self._ours.saved.append((there, next_uid))
            if here in ours_now:
                ours_now[next_uid] = ours_now.pop(here)
            if there in theirs_now:
                theirs_now[next_uid] = theirs_now.pop(there)
            next_uid += 1
        moved = dict(self._theirs.renumbered)
        self._ours.flags = sorted(ours_now.items())
        self._theirs.flags = sorted((moved.get(uid, uid), meaning) for uid, meaning in theirs_now.items())
        self._ours.next_uid = self._theirs.next_uid = next_uid

    def _finish(self) -> None:
        self._ours.saved.sort(key=lambda pair: pair[1])
        self._theirs.saved.sort(key=lambda pair: pair[1])
        for plan, side in ((self._ours, self._source), (self._theirs, self._target)):
            news = [new for _, new in (*plan.saved, *plan.renumbered)]
            plan.is_rebuilt = plan.is_rebuilt or (bool(news) and min(news) < side.next_uid)


def _is_another(side: Side, plan: Plan) -> bool:
    """Whether the mailbox gets the identity of another one."""
    if not side.uid_validity:
        return False
    return side.uid_validity != plan.uid_validity or side.guid not in (b"", plan.guid)


def _changed(before: Meaning, mine: Meaning, other: Meaning) -> Meaning:
    """What both have set or removed since."""
    flags = before[0]
    flags = flags & ~(before[0] & ~mine[0]) & ~(before[0] & ~other[0])
    flags |= (mine[0] | other[0]) & ~before[0]
    keywords = before[1] - (before[1] - mine[1]) - (before[1] - other[1])
    return flags, keywords | ((mine[1] | other[1]) - before[1])
