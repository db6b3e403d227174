"""Requests to a script service: complete, incomplete or refused, wherever they are cut."""

from pillarbox.daemons.script import BadRequest, parse_request

SEEDS = [b"VERSION\tscript\t4\t0\nnoreply\n95\nme\n\n", b"VERSION\tscript\t4\t0\nalarm=10\n-\n\nrest"]
DICTIONARY = [b"VERSION\tscript\t", b"4\t0", b"noreply\n", b"-\n", b"alarm=", b"\n\n", b"\0"]


def fuzz_one(data: bytes) -> None:
    """What is complete stays the same whatever comes behind it."""
    try:
        request = parse_request(data)
    except BadRequest:
        return
    if request is not None:
        assert parse_request(data + b"more\n\n") == request
        assert not any("\n" in word or "\0" in word for word in request.arguments)
