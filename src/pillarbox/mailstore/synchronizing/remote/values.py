"""Values of dsync's items as what they mean here, and the other way round.

FAULTS
    DsyncFault  of a number that is none, and the like
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from pillarbox.mailstore.maildir.file_names import short_guid
from pillarbox.mailstore.synchronizing.merging import Meaning, Message
from pillarbox.vocabulary.flags import Flag
from pillarbox.wire.dsync.fields import DsyncFault, divide, join

KNOWN_FLAGS: Final = int(Flag.ANSWERED | Flag.FLAGGED | Flag.DELETED | Flag.SEEN | Flag.DRAFT)


def number(values: Mapping[str, bytes], key: str, base: int = 10) -> int:
    """A number that is not negative; 0 if there is none."""
    value = values.get(key, b"0")
    try:
        found = int(value, base) if value.isalnum() else -1
    except ValueError:
        found = -1
    if found < 0:
        raise DsyncFault(f"Invalid {key}: {value.decode('ascii', 'replace')}")
    return found


def text(values: Mapping[str, bytes], key: str) -> str:
    """A text; empty if there is none."""
    return values.get(key, b"").decode("utf-8", "replace")


def guid(values: Mapping[str, bytes], key: str = "mailbox_guid") -> bytes:
    """The 32 hex digits of a mailbox; empty if there are none."""
    value = values.get(key, b"")
    if value and (len(value) != 32 or not all(octet in b"0123456789abcdef" for octet in value)):
        raise DsyncFault(f"Invalid {key}: {value.decode('ascii', 'replace')}")
    return value


def decimal(value: int) -> bytes:
    """A number as it is sent."""
    return b"%d" % value


class Change(msgspec.Struct, frozen=True):
    """What a side tells of a message."""

    message: Message
    is_expunged: bool = False
    received: int = 0
    """Seconds since 1970, if it was asked for."""
    size: int = 0
    """Octets with CRLF, if that was."""

    def values(self, before: Meaning, *, last_common: int) -> dict[str, bytes]:
        """As it is sent.  `before`: flags that both had; `last_common`: the UID up to which the other side knows
        the messages."""
        one = self.message
        if self.is_expunged:
            return {"type": b"e", "uid": decimal(one.uid), "guid": short_guid(one.guid)}
        found = {
            "type": b"f" if one.uid <= last_common else b"s",
            "uid": decimal(one.uid),
            "guid": one.guid,
        }
        flags = {
            "add_flags": one.flags & ~before[0],
            "remove_flags": before[0] & ~one.flags,
            "final_flags": one.flags,
        }
        found |= {key: b"%x" % bits for key, bits in flags.items() if bits}
        signed = [(b"=" if name in before[1] else b"&") + name for name in sorted(one.keywords)]
        signed += [b"-" + name for name in sorted(before[1] - one.keywords)]
        if signed:
            found["keyword_changes"] = join(signed)
        if self.received:
            found["received_timestamp"] = b"%x" % self.received
        if self.size:
            found["virtual_size"] = b"%x" % self.size
        return found


def change_of(values: Mapping[str, bytes]) -> Change:
    """What was sent."""
    uid = number(values, "uid")
    kind = values["type"][:1]
    if not uid or kind not in (b"s", b"f", b"e"):
        raise DsyncFault("Invalid type or uid of a mail_change")
    message_guid = values.get("guid", b"")
    if kind == b"e":
        return Change(Message(uid, message_guid), is_expunged=True)
    if not message_guid:
        raise DsyncFault("Remote's mails have no GUIDs, by which alone they are known here")
    keywords = [name for name in divide(values.get("keyword_changes", b"")) if name[:1] in b"=&" and name[1:]]
    flags = number(values, "final_flags", 16) & KNOWN_FLAGS
    size = number(values, "virtual_size", 16)
    return Change(
        Message(uid, message_guid, flags, frozenset(name[1:] for name in keywords)),
        received=number(values, "received_timestamp", 16),
        size=size,
    )
