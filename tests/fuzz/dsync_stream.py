"""dsync: any octets are items, pieces and marks, or a fault; in any pieces the same."""

from pillarbox.mailstore.synchronizing.remote.mailbox_exchange import box_state_of
from pillarbox.mailstore.synchronizing.remote.names import LevelNames
from pillarbox.mailstore.synchronizing.remote.run_settings import settings_of
from pillarbox.mailstore.synchronizing.remote.tree import deletions_of, node_of
from pillarbox.mailstore.synchronizing.remote.values import change_of
from pillarbox.wire.dsync.fields import DsyncFault
from pillarbox.wire.dsync.kinds import CHANGE, DELETIONS, HANDSHAKE, MAILBOX, NODE, greeting
from pillarbox.wire.dsync.stream import Event, Incoming, Item, Mark, Piece

SEEDS = [
    b"\x03NWork\x01tSub\ty\t4b55191c92b90a6bd45b000083ecc375\t1795864980\t1\n.\n",
    b"\x05D/\t%\t4b55191c92b90a6bd45b000083ecc375 1795865597\t\x02\t3a91b6c576e440c4fd049b24c727d46b 1795865597\n",
    b"\x01B4860d60a92b90a6bc45b000083ecc375\t1795864978\t1\t0\t1\t1\t0\t\x02\t\x02\tflags\x01tt\t\t\n",
    b"\x07Cs\t2\t1.M2P3.vm,S=23,W=27\t\x02\t8\t\x02\t8\t\x02\t28\t\x02\t&Blue\t\x02\tff\nCe\t1\tabc\n.\n",
    b"\x02Mguid\t\x02\t\x02\t\x02\t1795864978\t1795864978\t\nSubject: a\n\n..b\n\r\n.\r\n.\nX\n",
    b"\x0fHvm\t\x02\tWork\t\x02\tc\t\x02\t\x02\tA\x01tB\t\t\x02\t\n",
]
DICTIONARY = [b"\t", b"\n.\n", b"\r\n.\r\n", b"\x02", b"\x01t", b"\x011", b"M", b"A", b"C", b"stream"]


def events(octets: bytes, step: int) -> list[Event] | str:
    """What comes of them, streams in one piece; or the fault."""
    incoming, found = Incoming(), list[Event]()
    try:
        for at in range(0, len(octets), step):
            incoming.feed(octets[at : at + step])
            while (event := incoming.next_event()) is not Mark.NEED_DATA:
                last = found[-1] if found else None
                if isinstance(event, Piece) and isinstance(last, Piece):
                    found[-1] = Piece(last.octets + event.octets)
                else:
                    found.append(event)
    except DsyncFault as fault:
        return str(fault)
    return found


def fuzz_one(data: bytes) -> None:
    """Of an input, the first octet says how it is cut."""
    step = (data[0] if data else 0) % 16 + 1
    octets = greeting() + data[1:]
    found = events(octets, step)
    assert found == events(octets, len(octets))
    if isinstance(found, str):
        return
    names = LevelNames("INBOX.", ".", forbidden=".")
    for event in found:
        if not isinstance(event, Item):
            continue
        assert event.kind.read_line(event.kind.keys, event.kind.line(event.values)[1:-1]) == event.values or (
            not any(event.values.values())
        )
        try:
            if event.kind is NODE:
                node_of(event.values)
                name = names.of_value(event.values["name"])
                assert name is None or names.of_value(names.to_value(name)) == name
            elif event.kind is CHANGE:
                change_of(event.values)
            elif event.kind is MAILBOX:
                box_state_of(event.values)
            elif event.kind is DELETIONS:
                deletions_of(event.values)
            elif event.kind is HANDSHAKE:
                settings_of(event.values)
        except DsyncFault:
            continue
