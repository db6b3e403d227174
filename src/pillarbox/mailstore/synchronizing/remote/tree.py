"""Mailboxes of both sides of a run become the same by name and GUID; messages come later.

DESCRIPTION
    `nodes_of` tells what is here.  `TreeMerge` does here what the other side's tree asks for; the other side does
    the same with ours.  In a backup the written side's mailboxes become those of the read one.  Otherwise
    mailboxes are the same if their GUIDs are, and one that only one side has is made on the other, but for one
    that the other tells to have deleted.  Which of two names one mailbox gets, whether it is subscribed to, and
    which of two GUIDs one name gets both sides decide alike: by the later time, where times are known, then by the
    side that leads; the higher GUID.

    What is not as both had it after the last run (memory_of_peers.py) has been changed at the time of this one;
    times of other changes of ours are not known (0).

FAULTS
    those of place.py; DsyncFault

STANDARDS
    Dovecot 2.3, dsync protocol 3.5
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping

import msgspec

from pillarbox.mailstore.mailbox import MailboxExists, MailboxNameRefused, NoSuchMailbox
from pillarbox.mailstore.mailbox_names import INBOX, SEPARATOR
from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.memory_of_peers import PeerMemory
from pillarbox.mailstore.synchronizing.remote.names import LevelNames
from pillarbox.mailstore.synchronizing.remote.values import decimal, guid, number
from pillarbox.wire.dsync.fields import DsyncFault


class Node(msgspec.Struct):
    """A name in a tree."""

    guid: bytes = b""
    """Empty for one without a mailbox."""
    uid_validity: int = 0
    next_uid: int = 0
    exists: bool = False
    is_subscribed: bool = False
    renamed: int = 0
    """When it was named so, in seconds since 1970; 0 if that is not known."""
    subscription_changed: int = 0

    def values(self, name: bytes) -> dict[str, bytes]:
        """As it is sent."""
        found = {"name": name, "existence": b"y" if self.exists else b"n"}
        if self.guid:
            found |= {
                "mailbox_guid": self.guid,
                "uid_validity": decimal(self.uid_validity),
                "uid_next": decimal(self.next_uid),
            }
        if self.is_subscribed:
            found["subscribed"] = b""
        times = {
            "last_renamed_or_created": self.renamed,
            "last_subscription_change": self.subscription_changed,
        }
        return found | {key: decimal(when) for key, when in times.items() if when}


def node_of(values: Mapping[str, bytes]) -> Node:
    """What was sent."""
    return Node(
        guid=guid(values) if values["existence"] == b"y" else b"",
        uid_validity=number(values, "uid_validity"),
        next_uid=number(values, "uid_next"),
        exists=values["existence"] == b"y",
        is_subscribed="subscribed" in values,
        renamed=number(values, "last_renamed_or_created"),
        subscription_changed=number(values, "last_subscription_change"),
    )


def name_digest(name: str) -> bytes:
    """What a name is known by where it is gone."""
    return hashlib.sha1(name.encode("utf-8"), usedforsecurity=False).hexdigest()[:32].encode("ascii")


class Deletions(msgspec.Struct, frozen=True):
    """What the other side remembers of what is gone."""

    mailboxes: frozenset[bytes] = frozenset()
    """GUIDs."""
    unsubscribed: Mapping[bytes, int] = {}
    """First half of the name's SHA-1 in hex → when."""
    separator: str = "/"
    when: int = 0
    """Time of `mailboxes`, if they are ours."""

    def unsubscribed_at(self, name: str, names: LevelNames) -> int:
        """When a name of the store is told to be subscribed to no more; 0 if it is not."""
        return self.unsubscribed.get(name_digest(names.public(name, self.separator)), 0)

    def values(self, separator: str) -> dict[str, bytes]:
        """As it is sent, all of it deleted now."""
        found = {"hierarchy_sep": separator.encode("ascii"), "escape_char": b"%"}
        lists = {"mailboxes": dict.fromkeys(self.mailboxes, self.when), "unsubscribes": self.unsubscribed}
        for key, timed in lists.items():
            if timed:
                found[key] = b" ".join(b"%b %d" % one for one in sorted(timed.items()))
        return found


def deletions_of(values: Mapping[str, bytes]) -> Deletions:
    """What was sent."""
    separator = values["hierarchy_sep"].decode("ascii", "replace")
    if len(separator) != 1:
        raise DsyncFault("Invalid hierarchy_sep")
    return Deletions(
        frozenset(_timed(values.get("mailboxes", b""))), _timed(values.get("unsubscribes", b"")), separator
    )


def _timed(value: bytes) -> dict[bytes, int]:
    words = value.split(b" ") if value else []
    if len(words) % 2 or not all(word.isdigit() for word in words[1::2]):
        raise DsyncFault("Invalid mailbox_delete")
    return {one: int(when) for one, when in zip(words[::2], words[1::2], strict=True)}


def nodes_of(place: Place, choice: Choice) -> dict[str, Node]:
    """The mailboxes here, and what is subscribed to, as far as they are chosen."""
    _tell_apart(place)
    found: dict[str, Node] = {}
    for name, own_guid in place.mailboxes().items():
        if not own_guid:
            own_guid = place.folder(name).guid  # nobody has opened it yet
        if not choice.includes(name, own_guid):
            continue
        folder = place.folder(name)
        found[name] = Node(folder.guid, folder.uid_validity, folder.next_uid, exists=True)
    for name in place.subscriptions.read():
        if choice.subscriptions(name):
            found.setdefault(name, Node()).is_subscribed = True
    return found


def date_changes(
    nodes: Mapping[str, Node], place: Place, memory: PeerMemory, names: LevelNames, choice: Choice
) -> Deletions:
    """What has been changed since the last run gets its time, which is now; what has been deleted since."""
    now = int(place.clock.now())
    for name, node in nodes.items():
        node.renamed = now if memory.names.get(node.guid, name) != name else 0
        if memory.names and node.is_subscribed != (name in memory.subscriptions):
            node.subscription_changed = now
    present = set(place.mailboxes().values())
    gone = {
        own_guid
        for own_guid, name in memory.names.items()
        if own_guid not in present and choice.includes(name, own_guid)
    }
    unsubscribed = [name for name in memory.subscriptions if name not in nodes and choice.subscriptions(name)]
    return Deletions(
        frozenset(gone), {name_digest(names.public(name)): now for name in unsubscribed}, names.separator, now
    )


def _tell_apart(place: Place) -> None:
    """Of mailboxes with one GUID (a directory was copied) all but the first get another."""
    seen = set[bytes]()
    for name, own_guid in place.mailboxes().items():
        if own_guid in seen:
            place.update(name, guid=uuid.uuid4().hex.encode("ascii"))
        elif own_guid:
            seen.add(own_guid)


class TreeMerge:
    """What the other side's tree makes of ours."""

    def __init__(
        self,
        place: Place,
        names: LevelNames,
        ours: Mapping[str, Node],
        theirs: Mapping[str, Node],
        deletions: Deletions,
        told: Deletions,
        *,
        leads: bool,
        is_mirror: bool,
        is_alone: bool,
    ) -> None:
        """`deletions` are theirs, `told` ours; `leads`: whether this side leads; `is_mirror`: whether ours is to
        become theirs; `is_alone`: whether only we change anything."""
        self._place, self._names = place, names
        self._ours, self._theirs = ours, theirs
        self._deletions, self._told = deletions, told
        self._leads, self._is_mirror, self._is_alone = leads, is_mirror, is_alone
        self.refused: dict[str, str] = {}
        """Mailboxes of the other side that cannot be had here, and why."""

    def run(self) -> None:
        """Do it."""
        here = {name: node.guid for name, node in self._ours.items() if node.guid}
        there = {
            name: node.guid
            for name, node in self._theirs.items()
            if node.guid and node.guid not in self._told.mailboxes
        }
        self._delete(here, there)
        self._rename(here, there)
        for name, wanted in there.items():
            try:
                self._make(name, wanted, here)
            except (MailboxExists, MailboxNameRefused, NoSuchMailbox) as fault:
                self.refused[name] = str(fault) or type(fault).__name__
        self._subscribe()

    def _delete(self, here: dict[str, bytes], there: Mapping[str, bytes]) -> None:
        kept = set(there.values())
        for name in sorted(here, reverse=True):
            own_guid = here[name]
            if own_guid in kept or name == INBOX:
                continue
            is_gone = own_guid in self._deletions.mailboxes
            if is_gone or (self._is_mirror and name not in there):
                self._place.delete(name, own_guid)
                del here[name]

    def _rename(self, here: dict[str, bytes], there: Mapping[str, bytes]) -> None:
        """Mailboxes that both have get one name."""
        for _ in range(10 * len(here) + 10):
            wanted = {own_guid: name for name, own_guid in there.items()}
            moved = next(
                (
                    (name, wanted[own_guid])
                    for name, own_guid in sorted(here.items())
                    if own_guid in wanted
                    and wanted[own_guid] != name
                    and INBOX not in (name, wanted[own_guid])
                    and self._takes_their_name(name, wanted[own_guid])
                    and wanted[own_guid] not in self.refused
                ),
                None,
            )
            if moved is None:
                return
            old, new = moved
            try:
                self._give_name(here, wanted, old, new)
            except (MailboxExists, MailboxNameRefused) as fault:
                self.refused[new] = str(fault)

    def _takes_their_name(self, ours: str, theirs: str) -> bool:
        if self._is_mirror:
            return True
        mine, others = self._ours[ours].renamed if ours in self._ours else 0, self._theirs[theirs].renamed
        return others > mine if others != mine else not self._leads

    def _give_name(self, here: dict[str, bytes], wanted: Mapping[bytes, str], old: str, new: str) -> None:
        """Rename one; who has the name makes room."""
        if new in here and here[new] not in wanted and self._is_mirror:
            self._place.delete(new, here.pop(new))
        elif new in here or new.startswith(old + SEPARATOR):
            at = new if new in here else old
            self._move(here, at, f"{at}-{uuid.uuid4().hex[:8]}".replace(SEPARATOR, "-"))
            return
        self._move(here, old, new)

    def _move(self, here: dict[str, bytes], old: str, new: str) -> None:
        self._place.tree.rename(old, new)
        for name in [name for name in here if name == old or name.startswith(old + SEPARATOR)]:
            here[new + name[len(old) :]] = here.pop(name)

    def _make(self, name: str, wanted: bytes, here: dict[str, bytes]) -> None:
        """A mailbox that only the other side has, or under another GUID."""
        if wanted in here.values():
            return
        if name not in here and not self._place.tree.is_mailbox(name):
            self._place.begin(name, wanted, self._theirs[name].uid_validity)
        elif self._is_alone or wanted > here.get(name, b""):
            self._place.update(name, guid=wanted)
        here[name] = wanted

    def _subscribe(self) -> None:
        for name in sorted(self._ours.keys() | self._theirs.keys()):
            ours, theirs = self._ours.get(name, Node()), self._theirs.get(name, Node())
            is_wanted = theirs.is_subscribed
            if not self._is_mirror:
                when = max(theirs.subscription_changed, self._deletions.unsubscribed_at(name, self._names))
                ours_when = max(ours.subscription_changed, self._told.unsubscribed_at(name, self._names))
                if when < ours_when:
                    is_wanted = ours.is_subscribed
                elif when == ours_when:
                    is_wanted = is_wanted or ours.is_subscribed
            if is_wanted and not ours.is_subscribed:
                self._place.subscriptions.add(name)
            elif ours.is_subscribed and not is_wanted:
                self._place.subscriptions.remove(name)


def in_order(nodes: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """As they are sent, INBOX first."""
    return iter(sorted(nodes.items(), key=lambda item: (item[0] != INBOX, item[0])))
