"""The lab's DNS beside real validators: what BIND's delv(1) finds out by itself is what the lab says."""

import asyncio
import datetime
from pathlib import Path

import pytest

from pillarbox.lab.name_server import NameServer
from pillarbox.lab.places import on_loopback
from pillarbox.lab.zones import SignedZones, Zone
from pillarbox.net.system_clock import SystemClock

pytestmark = pytest.mark.system

_RECORDS = "@ IN MX 10 mx0\nmx0 IN A 127.0.0.9\nfar IN CNAME mx0.plain.test.\n"
ZONES = [
    Zone(name="plain.test", records=_RECORDS),
    Zone(
        name="good.test",
        dnssec="valid",
        records=_RECORDS + f"_25._tcp.mx0 IN TLSA 3 1 1 {'ab' * 32}\n*.wild IN A 127.0.0.8\n",
    ),
    Zone(name="bad.test", records=_RECORDS, dnssec="broken"),
    Zone(name="old.test", records=_RECORDS, dnssec="expired"),
]
QUESTIONS = [
    ("plain.test", "MX", "; unsigned answer"),
    ("good.test", "MX", "; fully validated"),
    ("_25._tcp.mx0.good.test", "TLSA", "; fully validated"),
    ("far.good.test", "A", "; unsigned answer"),  # the alias is signed, its target is not
    ("no.good.test", "A", "; negative response, fully validated"),
    ("mx0.good.test", "AAAA", "; negative response, fully validated"),
    ("bad.test", "MX", "resolution failed"),
    ("old.test", "MX", "resolution failed"),
]


@pytest.mark.peer("delv")
def test_a_validator_finds_the_same(tmp_path: Path) -> None:
    """Each question, with the root's key as the only trust anchor."""
    places = on_loopback()
    zones = SignedZones(
        ZONES, seed=3, name_server=places.name_server, now=datetime.datetime.now(datetime.UTC)
    )
    flags, protocol, algorithm, *key = zones.trust_anchor().split()
    anchor = tmp_path / "anchor"
    anchor.write_text(f'trust-anchors {{ . static-key {flags} {protocol} {algorithm} "{"".join(key)}"; }};\n')

    async def ask(name: str, kind: str) -> str:
        command = ["delv", f"@{places.name_server}", "-p", str(places.name_server_port), "-a", str(anchor)]
        process = await asyncio.create_subprocess_exec(
            *command, "+root=.", name, kind, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        return (await process.communicate())[0].decode()

    async def scenario() -> list[str]:
        server = NameServer(zones, clock=SystemClock())
        await server.start(places.name_server, places.name_server_port)
        try:
            return list(await asyncio.gather(*(ask(name, kind) for name, kind, _ in QUESTIONS)))
        finally:
            server.stop()

    said = asyncio.run(scenario())
    for text, (name, kind, expected) in zip(said, QUESTIONS, strict=True):
        assert expected in text, f"{name} {kind}: {text}"
