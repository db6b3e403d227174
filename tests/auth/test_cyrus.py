"""Logins as Cyrus SASL checks them: smtpd.conf, saslauthd's protocol, what is refused."""

import asyncio
import base64
from pathlib import Path
from typing import Final

import pytest

from pillarbox.auth.cyrus import CyrusLogins, CyrusSettings, cyrus_settings
from pillarbox.auth.logins import Accepted, Refused
from pillarbox.vocabulary.faults import ConfigurationFault

BARE: Final = CyrusSettings(host="mx.test")
SHOWN: Final = (b"PLAIN", b"LOGIN")


@pytest.mark.parametrize(
    ("text", "by_saslauthd", "mechanisms"),
    [
        ("", False, (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"DIGEST-MD5", b"CRAM-MD5", *SHOWN)),
        ("pwcheck_method: saslauthd\n", True, SHOWN),
        ("# remark\n\npwcheck_method: saslauthd auxprop\nmech_list: login CRAM-MD5\n", True, (b"LOGIN",)),
        (
            "pwcheck_method:auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN CRAM-MD5\n",
            False,
            (b"PLAIN", b"CRAM-MD5"),
        ),
    ],
)
def test_smtpd_conf(tmp_path: Path, text: str, by_saslauthd: bool, mechanisms: tuple[bytes, ...]) -> None:
    """Which mechanisms there are, and whom they ask; the first directory that has the file counts."""
    (tmp_path / "smtpd.conf").write_text(text + "saslauthd_path: /run/a\nsasldb_path: /run/b\n")
    found = cyrus_settings((str(tmp_path / "none"), str(tmp_path), "/"), "smtpd", BARE)
    assert (found.by_saslauthd, found.mechanisms) == (by_saslauthd, mechanisms)
    assert (found.saslauthd, found.sasldb) == ("/run/a", "/run/b")


def test_without_a_file(tmp_path: Path) -> None:
    """What Cyrus SASL does of itself: sasldb2."""
    assert cyrus_settings((str(tmp_path),), "smtpd", BARE) == BARE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pwcheck_method: authdaemond\n", "pwcheck_method authdaemond is not served"),
        ("auxprop_plugin: sql\n", "auxprop_plugin sql is not served"),
        ("mech_list plain\n", 'smtpd.conf, line 1: "mech_list plain" is not "option: value"'),
    ],
)
def test_what_is_not_served(tmp_path: Path, text: str, why: str) -> None:
    """It is told, and where."""
    (tmp_path / "smtpd.conf").write_text(text)
    with pytest.raises(ConfigurationFault) as fault:
        cyrus_settings((str(tmp_path),), "smtpd", BARE)
    assert why in str(fault.value)


def login(
    settings: CyrusSettings, mechanism: bytes, *responses: bytes
) -> tuple[Accepted | Refused, list[str]]:
    """What comes of a login, and what was warned of."""
    warnings: list[str] = []
    left = list(responses)

    async def exchange(_challenge: bytes) -> bytes:
        return left.pop(0)

    async def run() -> Accepted | Refused:
        logins = CyrusLogins(settings, warn=warnings.append)
        return await logins.authenticate(mechanism, None, exchange, fields=())

    return asyncio.run(run()), warnings


@pytest.mark.parametrize(
    ("realm", "user", "asked"),
    [
        ("", b"joe", [b"joe", b"pass word", b"smtp", b""]),
        ("", b" joe@other.test", [b"joe", b"pass word", b"smtp", b"other.test"]),
        ("own.test", b"joe", [b"joe", b"pass word", b"smtp", b"own.test"]),
    ],
)
@pytest.mark.parametrize(("answer", "is_right"), [(b"OK", True), (b"NO", False), (b"", False)])
def test_saslauthd(
    tmp_path: Path, realm: str, user: bytes, asked: list[bytes], answer: bytes, is_right: bool
) -> None:
    """User, password, service and realm, each behind its length; `OK` is the only good answer."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(heard) < 4:
            size = int.from_bytes(await reader.readexactly(2), "big")
            heard.append(await reader.readexactly(size))
        writer.write(len(answer).to_bytes(2, "big") + answer)
        writer.close()

    async def run() -> Accepted | Refused:
        settings = CyrusSettings(
            host="mx.test", realm=realm, by_saslauthd=True, saslauthd="/mux", root=str(tmp_path)
        )
        async with await asyncio.start_unix_server(serve, str(tmp_path / "mux")):
            logins = CyrusLogins(settings, warn=lambda text: None)

            async def exchange(_challenge: bytes) -> bytes:
                return b"\0%s\0pass word" % user

            return await logins.authenticate(b"PLAIN", None, exchange, fields=())

    result = asyncio.run(run())
    assert heard == asked
    name = "@".join(part.decode() for part in (asked[0], asked[3]) if part)
    if is_right:
        assert isinstance(result, Accepted)
        assert result.user == name
    else:
        assert result == Refused(name, "authentication failure")


@pytest.mark.parametrize(
    ("mechanism", "responses", "reason"),
    [
        (b"PLAIN", (b"no nul",), "bad protocol / cancel"),
        (b"PLAIN", (b"\0joe\0x",), "authentication failure"),
        (b"PLAIN", (b"root\0joe\0x",), "authentication failure"),
        (b"CRAM-MD5", (b"joe 00",), "authentication failure"),
        (b"LOGIN", (b"joe", b"x"), "authentication failure"),
        (b"LOGIN", (b"j\xff\0e", b"x"), "authentication failure"),
    ],
)
def test_refused(tmp_path: Path, mechanism: bytes, responses: tuple[bytes, ...], reason: str) -> None:
    """Without a sasldb2 nobody is known."""
    result, _ = login(CyrusSettings(host="mx.test", sasldb=str(tmp_path / "none")), mechanism, *responses)
    assert isinstance(result, Refused)
    assert (result.reason, result.temporary) == (reason, False)
    assert result.user == result.user.encode("utf-8", "replace").decode()  # it can be logged


def test_saslauthd_that_is_away(tmp_path: Path) -> None:
    """Nobody knows, and the log says why."""
    settings = CyrusSettings(host="mx.test", by_saslauthd=True, saslauthd=str(tmp_path / "none"))
    result, warnings = login(settings, b"PLAIN", b"\0joe\0x")
    assert result == Refused("joe", "generic failure", temporary=True)
    assert warnings[0].startswith("SASL authentication failure: cannot connect to saslauthd server: ")


def test_a_damaged_sasldb2(tmp_path: Path) -> None:
    """It is told, and lets nobody in."""
    (tmp_path / "db").write_bytes(base64.b64encode(bytes(4096)))
    result, warnings = login(CyrusSettings(host="mx.test", sasldb=str(tmp_path / "db")), b"PLAIN", b"\0joe\0")
    assert isinstance(result, Refused)
    assert len(warnings) == 1
