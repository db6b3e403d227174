"""dovecot-acl: lines, order, and what they come to for a user."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.sharing.acl_file import (
    ALL,
    AclFault,
    Entry,
    Identifier,
    Kind,
    Rights,
    changed,
    effective,
    for_client,
    identifier,
    letters_of,
    parse,
    parse_global,
    render,
    rights_of,
)

LIST = """\
# a comment
anyone lr
authenticated lrs
group=staff lrw
user=me i
-user=me w
group-override=banned l
"user=two words" lr :special
"""
IDENTIFIERS = st.one_of(
    st.sampled_from([Identifier(Kind.ANYONE), Identifier(Kind.AUTHENTICATED), Identifier(Kind.OWNER)]),
    st.builds(
        Identifier,
        st.sampled_from([Kind.USER, Kind.GROUP, Kind.GROUP_OVERRIDE]),
        st.text('ab @."\\\\-=ü', min_size=1, max_size=8),
    ),
)
RIGHTS = st.integers(0, ALL.value).map(Rights)
ENTRIES = st.lists(
    st.builds(Entry, IDENTIFIERS, RIGHTS, st.one_of(st.none(), RIGHTS)), unique_by=lambda entry: entry.who
).map(lambda entries: sorted(entries, key=lambda entry: entry.who))


@pytest.mark.parametrize(
    ("user", "groups", "is_owner", "letters"),
    [
        ("you", (), False, "lrs"),
        ("you", ("staff",), False, "lrw"),
        ("me", ("staff",), False, "i"),
        ("me", ("staff", "banned"), False, "l"),
        ("you", (), True, "lrwstipekxa"),
        ("two words", (), False, "lr"),
    ],
)
def test_what_a_user_may_do(user: str, groups: tuple[str, ...], is_owner: bool, letters: str) -> None:
    """Later kinds replace what earlier ones gave."""
    assert letters_of(effective(parse(LIST), user=user, groups=groups, is_owner=is_owner)) == letters


@pytest.mark.parametrize(
    "text", [" user=a lr", "user=a lr lr", "nobody lr", "anyone lq", '"user=a lr', "-x l"]
)
def test_what_makes_no_sense(text: str) -> None:
    """With its line."""
    with pytest.raises(AclFault, match="line 2: "):
        parse("anyone l\n" + text)


@given(ENTRIES)
def test_what_is_written_is_read(entries: list[Entry]) -> None:
    """Whatever names hold."""
    assert parse(render(entries)) == entries


@given(ENTRIES, IDENTIFIERS, RIGHTS, st.booleans(), st.sampled_from(["", "+", "-"]))
def test_changes(entries: list[Entry], who: Identifier, rights: Rights, taken: bool, mode: str) -> None:
    """Others stay; of whom all is taken an entry without rights stays, as in Dovecot; removal leaves nothing."""
    after = changed(entries, who, rights, taken=taken, mode=mode)
    assert [one for one in after if one.who != who] == [one for one in entries if one.who != who]
    gone = changed(changed(after, who, None, taken=True), who, None, taken=False)
    assert who not in {one.who for one in gone}
    fresh = changed(changed(gone, who, rights, taken=taken, mode="+"), who, rights, taken=taken, mode="-")
    nothing = Entry(who, None, Rights.NONE) if taken else Entry(who, Rights.NONE)
    assert [one for one in fresh if one.who == who] == ([nothing] if rights else [])


def test_letters() -> None:
    """The obsolete ones (RFC 4314 §2.1.1)."""
    assert for_client(ALL) == "lrwstipekxacd"
    assert for_client(rights_of("cd"), by_name=True) == "kxetcd"
    assert for_client(rights_of("d")) == "ted"
    with pytest.raises(ValueError, match="q"):
        rights_of("lq")


def test_a_list_for_all_mailboxes() -> None:
    """Names with blanks are quoted."""
    assert parse_global('"Sent Mail*" owner lr\n* -anyone a\n') == [
        ("Sent Mail*", Entry(Identifier(Kind.OWNER), Rights.LOOKUP | Rights.READ)),
        ("*", Entry(Identifier(Kind.ANYONE), None, Rights.ADMIN)),
    ]


@pytest.mark.parametrize(
    ("own", "of_all", "is_owner", "letters"),
    [
        ("-anyone lr\nuser=me lrs", "", False, "s"),
        ("-anyone lr\nuser=me lrsw\n-user=me w", "", False, "lrs"),
        ("group=staff lr\n-group=boss r\nuser=me lrw", "", False, "lw"),
        ("-group=staff w\n-group=boss s\ngroup=staff lrws", "", False, "lr"),
        ("-group=staff lr", "", True, "lrwstipekxa"),
        ("-owner w", "", True, "lrstipekxa"),
        ("owner lr", "", True, "lr"),
        ("user=me lr", "* user=me s\n* -owner s", False, "s"),
        ("", "* -owner s", True, "lrwtipekxa"),
        ("-user=me l", "* -user=me r\n* anyone lrs", False, "ls"),
    ],
)
def test_what_is_taken(own: str, of_all: str, is_owner: bool, letters: str) -> None:
    """What a later kind takes replaces what an earlier one takes; the list for all counts last."""
    entries = [entry for _, entry in parse_global(of_all)]
    rights = effective(parse(own), entries, user="me", groups=("staff", "boss"), is_owner=is_owner)
    assert letters_of(rights) == letters


@pytest.mark.parametrize("text", ["user=x\nowner", "group=\r", "user=a\0b", "x", ""])
def test_what_is_no_identifier(text: str) -> None:
    """A line end in one would make two lines of it, and the whole list unreadable."""
    with pytest.raises(ValueError, match="Unknown ID"):
        identifier(text)
