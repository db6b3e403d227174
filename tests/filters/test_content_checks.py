"""header_checks and its kin: what is asked, what becomes of the lines, whatever pieces they come in."""

import pytest

from pillarbox.config.snapshot import Snapshot
from pillarbox.filters.configured_checks import configured_content_tables
from pillarbox.filters.content_checks import CheckFault, ContentTables, Inspector, MimeRules
from pillarbox.tables.opening import open_table
from pillarbox.tables.table import LookupTable
from pillarbox.vocabulary.clock import ManualClock

HEADER = (
    "regexp:{ {/^Subject: drop/ IGNORE}, {/^Subject: strip/ STRIP}, {/^Subject: new/ REPLACE Subject: other},"
    " {/^Subject: more/ PREPEND X-Seen: yes}, {/^Subject: folded.*twice/ REPLACE Subject: flat},"
    " {/^Received:.*secret/ IGNORE}, {/^X-Bad:/ REJECT}, {/^X-Pass:/ PASS}, {/^X-Filter:/ FOO smtp:x} }"
)
MIME = "regexp:{ {/^Content-Type:.*exe/ REJECT no programs}, {/^Content-Type:.*x-old/ REPLACE Content-Type: text/plain} }"
NESTED = "regexp:{ {/^X-Nested/ IGNORE} }"
BODY = "regexp:{ {/^ad:/ IGNORE}, {/^old/ REPLACE new}, {/^sign/ PREPEND --}, {/^virus/ REJECT infected}, {/^deep/ WARN} }"


def table(text: str) -> tuple[LookupTable, ...]:
    return (open_table(text, where="test", clock=ManualClock()),)


def inspected(content: bytes, *, step: int = 0, limit: int = 51200) -> tuple[Inspector, bytes, list[str]]:
    """The inspector, what comes out, and what was logged."""
    logged: list[str] = []
    inspector = Inspector(
        ContentTables(
            header=table(HEADER),
            mime_header=table(MIME),
            nested_header=table(NESTED),
            body=table(BODY),
            body_limit=limit,
        ),
        lambda verb, kind, content, text: logged.append(
            f"{verb}: {kind} {content.decode()}: {text.decode()}"
        ),
        logged.append,
    )
    step = step or max(1, len(content))
    out = b"".join(inspector.feed(content[at : at + step]) for at in range(0, len(content), step))
    return inspector, out + inspector.finish(), logged


MULTIPART = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
CASES = [  # name, content, what is queued
    ("nothing to do", b"Subject: x\r\n\r\nbody\r\n", b"Subject: x\r\n\r\nbody\r\n"),
    ("IGNORE", b"A: b\r\nSubject: drop\r\n me\r\nC: d\r\n\r\nx\r\n", b"A: b\r\nC: d\r\n\r\nx\r\n"),
    ("STRIP", b"Subject: strip\r\n\r\nx\r\n", b"\r\nx\r\n"),
    ("REPLACE", b"Subject: new\r\n\r\nx\r\n", b"Subject: other\r\n\r\nx\r\n"),
    ("PREPEND", b"Subject: more\r\n\r\nx\r\n", b"X-Seen: yes\r\nSubject: more\r\n\r\nx\r\n"),
    ("a folded field", b"Subject: folded\r\n\ttwice\r\n\r\nx\r\n", b"Subject: flat\r\n\r\nx\r\n"),
    ("a line of an mbox", b"From x y\r\nSubject: drop\r\nA: b\r\n\r\nx\r\n", b"X-Mailbox-Line: From x y\r\nA: b\r\n\r\nx\r\n"),
    ("PASS", b"X-Pass: y\r\nSubject: drop\r\n\r\nad: x\r\n", b"X-Pass: y\r\nSubject: drop\r\n\r\nad: x\r\n"),
    ("the header alone", b"Subject: drop\r\n", b""),
    ("a body that looks like a header", b"A: b\r\n\r\nSubject: drop\r\n", b"A: b\r\n\r\nSubject: drop\r\n"),
    ("text where a field should be", b"A: b\r\nad: x\r\n no field\r\nold\r\n", b"A: b\r\nad: x\r\n no field\r\n\r\nnew\r\n"),
    ("text where a field should be, with a line in front", b"A: b\r\nsign\r\n", b"A: b\r\n\r\n--\r\nsign\r\n"),
    ("body lines", b"\r\nad: x\r\nkeep\r\nold\r\nsign\r\n\r\n", b"\r\nkeep\r\nnew\r\n--\r\nsign\r\n\r\n"),
    ("a MIME header", b"Content-Type: text/x-old\r\n\r\nx\r\n", b"Content-Type: text/plain\r\n\r\nx\r\n"),
    ("a part's header", MULTIPART + b"--b\r\nContent-Type: x-old\r\n\r\nold\r\n--b--\r\nold\r\n",
     MULTIPART + b"--b\r\nContent-Type: text/plain\r\n\r\nnew\r\n--b--\r\nnew\r\n"),
    ("a preamble", MULTIPART + b"Content-Type: x-old\r\n--b\r\n\r\nx\r\n", MULTIPART + b"Content-Type: x-old\r\n--b\r\n\r\nx\r\n"),
    ("an attached message", b"Content-Type: message/rfc822\r\n\r\nX-Nested: y\r\nSubject: drop\r\n\r\nX-Nested: y\r\n",
     b"Content-Type: message/rfc822\r\n\r\nSubject: drop\r\n\r\nX-Nested: y\r\n"),
    ("multiparts in multiparts",
     MULTIPART + b"--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\nContent-Type: x-old\r\n\r\nx\r\n--c--\r\n--b\r\nContent-Type: x-old\r\n\r\n",
     MULTIPART + b"--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nx\r\n--c--\r\n--b\r\nContent-Type: text/plain\r\n\r\n"),
    ("no line end at the end", b"A: b\r\n\r\nold", b"A: b\r\n\r\nnew\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "queued"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_lines(content: bytes, queued: bytes) -> None:
    """header_checks(5), the same in any pieces."""
    for step in (0, 1, 2, 7):
        inspector, out, _ = inspected(content, step=step)
        assert out == queued
        assert inspector.refusal is None


REFUSALS = [
    ("a header", b"X-Bad: y\r\n\r\nx\r\n", 550, b"5.7.1 message content rejected"),
    (
        "a MIME header",
        MULTIPART + b"--b\r\nContent-Type: a;\r\n name=x.exe\r\n\r\n",
        550,
        b"5.7.1 no programs",
    ),
    ("a body line", b"A: b\r\n\r\nvirus\r\n", 550, b"5.7.1 infected"),
]


@pytest.mark.parametrize(
    ("content", "code", "text"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refusals(content: bytes, code: int, text: bytes) -> None:
    """They are told at the end of the message, and the log says why."""
    inspector, out, logged = inspected(content)
    assert out == content
    assert inspector.refusal is not None
    assert (inspector.refusal.code, inspector.refusal.text) == (code, (text,))
    assert len(logged) == 1


def test_our_own_header_is_looked_at() -> None:
    """Many leave Received: out of what their users submit."""
    inspector, _, _ = inspected(b"")
    assert inspector.trace([b"Received: from secret", b"\tby mx", b"X: y"]) == [b"X: y"]


@pytest.mark.parametrize(
    ("field", "asked", "queued"),
    [
        (b"Subject: deep", b"Subject: deep", b"Subject: deep"),
        (b"Subject: a\r\n b\r\n c", b"Subject: a\n b\n c", b"Subject: a\r\n b\r\n c"),
        (b"Subject: a\r\n bcdefghijkl\r\n c", b"Subject: a\n bcdefghijkl", b"Subject: a\r\n bcdefghi"),
        (b"Subject: abcdefghi\r\n bcdef\r\n c", b"Subject: abcdefghi\n bcdef", b"Subject: abcdefghi"),
        (b"X: " + b"y" * 3000, b"X: " + b"y" * 2045, b"X: " + b"y" * 17),
    ],
    ids=["short", "just enough", "cut in a line", "cut between lines", "a long line"],
)
def test_a_long_field_is_looked_at_up_to_a_limit(field: bytes, asked: bytes, queued: bytes) -> None:
    """header_size_limit: the piece that reaches it is read as a whole; what is queued of a part's field is shorter."""
    said: list[bytes] = []
    inspector = Inspector(
        ContentTables(mime_header=table("regexp:{{/^/ WARN}}"), header_limit=20, mime=MimeRules()),
        lambda _verb, _kind, content, _text: said.append(content),
        lambda _: None,
    )
    assert inspector.feed(
        b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" + field + b"\r\n\r\n"
    ).endswith(b"--b\r\n" + queued + b"\r\n\r\n")
    assert said[-1] == asked


def test_a_body_is_looked_at_up_to_a_limit() -> None:
    """body_checks_size_limit counts each part anew."""
    part = b"--b\r\n\r\n" + b"deep\r\n" * 5
    _, _, logged = inspected(MULTIPART + part + part, limit=12)
    assert logged == ["warning: body deep: "] * 6


class Piece(bytes):
    """Counts the octets that are copied when it is added to what was there before."""

    copied = 0

    def __radd__(self, before: bytes) -> bytes:
        Piece.copied += len(before)
        return bytes(before) + bytes(self)


def test_a_header_line_without_end_is_not_copied_with_each_piece() -> None:
    """Whoever sends it octet by octet does not keep the server busy."""
    inspector = Inspector(ContentTables(header_limit=1_000_000), lambda *_: None, lambda _: None)
    pieces = [Piece(b"y" * 1000) for _ in range(200)]
    Piece.copied = 0
    assert b"" == inspector.feed(b"Subject: ") + b"".join(map(inspector.feed, pieces))
    assert Piece.copied <= 200_000
    assert b"Subject: %b\r\n\r\n" % (b"y" * 200_000) == (
        inspector.feed(b"\r")
        + inspector.feed(b"")
        + inspector.feed(b"\n")
        + inspector.feed(b"\r\n")
        + inspector.finish()
    )


def test_a_line_without_end_is_passed_on() -> None:
    """Memory stays bounded, and nothing of it is lost."""
    long = b"A: b\r\n\r\n" + b"x" * 300_000 + b"\r\nold\r\n"
    for step in (1000, 65536, 100_000):
        assert inspected(long, step=step, limit=1_000_000)[1] == long.replace(b"old", b"new")


MIME_FAULTS = [  # name, content, rules, text of the refusal
    ("a header", "X: grün\r\n\r\nx\r\n", MimeRules(seven_bit_headers=True), "improper use of 8-bit data in message header"),
    ("a body", "A: b\r\n\r\ngrün\r\n", MimeRules(seven_bit_bodies=True), "improper use of 8-bit data in message body"),
    ("a body that says so", "Content-Transfer-Encoding: 8bit\r\n\r\ngrün\r\n", MimeRules(seven_bit_bodies=True), ""),
    ("a header is worse than a body", "X: grün\r\n\r\ngrün\r\n", MimeRules(seven_bit_headers=True, seven_bit_bodies=True),
     "improper use of 8-bit data in message header"),
    ("an encoded message", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nA: b\r\n", MimeRules(proper_encodings=True),
     "invalid message/* or multipart/* encoding domain"),
    ("an encoded message that is not there", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n", MimeRules(proper_encodings=True),
     "invalid message/* or multipart/* encoding domain"),
    ("nobody asks", "X: grün\r\n\r\ngrün\r\n", MimeRules(), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "rules", "text"), [row[1:] for row in MIME_FAULTS], ids=[row[0] for row in MIME_FAULTS]
)
def test_mime_that_is_not_in_order(content: str, rules: MimeRules, text: str) -> None:
    """Refused at the end of the message, told once."""
    logged: list[str] = []
    inspector = Inspector(
        ContentTables(mime=rules),
        lambda verb, kind, content, _: logged.append(f"{verb}: {kind} {content.decode()}"),
        logged.append,
    )
    octets = content.encode()
    assert inspector.feed(octets) + inspector.finish() == octets
    assert (inspector.refusal.text[0].decode() if inspector.refusal else "") == (
        f"5.6.0 {text}" if text else ""
    )
    assert bool(logged) is bool(text)


@pytest.mark.parametrize("before", [b"", "Y: gr\u00fcn\r\n".encode()])
def test_what_is_discarded_is_not_refused(before: bytes) -> None:
    """Whatever was wrong before; after it nothing is looked at."""
    logged: list[str] = []
    inspector = Inspector(
        ContentTables(header=table("regexp:{{/^X: out/ DISCARD}}"), mime=MimeRules(seven_bit_headers=True)),
        lambda verb, kind, content, _: logged.append(f"{verb}: {kind} {content.decode()}"),
        logged.append,
    )
    inspector.feed(before + "X: out\r\nZ: gr\u00fcn\r\n\r\n".encode())
    inspector.finish()
    assert (inspector.discard, inspector.refusal) == (True, None)
    assert [line.partition(":")[0] for line in logged] == [*(["reject"] if before else []), "discard"]


WASHED = [  # name, content, what is queued, refusal
    ("taken out", b"Sub\x03ject: dQrop\r\n\r\no\x03ld\r\nQ\r\n", b"\r\nnew\r\n\r\n", ""),
    ("refused in a header", b"A: \x01\r\n\r\nx\r\n", b"A: \x01\r\n\r\nx\r\n", "5.7.1 disallowed character"),
    ("refused in a body", b"A: b\r\n\r\nx\x02\x03\r\n", b"A: b\r\n\r\nx\x02\r\n", "5.7.1 disallowed character"),
    ("refused where a line has no end", b"A: b\r\n\r\nx\x02", b"A: b\r\n\r\nx\x02\r\n", "5.7.1 disallowed character"),
    ("a part's header", MULTIPART + b"--b\r\nX: \x01\r\n\r\n", MULTIPART + b"--b\r\nX: \x01\r\n\r\n", "5.7.1 disallowed character"),
    ("a long line", b"A: b\r\n\r\n" + b"xQ" * 50000 + b"\r\n", b"A: b\r\n\r\n" + b"x" * 50000 + b"\r\n", ""),
    ("refused in a long line", b"A: b\r\n\r\n" + b"x" * 99999 + b"\x01\r\n", b"A: b\r\n\r\n" + b"x" * 99999 + b"\x01\r\n", "5.7.1 disallowed character"),
]  # fmt: skip


def test_characters_are_octets() -> None:
    """message_strip_characters: codes above 177 are octets, of which UTF-8 has several for a character."""
    snapshot = Snapshot.of(
        {"message_strip_characters": r"\303\101", "message_reject_characters": r"\302\201"}
    )
    tables = configured_content_tables(snapshot, clock=ManualClock())
    assert (tables.stripped, tables.rejected) == (b"\xc3A", b"\xc2\x81")


@pytest.mark.parametrize("step", [0, 1, 1000])
@pytest.mark.parametrize(
    ("content", "queued", "refusal"), [row[1:] for row in WASHED], ids=[row[0] for row in WASHED]
)
def test_characters(content: bytes, queued: bytes, refusal: str, step: int) -> None:
    """message_strip_characters and message_reject_characters, in whatever pieces, before tables are asked."""
    logged: list[str] = []
    inspector = Inspector(
        ContentTables(header=table(HEADER), body=table(BODY), rejected=b"\x01\x02", stripped=b"\x03Q"),
        lambda verb, kind, *_: logged.append(f"{verb}: {kind}"),
        logged.append,
    )
    step = max(step, len(content) // 1000) if step else len(content)
    out = b"".join(inspector.feed(content[at : at + step]) for at in range(0, len(content), step))
    assert out + inspector.finish() == queued
    assert (inspector.refusal.text[0].decode() if inspector.refusal is not None else "") == refusal
    assert [line for line in logged if "replace" not in line] == (["reject: content"] if refusal else [])


def test_parts_that_are_not_looked_into() -> None:
    """disable_mime_input_processing: all behind the first header is body."""
    asked: list[str] = []
    tables = ContentTables(
        mime_header=table("regexp:{ {/exe/ REJECT} }"), body=table(BODY), mime=MimeRules(is_read=False)
    )
    inspector = Inspector(tables, lambda *told: asked.append(str(told)), asked.append)
    inspector.feed(MULTIPART + b"--b\r\nContent-Type: x; name=exe\r\n\r\nold\r\n--b--\r\n")
    inspector.finish()
    assert inspector.refusal is None


def test_long_lines_are_looked_at_in_pieces() -> None:
    """line_length_limit: a piece is dropped, replaced or refused by itself, in any chunks."""
    line = b"x" * 2048 + b"old" + b"y" * 2045 + b"ad: " + b"z" * 2044 + b"virus"
    for step in (0, 1, 1000, 2048):
        inspector, out, _ = inspected(b"A: b\r\n\r\n" + line + b"\r\nold\r\n", step=step)
        assert out == b"A: b\r\n\r\n" + b"x" * 2048 + b"new" + b"virus\r\nold\r\n"
        assert inspector.refusal is not None
    long = b"x" * 200_000
    inspector, out, _ = inspected(b"A: b\r\n\r\n" + long + b"\r\nold\r\n", step=777, limit=1 << 20)
    assert out == b"A: b\r\n\r\n" + long + b"\r\nnew\r\n"


ODD_ACTIONS = [
    ("PREPEND bad", 'bad PREPEND header text "bad" in header_checks map -- need "headername: headervalue"'),
    ("PREPEND", "PREPEND action without text in header_checks map"),
    (
        "REPLACE 100% bad",
        'bad REPLACE header text "100% bad" in header_checks map -- need "headername: headervalue"',
    ),
    ("REPLACE", "REPLACE action without text in header_checks map"),
    ("REDIRECT me", 'bad REDIRECT target "me" in header_checks map -- need user@domain'),
    ("BCC me", 'bad BCC address "me" in header_checks map -- need user@domain'),
    ("FOO bar", "unknown command in header_checks map: FOO bar"),
]


@pytest.mark.parametrize(("action", "warning"), ODD_ACTIONS)
def test_actions_that_make_no_sense(action: str, warning: str) -> None:
    """They are warned of, and the message goes on as it is."""
    snapshot = Snapshot.of({"header_checks": f"regexp:{{ {{/^X-Odd:/ {action}}} }}"})
    told: list[str] = []
    inspector = Inspector(
        configured_content_tables(snapshot, clock=ManualClock()),
        lambda *said: told.append("logged"),
        told.append,
    )
    content = b"X-Odd: y\r\nSubject: x\r\n\r\nbody\r\n"
    assert inspector.feed(content) + inspector.finish() == content
    assert told == [warning]
    assert (inspector.refusal, inspector.redirect, inspector.bcc) == (None, b"", [])


def test_an_action_without_a_word() -> None:
    """It is a mistake in the table, and the message waits at its client until that is mended."""
    snapshot = Snapshot.of({"header_checks": "regexp:{ {/^X-Odd: (z*)y/ $$1} }"})
    told: list[str] = []
    tables = configured_content_tables(snapshot, clock=ManualClock())
    inspector = Inspector(tables, lambda *_: None, told.append)
    inspector.feed(b"X-Odd: y\r\n\r\nbody\r\n")
    inspector.finish()
    assert inspector.refusal is not None
    assert inspector.refusal.code == 451
    assert told == [
        "header_checks lookup of X-Odd: y returns an empty string result",
        "header_checks should return NO RESULT in case of NOT FOUND",
        "header_checks map lookup problem -- message not accepted, try again later",
    ]


def test_a_table_that_cannot_answer_is_told_with_its_question() -> None:
    """maps_find(3)'s line and cleanup(8)'s; of mail on its way out, smtp(8) is to say the second."""
    snapshot = Snapshot.of({"header_checks": "fail:x", "body_checks": "fail:y"})
    tables = configured_content_tables(snapshot, clock=ManualClock())
    told: list[str] = []
    inspector = Inspector(tables, lambda *_: None, told.append)
    inspector.feed(b"X-Odd: y\r\n\r\nbody\r\n")
    assert told == [
        'fail:x lookup error for "X-Odd: y"',
        "header_checks map lookup problem -- message not accepted, try again later",
    ]
    told.clear()
    outgoing = Inspector(tables, lambda *_: None, told.append, verbs=("INFO",))
    with pytest.raises(CheckFault) as caught:
        list(outgoing.lines([b"", b"body"]))
    assert (caught.value.kind, told) == ("body", ['fail:y lookup error for "body"'])


@pytest.mark.parametrize("held", [False, True])
def test_a_message_that_is_held_is_still_looked_at(held: bool) -> None:
    """HOLD is told once, by whomever it comes from, and settles nothing: what else is found counts."""
    snapshot = Snapshot.of(
        {
            "header_checks": "regexp:{ {/^X-Odd:/ HOLD wait} {/^X-Old:/ REPLACE X-New: y} }",
            "body_checks": "regexp:{ {/b/ WARN} }",
        }
    )
    told: list[str] = []
    tables = configured_content_tables(snapshot, clock=ManualClock())
    inspector = Inspector(tables, lambda verb, *_: told.append(verb), told.append)
    inspector.hold = held
    kept = inspector.feed(b"X-Odd: y\r\nX-Old: x\r\nX-Odd: z\r\n\r\nbody\r\n") + inspector.finish()
    assert told == [*([] if held else ["hold"]), "replace", "warning"]
    assert (inspector.hold, kept) == (True, b"X-Odd: y\r\nX-New: y\r\nX-Odd: z\r\n\r\nbody\r\n")


@pytest.mark.parametrize("action", ["DISCARD", "PASS"])
def test_actions_that_settle_it(action: str) -> None:
    """No other line is asked for."""
    snapshot = Snapshot.of(
        {"header_checks": f"regexp:{{ {{/^X-Odd:/ {action}}} }}", "body_checks": "regexp:{ {/b/ REJECT} }"}
    )
    told: list[str] = []
    tables = configured_content_tables(snapshot, clock=ManualClock())
    inspector = Inspector(tables, lambda verb, *_: told.append(verb), told.append)
    inspector.feed(b"X-Odd: y\r\nX-Odd: z\r\n\r\nbody\r\n")
    inspector.finish()
    assert (told, inspector.refusal) == ([action.lower()], None)


@pytest.mark.parametrize(
    ("name", "table", "content"),
    [
        ("header_checks", "regexp:{ {/^Subject: .*win/ REJECT} }", b"Subject: gr\xfc\xdfe win\r\n\r\nx\r\n"),
        (
            "mime_header_checks",
            "pcre:{ {/name=.*exe/ REJECT} }",
            b"Content-Type: x; name=\xe4.exe\r\n\r\nx\r\n",
        ),
        ("body_checks", "pcre:{ {/^f.r Sie/ REJECT} }", b"A: b\r\n\r\nf\xfcr Sie\r\n"),
        ("body_checks", "regexp:{ {/^f.r/ REJECT} }", b"A: b\r\n\r\nf\xfcr Sie\r\n"),
    ],
)
def test_text_that_is_no_utf8_is_looked_at(name: str, table: str, content: bytes) -> None:
    """Most of the mail that filters are for is in some old charset."""
    told: list[str] = []
    tables = configured_content_tables(
        Snapshot.of({name: table.replace("$", "$$")}), clock=ManualClock(), warn=told.append
    )
    inspector = Inspector(tables, lambda *_: None, told.append)
    inspector.feed(content)
    inspector.finish()
    assert (told, inspector.refusal and inspector.refusal.code) == ([], 550)


@pytest.mark.parametrize("content", [b"a\rb\r\n", b"a\nb\r\n", b"A: b\r\n\r\na\rb\r\n"])
def test_a_stray_line_end_is_a_blank_before_it_is_looked_at(content: bytes) -> None:
    """cleanup_replace_stray_cr_lf: tables are asked for the text as it will be queued."""
    shown: list[bytes] = []
    inspector = Inspector(
        ContentTables(body=table("regexp:{ {/^a b$/ WARN} }")),
        lambda verb, kind, line, text: shown.append(line),
        lambda text: None,
    )
    kept = inspector.feed(content) + inspector.finish()
    assert (shown, kept.endswith(b"a b\r\n")) == ([b"a b"], True)


@pytest.mark.parametrize(("most", "seen"), [(None, 3), (2, 1), (3, 2), (9, 3)])
def test_a_message_that_has_come_round_is_not_looked_at_any_more(most: int | None, seen: int) -> None:
    """The Received: field that is one too many is the last that is asked about; our own is the first."""
    told: list[bytes] = []
    inspector = Inspector(
        ContentTables(header=table("static:INFO")),
        lambda _verb, _kind, content, _text: told.append(content[:1]),
        lambda _: None,
        most_hops=most,
    )
    inspector.trace([b"Received: by here"])
    inspector.feed(b"A: x\r\nreceived: by there\r\nA: x\r\nReceived: by x\r\nA: x\r\n\r\nx\r\n")
    inspector.finish()
    assert told.count(b"A") == seen
