"""The tutorial's host with the programs of either product on it, and what the tutorial has typed so far."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar

from fakes.host import PACKAGED, Host
from fakes.pillarbox_host import INSTALLED, install, remove_originals
from fakes.tutorial_host import MAIN_CF, tutorial_host

Told = TypeVar("Told")
PRODUCTS: Final = ("original", "pillarbox")
ALIASES: Final = "postmaster: alice\nteam: alice, bob\n"


@contextmanager
def bare_host_of(product: str) -> Iterator[Host]:
    """The host with the product's programs on it, and nothing configured."""
    host = tutorial_host(PACKAGED if product == "original" else INSTALLED)
    try:
        if product == "original":
            host.write("/etc/postfix/main.cf", MAIN_CF)
            host.output(
                "/usr/lib/postfix/configure-instance.sh -"
            )  # as Debian's service does before it starts
            host.file("/etc/postfix/main.cf").unlink()
        else:
            remove_originals(host)
            install(host)
        yield host
    finally:
        host.end()


def play_to_both(play: Callable[[Host, str], Told]) -> tuple[Told, Told]:
    """What comes of it on a bare host of either product, at the same time: theirs, ours."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as at_once:
        hosts = [stack.enter_context(bare_host_of(product)) for product in PRODUCTS]
        theirs, ours = at_once.map(play, hosts, PRODUCTS)
        return theirs, ours


def start_mail(host: Host) -> None:
    """`postfix check` and `postfix start` are typed: mail can come."""
    host.write("/etc/postfix/main.cf", MAIN_CF)
    host.write("/etc/aliases", ALIASES)
    host.output("postalias /etc/aliases")
    assert host.output("postfix check") == ""
    host.start_postfix()
    host.until_answers(25)


def in_mailbox(host: Host, user: str, subject: str) -> list[str]:
    """Paths of the user's messages with this subject, whether they have been seen or not."""
    pattern = rf"grep -rl '^Subject: {subject}$' /home/{user}/Maildir/new /home/{user}/Maildir/cur"
    return host.run(pattern).stdout.split()
