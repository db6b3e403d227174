"""Annotations of a mailbox in a run of dsync (METADATA; Dovecot's mail_attribute_dict).

DESCRIPTION
    The written side of a backup has afterwards what the read one has.  Else of two values the later one stays,
    where times are known, else that with the higher modseq, else the greater one.  Ours has a time, that of the
    run, if it is not what both had after the last.

STANDARDS
    RFC 5464; Dovecot 2.3, dsync protocol 3.5
"""

from collections.abc import Mapping
from typing import Final

from pillarbox.mailstore.mailbox import AttributesFull, StoreUnavailable
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation
from pillarbox.mailstore.synchronizing.remote.values import number
from pillarbox.wire.dsync.fields import DsyncFault
from pillarbox.wire.dsync.kinds import ATTRIBUTE

_TYPES: Final = {"private": b"p", "shared": b"s"}
_ROOTS: Final = {value: root for root, value in _TYPES.items()}
MAX_VALUE: Final = 1 << 20
"""Octets of a value."""


def say_annotations(
    talk: Conversation, place: Place, own_guid: bytes, before: Mapping[str, bytes] | None
) -> None:
    """All of a mailbox here; `before`: what both had, if that is known."""
    known = place.attributes.of_mailbox(own_guid)
    for entry in sorted(known.keys() | (before or {}).keys()):
        root, _, key = entry.partition("/")
        values = {"type": _TYPES[root], "key": key.encode("utf-8")}
        if entry in known:
            values["value"] = known[entry]
        else:
            values["deleted"] = b""
        if changed := _changed(place, entry, known, before):
            values["last_change"] = b"%d" % changed
        talk.say(ATTRIBUTE, values)
    talk.end_list()


def _changed(place: Place, entry: str, known: Mapping[str, bytes], before: Mapping[str, bytes] | None) -> int:
    """When ours became what it is; 0 if that is not known."""
    if before is None or known.get(entry) == before.get(entry):
        return 0
    return int(place.clock.now())


def hear_annotations(
    talk: Conversation,
    place: Place,
    own_guid: bytes,
    before: Mapping[str, bytes] | None,
    *,
    is_mirror: bool,
) -> None:
    """Those of the other side become ours.  StoreUnavailable."""
    known = place.attributes.of_mailbox(own_guid)
    changes: dict[str, bytes | None] = dict.fromkeys(known) if is_mirror else {}
    for values in talk.hear_all(ATTRIBUTE):
        root = _ROOTS.get(values["type"])
        if root is None:
            raise DsyncFault(f"Invalid type: {values['type'].decode('ascii', 'replace')}")
        entry = f"{root}/{values['key'].decode('utf-8', 'replace')}"
        value = values.get("value", b"")
        if "stream" in values:
            value = b"".join(talk.hear_stream())
        if len(value) > MAX_VALUE:
            raise DsyncFault(f"The value of {entry} is too long")
        has_value = "value" in values or "stream" in values
        theirs = (number(values, "last_change"), number(values, "modseq"), value)
        ours = (_changed(place, entry, known, before), 0, known.get(entry, b""))
        if is_mirror or theirs > ours or (entry not in known and not ours[0]):
            changes[entry] = value if has_value else None
    changes = {entry: value for entry, value in changes.items() if known.get(entry) != value}
    if not changes:
        return
    try:
        place.attributes.change(own_guid, changes)
    except AttributesFull as fault:
        raise StoreUnavailable("there is no room for the annotations") from fault
