"""The engine: order of commands, content and chunks, whatever packets they come in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scripted_transport import read_transcript
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.command_order import State
from pillarbox.wire.smtp.commands import Auth, Bdat, Data, Ehlo, MailFrom, Noop, Quit, Refused, StartTls
from pillarbox.wire.smtp.dot_stream import BareNewline
from pillarbox.wire.smtp.server import AuthResponse, Content, EndOfContent, Pause, SmtpServer

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "transcripts/smtp").glob("*.txt"))
GREETING = Reply(220, (b"mx.test",))
OK = Reply(250, (b"Ok",))


class Session:
    """Says yes to everything but what has `refuse` in it; repeats the content it was given."""

    def __init__(self, **options: object) -> None:
        self.engine = SmtpServer(b"mx.test", **options)  # type: ignore[arg-type]
        self.engine.greet(GREETING)
        self.said = b""
        self._content = b""

    def hear(self, data: bytes) -> None:
        """Answer all that these bytes complete."""
        self.engine.receive_data(data)
        while True:
            command = self.engine.next_command()
            if command is Pause.NEED_DATA or command is Pause.CLOSED:
                break
            if isinstance(command, Content):
                self._content += command.data
                continue
            self.engine.reply(self._answer(command))
            self.said += self.engine.data_to_send()
            if isinstance(command, StartTls):
                self.engine.start_tls()

    def _answer(self, command: object) -> Reply:
        if isinstance(command, Refused):
            return command.reply
        if isinstance(command, Data):
            return Reply(354, (b"go ahead",))
        if isinstance(command, Quit):
            return Reply(221, (b"Ok",))
        if isinstance(command, StartTls):
            return Reply(220, (b"Ok",))
        if isinstance(command, (Auth, AuthResponse)):
            return self._exchange(command)
        if isinstance(command, EndOfContent):
            return self._after(command)
        return Reply(550, (b"no",)) if "refuse" in repr(command) else OK

    def _exchange(self, command: Auth | AuthResponse) -> Reply:
        data = command.initial_response if isinstance(command, Auth) else command.data
        replies = {b"eWVz": Reply(235, (b"yes",)), b"bm8=": Reply(535, (b"no",)), b"*": Reply(535, (b"no",))}
        return replies.get(data or b"", Reply(334, (b"more",)))

    def _after(self, end: EndOfContent) -> Reply:
        content, refused = self._content, b"refuse" in self._content
        if end.last or refused:
            self._content = b""
        return Reply(550, (b"no",)) if refused else Reply(250, (b"[%s]" % content.replace(b"\r\n", b"|"),))


def played(said: bytes, step: int) -> bytes:
    session = Session()
    session.said = session.engine.data_to_send()
    for at in range(0, len(said), step):
        session.hear(said[at : at + step])
    return session.said


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
def test_transcripts(path: Path) -> None:
    """The same answers whether the client's octets come one by one, in pieces, or (TLS aside) at once."""
    client, server = read_transcript(path)
    # STARTTLS throws away what was sent ahead, so there the client must wait.
    for step in (1,) if b"STARTTLS\r\n" in client else (1, 2, 3, 5, 7, 64, len(client)):
        assert played(client, step) == server, step


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
def test_transcripts_cut_anywhere(path: Path) -> None:
    """A client that is cut off at any octet has heard the beginning of the transcript, and nothing else."""
    client, server = read_transcript(path)
    for cut in range(0, len(client), 3):
        said = played(client[:cut], 1)
        assert server.startswith(said), cut


def test_starttls_throws_away_what_was_sent_ahead() -> None:
    """RFC 3207 §4.2, CVE-2011-0411: injected plain text never is a command."""
    engine = SmtpServer(b"mx.test")
    engine.greet(GREETING)
    engine.receive_data(b"STARTTLS\r\nMAIL FROM:<evil@x>\r\nRCP")
    command = engine.next_command()
    assert isinstance(command, StartTls)
    assert engine.input_waiting
    assert not engine.pipelining_allowed
    engine.reply(Reply(220, (b"go",)))
    engine.start_tls()
    assert engine.waiting_input == b""
    engine.receive_data(b"EHLO c\r\n")
    assert engine.next_command() == Ehlo(b"c")


def test_a_decision_is_waited_for() -> None:
    """Pipelined commands are given one at a time, each after the answer to the one before."""
    engine = SmtpServer(b"mx.test")
    assert engine.next_command() is Pause.NEED_REPLY
    engine.greet(GREETING)
    engine.receive_data(b"MAIL FROM:<a@b.c>\r\nNOOP\r\n")
    assert isinstance(engine.next_command(), MailFrom)
    assert engine.next_command() is Pause.NEED_REPLY
    engine.reply(OK)
    assert isinstance(engine.next_command(), Noop)
    engine.reply(OK)
    with pytest.raises(AssertionError):
        engine.reply(OK)


LINES = [(b"NOOP " + b"x" * 59, 250), (b"NOOP " + b"x" * 60, 500), (b"x" * 100_000, 500)]


@pytest.mark.parametrize(("line", "code"), LINES, ids=["just right", "one too many", "endless"])
@pytest.mark.parametrize("step", [1, 7, 4096, 200_000])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_long_lines(line: bytes, code: int, step: int, end: bytes) -> None:
    """Too long is too long in any packets; memory stays small, and the next command is heard."""
    if step == 1:
        line = line[:300]
    session = Session(max_line=64)
    for at in range(0, len(sent := line + end + b"QUIT\r\n"), step):
        session.hear(sent[at : at + step])
        assert len(session.engine.waiting_input) <= 64 + 2
    text = b"250 Ok" if code == 250 else b"500 5.5.2 mx.test Error: command too long"
    assert session.said == b"220 mx.test\r\n" + text + b"\r\n221 Ok\r\n"


def test_responses_may_be_longer_than_commands() -> None:
    """A SASL response has its own limit; one that passes it ends the exchange."""
    session = Session(max_line=64, max_response=128)
    session.hear(b"AUTH LOGIN\r\n" + b"x" * 128 + b"\r\n" + b"x" * 129 + b"\r\nNOOP\r\n")
    assert session.said.split(b"\r\n")[1:-1] == [
        b"334 more",
        b"334 more",
        b"500 5.5.2 mx.test Error: command too long",
        b"250 Ok",
    ]


def test_helo_that_is_required() -> None:
    """smtpd_helo_required, after TLS too."""
    session = Session(helo_required=True)
    session.hear(b"MAIL FROM:<a@b.c>\r\nHELO c\r\nMAIL FROM:<a@b.c>\r\n")
    assert session.said.split(b"\r\n")[1:-1] == [
        b"503 5.5.1 Error: send HELO/EHLO first",
        b"250 Ok",
        b"250 Ok",
    ]


def test_bare_newlines_are_noticed_everywhere() -> None:
    """In commands, in DATA and in chunks; the session refuses what it does not want."""
    for sent in (b"NOOP\n", b"DATA\r\na\nb\r\n.\r\n", b"BDAT 4 LAST\r\na\nb\n"):
        session = Session(bare_newline=BareNewline.REJECT)
        session.hear(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\n")
        assert not session.engine.bare_newline_seen
        session.hear(sent)
        assert session.engine.bare_newline_seen


def test_nothing_is_taken_after_421() -> None:
    """close()."""
    session = Session()
    session.engine.close()
    session.engine.receive_data(b"NOOP\r\n")
    assert session.engine.next_command() is Pause.CLOSED
    assert session.engine.state is State.CLOSED


SCRIPT = st.lists(
    st.sampled_from(
        [
            b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\n", b"RCPT TO:<a@b.c>\r\n", b"DATA\r\n", b".\r\n", b"x\r\n",
            b"BDAT 3\r\nab\n", b"BDAT 0 LAST\r\n", b"BDAT 8 LAST\r\nrefuse!!", b"RSET\r\n", b"AUTH LOGIN\r\n",
            b"eWVz\r\n", b"*\r\n", b"FOO\r\n", b"MAIL FROM:<refuse@b.c>\r\n", b"BDAT x\r\n", b"\xff\r\n",
        ]
    ),
    max_size=20,
)  # fmt: skip


@given(SCRIPT, st.integers(1, 20))
def test_any_chunking_gives_the_same_answers(script: list[bytes], step: int) -> None:
    """Whatever the order of commands, packets change nothing."""
    sent = b"".join(script)
    assert played(sent, step) == played(sent, len(sent) + 1)


def test_chunk_sizes_are_octets() -> None:
    """A chunk holds what its size says, commands or not."""
    engine = SmtpServer(b"mx.test")
    engine.greet(GREETING)
    engine.receive_data(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n")
    for _ in range(2):
        engine.next_command()
        engine.reply(OK)
    assert engine.next_command() == Content(b"QUIT\r\n")
    end = engine.next_command()
    assert end == EndOfContent(last=True, size=6, chunked=True, total=6)
    assert not isinstance(end, Bdat)
    engine.reply(OK)
    assert isinstance(engine.next_command(), Quit)
