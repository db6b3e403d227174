"""Commands are cut out of bytes before they are parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.fragments import Announcement, Fragments, Overlong, Portion, Streamed

Piece = list[bytes] | Overlong | Portion


def cut(chunks: list[bytes], *, accepts: bool = True, max_line: int = 60) -> list[Piece]:
    """Everything that comes out, with one answer to all announcements."""
    fragments = Fragments(max_line=max_line)
    pieces: list[Piece] = []
    for chunk in chunks:
        fragments.receive(chunk)
        while (piece := fragments.read()) is not None:
            if not isinstance(piece, Announcement):
                pieces.append(piece)
            elif accepts:
                fragments.accept()
            else:
                fragments.refuse()
    return pieces


CASES: list[tuple[str, bytes, list[Piece]]] = [
    ("lines", b"a NOOP\r\nb NOOP\r\n", [[b"a NOOP"], [b"b NOOP"]]),
    ("LF alone ends a line", b"a NOOP\nb NOOP\n", [[b"a NOOP"], [b"b NOOP"]]),
    ("an empty line is a command", b"\r\n", [[b""]]),
    ("a line that has not ended", b"a NOOP", []),
    ("a literal", b"a X {3}\r\nb\r\n Y\r\n", [[b"a X {3}", b"b\r\n", b" Y"]]),
    ("a literal that does not wait", b"a X {1+}\r\nb\r\n", [[b"a X {1+}", b"b", b""]]),
    ("an empty literal", b"a {0}\r\n\r\n", [[b"a {0}", b"", b""]]),
    ("two literals", b"a {1}\r\nb {1+}\r\nc\r\n", [[b"a {1}", b"b", b" {1+}", b"c", b""]]),
    ("braces that are no literal", b"a {x}\r\nb {1-}\r\nc }\r\n", [[b"a {x}"], [b"b {1-}"], [b"c }"]]),
    ("a number too large to be one", b"a {99999999999999999999}\r\n", [[b"a {99999999999999999999}"]]),
    ("a command in a literal is none", b"a {8}\r\nb NOOP\r\n\r\n", [[b"a {8}", b"b NOOP\r\n", b""]]),
]


@pytest.mark.parametrize(("sent", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_commands_are_cut(sent: bytes, expected: list[Piece]) -> None:
    """Lines and literals, whatever is in them."""
    assert expected == cut([sent])
    assert expected == cut([sent[i : i + 1] for i in range(len(sent))])


def test_a_line_too_long_is_skipped_with_its_literal() -> None:
    """Its rest is not read as a command, nor is the literal that it announces."""
    sent = b"a " + b"x" * 80 + b" {8+}\r\nb NOOP\r\n more\r\nc NOOP\r\n"
    for chunks in ([sent], [sent[i : i + 1] for i in range(len(sent))]):
        overlong, *rest = cut(chunks)
        assert isinstance(overlong, Overlong)
        assert overlong.start.startswith(b"a xxx")
        assert rest == [[b"c NOOP"]]


def test_a_refused_literal_that_waits_ends_its_command() -> None:
    """RFC 3501 §7.5: the client sends the literal only after our "+", so another command comes."""
    assert cut([b"a X {5}\r\nb NOOP\r\n"], accepts=False) == [[b"b NOOP"]]


def test_a_refused_literal_that_does_not_wait_is_skipped() -> None:
    """RFC 7888 §4: it is on its way; so is the rest of its command with more literals."""
    sent = b"a X {8+}\r\nb NOOP\r\n {3+}\r\nxyz\r\nc NOOP\r\n"
    assert cut([sent], accepts=False) == [[b"c NOOP"]]


def test_after_a_skipped_literal_one_that_waits_ends_the_command() -> None:
    """The answer has been given; the client does not send what waits for a "+"."""
    assert cut([b"a X {1+}\r\nb {5}\r\nc NOOP\r\n"], accepts=False) == [[b"c NOOP"]]


def test_an_announcement_tells_what_is_to_come() -> None:
    """Size, whether the client waits, and whether it is a literal8 (RFC 3516)."""
    fragments = Fragments(max_line=60)
    fragments.receive(b"a X ~{7+}\r\n")
    expected = Announcement([b"a X ~{7+}"], size=7, synchronizing=False, binary=True)
    assert expected == fragments.read()


def test_a_line_may_be_read_that_is_no_command() -> None:
    """DONE, or base64: what looks like a literal is none."""
    fragments = Fragments(max_line=10)
    fragments.receive(b"DONE {3}\r\nx" + b"y" * 20)
    assert fragments.read_line() == b"DONE {3}"
    assert isinstance(fragments.read_line(), Overlong)


def test_what_was_not_read_is_given_away() -> None:
    """For the worker, when another process did the login."""
    fragments = Fragments(max_line=60)
    fragments.receive(b"a NOOP\r\nb NO")
    assert fragments.read() == [b"a NOOP"]
    assert fragments.unread() == b"b NO"
    assert fragments.read() is None


@given(
    sent=st.lists(
        st.sampled_from(
            [
                b"a NOOP\r\n",
                b"{3}\r\n",
                b"{3+}\r\n",
                b"xyz",
                b"\r\n",
                b"\n",
                b"{",
                b"}",
                b" ",
                b"y" * 70,
                b"~{2}\r\n",
            ]
        ),
        max_size=20,
    ),
    data=st.data(),
    accepts=st.booleans(),
)
def test_any_chunking_gives_the_same_commands(
    sent: list[bytes], data: st.DataObject, *, accepts: bool
) -> None:
    """Where the bytes are cut makes no difference to commands (an overlong line's start may be shorter)."""
    whole = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    def comparable(pieces: list[Piece]) -> list[list[bytes] | None]:
        return [piece if isinstance(piece, list) else None for piece in pieces]

    assert comparable(cut([whole], accepts=accepts)) == comparable(cut(chunks, accepts=accepts))


@given(
    texts=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 50)),
)
def test_a_streamed_literal_comes_as_it_comes(texts: list[bytes], sizes: list[int]) -> None:
    """Portions make up the literal however the bytes were cut; the command has its size in its place."""
    sent = b"a X" + b"".join(b" {%d}\r\n%b" % (len(text), text) for text in texts) + b" end\r\nb NOOP\r\n"
    fragments = Fragments(max_line=60)
    portions: list[bytes] = []
    commands: list[list[bytes]] = []
    announced: list[int] = []
    while sent:
        size = sizes.pop() if sizes else len(sent)
        fragments.receive(sent[:size])
        sent = sent[size:]
        while (piece := fragments.read()) is not None:
            match piece:
                case Announcement():
                    announced.append(piece.size)
                    fragments.accept(streamed=True)
                case Portion(data):
                    portions.append(data)
                case _:
                    assert isinstance(piece, list)
                    commands.append(piece)
    assert b"".join(texts) == b"".join(portions)
    assert all(portions)
    [first, second] = commands
    literals = [part for part in first if isinstance(part, Streamed)]
    assert announced == list(map(len, texts)) == [literal.size for literal in literals]
    assert b"" == b"".join(literals)
    assert [b"b NOOP"] == second
