"""dovecot-acl and its neighbours: any text is a list or refused, and what was read can be written."""

from pillarbox.mailstore.sharing.acl_file import AclFault, effective, parse, parse_global, render

SEEDS = [
    b"anyone lr\nuser=me lrwstipekxa\n-user=you ws\n",
    b'"group=two words" l\n* owner lr\n"Sent Mail" -anyone a\n',
]
DICTIONARY = [
    b"anyone",
    b"authenticated",
    b"owner",
    b"user=",
    b"group=",
    b"group-override=",
    b"-",
    b'"',
    b"\\\\",
]


def fuzz_one(data: bytes) -> None:
    """The same octets as the list of a mailbox and as that of all."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        entries = parse(text)
    except AclFault:
        entries = []
    assert parse(render(entries)) == entries
    effective(entries, user="me", groups=("two words",), is_owner=True)
    try:
        parse_global(text)
    except AclFault:
        return
