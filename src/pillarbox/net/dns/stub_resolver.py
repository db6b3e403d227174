"""A stub resolver: asks the servers of /etc/resolv.conf, and remembers what they said.

DESCRIPTION
    Questions go out over UDP, each from a port of its own, and over TCP when an answer is too long.  The
    servers are asked in turn until one answers, `attempts` times, with `timeout` seconds for each try.  A server
    that fails (SERVFAIL, REFUSED) is an answer only if no other server knows better.

    Answers are remembered for their time to live, faults are not.  Who asks what is already being asked waits
    for the same answer.

LIMITS
    remembered answers `_REMEMBERED`; a TCP answer 65535 octets; aliases `_ALIASES`

FAULTS
    DnsFault  no server answered, or all that did failed
"""

import asyncio
import itertools
from collections import OrderedDict
from typing import Final

from pillarbox.net.dns.host_files import ResolverOptions, WatchedFile, read_resolver_options
from pillarbox.net.dns.messages import NotOurs, Query, Truncated, new_query, read_response
from pillarbox.net.dns.records import Answer, DnsFault, Outcome, RecordType
from pillarbox.vocabulary.clock import Clock

RESOLV_CONF: Final = "/etc/resolv.conf"

_REMEMBERED: Final = 10000
_ALIASES: Final = 8


class StubResolver:
    """A `Resolver` over the network."""

    def __init__(
        self,
        *,
        clock: Clock,
        options: ResolverOptions | None = None,
        dnssec: bool = False,
    ) -> None:
        """`options` instead of what /etc/resolv.conf says; `dnssec` asks for proofs."""
        self._clock = clock
        self._file = WatchedFile(RESOLV_CONF, read_resolver_options, clock=clock)
        self._options = options
        self._dnssec = dnssec
        self._turn = itertools.count()
        self._answers: OrderedDict[tuple[str, RecordType], tuple[float, Answer]] = OrderedDict()
        self._asking: dict[tuple[str, RecordType], asyncio.Future[Answer]] = {}

    async def resolve(self, name: str, kind: RecordType) -> Answer:
        """What the DNS says.  DnsFault if no server knows."""
        key = (name, kind)
        known = self._answers.get(key)
        if known is not None and known[0] > self._clock.monotonic():
            self._answers.move_to_end(key)
            return known[1]
        asking = self._asking.get(key)
        while asking is not None:
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                if not asking.cancelled():
                    raise  # it is we who are not wanted any more
                asking = self._asking.get(key)  # who asked has gone away: ask ourselves
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking[key] = future
        try:
            answer = await self._follow(name, kind)
        except BaseException as fault:
            if isinstance(fault, DnsFault):
                future.set_exception(fault)
                future.exception()  # seen, even if nobody else waits
            else:
                future.cancel()
            raise
        else:
            future.set_result(answer)
            self._remember(key, answer)
            return answer
        finally:
            del self._asking[key]

    def search_domains(self) -> tuple[str, ...]:
        """Of resolv.conf: where a short name may be."""
        return (self._options or self._file.value()).search

    def _remember(self, key: tuple[str, RecordType], answer: Answer) -> None:
        if answer.ttl <= 0:
            return
        self._answers[key] = (self._clock.monotonic() + answer.ttl, answer)
        self._answers.move_to_end(key)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)

    async def _follow(self, name: str, kind: RecordType) -> Answer:
        """Ask, and ask again for a target that the server did not follow itself."""
        asked = name
        for _ in range(_ALIASES):
            answer = await self._ask(new_query(asked, kind, dnssec=self._dnssec))
            if answer.outcome is not Outcome.NO_DATA or answer.name == asked or not answer.name:
                return answer
            asked = answer.name
        raise DnsFault(name, kind, "too many aliases in a row")

    async def _ask(self, query: Query) -> Answer:
        options = self._options or self._file.value()
        servers = options.servers
        if options.rotate:
            first = next(self._turn) % len(servers)
            servers = servers[first:] + servers[:first]
        reason = "no server answers"
        for _ in range(options.attempts):
            for server in servers:
                try:
                    async with asyncio.timeout(options.timeout):
                        return await _ask_server(query, server, use_tcp=options.use_tcp)
                except TimeoutError:
                    reason = f"{server[0]} does not answer"
                except OSError as error:
                    reason = f"{server[0]}: {error.strerror or error}"
                except DnsFault as fault:
                    own = fault.reason.removeprefix(f"DNS: {query.name} {query.kind.value}: ")
                    reason = f"{server[0]}: {own}"
        raise DnsFault(query.name, query.kind, reason)


async def _ask_server(query: Query, server: tuple[str, int], *, use_tcp: bool) -> Answer:
    if not use_tcp:
        try:
            return await _ask_by_datagram(query, server)
        except Truncated:
            pass
    return await _ask_by_stream(query, server)


class _Datagrams(asyncio.DatagramProtocol):
    """What comes to one question's port."""

    def __init__(self, query: Query, answered: "asyncio.Future[Answer]") -> None:
        self._query = query
        self._answered = answered

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The socket is connected: this is from the server, or from somebody who forged its address."""
        if self._answered.done():
            return
        try:
            self._answered.set_result(read_response(self._query, data))
        except NotOurs:
            return  # the right one may still come
        except (Truncated, DnsFault) as fault:
            self._answered.set_exception(fault)

    def error_received(self, exc: Exception) -> None:
        """Port unreachable, and the like."""
        if not self._answered.done():
            self._answered.set_exception(exc if isinstance(exc, OSError) else OSError(str(exc)))


async def _ask_by_datagram(query: Query, server: tuple[str, int]) -> Answer:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(query, answered), remote_addr=server
    )
    try:
        transport.sendto(query.wire)
        return await answered
    finally:
        transport.close()


async def _ask_by_stream(query: Query, server: tuple[str, int]) -> Answer:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(query.wire).to_bytes(2, "big") + query.wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        return read_response(query, await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise OSError("the connection ended before the answer") from error
    except (NotOurs, Truncated) as error:
        raise OSError(f"bad answer over TCP: {error}") from error
    finally:
        writer.close()
