"""The sessions that a spawner has handed to its workers, and how many of them each client has.

STANDARDS
    Dovecot 2.3, mail_max_userip_connections: by user, address and protocol
"""

from collections import Counter
from collections.abc import Iterator, MutableMapping

import msgspec

from pillarbox.net.handover import OpenSession, Peer


class SessionRegister(MutableMapping[str, OpenSession]):
    """By session id."""

    def __init__(self) -> None:
        self._open: dict[str, OpenSession] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, user: str, remote: str, service: str) -> int:
        """How many sessions a user has from an address with a protocol."""
        return self._counts.get((user, remote, service), 0)

    def distinct(self, peer: Peer) -> Peer:
        """The same, with an id that no open session has: a proxy may tell the same twice."""
        name, number = peer.session, 1
        while name in self._open:
            number += 1
            name = f"{peer.session}:{number}"
        return msgspec.structs.replace(peer, session=name)

    def __getitem__(self, session: str) -> OpenSession:
        return self._open[session]

    def __setitem__(self, session: str, opened: OpenSession) -> None:
        self.pop(session, None)
        self._open[session] = opened
        self._counts[_client(opened)] += 1

    def __delitem__(self, session: str) -> None:
        client = _client(self._open.pop(session))
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)


def _client(opened: OpenSession) -> tuple[str, str, str]:
    return opened.user, opened.remote, opened.service
