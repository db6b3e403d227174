"""A run of dsync from the first item to the last: handshake, trees, mailboxes one after another, end.

DESCRIPTION
    The side that leads says what is wanted, and names each mailbox by its GUID; the other answers with its own
    state, or that the mailbox is lost.  Then MailboxExchange does it.  In the end the other says whether all went
    well.

FAULTS
    those of conversation.py, tree.py and mailbox_exchange.py
    DsyncFault  the other side failed, too

STANDARDS
    Dovecot 2.3, dsync protocol 3.5
"""

import socket
from collections.abc import Callable

import msgspec

from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation, Values
from pillarbox.mailstore.synchronizing.remote.mailbox_exchange import (
    BoxState,
    MailboxExchange,
    Role,
    box_state_of,
    own_state,
)
from pillarbox.mailstore.synchronizing.remote.memory_of_peers import PeerMemory
from pillarbox.mailstore.synchronizing.remote.names import LevelNames
from pillarbox.mailstore.synchronizing.remote.run_settings import RunSettings, settings_of
from pillarbox.mailstore.synchronizing.remote.tree import (
    Deletions,
    Node,
    TreeMerge,
    date_changes,
    deletions_of,
    in_order,
    node_of,
    nodes_of,
)
from pillarbox.mailstore.synchronizing.remote.values import guid, number, text
from pillarbox.wire.dsync.fields import DsyncFault
from pillarbox.wire.dsync.kinds import DELETIONS, FINISH, HANDSHAKE, MAILBOX, NODE, STATE


class Outcome(msgspec.Struct):
    """What came of a run."""

    missed: int = 0
    """Messages and mailboxes that changed meanwhile: another run is needed."""
    refused: dict[str, str] = {}
    """Mailboxes that cannot be had here, and why."""
    states: list[Values] = []
    """Of each mailbox, as they are sent."""


class Brain:
    """One side of a run."""

    def __init__(
        self, talk: Conversation, place: Place, names: LevelNames, *, packing: tuple[str, int] | None = None
    ) -> None:
        """`packing`: how new messages are compressed."""
        self._talk, self._place, self._names = talk, place, names
        self._packing = packing
        self._hostname = socket.gethostname()
        self.outcome = Outcome()

    def lead(self, settings: RunSettings, choice: Choice) -> Outcome:
        """The side that says what is wanted."""
        self._place.make()
        talk = self._talk
        talk.say(HANDSHAKE, settings.values(self._hostname))
        memory = PeerMemory(self._place, text(talk.hear_one(HANDSHAKE), "hostname"))
        role = _role(settings, leads=True)
        nodes = self._exchange_trees(role, choice, memory)
        try:
            for name, node in in_order(nodes):
                if node.guid and not settings.has_no_mail:
                    self._lead_mailbox(name, role, choice, memory)
        finally:
            memory.write()
        talk.end_list()
        ended = talk.hear_one(FINISH)
        if "error" in ended:
            raise DsyncFault(f"Remote dsync failed: {ended['error'].decode('utf-8', 'replace')}")
        if "require_full_resync" in ended:
            self.outcome.missed += 1
        return self.outcome

    def follow(self, choose: Callable[[RunSettings], Choice]) -> Outcome:
        """The side that is told.  `choose`: what the settings mean here.  The last item goes out with `give_up`."""
        self._place.make()
        talk = self._talk
        talk.say(HANDSHAKE, {"hostname": self._hostname.encode("utf-8"), "hashed_headers": b""})
        settings = settings_of(talk.hear_one(HANDSHAKE))
        self._names.replacement = settings.replacement
        choice = choose(settings)
        role = _role(settings, leads=False)
        known = dict[bytes, Values]()
        if settings.knows_states:
            known = {guid(values): values for values in talk.hear_all(STATE)}
        memory = PeerMemory(self._place, settings.hostname)
        nodes = self._exchange_trees(role, choice, memory)
        by_guid = {node.guid: name for name, node in nodes.items() if node.guid}
        try:
            for values in talk.hear_all(MAILBOX):
                theirs = box_state_of(values)
                last_common = _last_common(known.get(theirs.guid), theirs)
                self._follow_mailbox(theirs, by_guid.get(theirs.guid), last_common, role, choice, memory)
        finally:
            memory.write()
        talk.say(FINISH, {"error": b"dsync failed", "mail_error": b"1"} if self.outcome.refused else {})
        return self.outcome

    def _exchange_trees(self, role: Role, choice: Choice, memory: PeerMemory) -> dict[str, Node]:
        """The mailboxes here afterwards."""
        talk, names = self._talk, self._names
        ours = nodes_of(self._place, choice)
        deleted = Deletions()
        if not role.is_mirror:
            deleted = date_changes(ours, self._place, memory, names, choice)
        for name, node in in_order(ours):
            talk.say(NODE, node.values(names.to_value(name)))
        talk.end_list()
        talk.say(DELETIONS, deleted.values(names.separator))
        theirs: dict[str, Node] = {}
        for values in talk.hear_all(NODE):
            their_name = names.of_value(values["name"])
            if their_name is not None:
                theirs[their_name] = node_of(values)
        deletions = deletions_of(talk.hear_one(DELETIONS))
        if not role.receives:
            if role.is_mirror:
                self._note_names(ours, choice, memory)
            return ours
        tree = TreeMerge(
            self._place,
            names,
            ours,
            theirs,
            deletions,
            deleted,
            leads=role.leads,
            is_mirror=role.is_mirror,
            is_alone=not role.sends,
        )
        tree.run()
        self.outcome.refused = tree.refused
        found = nodes_of(self._place, choice)
        if role.is_mirror or role.sends:
            self._note_names(found, choice, memory)
        return found

    def _note_names(self, nodes: dict[str, Node], choice: Choice, memory: PeerMemory) -> None:
        subscribed = [name for name, node in nodes.items() if node.is_subscribed]
        others = [name for name in memory.subscriptions if not choice.subscriptions(name)]
        memory.note_names(
            {node.guid: name for name, node in nodes.items() if node.guid}, {*subscribed, *others}
        )

    def _lead_mailbox(self, name: str, role: Role, choice: Choice, memory: PeerMemory) -> None:
        ours = own_state(self._place.folder(name))
        self._talk.say(MAILBOX, ours.values())
        theirs = box_state_of(self._talk.hear_one(MAILBOX))
        if theirs.guid != ours.guid:
            raise DsyncFault("Remote sent mailbox with a wrong GUID")
        if theirs.is_lost or theirs.is_ignored:
            self.outcome.missed += theirs.is_lost
            return
        self._exchange(name, theirs, 0, role, choice, memory)

    def _follow_mailbox(
        self,
        theirs: BoxState,
        name: str | None,
        last_common: int,
        role: Role,
        choice: Choice,
        memory: PeerMemory,
    ) -> None:
        if name is None:
            is_ignored = not role.receives and not role.is_mirror
            lost = BoxState(
                guid=theirs.guid,
                uid_validity=0,
                next_uid=0,
                count=0,
                is_lost=not is_ignored,
                is_ignored=is_ignored,
            )
            self._talk.say(MAILBOX, lost.values())
            self.outcome.missed += lost.is_lost
            return
        ours = own_state(self._place.folder(name))
        if not theirs.highest_modseq:  # else it would take equal numbers for equal mailboxes
            ours = msgspec.structs.replace(ours, highest_modseq=1)
        self._talk.say(MAILBOX, ours.values())
        self._exchange(name, theirs, last_common, role, choice, memory)

    def _exchange(
        self,
        name: str,
        theirs: BoxState,
        last_common: int,
        role: Role,
        choice: Choice,
        memory: PeerMemory,
    ) -> None:
        if not theirs.has_guids:
            raise DsyncFault("Remote's mails have no GUIDs, by which alone they are known here")
        exchange = MailboxExchange(
            self._talk,
            self._place,
            name,
            role,
            choice,
            packing=self._packing,
            last_common=last_common,
            known=memory.common(theirs.guid),
        )
        self.outcome.states.append(exchange.run(theirs))
        self.outcome.missed += exchange.missed
        if role.is_mirror or (role.sends and role.receives):
            memory.note(theirs.guid, exchange.common)


def _last_common(known: Values | None, theirs: BoxState) -> int:
    """Up to which UID the other side takes messages to be the same."""
    if known is None or number(known, "last_uidvalidity") != theirs.uid_validity:
        return 0
    return number(known, "last_common_uid")


def _role(settings: RunSettings, *, leads: bool) -> Role:
    return Role(
        leads=leads,
        sends=not settings.backs_up or leads != settings.is_reverse,
        receives=not settings.backs_up or leads == settings.is_reverse,
        is_mirror=settings.backs_up and not settings.keeps_additions,
        wants_requests=leads or settings.wants_requests,
    )
