"""Dovecot's authentication protocol: any bytes are lines of fields, and SASL responses are taken or refused."""

from pillarbox.wire.auth_protocol import (
    MAX_LINE,
    LineReader,
    LineTooLong,
    encode_line,
    parameters,
    split_line,
)
from pillarbox.wire.sasl.mechanisms import MECHANISMS, start
from pillarbox.wire.sasl.steps import (
    Challenge,
    Credentials,
    MalformedResponse,
    Proven,
    UnusableSecret,
    WantsStored,
)

SEEDS = [
    b"\x05VERSION\t1\t2\nCPID\t42\nAUTH\t1\tPLAIN\tservice=smtp\tresp=AG1lAHNlY3JldA==\n",
    b"\x02AUTH\t2\tLOGIN\tservice=imap\tsecured\nCONT\t2\tbWU=\nCONT\t2\tc2VjcmV0\n",
    b"\x01REQUEST\t3\t42\t1\t0123\tsession_pid=7\nUSER\t4\ta\x01tb\tservice=lmtp\nLIST\t5\n",
    b"\x09\0me\0secret",
    b"\x09n,,n=me,r=abc{PLAIN}pencil",
    b"\x09me 0123456789abcdef0123456789abcdef{PLAIN}pencil",
    b'\x09charset=utf-8,username="chris",realm="x",nonce="nonce",nc=00000001,cnonce="OA6M",digest-uri="imap/x",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth{PLAIN}secret",
]
DICTIONARY = [
    b"\t",
    b"\n",
    b"\x01t",
    b"\x010",
    b"AUTH\t",
    b"CONT\t",
    b"resp=",
    b"\0",
    b"username=",
    b'nonce="nonce"',
    b"cnonce=",
    b"digest-uri=",
    b"response=",
    b",",
    b'"',
]


def fuzz_one(data: bytes) -> None:
    """Lines are the same in any pieces; fields survive being written again; mechanisms end."""
    step = (data[0] if data else 0) % 16 + 1
    rest = data[1:]
    reader, lines = LineReader(), []
    try:
        for at in range(0, len(rest), step):
            lines += reader.feed(rest[at : at + step])
    except LineTooLong:
        assert any(len(line) > MAX_LINE for line in rest.split(b"\n"))
        return
    assert lines == rest.split(b"\n")[:-1]
    for line in lines:
        fields = split_line(line)
        again = encode_line(*fields)
        assert again.count(b"\n") == 1
        assert split_line(again[:-1]) == fields
        assert len(parameters(fields)) <= len(fields)
    half = len(rest) // 2
    for name in MECHANISMS:
        mechanism = start(name)
        for response in (None, rest[:half], rest[half:]):
            try:
                answer = mechanism.step(response)
                if isinstance(answer, WantsStored):
                    assert answer.user
                    answer = mechanism.with_stored(rest[half:] or None)
            except (MalformedResponse, UnusableSecret):
                break
            if isinstance(answer, Credentials):
                assert answer.user
            if not isinstance(answer, Challenge):
                assert not isinstance(answer, Proven)  # nobody guesses a password here
                break
