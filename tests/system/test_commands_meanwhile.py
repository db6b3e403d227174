"""An admin who holds, releases, flushes, requeues and reloads while mail comes in: nothing is lost, nothing comes twice.

DESCRIPTION
    Clients send all the time, and write down what was promised.  At the end the queue is let go, and each message must
    be in the mailbox: once, or, where messages are put through the queue again while they are delivered, at least once.
    A long run: COMMANDS_SECONDS=600.
"""

import os
import random
import re
import smtplib
import subprocess
import sys
import threading
from collections import Counter
from typing import Final

import pytest

from fakes.mail_system import PATIENCE, USER, MailSystem, until

SECONDS: Final = float(os.environ.get("COMMANDS_SECONDS", "6"))
pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.timeout(SECONDS + 300)]

SENDERS: Final = 4
LATER: Final = "later@elsewhere.test"
"""Who cannot be reached."""
TOKEN: Final = re.compile(rb"(?m)^X-Token: (\S+)$")
HARMLESS: Final = (
    ("postsuper", "-h", "ALL"),
    ("postsuper", "-H", "ALL"),
    ("postsuper", "-h", "ONE"),
    ("postsuper", "-H", "ONE"),
    ("postsuper", "-h", "ALL", "incoming"),
    ("postsuper", "-h", "ALL", "active"),
    ("postqueue", "-f"),
    ("postqueue", "-i", "ONE"),
    ("postqueue", "-s", "elsewhere.test"),
    ("postqueue", "-p"),
    ("postqueue", "-j"),
    ("postfix", "reload"),
    ("postfix", "flush"),
)
AGAIN: Final = (
    *HARMLESS,
    ("postsuper", "-r", "ALL"),
    ("postsuper", "-r", "ONE"),
    ("postsuper", "-r", "ALL", "deferred"),
)


def admin(system: MailSystem, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of the MTA's."""
    program, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", f"pillarbox.tools.{program}", "-c", system.data / "etc", *rest],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def queued(system: MailSystem) -> list[str]:
    """Queue ids."""
    return re.findall(r'"queue_id": "(\w+)"', admin(system, "postqueue", "-j").stdout)


@pytest.mark.parametrize(("commands", "twice"), [(HARMLESS, False), (AGAIN, True)], ids=["held", "requeued"])
def test_nothing_is_lost(commands: tuple[tuple[str, ...], ...], *, twice: bool) -> None:
    """And nothing comes twice that is not put through the queue again."""
    system = MailSystem(rootless=False)
    ended = threading.Event()
    promised: list[bytes] = []
    faults: list[str] = []

    def send(number: int) -> None:
        count = 0
        with smtplib.SMTP("127.0.0.1", system.port("smtp"), timeout=PATIENCE) as client:
            while not ended.is_set():
                token = f"{number}.{count}"
                recipients = [USER, LATER] if count % 5 == 0 else [USER]
                text = f"X-Token: {token}\r\n\r\n{'x' * 70}\r\n"
                assert not client.sendmail("", recipients, text.encode())
                promised.append(token.encode())
                count += 1
                ended.wait(0.02)

    def interfere() -> None:
        chance = random.Random(len(commands))
        while not ended.is_set():
            chosen = chance.choice(commands)
            one = chance.choice(queued(system) or ["0"]) if "ONE" in chosen else ""
            done = admin(system, *(one if word == "ONE" else word for word in chosen))
            if done.returncode and "ONE" not in chosen:
                faults.append(f"{chosen}: {done.stderr}")

    system.make_home()
    system.configure(
        default_transport="smtp",
        relayhost="[127.0.0.1]:1",
        in_flow_delay="0",
        fast_flush_domains="elsewhere.test",
    )
    with system.running():
        threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
        threads.append(threading.Thread(target=interfere))
        for thread in threads:
            thread.start()
        ended.wait(SECONDS)
        ended.set()
        for thread in threads:
            thread.join()
        assert faults == []
        admin(system, "postsuper", "-H", "ALL")
        admin(system, "postqueue", "-f")
        expected = set(promised)

        def there() -> Counter[bytes]:
            return Counter(token for path in system.delivered() for token in TOKEN.findall(path.read_bytes()))

        until(
            lambda: there().keys() >= expected, what=lambda: f"missing: {sorted(expected - there().keys())}"
        )
        until(
            lambda: all(LATER in line for line in admin(system, "postqueue", "-j").stdout.splitlines()),
            what="only what cannot be delivered is left",
        )
        found = there()
        assert found.keys() == expected
        if not twice:
            assert max(found.values()) == 1
            later = [token for token in expected if int(token.partition(b".")[2]) % 5 == 0]
            # A listing misses what is moved from one queue to another meanwhile.
            until(
                lambda: len(queued(system)) == len(later),
                what=lambda: f"all that wait are listed: {len(queued(system))} of {len(later)}",
            )
