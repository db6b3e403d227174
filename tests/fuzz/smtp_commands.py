"""SMTP conversations: any bytes, in any pieces, give commands or refusals."""

from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.commands import Auth, Data, Quit, Refused, StartTls
from pillarbox.wire.smtp.dot_stream import BareNewline
from pillarbox.wire.smtp.server import AuthResponse, Content, EndOfContent, Pause, SmtpServer

SEEDS = [
    b"\x07EHLO a.example\r\nMAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n",
    b'\x03EHLO a\r\nMAIL FROM:<> SMTPUTF8 RET=HDRS ENVID=x+2By\r\nRCPT TO:<"a b"@[1.2.3.4]> NOTIFY=NEVER\r\nBDAT 4 LAST\r\nab\r\n',
    b"\x10HELO x\r\nRSET\r\nNOOP\r\nVRFY x\r\nAUTH PLAIN =\r\nAGEAYg==\r\nSTARTTLS\r\nQUIT\r\n",
    b"\x01MAIL FROM:<@a,@b:c@d>\r\nRCPT TO:<x@y> ORCPT=utf-8;\\x{E9}\r\nDATA\r\na\n.\nb\r\n.\r\n",
]
DICTIONARY = [
    b"MAIL FROM:",
    b"RCPT TO:",
    b"DATA\r\n",
    b"BDAT ",
    b" LAST\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"NOTIFY=",
    b"ORCPT=",
]


def fuzz_one(data: bytes) -> None:
    """Play a server that says yes to all; every command is answered once, and content has CRLF line ends."""
    if not data:
        return
    step, mode = data[0] % 16 + 1, tuple(BareNewline)[data[0] % 4]
    engine = SmtpServer(b"host.example", max_line=512, bare_newline=mode)
    engine.greet(Reply(220, (b"host.example",)))
    for at in range(1, len(data), step):
        engine.receive_data(data[at : at + step])
        while True:
            command = engine.next_command()
            if command is Pause.NEED_DATA or command is Pause.CLOSED:
                break
            if isinstance(command, Content):
                assert command.data
                assert command.data.count(b"\n") == command.data.count(b"\r\n")
                continue
            engine.reply(_answer(command))
            if isinstance(command, StartTls):
                engine.start_tls()
        assert all(line.endswith(b"\r\n") for line in [engine.data_to_send() or b"\r\n"])


def _answer(command: object) -> Reply:
    if isinstance(command, Refused):
        return command.reply
    if isinstance(command, Data):
        return Reply(354, (b"go ahead",))
    if isinstance(command, Auth):
        return Reply(334, (b"",))
    if isinstance(command, Quit):
        return Reply(221, (b"2.0.0 Bye",))
    assert command is not Pause.NEED_REPLY
    assert isinstance(command, (AuthResponse, EndOfContent)) or command is not None
    return Reply(250, (b"2.0.0 Ok",))
