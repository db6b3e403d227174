"""The engine: commands out of bytes, in order, and mistakes as answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.line_count import lines_run
from pillarbox.vocabulary.flags import Flag
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap import append_grammar, server
from pillarbox.wire.imap import commands as c
from pillarbox.wire.imap.command_order import COMMANDS, State
from pillarbox.wire.imap.fetch_items import FetchItems, Item, Section, SectionPart
from pillarbox.wire.imap.search_keys import (
    AddressHas,
    All,
    And,
    Arrived,
    DateTest,
    HasFlags,
    Not,
    Numbers,
    Or,
    ResultOptions,
    SearchResult,
    Uids,
)
from pillarbox.wire.imap.server import MAX_LITERALS, ImapServer
from pillarbox.wire.pause import Pause


def numbers(text: bytes) -> NumberSet:
    return NumberSet.parse(text)


def commands_of(sent: bytes, *, state: State = State.SELECTED) -> list[c.Command]:
    """All commands; messages of APPEND are let in."""
    engine = ImapServer(state=state)
    engine.receive_data(sent)
    found: list[c.Command] = []
    while isinstance(command := engine.next_command(), c.Command):
        found.append(command)
        if isinstance(command, c.AppendOffer):
            engine.accept_literal()
    return found


HEADER = SectionPart.HEADER_FIELDS
CASES: list[tuple[bytes, c.Command]] = [
    (b"a CAPABILITY", c.Capability(b"a")),
    (b"A1.x noop", c.Noop(b"A1.x")),
    (b'a ID ("name" "x" "os" NIL)', c.Id(b"a", ((b"name", b"x"), (b"os", None)))),
    (b"a ID nil", c.Id(b"a", ())),
    (b"a ENABLE condstore X", c.Enable(b"a", (b"CONDSTORE", b"X"))),
    (b"a SELECT inbox", c.Select(b"a", "INBOX")),
    (b'a SELECT "a \\"b\\\\"', c.Select(b"a", 'a "b\\')),
    (b"a SELECT {3+}\r\nx y", c.Select(b"a", "x y")),
    (b"a SELECT a]b", c.Select(b"a", "a]b")),
    (b"a RENAME a b", c.Rename(b"a", "a", "b")),
    (
        b'a STATUS "x y" (UNSEEN messages)',
        c.Status(b"a", "x y", (c.StatusItem.MESSAGES, c.StatusItem.UNSEEN)),
    ),
    (b'a LIST "" *', c.List(b"a", b"", (b"*",))),
    (
        b'a LIST (SUBSCRIBED) "" (a "b%") RETURN (CHILDREN STATUS (SIZE))',
        c.List(
            b"a",
            b"",
            (b"a", b"b%"),
            select=c.ListSelect.SUBSCRIBED,
            returns=c.ListReturn.CHILDREN,
            status=(c.StatusItem.SIZE,),
        ),
    ),
    (b'a LSUB "x/" %', c.Lsub(b"a", b"x/", b"%")),
    (b"a IDLE", c.Idle(b"a")),
    (b"a EXPUNGE", c.Expunge(b"a", None)),
    (b"a UID EXPUNGE 2:3", c.Expunge(b"a", numbers(b"2:3"))),
    (b"a COPY 1,3:* Trash", c.Copy(b"a", by_uid=False, messages=numbers(b"1,3:*"), mailbox="Trash")),
    (b"a UID MOVE 7 &APw-", c.Move(b"a", by_uid=True, messages=numbers(b"7"), mailbox="ü")),
    (
        b"a STORE 1 +FLAGS.SILENT (\\Seen $Label1 $label1)",
        c.Store(b"a", False, numbers(b"1"), c.StoreAction.ADD, True, Flag.SEEN, (b"$Label1",)),
    ),
    (
        b"a UID STORE 1:2 -flags \\Deleted \\Draft",
        c.Store(b"a", True, numbers(b"1:2"), c.StoreAction.REMOVE, False, Flag.DELETED | Flag.DRAFT, ()),
    ),
    (b"a FETCH 1 FLAGS", c.Fetch(b"a", False, numbers(b"1"), FetchItems((Item.FLAGS,)))),
    (
        b"a UID FETCH 1 (FLAGS UID rfc822.size)",
        c.Fetch(b"a", True, numbers(b"1"), FetchItems((Item.UID, Item.FLAGS, Item.SIZE)), names_uid=True),
    ),
    (
        b"a FETCH 1 (BODY.PEEK[1.2.mime]<0.10> BODY BODY[] BODY[])",
        c.Fetch(
            b"a",
            False,
            numbers(b"1"),
            FetchItems(
                (Item.BODY,),
                (
                    Section(b"BODY[1.2.MIME]", (1, 2), SectionPart.MIME, partial=(0, 10), peek=True),
                    Section(b"BODY[]"),
                    Section(b"BODY[]"),
                ),
            ),
        ),
    ),
    (
        b'a FETCH 1 BODY.PEEK[HEADER.FIELDS (From "To" {2+}\r\nCc "a \\"b" c*])]',
        c.Fetch(
            b"a",
            False,
            numbers(b"1"),
            FetchItems(
                (),
                (
                    Section(
                        b'BODY[HEADER.FIELDS (FROM "TO" "CC" "A \\"B" C*])]',
                        (),
                        HEADER,
                        (b"From", b"To", b"Cc", b'a "b', b"c*]"),
                        peek=True,
                    ),
                ),
            ),
        ),
    ),
    (b"a SEARCH UNSEEN", c.Search(b"a", False, HasFlags(Flag.SEEN, wanted=False), None)),
    (
        b'a UID SEARCH RETURN (MIN COUNT) CHARSET UTF-8 OR FROM "x" NOT UID 1:3 SINCE 1-Jan-1970',
        c.Search(
            b"a",
            True,
            And(
                (
                    Or(AddressHas(b"FROM", "x"), Not(Uids(numbers(b"1:3")))),
                    Arrived(DateTest.SINCE, 0),
                )
            ),
            ResultOptions(SearchResult.MIN | SearchResult.COUNT),
            names_charset=True,
        ),
    ),
    (
        b"a SEARCH OR UID 1 OR 7 OR UID 3:4 OR SEEN OR UID $ OR UID 9:* OR *:2 ALL",
        c.Search(
            b"a",
            False,
            Or(
                Or(Numbers(numbers(b"7,*:2")), Uids(numbers(b"1,3:4,9:*"))),
                Or(HasFlags(Flag.SEEN, wanted=True), Or(Uids(numbers(b"$")), All())),
            ),
            None,
        ),
    ),
]


@pytest.mark.parametrize(("sent", "expected"), CASES, ids=[row[0].decode() for row in CASES])
def test_commands_are_read(sent: bytes, expected: c.Command) -> None:
    """Each command of the grammar, as its value."""
    assert [expected] == commands_of(sent + b"\r\n")


def test_login_keeps_its_password_to_itself() -> None:
    """The password is read, and is shown by no log or traceback."""
    [login] = commands_of(b'a LOGIN user "p\\"4ss"\r\n', state=State.NOT_AUTHENTICATED)
    assert isinstance(login, c.Login)
    assert (login.user, login.password.reveal()) == (b"user", b'p"4ss')
    assert "4ss" not in repr(login)


@pytest.mark.parametrize(
    ("words", "user", "password"),
    [
        (b'joe*master "pass"', b"joe*master", b"pass"),  # as imaplib's login() sends it
        (b"joe pa%s*s", b"joe", b"pa%s*s"),
        (b"DOMAIN\\joe pa\\ss]", b"DOMAIN\\joe", b"pa\\ss]"),
        (b'"DOMAIN\\joe" "pa\\\\ss"', b"DOMAINjoe", b"pa\\ss"),
    ],
)
def test_login_takes_what_clients_do_not_quote(words: bytes, user: bytes, password: bytes) -> None:
    """Wildcards and backslashes as they are, and a backslash in a quoted string that quotes nothing: as Dovecot."""
    [login] = commands_of(b"a LOGIN " + words + b"\r\n", state=State.NOT_AUTHENTICATED)
    assert isinstance(login, c.Login)
    assert (login.user, login.password.reveal()) == (user, password)


def test_id_takes_what_clients_do_not_quote() -> None:
    """Dovecot does."""
    assert commands_of(b"a ID (name mutt x NIL)\r\n") == [c.Id(b"a", ((b"name", b"mutt"), (b"x", None)))]


@pytest.mark.parametrize("response", [None, b"", b"=", b"AHUAcA=="])
def test_authenticate_with_and_without_response(response: bytes | None) -> None:
    """RFC 4959: the initial response may come along; `=` is an empty one."""
    more = b"" if response is None else b" " + response
    [command] = commands_of(b"a AUTHENTICATE plain%b\r\n" % more, state=State.NOT_AUTHENTICATED)
    assert command == c.Authenticate(b"a", b"PLAIN", response or None)


def test_append_asks_before_each_message() -> None:
    """Mailbox and size are known before the message is let in (RFC 3502 has several)."""
    engine = ImapServer(state=State.AUTHENTICATED)
    engine.receive_data(b'a APPEND x (\\Seen k) "01-Jan-1970 01:00:00 +0100" {3}\r\n')
    assert engine.next_command() == c.AppendOffer(b"a", "x", 3, 3, synchronizing=True)
    assert engine.data_to_send() == b""
    engine.accept_literal()
    assert engine.data_to_send() == b"+ OK\r\n"
    engine.receive_data(b"abc {4+}\r\n")
    assert engine.next_command() == c.AppendOffer(b"a", "x", 4, 7, synchronizing=False)
    engine.accept_literal()
    assert engine.next_command() is Pause.NEED_DATA
    engine.receive_data(b"defg\r\n")
    expected = (
        c.Appended(b"abc", Flag.SEEN, (b"k",), 0),
        c.Appended(b"defg", Flag.NONE, (), None),
    )
    assert engine.next_command() == c.Append(b"a", "x", expected)
    assert engine.data_to_send() == b""


def test_a_refused_message_is_skipped() -> None:
    """The octets of a message that was refused are no commands."""
    engine = ImapServer(state=State.AUTHENTICATED)
    engine.receive_data(b"a APPEND x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n")
    assert isinstance(engine.next_command(), c.AppendOffer)
    engine.refuse_literal()
    assert engine.next_command() == c.Noop(b"c")


def test_other_literals_have_a_limit() -> None:
    """All names and texts of a command together; the command is refused, what follows is read."""
    sent = b"a SELECT {%d+}\r\n" % (MAX_LITERALS + 1) + b"x" * (MAX_LITERALS + 1) + b"\r\nb NOOP\r\n"
    refused, noop = commands_of(sent)
    assert refused == c.Refused(b"a", b"BAD", b"Error in IMAP command SELECT: Literal size too large")
    assert noop == c.Noop(b"b")


def test_an_annotation_that_is_too_large_is_refused_with_what_would_be_taken() -> None:
    """RFC 5464 §4.3: "MUST return a tagged NO response with a "[METADATA MAXSIZE NNN]" response code"."""
    sent = b"a SETMETADATA INBOX (/private/comment {65537+}\r\n" + b"x" * 65537 + b")\r\nb NOOP\r\n"
    assert commands_of(sent) == [
        c.Refused(b"a", b"NO", b"[METADATA MAXSIZE 65536] Annotation is too large"),
        c.Noop(b"b"),
    ]
    sent = b"a SETMETADATA INBOX (/private/comment {65536+}\r\n" + b"x" * 65536 + b")\r\n"
    assert commands_of(sent) == [c.SetMetadata(b"a", "INBOX", (("/private/comment", b"x" * 65536),))]


@pytest.mark.parametrize("piece", [b"{0+}\r\n", b"{1+}\r\na ", b"x" * 9000 + b" {0+}\r\n"])
def test_what_is_around_literals_has_the_limit_of_a_line(piece: bytes) -> None:
    """However small they are: what is kept of a command has bounds, before login, too."""
    sent = piece * (100_000 // len(piece)) + b"\r\n"
    engine = ImapServer(state=State.AUTHENTICATED, max_line=10_000)
    engine.receive_data(b"a CREATE " + sent + b"b NOOP\r\n")
    too_large = b"Error in IMAP command CREATE: IMAP command line too large"
    assert engine.next_command() == c.Refused(b"a", b"BAD", too_large)
    assert engine.next_command() == c.Noop(b"b")
    engine = ImapServer(state=State.NOT_AUTHENTICATED, max_line=10_000)
    engine.receive_data(b"a LOGIN " + sent + b"b NOOP\r\n")
    refused = engine.next_command()
    assert isinstance(refused, c.Refused)
    assert engine.next_command() == c.Noop(b"b")


def test_an_announcement_with_too_many_digits_is_none() -> None:
    """The command ends at the line's end, and is refused like any other that is not complete."""
    sent = b"a APPEND INBOX {" + b"0" * 80 + b"24+}\r\nb REPLACE 1 INBOX {" + b"0" * 80 + b"1}\r\nc NOOP\r\n"
    append, replace, noop = commands_of(sent)
    assert append == c.Refused(b"a", b"BAD", b"Error in IMAP command APPEND: Invalid arguments")
    assert replace == c.Refused(b"b", b"BAD", b"Error in IMAP command REPLACE: Invalid arguments")
    assert noop == c.Noop(b"c")


def test_strangers_are_told_nothing() -> None:
    """Before login every mistake has the same answer, as with Dovecot."""
    expected = b"Error in IMAP command received by server."
    sent = b"\r\na FOO\r\nb SELECT x\r\nc LOGIN x\r\n"
    refused = commands_of(sent, state=State.NOT_AUTHENTICATED)
    assert [(b"*", expected), (b"a", expected), (b"b", expected), (b"c", expected)] == [
        (one.tag, one.text) for one in refused if isinstance(one, c.Refused)
    ]


def test_messages_need_a_selected_mailbox() -> None:
    """RFC 3501 §3: the states say which commands there are."""
    assert commands_of(b"a FETCH 1 FLAGS\r\n", state=State.AUTHENTICATED) == [
        c.Refused(b"a", b"BAD", b"No mailbox selected", counts=False)
    ]


def test_a_line_that_is_no_command() -> None:
    """DONE and SASL responses come as they are; afterwards commands come again."""
    engine = ImapServer(state=State.SELECTED)
    engine.expect_line(b"a")
    engine.receive_data(b"DONE\r\nb NOOP\r\n")
    assert engine.next_command() == c.Line(b"a", b"DONE")
    assert engine.next_command() == c.Noop(b"b")
    engine.expect_line(b"c")
    engine.receive_data(b"")
    assert engine.next_command() is Pause.CLOSED


@pytest.mark.parametrize(
    "line",
    [
        b"a  NOOP",
        b"a UID  FETCH 1 UID",
        b"a NOOP]",
        b"a NOOP()",
        b"a SELECT INBOX(CONDSTORE)",
        b"a STORE 1 FLAGS(\\Seen)",
        b'a APPEND INBOX "01-Jan-2024 10:00:00 +0000" "a quoted message"',
        b'a APPEND INBOX CATENATE (TEXT "quoted")',
        b"a SORT (DATE) ALL",
    ],
)
def test_one_space_stands_between_words_and_messages_are_literals(line: bytes) -> None:
    """RFC 9051 §9, RFC 5256 §5: BAD, and the next command is read."""
    refused, then = commands_of(line + b"\r\nb NOOP\r\n")
    assert isinstance(refused, c.Refused)
    assert (b"a", b"BAD") == (refused.tag, refused.status)
    assert c.Noop(b"b") == then


def test_answers_come_out_once() -> None:
    """What was put together is given and forgotten, and counted."""
    engine = ImapServer(state=State.SELECTED)
    engine.untagged(b"1 EXISTS")
    engine.go_ahead(b"idling")
    engine.reply(b"a", b"OK done")
    expected = b"* 1 EXISTS\r\n+ idling\r\na OK done\r\n"
    assert engine.unsent == len(expected)
    assert expected == engine.data_to_send()
    assert engine.data_to_send() == b""
    assert engine.bytes_out == len(expected)


WORDS = (
    rb' |(|)|{2+}^xy|{3}^|"|"x"|1:*|\Seen|BODY[|]|<0.1>|^|NIL|HEADER.FIELDS|RETURN|NOT|OR|CHARSET|&APw-|FLAGS|5'
).replace(b"^", b"\r\n")
words = st.sampled_from([*WORDS.split(b"|"), b"\xff", b"\0", b"a FETCH "])


@given(
    state=st.sampled_from(State),
    name=st.sampled_from(sorted({name for table in COMMANDS.values() for name in table})),
    rest=st.lists(words, max_size=8),
    data=st.data(),
)
def test_any_octets_are_commands_or_refused(
    state: State, name: bytes, rest: list[bytes], data: st.DataObject
) -> None:
    """No input raises, and any chunking gives the same commands."""
    sent = b"a " + name + b" " + b"".join(rest) + b"\r\nz NOOP\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    whole = commands_of(sent, state=state)
    engine = ImapServer(state=state)
    pieces: list[c.Command] = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        if start == end:
            continue
        engine.receive_data(sent[start:end])
        while isinstance(command := engine.next_command(), c.Command):
            pieces.append(command)
            if isinstance(command, c.AppendOffer):
                engine.accept_literal()
    assert repr(whole) == repr(pieces)


def test_the_same_words_again_are_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own tag, and read anew where names are in another encoding; only so many are remembered."""
    remembered: dict[tuple[bool, bytes], c.Command] = {}
    monkeypatch.setattr(server, "_READ", remembered)
    monkeypatch.setattr(server, "MAX_READ", 3)
    words = b"STATUS &AOQ- (UNSEEN MESSAGES)\r\n"
    items = (c.StatusItem.MESSAGES, c.StatusItem.UNSEEN)
    assert [c.Status(b"a", "ä", items), c.Status(b"b", "ä", items)] == commands_of(
        b"a " + words + b"b " + words
    )
    engine = ImapServer(state=State.AUTHENTICATED)
    engine.utf8_names = True
    engine.receive_data(b"c " + words)
    assert c.Status(b"c", "&AOQ-", items) == engine.next_command()
    assert 2 == len(remembered)
    for _ in range(2):  # what cannot be read is not remembered
        [refused] = commands_of(b"d STATUS x (NOTHING)\r\n")
        assert isinstance(refused, c.Refused)
    for number in range(5):
        [command] = commands_of(b"e SELECT m%d\r\n" % number)
        assert c.Select(b"e", f"m{number}") == command
        assert 3 >= len(remembered)
    [long] = commands_of(b"f SELECT " + b"x" * 600 + b"\r\n")
    assert c.Select(b"f", "x" * 600) == long
    assert not [key for key in remembered if len(key[1]) > server.MAX_KEPT]
    search = b"UID SEARCH UNSEEN\r\n"
    selected = ImapServer(state=State.SELECTED)
    selected.receive_data(b"g " + search + b"g " + search)
    found = selected.next_command()
    assert isinstance(found, c.Search)
    assert found == selected.next_command()
    assert (False, search[:-2]) in remembered
    [refused] = commands_of(b"g " + search, state=State.AUTHENTICATED)
    assert isinstance(refused, c.Refused)
    for tag in (b"", b"a+", b"a{", b"(a"):  # which is no tag
        [noop] = commands_of(b"h NOOP\r\n")
        assert c.Noop(b"h") == noop
        [refused] = commands_of(tag + b" NOOP\r\n")
        assert isinstance(refused, c.Refused)
    [refused] = commands_of(b"i SELECT m4\r\n", state=State.NOT_AUTHENTICATED)
    assert isinstance(refused, c.Refused)
    [literal] = commands_of(b"g SELECT {2+}\r\nm1\r\n")
    assert c.Select(b"g", "m1") == literal


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("tag", [b"a", b"b.7", b"a+", b""])
@pytest.mark.parametrize(
    "words",
    [
        b"APPEND x {3+}\r\none",
        b"append x (\\Seen Kept) {3+}\r\none",
        b'APPEND "x y" (\\Seen) "01-Jan-1970 01:00:00 +0100" {0+}\r\n',
        b"APPEND &AOQ- ~{3+}\r\none",
        b"APPEND &AO- {3+}\r\none",
        b"APPEND x {3+}\r\none ",
        b"APPEND x {3+}\r\none {5+}\r\nother",
        b"APPEND x {3+}\r\none more",
        b"APPEND {1+}\r\nx {3+}\r\none",
        b"APPEND {3+}\r\none",
        b"APPEND x{3+}\r\none",
        b"APPEND x (Kept{3+}\r\none",
        b"APPEND  x  {3+}\r\none",
        b"APPEND x UTF8 (~{3+}\r\none)",
        b"APPEND x CATENATE (TEXT {3+}\r\none)",
        b"APPEND x {3}\r\none",
        b"SEARCH SUBJECT {3+}\r\none",
        b"REPLACE 1 x {3+}\r\none",
    ],
)
def test_append_in_words_that_were_read_before(
    monkeypatch: pytest.MonkeyPatch, words: bytes, tag: bytes, state: State
) -> None:
    """The same comes of them, the first time and again, and when all is read anew."""
    sent = tag + b" " + words + b"\r\nz NOOP\r\n"
    first, again = commands_of(sent, state=state), commands_of(sent, state=state)
    monkeypatch.setattr(append_grammar, "read_before", lambda _words, *, utf8_names: None)
    read_anew = commands_of(sent, state=state)
    assert repr(read_anew) == repr(first)
    assert repr(read_anew) == repr(again)


def test_append_is_refused_where_it_is_absent_or_too_large_to_come_unasked() -> None:
    """Whether or not its words have been read before."""
    sent = b"a APPEND x {5000+}\r\n"
    assert isinstance(commands_of(sent)[0], c.AppendOffer)
    absent = ImapServer(state=State.SELECTED, absent=frozenset((b"APPEND",)))
    minus = ImapServer(state=State.SELECTED)
    minus.literal_minus = True
    for engine in (absent, minus):
        engine.receive_data(sent)
        assert isinstance(engine.next_command(), c.Refused)


def test_keywords_cost_no_more_when_there_are_many() -> None:
    """Twice as many are about twice the work; a line of 64 KiB took six seconds."""

    def keywords(count: int) -> None:
        names = b" ".join(b"k%d" % number for number in range(count))
        [command] = commands_of(b"a STORE 1 +FLAGS (%b)\r\n" % names)
        assert isinstance(command, c.Store)
        assert len(command.keywords) == count

    once, twice = lines_run(lambda: keywords(400)), lines_run(lambda: keywords(800))
    assert twice < 2.5 * once
