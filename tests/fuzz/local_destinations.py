"""Text of aliases, .forward and :include: files: it never fails, and means the same however it is asked for."""

from pillarbox.config.expansion_syntax import ExpansionError
from pillarbox.config.name_expansion import expand_names
from pillarbox.delivery.local.destinations import destinations
from pillarbox.delivery.local.recipient_state import split_extension

SEEDS: list[bytes] = [
    b'alice, Bob <bob@example.org> (Bob), "|/usr/bin/filter -x \\"y\\"", /file, ~/Maildir/\n',
    b":include:/etc/postfix/list, friends: a, b; , \\user, a!b%c@[192.0.2.1]",
    b'<<>>;;:(((\\)"',
    b"$home/.forward${recipient_delimiter}${extension}, ${user?{a}:{b}} $$ ${",
]
DICTIONARY: list[bytes] = [b":include:", b'"|', b"<", b">", b";", b"(", b")", b"\\", b"${", b"}", b"$home"]
NAMES = {"home": "/home/x", "user": "x", "extension": None, "recipient_delimiter": "+"}


def fuzz_one(data: bytes) -> None:
    """As a list of destinations, as a template, as a local part."""
    found = destinations(data)
    assert sum(map(len, found)) <= len(data) + data.count(b"[")
    for text in found[:50]:
        quoted = b'"%s"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        assert destinations(quoted) == [text], text
    try:
        expand_names(data.decode("utf-8", "replace"), NAMES, allowed="abc/")
    except ExpansionError:
        pass
    user, delimiter, extension = split_extension(data, b"+-", owner_request_special=True)
    assert user + delimiter + (extension or b"") == data
