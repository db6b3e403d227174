"""A small name server on loopback: zones as data, over UDP and TCP, with the faults that real ones have.

It answers from the same dictionary as `ZoneResolver`, so that both can be asked the same questions.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from fakes.zones import Zones
from pillarbox.net.dns.records import Mx, Record, RecordType, Srv


class NameServer:
    """Answers until its loop ends.  `change` may alter what is sent: a list of datagrams instead of one."""

    def __init__(self, zones: Zones, *, failing: frozenset[str] = frozenset()) -> None:
        self.zones = zones
        self.failing = failing
        self.asked: list[tuple[str, str]] = []
        self.silent = 0  # this many questions get no answer
        self.truncate = False
        self.change: Callable[[bytes], list[bytes]] = lambda wire: [wire]
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Bind to a port of 127.0.0.1, the same for both; to a free one if none is said."""
        loop = asyncio.get_running_loop()
        self._stream = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._stream.sockets[0].getsockname()[1]
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", self.port)
        )

    async def stop(self) -> None:
        """Answer no more."""
        self._datagrams.close()
        self._stream.close()
        await self._stream.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        answer = self.answer(await reader.readexactly(length), tcp=True)
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
        writer.close()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes:
        """The response to a query."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype
        self.asked.append((name, dns.rdatatype.to_text(kind)))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA  # the C library takes an empty answer without it for a fault
        if self.truncate and not tcp:
            response.flags |= dns.flags.TC
            return response.to_wire()
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response.to_wire()
        self._fill(response, name, RecordType(dns.rdatatype.to_text(kind)))
        return response.to_wire(want_shuffle=False)

    def _fill(self, response: dns.message.Message, name: str, kind: RecordType) -> None:
        for _ in range(12):
            records = self.zones.get(name)
            if records is None:
                if not any(other.endswith(f".{name}") for other in self.zones):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            if kind in records:
                response.answer.append(_rrset(name, kind, list(records[kind])))
                return
            alias = records.get(RecordType.CNAME)
            if not alias:
                break
            response.answer.append(_rrset(name, RecordType.CNAME, list(alias)))
            name = cast(str, alias[0])
        soa = "ns.test. root.test. 1 3600 600 86400 60"
        response.authority.append(dns.rrset.from_text("test.", 300, "IN", "SOA", soa))


@contextmanager
def serving(server: NameServer, port: int) -> Iterator[None]:
    """The server answers on a port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(port), loop).result()
        yield
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _rrset(name: str, kind: RecordType, records: list[Record]) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 300, "IN", kind.value, *map(_text, records))


def _text(record: Record) -> str:
    if isinstance(record, Mx):
        return f"{record.preference} {record.host}."
    if isinstance(record, Srv):
        return f"{record.priority} {record.weight} {record.port} {record.host}."
    if isinstance(record, bytes):
        return f'"{record.decode()}"'
    assert isinstance(record, str)
    return record if record.replace(".", "").isdigit() or ":" in record else f"{record}."


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._server.silent:
            self._server.silent -= 1
            return
        for wire in self._server.change(self._server.answer(data, tcp=False)):
            self._transport.sendto(wire, addr)
