"""One mailbox of a run of dsync: what is here is told, and what the other side tells is done here.

DESCRIPTION
    The steps have one order on both sides: annotations, changes, requests, messages, state, each first said and
    then heard, where there is anything to say or hear.  Nothing is written before all messages have come.

    Both sides tell all of their messages, and of those that are gone what they remember; what follows from that
    (mailstore/synchronizing/merging.py) each does on its own side.  Of two different UIDVALIDITYs the mailbox with
    more messages keeps its own, of as many the higher one stays.

PROMISES
    Those of mailstore/synchronizing/exchange.py: a run that ends anywhere has lost and doubled nothing.

FAULTS
    those of conversation.py and exchange.py
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from pillarbox.mailstore.content.large_content import LargeContent
from pillarbox.mailstore.mailbox import MessageGone
from pillarbox.mailstore.maildir.file_names import short_guid
from pillarbox.mailstore.maildir.folder_files import FolderFiles
from pillarbox.mailstore.maildir.message_directories import base_at
from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.exchange import carry_out, side_of, sizes_of
from pillarbox.mailstore.synchronizing.merging import Meaning, Message, Plan, Side, backup, merge
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.annotations import hear_annotations, say_annotations
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation
from pillarbox.mailstore.synchronizing.remote.memory_of_peers import CommonMessages
from pillarbox.mailstore.synchronizing.remote.received_messages import ReceivedMessages
from pillarbox.mailstore.synchronizing.remote.values import Change, change_of, decimal, guid, number
from pillarbox.wire.dsync.fields import DsyncFault
from pillarbox.wire.dsync.kinds import CHANGE, MAIL, REQUEST, STATE

_NANOSECONDS: Final = 10**9
_NOTHING: Final[Meaning] = (0, frozenset())


class Role(msgspec.Struct, frozen=True):
    """What this side does in a run."""

    leads: bool
    sends: bool
    receives: bool
    is_mirror: bool
    """Of the two mailboxes the written one becomes what the read one is."""
    wants_requests: bool = True


class BoxState(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox, as the sides tell each other before they exchange it."""

    guid: bytes
    uid_validity: int
    next_uid: int
    count: int
    highest_modseq: int = 0
    is_lost: bool = False
    """It is not there."""
    is_ignored: bool = False
    """It is not there, and need not be."""
    has_guids: bool = True
    """Messages are known by GUIDs, and those that are put there keep theirs."""

    def values(self) -> dict[str, bytes]:
        """As it is sent."""
        found = {
            "mailbox_guid": self.guid,
            "uid_validity": decimal(self.uid_validity),
            "uid_next": decimal(self.next_uid),
            "messages_count": decimal(self.count),
            "first_recent_uid": b"1",
            "highest_modseq": decimal(self.highest_modseq),
            "highest_pvt_modseq": b"0",
        }
        if self.is_lost or self.is_ignored:
            key = "mailbox_ignore" if self.is_ignored else "mailbox_lost"
            return {**found, "uid_next": b"0", "first_recent_uid": b"0", key: b""}
        return {**found, "cache_fields": b"", "have_guids": b"", "have_save_guids": b""}


def box_state_of(values: Mapping[str, bytes]) -> BoxState:
    """What was sent."""
    return BoxState(
        guid=guid(values),
        uid_validity=number(values, "uid_validity"),
        next_uid=number(values, "uid_next"),
        count=number(values, "messages_count"),
        highest_modseq=number(values, "highest_modseq"),
        is_lost="mailbox_lost" in values,
        is_ignored="mailbox_ignore" in values,
        has_guids="have_guids" in values and "have_save_guids" in values,
    )


def own_state(folder: FolderFiles) -> BoxState:
    """Of a mailbox here."""
    return BoxState(
        guid=folder.guid, uid_validity=folder.uid_validity, next_uid=folder.next_uid, count=len(folder.uids)
    )


class MailboxExchange:
    """The mailbox `name` here and the one with its GUID there."""

    def __init__(
        self,
        talk: Conversation,
        place: Place,
        name: str,
        role: Role,
        choice: Choice,
        *,
        packing: tuple[str, int] | None = None,
        last_common: int = 0,
        known: CommonMessages | None = None,
    ) -> None:
        """`last_common`: up to this UID both are known to have the same messages; `known`: what both had after
        the last run."""
        self._talk, self._place, self._name = talk, place, name
        self._role, self._choice = role, choice
        self._packing = packing
        self._last_common = last_common
        self._known = known
        self.missed = 0
        """Messages that were not to be had."""
        self.common: CommonMessages | None = None
        """What both have afterwards, as far as that is known."""

    def run(self, theirs: BoxState) -> dict[str, bytes]:
        """All steps; the state that both sides have then, as it is sent."""
        if self._role.receives:
            self._settle_uid_validity(theirs)
        folder = self._place.folder(self._name)
        side = side_of(folder)
        if self._known is not None and not (
            self._known.counts_for(side.uid_validity, side.next_uid)
            and self._known.counts_for(theirs.uid_validity, theirs.next_uid)
        ):
            self._known = None
        annotations = None
        if self._known is not None and not self._role.is_mirror:
            annotations = self._known.annotations
        if self._role.sends:
            say_annotations(self._talk, self._place, side.guid, annotations)
            self._say_changes(folder, side)
        plan, changes = None, dict[int, Change]()
        if self._role.receives:
            hear_annotations(self._talk, self._place, side.guid, annotations, is_mirror=self._role.is_mirror)
            changes = self._heard_changes(side)
            plan = self._plan(side, theirs, changes)
        wanted = self._requests(side, plan, changes)
        if self._role.sends:
            self._say_messages(folder, side, wanted)
        if plan is not None:
            self._receive(folder, side, plan, changes)
        return self._exchange_states(theirs, _uids_after(side, plan))

    def _settle_uid_validity(self, theirs: BoxState) -> None:
        folder = self._place.folder(self._name)
        ours = own_state(folder)
        if ours.uid_validity == theirs.uid_validity or not theirs.uid_validity:
            return
        if self._role.is_mirror or (theirs.count, theirs.uid_validity) > (ours.count, ours.uid_validity):
            self._place.update(self._name, uid_validity=theirs.uid_validity)

    # --- what is here -------------------------------------------------------------------------------

    def _say_changes(self, folder: FolderFiles, side: Side) -> None:
        measures = dict[int, tuple[int, float]]()
        if self._choice.has_measures:
            measures = {uid: (size, date) for uid, size, date in sizes_of(folder)}
        before = {} if self._known is None else {one.uid: one for one in self._known.messages}
        present = {message.uid for message in side.messages}
        gone = dict(side.remembered) | {uid: one.guid for uid, one in before.items()}
        changes = [
            Change(Message(uid, known), is_expunged=True) for uid, known in gone.items() if uid not in present
        ]
        for message in side.messages:
            size, date = measures.get(message.uid, (0, 0.0))
            changes.append(Change(message, received=int(date), size=size))
        for change in sorted(changes, key=lambda one: one.message.uid):
            was = before[change.message.uid].meaning if change.message.uid in before else _NOTHING
            self._talk.say(CHANGE, change.values(was, last_common=self._last_common))
        self._talk.end_list()

    def _say_messages(self, folder: FolderFiles, side: Side, wanted: Sequence[bytes]) -> None:
        """Each GUID once."""
        uids = {message.guid: message.uid for message in reversed(side.messages)}
        for message_guid in wanted:
            uid = uids.get(message_guid)
            if uid is None:
                raise DsyncFault(
                    f"Remote requested unexpected GUID {message_guid.decode('ascii', 'replace')}"
                )
            try:
                content, times = folder.read(uid)
            except MessageGone:
                self.missed += 1
                self._talk.say(MAIL, {"guid": message_guid})
                continue
            values = {
                "guid": message_guid,
                "received_date": decimal(max(times.modified // _NANOSECONDS, 1)),
                "saved_date": decimal(max(times.changed // _NANOSECONDS, 1)),
                **_pop3_values(folder, uid),
            }
            self._talk.say_with_stream(MAIL, values, _octets(content))
        self._talk.end_list()

    # --- what is there ------------------------------------------------------------------------------

    def _heard_changes(self, ours: Side) -> dict[int, Change]:
        """By UID.  What is not told of up to the last common message is as it is here."""
        changes = {
            message.uid: Change(message) for message in ours.messages if message.uid <= self._last_common
        }
        for values in self._talk.hear_all(CHANGE):
            change = change_of(values)
            changes[change.message.uid] = change
        return dict(sorted(changes.items()))

    def _plan(self, ours: Side, theirs: BoxState, changes: Mapping[int, Change]) -> Plan:
        short = {short_guid(known): known for known in ours.remembered.values()}
        remembered = {
            uid: short.get(change.message.guid, change.message.guid)
            for uid, change in changes.items()
            if change.is_expunged
        }
        messages = [change.message for change in changes.values() if not change.is_expunged]
        known = {message.uid: message.guid for message in messages}
        validity = ours.uid_validity  # which is that of both by now, or will be
        other = Side(ours.guid, validity, theirs.next_uid, messages, remembered | known)
        wanted = self._wanted(changes)
        if self._role.is_mirror:
            return backup(other, ours, wanted=wanted)
        if not self._role.sends:
            return merge(other, ours, None, one_way=True, wanted=wanted)[1]
        base = None if self._known is None else self._known.base()
        if self._role.leads:
            return merge(ours, other, base, wanted=wanted)[0]
        return merge(other, ours, base, wanted=wanted)[1]

    def _wanted(self, changes: Mapping[int, Change]) -> Callable[[Message], bool]:
        """Which messages of the other side are to come, and with them, which of ours count as new there."""
        fits = self._choice.wanted_by_flags()

        def is_wanted(message: Message) -> bool:
            change = changes.get(message.uid)
            if change is None or change.message.guid != message.guid:
                return fits(message)
            return fits(message) and self._choice.fits(change.size, change.received)

        return is_wanted

    def _requests(self, side: Side, plan: Plan | None, changes: Mapping[int, Change]) -> list[bytes]:
        """Both ask; the GUIDs that the other side wants."""
        role = self._role
        if not role.wants_requests:
            fresh = [message.guid for message in side.messages if message.uid > self._last_common]
            return list(dict.fromkeys(fresh))
        if plan is not None:
            asked = {changes[uid].message.guid: uid for uid, _ in reversed(plan.saved)}
            for message_guid, uid in asked.items():
                self._talk.say(REQUEST, {"guid": message_guid, "uid": decimal(uid)})
            self._talk.end_list()
        if not role.sends:
            return []
        by_uid = {message.uid: message.guid for message in side.messages}
        wanted = [
            values.get("guid", b"") or by_uid.get(number(values, "uid"), b"")
            for values in self._talk.hear_all(REQUEST)
        ]
        return list(dict.fromkeys(wanted))

    def _receive(self, folder: FolderFiles, side: Side, plan: Plan, changes: Mapping[int, Change]) -> None:
        messages = {uid: change.message for uid, change in changes.items()}
        guids = {uid: message.guid for uid, message in messages.items()}
        received = ReceivedMessages(folder, packing=self._packing)
        try:
            for values in self._talk.hear_all(MAIL):
                if "stream" in values:
                    received.take(values, self._talk.hear_stream(), guids)
            if plan.changes(side):
                bring = partial(received.bring, messages=messages)
                self.missed += carry_out(plan, self._place, self._name, bring)
        finally:
            received.discard()

    def _exchange_states(self, theirs: BoxState, uids: set[int]) -> dict[str, bytes]:
        """`uids`: what both have, if nobody else has come between."""
        folder = self._place.folder(self._name)
        values = {
            "mailbox_guid": folder.guid,
            "last_uidvalidity": decimal(folder.uid_validity),
            "last_common_uid": decimal(folder.next_uid - 1),
            "last_common_modseq": decimal(theirs.highest_modseq),
            "last_common_pvt_modseq": b"0",
            "last_messages_count": decimal(len(folder.uids)),
        }
        if self.missed:
            values["changes_during_sync"] = b""
        self._talk.say(STATE, values)
        other = self._talk.hear_one(STATE)
        if guid(other) != folder.guid:
            raise DsyncFault("Remote sent the state of another mailbox")
        if "changes_during_sync" in other:
            self.missed += 1
        is_alike = number(other, "last_messages_count") == len(uids) and not self._choice.is_partial
        if is_alike and not self.missed:
            messages = [one for one in side_of(folder).messages if one.uid in uids]
            annotations = self._place.attributes.of_mailbox(folder.guid)
            self.common = CommonMessages(folder.uid_validity, tuple(messages), annotations)
        return values | {
            key: decimal(min(number(values, key), number(other, key)))
            for key in ("last_common_uid", "last_common_modseq")
        }


def _uids_after(side: Side, plan: Plan | None) -> set[int]:
    """Of the messages that were there, or came."""
    uids = {message.uid for message in side.messages}
    if plan is None:
        return uids
    moved = dict(plan.renumbered)
    gone = set(plan.expunged)
    return {moved.get(uid, uid) for uid in uids if uid not in gone} | {new for _, new in plan.saved}


def _octets(content: bytes | LargeContent) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
    else:
        yield from content.blocks()


def _pop3_values(folder: FolderFiles, uid: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for field in folder.uidlist.fields.get(uid, b"").split(b" "):
        if field == b"P":
            path = folder.path_of(uid)
            found["pop3_uidl"] = b"" if path is None else base_at(path[len(folder.directory) + 1 :])
        elif field.startswith(b"P"):
            found["pop3_uidl"] = field[1:]
        elif field.startswith(b"O") and field[1:].isdigit():
            found["pop3_order"] = field[1:]
    return {key: value for key, value in found.items() if value}
