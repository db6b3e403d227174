"""All that sessions say is what the formal grammars have: every line of the transcripts."""

from pathlib import Path

import pytest

from fakes.imap_response_grammar import NotGrammar, read_responses
from fakes.scripted_transport import read_transcript

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "transcripts" / "imap").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_answers_are_those_of_the_grammars(path: Path) -> None:
    """RFC 9051 §9, RFC 3501 §9 and those of the extensions."""
    _, server = read_transcript(path)
    lines = path.read_text("utf-8").count("\nS: ")
    assert 0 < read_responses(server) <= lines + 1


@pytest.mark.parametrize(
    "line",
    [
        b"* THREAD \r\n",
        b"* THREAD (1 (2))\r\n",
        b"* SEARCH \r\n",
        b'* LIST () "/"\r\n',
        b"* 0 EXPUNGE\r\n",
        b"* 1 FETCH ()\r\n",
        b"* 1 FETCH (UID 0)\r\n",
        b"* 1 FETCH (FLAGS (\\Foo))\r\n",
        b'* 1 FETCH (BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1))\r\n',
        b'* 1 FETCH (INTERNALDATE "1-Jan-2024 00:00:00 +0000")\r\n',
        b"* 1 FETCH (BODY[] {3}\r\na\0b)\r\n",
        b"* ENABLED IMAP4rev2\r\n* 1 RECENT\r\n",
        b"* ENABLED IMAP4rev2\r\n* SEARCH 1\r\n",
        b'* STATUS "\xc3\xa4" (MESSAGES 1)\r\n',
        b"* ESEARCH (TAG x) COUNT 1\r\n",
        b"* OK [FOO] text\r\n",
        b"x OK\r\n",
        b"x OK [READ-WRITE]\r\n",
        b"x YES done\r\n",
    ],
)
def test_what_is_no_answer_is_found(line: bytes) -> None:
    """The reader is strict."""
    with pytest.raises((NotGrammar, UnicodeDecodeError)):
        read_responses(line)
