"""smtp_sasl_auth_cache_name: a login that was refused is not tried again, until something is different."""

import base64
import hashlib
from pathlib import Path

import pytest

from pillarbox.delivery.smtp.login_failures import LoginFailures, Refused
from pillarbox.delivery.smtp.passwords import Login
from pillarbox.observability.events import Event, Warned
from pillarbox.tables.cache_store import DatabaseStore, MemoryStore, open_store
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.smtp.replies import ServerReply

ME = Login(b"me", Secret(b"wrong"))
REPLY = ServerReply(535, (b"535-5.7.8 No,", b"535 5.7.8 not so"))
SAID = Refused("5.7.8", "535-5.7.8 No, 535 5.7.8 not so")
DAY = 86400.0


class Bench:
    """A cache over a database, and a clock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.failures = self.again()

    def again(self) -> LoginFailures:
        """As the next process has it."""
        return LoginFailures(open_store(self.name, where="main.cf"), 90 * DAY, clock=self.clock)

    def find(self, host: str = "mx.test", login: Login = ME) -> Refused | None:
        """What is known, by the next process."""
        return self.again().find(host, login, tell=self.events.append)

    def remember(self) -> None:
        """The login was refused."""
        self.failures.remember("mx.test", ME, REPLY, tell=self.events.append)


@pytest.fixture(params=["btree", "hash", "lmdb"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """With a database of each kind."""
    return Bench(f"proxy:{request.param}:{tmp_path}/failures")


def test_a_refused_login_is_remembered(bench: Bench) -> None:
    """For this server, user and password, with what was said; also by another process."""
    assert bench.find() is None
    bench.remember()
    assert bench.find() == SAID
    assert bench.failures.find("mx.test", ME, tell=bench.events.append) == SAID
    assert bench.find(host="other.test") is None
    assert bench.find(login=Login(b"you", ME.password)) is None
    assert bench.events == []


def test_another_password_is_tried(bench: Bench) -> None:
    """And the entry is gone then."""
    bench.remember()
    assert bench.find(login=Login(b"me", Secret(b"right"))) is None
    assert bench.find() is None


def test_an_old_entry_is_void(bench: Bench) -> None:
    """smtp_sasl_auth_cache_time."""
    bench.remember()
    bench.clock.advance(90 * DAY)
    assert bench.find() == SAID
    bench.clock.advance(1.0)
    assert bench.find() is None


def test_records_are_postfixs(tmp_path: Path) -> None:
    """host;user → time;hash;status;reply."""
    store = DatabaseStore("btree", f"{tmp_path}/failures")
    clock = ManualClock()
    LoginFailures(store, DAY, clock=clock).remember("mx.test", ME, REPLY, tell=lambda _: None)
    digest = base64.b64encode(hashlib.sha1(b"wrong").digest())
    value = b"%d;%s;5.7.8;535-5.7.8 No, 535 5.7.8 not so" % (int(clock.now()), digest)
    assert store.load() == {b"mx.test;me": value}


@pytest.mark.parametrize("value", [b"", b"x", b"1;a;b;c", b"1;a;5.7.8;", b"99999999999999999;a;5.7.8;x"])
def test_damaged_entries_are_told_and_removed(tmp_path: Path, value: bytes) -> None:
    """And the login is tried."""
    bench = Bench(f"btree:{tmp_path}/failures")
    store = DatabaseStore("btree", f"{tmp_path}/failures")
    store.write({b"mx.test;me": value})
    assert bench.find() is None
    assert bench.events == [Warned(f"bad smtp_sasl_auth_cache entry: {value.decode()}")]
    assert store.load() == {}


def test_a_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """What is in memory counts."""
    bench = Bench(f"btree:{tmp_path}/nowhere/failures")
    bench.remember()
    assert bench.failures.find("mx.test", ME, tell=bench.events.append) == SAID
    assert all(isinstance(event, Warned) for event in bench.events)
    assert bench.events


def test_memory_alone() -> None:
    """A store that keeps nothing."""
    failures = LoginFailures(MemoryStore(), DAY, clock=ManualClock())
    failures.remember("mx.test", ME, REPLY, tell=lambda _: None)
    assert failures.find("mx.test", ME, tell=lambda _: None) == SAID
