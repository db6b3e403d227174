"""postqueue's listing: it begins at once, and is the same whichever way it is made."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pillarbox.config.parameter import declarations
from pillarbox.config.postfix_parameters import GROUPS
from pillarbox.queue.listed_message import ListedMessage, ListedRecipient
from pillarbox.queue.queue_listing_protocol import GREETING, encode_message
from pillarbox.tools import queue_requests
from pillarbox.tools.quick_listing import DEFAULTS, list_quickly, plain_values
from pillarbox.vocabulary.identifiers import QueueId
from pillarbox.wire.attributes import END

HEAVY = ("msgspec", "asyncio", "json", "ssl", "pillarbox.config.parameter", "pillarbox.config.value_types")
SLOW = {"typing", "re", "enum", "collections", "contextlib", "socket", "json", "functools"}
"""Modules of the standard library that take as long to load as Python itself."""
ROOT = Path(__file__).parents[2]
FIRST, SECOND = (
    ListedMessage(
        queue="deferred",
        queue_id=QueueId(queue_id),
        time=1_795_353_636,
        size=348,
        forced_expire=False,
        sender='grüße"@example.org'.encode(),
        recipients=[ListedRecipient(b"a@dest.example", b"connect to \\x: refused"), ListedRecipient(b"b@x")],
    )
    for queue_id in ("10F512301A4", "20F512301A4")
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration and, in its queue directory, somebody who listens."""
    (tmp_path / "spool/public").mkdir(parents=True)
    (tmp_path / "main.cf").write_text(f"queue_directory = {tmp_path}/spool\n")
    return tmp_path


@pytest.fixture
def listener(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(f"{directory}/spool/public/showq")
        found.listen()
        found.settimeout(45)
        yield found


def postqueue(*arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-I", "-m", "pillarbox.tools.postqueue", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def answer(listener: socket.socket, *parts: bytes) -> None:
    with closing(listener.accept()[0]) as client:
        for part in parts:
            client.sendall(part)


def test_the_first_line_comes_with_the_first_message(directory: Path, listener: socket.socket) -> None:
    """Nothing more has been sent when it is printed."""
    with postqueue("-c", str(directory), "-p") as lister, closing(listener.accept()[0]) as client:
        assert lister.stdout is not None
        client.sendall(GREETING + encode_message(FIRST) + encode_message(SECOND)[:-1])
        assert lister.stdout.readline().startswith(b"-Queue ID-")
        assert lister.stdout.readline().startswith(b"10F512301A4 ")
        client.sendall(encode_message(SECOND)[-1:] + END)
        rest = lister.stdout.read()
        assert b"\n\n20F512301A4 " in rest
        assert rest.endswith(b"-- 0 Kbytes in 2 Requests.\n")
    assert lister.returncode == 0


def test_little_is_imported_for_it() -> None:
    """What takes long to import is for the other requests."""
    code = f"import sys, pillarbox.tools.mailq; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("action", ["-p", "-j"])
@pytest.mark.parametrize("long_ids", ["yes", "no"])
def test_it_is_the_same_as_ever(
    directory: Path,
    listener: socket.socket,
    action: str,
    long_ids: str,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """As with the whole configuration read."""
    main_cf = directory / "main.cf"
    main_cf.write_text(f"{main_cf.read_text()}enable_long_queue_ids = {long_ids}\n")
    arguments = ["-c", str(directory), action]
    sent = GREETING + encode_message(FIRST) + encode_message(SECOND) + END
    with postqueue(*arguments) as lister:
        answer(listener, sent)
        assert lister.stdout is not None
        quick = lister.stdout.read()
    sender = threading.Thread(target=answer, args=(listener, sent))
    sender.start()
    assert queue_requests.carry_out(arguments) == 0
    sender.join()
    assert capfdbinary.readouterr().out == quick != b""
    if action == "-j":
        (first, second) = map(json.loads, quick.splitlines())
        assert first["recipients"][0] == {
            "address": "a@dest.example",
            "delay_reason": "connect to \\x: refused",
        }
        assert second["sender"] == 'grüße"@example.org'


@pytest.mark.parametrize("action", ["-p", "-j"])
def test_a_short_queue_is_shown_with_little(directory: Path, listener: socket.socket, action: str) -> None:
    """Nothing that takes long is loaded from the start to the end; a long one is the same as two short ones."""
    listing = f"import sys; from pillarbox.tools.quick_listing import list_quickly; list_quickly({['-c', str(directory), action]})"
    program = f"{listing}; sys.stdout.flush(); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-IS", "-c", f"import sys; sys.path.append({str(ROOT / 'src')!r}); {program}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as lister:
        answer(listener, GREETING + encode_message(FIRST) + encode_message(SECOND) + END)
        said, modules = lister.communicate()
    assert said.count("F512301A4") == 2
    assert not SLOW & set(modules.split())


def test_a_long_queue(directory: Path, listener: socket.socket) -> None:
    """Messages after the first hundreds are read in another way."""
    with postqueue("-c", str(directory), "-p") as lister:
        answer(listener, GREETING, *[encode_message(FIRST)] * 150, *[encode_message(SECOND)] * 150, END)
        assert lister.stdout is not None
        shown = lister.stdout.read()
    (first, *others, totals) = shown.split(b"\n\n")
    assert [entry[:11] for entry in others] == [b"10F512301A4"] * 149 + [b"20F512301A4"] * 150
    assert {entry[11:] for entry in others} == {first.partition(b"\n")[2][11:]}
    assert totals == b"-- 101 Kbytes in 300 Requests.\n"


def test_a_server_that_stops_in_between(directory: Path, listener: socket.socket) -> None:
    """What came is shown, and that there was more."""
    with postqueue("-c", str(directory), "-p") as lister:
        answer(listener, GREETING + encode_message(FIRST) + encode_message(SECOND)[:40])
        assert lister.stdout is not None
        assert lister.stderr is not None
        assert b"10F512301A4" in lister.stdout.read()
        said = b"postqueue: fatal: malformed showq server response: the server stopped in between\n"
        assert lister.stderr.read() == said
    assert lister.returncode == 70


def test_defaults_are_those_of_the_parameters() -> None:
    """They stand twice, so that the one here can be had for nothing."""
    declared = {
        declaration.name: declaration.default for group in GROUPS for declaration in declarations(group)
    }
    assert {name: declared[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("x = y\n# queue_directory = /no\n", {}),
        ("queue_directory =\n  /a\nqueue_directory = /b/c \nother = $x\n", {"queue_directory": "/b/c"}),
        ("enable_long_queue_ids=yes", {"enable_long_queue_ids": "yes"}),
        ("enable_long_queue_ids = ${x?yes:no}", None),
        ("queue_directory = $base/spool", None),
        ("queue_directory = spool", None),
        ("enable_long_queue_ids = maybe", None),
        ("authorized_mailq_users = root", None),
        ("no equals sign", None),
    ],
)
def test_what_is_plain(
    text: str, expected: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last definition counts; whatever takes more than a look is left to who knows it."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    (tmp_path / "main.cf").write_text(text)
    assert plain_values(f"{tmp_path}/main.cf") == (None if expected is None else DEFAULTS | expected)


def test_root_may_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """authorized_mailq_users is for the others."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    (tmp_path / "main.cf").write_text("authorized_mailq_users = some\n")
    assert plain_values(f"{tmp_path}/main.cf") is not None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-f"],
        ["-p", "-j"],
        ["-v", "-p"],
        ["-s", "x"],
        ["-c", "", "-p"],
        ["-c", "/nowhere", "-p"],
        ["-p", "x"],
    ],
)
def test_what_is_not_for_it(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is done, nothing said."""
    assert not list_quickly(arguments)
    assert capfd.readouterr() == ("", "")


def test_server_is_asked_before_all_is_loaded() -> None:
    """It looks for the first message while the rest is loaded."""
    program = "import sys, pillarbox.tools.postqueue; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "pillarbox.tools.quick_listing" in loaded
    later = {"pillarbox.queue.queue_listing_protocol", "pillarbox.tools.queue_report"}
    later |= {"typing", "re", "socket", "enum", "collections", "contextlib"}
    assert not later & set(loaded)
