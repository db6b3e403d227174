"""Our postcat beside Debian's: the same files, the same options, the same output and exit status.

DESCRIPTION
    The files are the four that Postfix wrote, one that we wrote, and damaged ones.  Standard output and exit
    status must be equal, and the warnings.  Not compared: what the original says of itself with -v, its
    usage text (ours names more options), and `-f`, which Debian's does not have yet.

    Meant differences: the original loses what it has printed last without flushing it (the title of a file
    that breaks off at once, the line end of text that none follows); with a bad size record and without -e
    it gives up, where ours reads on.
"""

import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes import postfix_queue_files as golden
from pillarbox.queue.new_queue_file import NewEnvelope, NewRecipient, encode_end, encode_envelope, size_record
from pillarbox.queue.records import ContentEncoder
from pillarbox.tools import postcat

PEER = shutil.which("postcat", path="/usr/sbin:/sbin")

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("postfix"),
    pytest.mark.skipif(PEER is None, reason="Debian's postfix is not installed"),
]


def our_file() -> bytes:
    """A queue file as our writer makes it: a long line, a folded header, NUL and 8-bit content."""
    envelope = NewEnvelope(
        arrival_time=1795353636.059208,
        sender=b"alice@example.org",
        recipients=[NewRecipient(b"a@dest.example", b"b@dest.example")],
        attributes=[(b"rewrite_context", b"remote")],
        full_name=b"Alice",
        verp=b"+=",
        warn_after=14400,
    )
    head = encode_envelope(envelope)
    encoder = ContentEncoder()
    content = b"Subject: a\r\n\tb\r\n\r\n" + b"x" * 5000 + b"\r\n\xff\0y\r\nend without line end"
    body = encoder.feed(content) + encoder.finish()
    size = size_record(
        data_size=len(body),
        data_offset=97 + len(head),
        recipients=1,
        flags=0,
        content_size=len(body),
        send_options=0,
    )
    return size + head + body + encode_end([(b"message_id", b"<1@a>")])


A = golden.A_TWO_RECIPIENTS
FILES = {
    "two recipients": A,
    "maildrop": golden.B_MAILDROP,
    "smtputf8": golden.C_SMTPUTF8,
    "milter": golden.D_MILTER,
    "ours": our_file(),
    "cut in the content": A[:900],
    "cut in the envelope": A[:300],
    "empty": b"",
    "text": b"garbage\n",
    "unknown record": A[:97] + b"Z\x01x" + A[97:],
    "no size": A[97:],
    "two sizes": A[:97] + A,
    "bad time": A[:97] + b"T\x07garbage" + A[97:],
    "negative time": A[:97] + b"T\x02-5" + A[97:],
    "bad attributes": A[:97] + b"A\x03fooA\x02=bA\x05a b=cA\x00A\x02a=A\x07 a = b " + A[97:],
    "bad create time": A[:97] + b"A\x10create_time= 99z" + A[97:],
    "content filter": A[:97] + b"L\x03aaaN\x01b" + A[97:],
    "padding": A[:97] + b"w\x03a\0b" + A[97:],
    "bad pointer": A[:97] + b"p\x01x" + A[97:],
    "pointer beyond the end": A[:97] + b"p\x0f" + b"%15d" % 99999 + A[97:],
    "empty pointer": A[:97] + b"p\x00" + A[97:],
    "markers out of order": b"M\0M\0N\x01aX\0X\0M\0E\0",
    "length of six octets": b"T\x80\x80\x80\x80\x80\x01",
    "negative length": b"T\xff\xff\xff\xff\x0f",
    "length cut off": b"T\xff",
    "impossible length": b"T\xff\xff\xff\x01",
    "header lines": b"M\0N\x03a:bN\x03 ccN\x05b\t :cN\x02:dX\0E\0",
    "header with NUL": b"M\0N\x04a\0:bN\x02x:X\0E\0",
    "header in two records": b"M\0L\x01aN\x02:bN\x02b:X\0E\0",
    "content not ended": b"M\0L\x01aX\0E\0",
    "8-bit header": b"M\0N\x03\xe9:bX\0E\0",
    "NUL in an address": b"S\x03a\0bM\0X\0E\0",
}
GOOD = ("two recipients", "maildrop", "smtputf8", "milter", "ours")
OPTIONS = ["", "-e", "-h", "-b", "-bh", "-eh", "-eb", "-do", "-r", "-v", "-rvdo", "-hdo", "-s97", "-os786"]
FEW_OPTIONS = ["", "-h", "-vdo"]


@pytest.fixture(scope="module", autouse=True)
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A main.cf, which Debian's package has not if it was installed without one."""
    directory = tmp_path_factory.mktemp("etc")
    (directory / "main.cf").write_text("compatibility_level = 3.6\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAIL_CONFIG", str(directory))
        yield


def ours(arguments: list[str], capture: pytest.MonkeyPatch, stdin: bytes) -> tuple[bytes, str, int]:
    out, errors = SimpleNamespace(buffer=io.BytesIO(), flush=lambda: None), io.StringIO()
    capture.setattr("sys.stdout", out)
    capture.setattr("sys.stderr", errors)
    capture.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
    status = postcat.main(arguments)
    capture.undo()
    return out.buffer.getvalue(), errors.getvalue(), status


def theirs(arguments: list[str], stdin: bytes) -> tuple[bytes, str, int]:
    assert PEER is not None
    with tempfile.TemporaryFile() as file:  # the original cannot follow pointers, or skip, in a pipe
        file.write(stdin)
        file.seek(0)
        done = subprocess.run([PEER, *arguments], capture_output=True, stdin=file, check=False)
    return done.stdout, done.stderr.decode(errors="replace"), done.returncode


def flushed(output: bytes) -> bytes:
    """The output without what the original may lose: a last line end, a title that nothing follows."""
    output = output.removesuffix(b"\n")
    return b"" if re.fullmatch(rb"\*\*\* ENVELOPE RECORDS .* \*\*\*", output) else output


def told(text: str) -> list[str]:
    """Warnings and fatal messages, without the program's name and without the usage text."""
    found = re.findall(r"(?:warning|fatal|invalid option|requires an argument).*", text)
    return ["usage" if "usage:" in line else line for line in found]


@pytest.mark.parametrize("name", FILES)
def test_every_file_looks_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file with each set of options: output, messages and exit status are the original's."""
    path = tmp_path / "FILE"
    path.write_bytes(FILES[name])
    for options in OPTIONS if name in GOOD else FEW_OPTIONS:
        arguments = [*([options] if options else []), str(path)]
        out, errors, status = ours(arguments, monkeypatch, b"")
        peer_out, peer_errors, peer_status = theirs(arguments, b"")
        assert (options, told(errors), status) == (options, told(peer_errors), peer_status)
        assert (options, flushed(out)) == (options, flushed(peer_out))


USES = [
    ("unknown option", ["-x"]),
    ("option without its argument", ["-s"]),
    ("no such file", ["/nonexistent/file"]),
    ("a directory for a file, then a good one", ["/nonexistent/file", "{dir}/q/maildrop/B1"]),
    ("bad offset", ["-s", "abc", "{dir}/q/maildrop/B1"]),
    ("negative offset", ["-s", "-5", "{dir}/q/maildrop/B1"]),
    ("offset behind the end", ["-s", "99999", "{dir}/q/maildrop/B1"]),
    ("no such configuration", ["-c", "{dir}/nowhere", "{dir}/q/maildrop/B1"]),
    ("queue id in maildrop", ["-c", "{dir}", "-q", "B1"]),
    ("queue id in a hashed directory", ["-c", "{dir}", "-q", "A1B2C3"]),
    ("two queue ids", ["-c", "{dir}", "-qe", "A1B2C3", "B1"]),
    ("unknown queue id", ["-c", "{dir}", "-q", "FFFF123"]),
    ("path as queue id", ["-c", "{dir}", "-q", "../B1"]),
    ("empty queue id", ["-c", "{dir}", "-q", ""]),
    ("standard input", ["-c", "{dir}"]),
    ("standard input, skipping", ["-c", "{dir}", "-s", "97"]),
    ("standard input is shorter", ["-c", "{dir}", "-s", "100000"]),
    ("options after files are files", ["{dir}/q/maildrop/B1", "-e"]),
]


@pytest.mark.parametrize(("name", "arguments"), USES, ids=[case[0] for case in USES])
def test_every_use_ends_the_same(
    name: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files are looked for, and what wrong use gives."""
    (tmp_path / "main.cf").write_text(f"queue_directory = {tmp_path}/q\n")
    for path, data in (("deferred/A/A1B2C3", A), ("maildrop/B1", golden.B_MAILDROP)):
        (tmp_path / "q" / path).parent.mkdir(parents=True)
        (tmp_path / "q" / path).write_bytes(data)
    filled = [argument.replace("{dir}", str(tmp_path)) for argument in arguments]
    out, errors, status = ours(filled, monkeypatch, A)
    peer_out, peer_errors, peer_status = theirs(filled, A)
    assert (out, told(errors), status) == (peer_out, told(peer_errors), peer_status)


def test_without_a_size_we_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad size record is warned of, and the header is found all the same."""
    (tmp_path / "FILE").write_bytes(b"C\x03a b" + A[97:])
    out, errors, status = ours(["-h", str(tmp_path / "FILE")], monkeypatch, b"")
    assert told(errors) == ["warning: invalid size record: a b"]
    assert (out.splitlines()[-1][:5], status) == (b"Date:", 0)


def test_file_names_before_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-f (Postfix 3.10): every line of output begins with the name of its file."""
    (tmp_path / "FILE").write_bytes(FILES["ours"])
    name = str(tmp_path / "FILE")
    plain, _, _ = ours([name], monkeypatch, b"")
    named, _, _ = ours(["-f", name], monkeypatch, b"")
    prefix = name.encode() + b": "
    assert named == b"".join(prefix + line + b"\n" for line in plain.split(b"\n")[:-1])
