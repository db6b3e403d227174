"""Two places that know each other by a stream of octets alone (mailstore/synchronizing/remote/)."""

import socket
import threading
from collections.abc import Callable

import msgspec
import pytest

from fakes.crash_file_system import CrashFileSystem
from pillarbox.config.mailbox_settings import Storage
from pillarbox.mailstore.mailbox import FlagAction, FlagChange
from pillarbox.mailstore.maildir import folder_changes
from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.exchange import side_of
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.brain import Brain, Outcome
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation
from pillarbox.mailstore.synchronizing.remote.mailbox_exchange import BoxState, box_state_of
from pillarbox.mailstore.synchronizing.remote.names import LevelNames
from pillarbox.mailstore.synchronizing.remote.run_settings import RunSettings, settings_of
from pillarbox.net.duplex_stream import DuplexStream, StreamEnded
from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.dsync.fields import DsyncFault, Kind
from pillarbox.wire.dsync.kinds import MAILBOX

HERE = {
    "dovecot-uidlist": b"3 V70 N9 G%s\n1 :a\n2 :b\n5 Puid O3 :e\n" % (b"0" * 32),
    "dovecot-keywords": b"0 $Forwarded\n",
    "cur/a:2,S": b"Subject: a\n\n.dot\n",
    "cur/b:2,FSa": b"Subject: b\n\n",
    "new/e": b"Subject: e\n\n",
    ".Work.Sub/dovecot-uidlist": b"3 V71 N4 G%s\n3 Gz :s\n" % (b"1" * 32),
    ".Work.Sub/cur/s:2,": b"Subject: s\n\n",
    "subscriptions": b"V\t2\n\nWork\tSub\n",
    "dovecot-attributes": b"priv/%s/comment\nmine\n" % (b"1" * 32),
}
OLD = {
    "dovecot-uidlist": b"3 V99 N7 G%s\n1 :a\n2 :x\n4 :d\n" % (b"9" * 32),
    "cur/a:2,": b"Subject: a\n\n.dot\n",
    "cur/x:2,": b"Subject: x\n\n",
    "cur/d:2,": b"Subject: d\n\n",
    ".Old/dovecot-uidlist": b"3 V60 N2 G%s\n1 :o\n" % (b"2" * 32),
    ".Old/cur/o:2,": b"Subject: o\n\n",
    ".Moved/dovecot-uidlist": b"3 V71 N4 G%s\n" % (b"1" * 32),
    ".Moved/cur/.keep": b"",
    "subscriptions": b"V\t2\n\nOld\n",
}
BACKUP = RunSettings(backs_up=True)


def host(files: dict[str, bytes]) -> Place:
    """A host with a Maildir of these files."""
    made = CrashFileSystem()
    made.make_directories("/mail")
    for path in files:
        if "/" in path:
            for name in ("cur", "new", "tmp"):
                made.make_directories(
                    f"/mail/{path.rpartition('/')[0].rpartition('/')[0]}/{name}".replace("//", "/")
                )
    for path, content in files.items():
        made.make_file(f"/mail/{path}", content)
    return Place(Storage(path="/mail"), files=made)


def disk(place: Place) -> CrashFileSystem:
    """What it lies on."""
    assert isinstance(place.files, CrashFileSystem)
    return place.files


class _Cut(DuplexStream):
    """Breaks after so many octets that were received."""

    left = 1 << 40

    def receive(self) -> bytes:
        octets = super().receive()
        self.left -= len(octets)
        if self.left < 0:
            raise StreamEnded("cut")
        return octets


def run(
    leading: Place,
    other: Place,
    settings: RunSettings,
    choice: Choice | None = None,
    *,
    cut: int = 1 << 40,
    talking: type[Conversation] = Conversation,
) -> tuple[Outcome | Exception, Outcome | Exception]:
    """One run; what came of it on both sides.  The `cut` is on the side that is written to by a backup."""
    ends = socket.socketpair()
    outcomes: list[Outcome | Exception] = [Outcome(), Outcome()]

    def side(at: int, place: Place, work: Callable[[Brain], Outcome]) -> None:
        stream = _Cut(ends[at].fileno(), ends[at].fileno(), seconds=20, directory="/tmp")
        stream.left = cut if at != settings.is_reverse else 1 << 40
        talk = talking(stream)
        try:
            outcomes[at] = work(Brain(talk, place, LevelNames("INBOX.", ".", forbidden=".")))
        except (DsyncFault, StreamEnded) as fault:
            outcomes[at] = fault
        try:
            talk.give_up()
        except StreamEnded as fault:
            outcomes[at] = outcomes[at] if isinstance(outcomes[at], Exception) else fault
        ends[at].close()

    chosen = choice or Choice()
    follower = threading.Thread(
        target=side, args=(1, other, lambda brain: brain.follow(lambda _settings: chosen))
    )
    follower.start()
    side(0, leading, lambda brain: brain.lead(settings, chosen))
    follower.join()
    return outcomes[0], outcomes[1]


def well(
    leading: Place,
    other: Place,
    settings: RunSettings,
    choice: Choice | None = None,
    *,
    talk: type[Conversation] = Conversation,
) -> None:
    """A run in which nothing is missed."""
    for outcome in run(leading, other, settings, choice, talking=talk):
        assert isinstance(outcome, Outcome), outcome
        assert (outcome.missed, outcome.refused) == (0, {})


def state(place: Place) -> dict[str, object]:
    """What clients see there."""
    found: dict[str, object] = {"subscriptions": tuple(sorted(place.subscriptions.read()))}
    for name in place.mailboxes():
        folder = place.folder(name)
        side = side_of(folder)
        contents = [folder.read(uid)[0] for uid in folder.uids]
        annotations = place.attributes.of_mailbox(side.guid)
        found[name] = (
            side.guid,
            side.uid_validity,
            side.next_uid,
            list(side.messages),
            contents,
            annotations,
        )
    return found


@pytest.mark.parametrize("is_reverse", [False, True])
@pytest.mark.parametrize("old", [{}, OLD])
def test_a_backup_is_the_same(old: dict[str, bytes], *, is_reverse: bool) -> None:
    """To a new host, or over what was there; the read side stays as it is, and the next run has nothing to do."""
    source, target = host(HERE), host(old)
    settings = msgspec.structs.replace(BACKUP, is_reverse=is_reverse)
    before = state(source)
    for _ in range(2):
        pair = (target, source) if is_reverse else (source, target)
        well(pair[0], pair[1], settings)
        assert state(source) == before == state(target)
    folder = target.folder("INBOX")
    assert folder.uidlist.fields[5] == b"Ge Puid O3 "
    target.close()
    assert not [path for path in disk(target).files() if "/tmp/" in path]


def test_a_run_that_is_cut_off_loses_and_doubles_nothing() -> None:
    """Wherever the stream breaks; the next run does the rest."""
    wanted = state(host(HERE))
    size = 8000
    for cut in range(0, size, 499):
        source, target = host(HERE), host(OLD)
        before = {message for name in target.mailboxes() for message in side_of(target.folder(name)).messages}
        outcomes = run(source, target, BACKUP, cut=cut)
        after = [
            message.guid for name in target.mailboxes() for message in side_of(target.folder(name)).messages
        ]
        assert len(after) == len(set(after))
        assert {message.guid for message in before} >= set(after) - {b"a", b"b", b"e", b"z"}
        assert state(source) == wanted
        well(source, target, BACKUP)
        assert state(target) == wanted
        if not isinstance(outcomes[1], Exception):
            break
    else:
        pytest.fail("no run has been whole")


@pytest.mark.parametrize("leads", [0, 1])
def test_what_has_happened_since_is_brought_over(leads: int) -> None:
    """On both sides: messages, expunges, flags, mailboxes, subscriptions, annotations; then both are the same."""
    one, two = host(HERE), host({})
    well(one, two, RunSettings())
    assert state(one) == state(two)
    inbox = one.folder("INBOX")
    folder_changes.expunge(inbox, [1])
    folder_changes.change_flags(inbox, [2], FlagChange(FlagAction.REPLACE, Flag.ANSWERED, (b"Blue",)))
    one.tree.rename("Work/Sub", "Work/Other")
    one.subscriptions.remove("Work/Sub")
    one.attributes.change(b"1" * 32, {"private/comment": None})
    one.begin("Here", b"4" * 32, 80)
    two.begin("There", b"5" * 32, 81)
    two.subscriptions.add("There")
    for place, name in ((one, "here"), (two, "there")):
        descriptor = place.files.open(f"/mail/new/{name}".encode(), 0o101, 0o600)
        place.files.write_all(descriptor, [f"Subject: {name}\n\n".encode()])
        place.files.close(descriptor)
    folder_changes.change_flags(two.folder("INBOX"), [5], FlagChange(FlagAction.ADD, Flag.SEEN))
    pair = (one, two) if leads == 0 else (two, one)
    for _ in range(2):
        well(pair[0], pair[1], RunSettings())
        found = state(one)
        assert found == state(two)
    assert found.keys() == {"subscriptions", "INBOX", "Work/Other", "Here", "There"}
    assert found["subscriptions"] == ("There",)
    messages = {message.guid: message for message in side_of(one.folder("INBOX")).messages}
    assert messages.keys() == {b"b", b"e", b"here", b"there"}
    assert messages[b"b"].meaning == (int(Flag.ANSWERED), frozenset({b"Blue"}))
    assert messages[b"e"].flags == Flag.SEEN
    assert sorted(message.uid for message in messages.values()) == [2, 5, 10, 11]
    assert one.attributes.of_mailbox(b"1" * 32) == {}
    two.delete("Here", b"4" * 32)
    well(pair[0], pair[1], RunSettings())
    assert state(one) == state(two)
    assert "Here" not in state(one)


def test_a_copy_that_was_made_anew_is_filled_again() -> None:
    """What is remembered of it does not count."""
    one, two = host(HERE), host({})
    well(one, two, RunSettings())
    before = state(one)
    other = host({"dovecot-uidlist": b"3 V70 N1 G%s\n" % (b"0" * 32), "cur/.keep": b""})
    well(one, other, RunSettings())
    assert state(one) == before == state(other)


@pytest.mark.parametrize(
    ("settings", "choice", "uids"),
    [
        (BACKUP, Choice(max_size=15), [2, 5]),
        (BACKUP, Choice(flag=(int(Flag.SEEN), b"")), [1, 2]),
        (BACKUP, Choice(flag=(0, b"$forwarded"), is_without_flag=True), [1, 5]),
        (RunSettings(backs_up=True, keeps_additions=True), Choice(), [1, 2, 5]),
        (RunSettings(has_no_mail=True), Choice(), []),
    ],
)
def test_what_is_chosen(settings: RunSettings, choice: Choice, uids: list[int]) -> None:
    """By size and by flags; or mailboxes alone."""
    source, target = host(HERE), host({})
    well(source, target, settings, choice)
    assert list(target.folder("INBOX").uids) == uids
    assert target.tree.is_mailbox("Work/Sub")


def test_names_that_cannot_be_had_get_others() -> None:
    """Levels with our separators; the namespace's prefix."""
    names = LevelNames("INBOX.", ".", forbidden=".")
    for value, name in [
        (b"INBOX", "INBOX"),
        (b"INBOX\tWork\tSub", "Work/Sub"),
        (b"INBOX\ta.b/c\t..", "a_b_c/__"),
        (b"INBOX\tcur", "_cur"),
    ]:
        assert names.of_value(value) == name
    assert names.of_value(b"INBOX\t") == "_"
    with pytest.raises(DsyncFault, match=r"namespace for mailbox Other\.a"):
        names.of_value(b"Other\ta")
    assert names.to_value("Work/Sub") == b"INBOX\tWork\tSub"


def test_what_is_wanted_is_told() -> None:
    """As it was meant; whatever of states the side that leads knows, everything is compared."""
    settings = RunSettings(
        hostname="here",
        backs_up=True,
        is_reverse=True,
        mailbox="Work",
        excluded=("Trash", "a\tb"),
        namespaces=("", "Public/"),
        lock_seconds=5,
        since=1795864978,
        max_size=1000,
        flag="-\\\\Seen",
        purges=True,
    )
    values = settings.values("here")
    assert settings_of(values) == settings
    assert values["sync_type"] == b"f"
    assert settings_of({**values, "sync_type": b"s"}).knows_states
    with pytest.raises(DsyncFault, match="Invalid sync_until_timestamp: 0"):
        settings_of({**values, "sync_until_timestamp": b"0"})


def test_what_is_equal_for_dovecot_is_not_passed_over() -> None:
    """It passes over a mailbox of which both sides tell the same; ours always tells another mod-sequence."""
    one, two = host(HERE), host(HERE)
    heard: list[BoxState] = []

    class Listening(Conversation):
        def hear_one(self, kind: Kind) -> dict[str, bytes]:
            values = super().hear_one(kind)
            if kind is MAILBOX:
                heard.append(box_state_of(values))
            return values

    well(one, two, RunSettings(), talk=Listening)
    assert [state.highest_modseq for state in heard] == [1, 1]
