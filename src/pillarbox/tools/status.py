"""`pillarbox status`: how the mail system is, that of `pillarbox run` or, where none is, the host's.

DESCRIPTION
    The host's are the halves that `postfix start` and `dovecot` start.  A half in whose place the original runs is
    told as that.  Only ours say whether they are healthy and where they listen, and only to root.

EXIT STATUS
    0   it runs
    69  it does not, or half of it does not
"""

import json
import os
from pathlib import Path
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import read_configuration as read_dovecot_conf
from pillarbox.supervisor import dovecot_control, postfix_control
from pillarbox.supervisor.home import USER, Home, default_root
from pillarbox.supervisor.queue_permissions import Instance
from pillarbox.supervisor.status_query import ask_status
from pillarbox.tools.command_settings import Stop, read_settings
from pillarbox.tools.default_paths import DOVECOT_CONF, MAIN_CF
from pillarbox.vocabulary.faults import ConfigurationFault

EX_UNAVAILABLE: Final = 69

Answer = dict[str, object]


class Half(msgspec.Struct, frozen=True):
    """One of the host's halves."""

    name: str
    configuration: str
    pid: int | None = None
    """Of who holds it; None if nobody does."""
    answer: Answer | None = None
    """Ours', to root."""
    fault: str = ""
    """Why nobody can say."""

    @property
    def is_healthy(self) -> bool:
        """Whether it says so itself."""
        return self.answer is not None and bool(self.answer["healthy"])

    @property
    def state(self) -> str:
        """In words."""
        if self.fault:
            return f"not known: {self.fault}"
        if self.pid is None:
            return "not running"
        if self.answer is None:
            return f"the original runs, PID {self.pid}"
        return f"running, {'healthy' if self.is_healthy else 'not healthy'}, PID {self.pid}"


def show_status(data: str | None, *, as_json: bool) -> int:
    """Print it; the exit status.  `data`: the directory that `pillarbox run` was given."""
    home = Home(Path(data).absolute() if data else default_root())
    answers = {name: ask_status(home.status_socket(name)) for name in ("mta", "mailbox")}
    if data is None and not any(answers.values()):
        halves = _halves_of_host()
        if any(half.pid is not None or half.fault for half in halves):
            return _show_host(halves, as_json=as_json)
    return _show_home(home, answers, as_json=as_json)


def _halves_of_host() -> list[Half]:
    """Those that are configured."""
    return [half for half in (_mta(), _mailbox()) if half is not None]


def _mta() -> Half | None:
    directory = os.environ.get("MAIL_CONFIG") or os.path.dirname(MAIN_CF)
    if not os.path.exists(f"{directory}/main.cf"):
        return None
    try:
        instance = Instance.of(read_settings(""))
        pid = postfix_control.running(instance)
        return Half("mta", directory, pid, ask_status(postfix_control.status_socket(instance)))
    except (ConfigurationFault, Stop) as fault:
        return Half("mta", directory, fault=str(fault))
    except PermissionError:
        return Half("mta", directory, fault="root may ask")


def _mailbox() -> Half | None:
    if not os.path.exists(DOVECOT_CONF):
        return None
    try:
        base = read_dovecot_conf(DOVECOT_CONF).value("base_dir")
        pid = dovecot_control.running(base)
        return Half("mailbox", DOVECOT_CONF, pid, ask_status(dovecot_control.status_socket(base)))
    except ConfigurationFault as fault:
        return Half("mailbox", DOVECOT_CONF, fault=str(fault))
    except PermissionError:
        return Half("mailbox", DOVECOT_CONF, fault="root may ask")


def _show_host(halves: list[Half], *, as_json: bool) -> int:
    running = all(half.pid is not None for half in halves)
    if as_json:
        report = {
            "running": running,
            "healthy": running and all(half.is_healthy for half in halves if half.answer is not None),
            "listeners": [entry for half in halves for entry in _listeners(half.answer)],
            "halves": {
                half.name: {"configuration": half.configuration, "state": half.state, **(half.answer or {})}
                for half in halves
            },
        }
        print(json.dumps(report))
    else:
        for half in halves:
            print(f"{half.name:<12} {half.state}   ({half.configuration})")
        for half in halves:
            _print_listeners(half.answer)
    return 0 if running else EX_UNAVAILABLE


def _show_home(home: Home, answers: dict[str, Answer | None], *, as_json: bool) -> int:
    running = all(answer is not None for answer in answers.values())
    healthy = running and all(answer["healthy"] for answer in answers.values() if answer is not None)
    password = _password(home)
    if as_json:
        report = {
            "running": running,
            "healthy": healthy,
            "data": str(home.root),
            "user": USER,
            "password": password,
            "listeners": [entry for answer in answers.values() for entry in _listeners(answer)],
            "halves": answers,
        }
        print(json.dumps(report))
    else:
        state = "running" if running else "not running"
        print(f"pillarbox is {state}{', healthy' if healthy else ''}   ({home.root})")
        if home.etc.exists():
            print(f"user      {USER}\npassword  {password or '(not readable for you)'}")
        else:
            print("nothing is there yet: `pillarbox run` makes it at the first start")
        for answer in answers.values():
            _print_listeners(answer)
    return 0 if running else EX_UNAVAILABLE


def _password(home: Home) -> str:
    """The first user's, for who may read it."""
    try:
        return home.password.read_text().strip()
    except OSError:
        return ""


def _listeners(answer: Answer | None) -> list[dict[str, object]]:
    entries = answer["listeners"] if answer else []
    return entries if isinstance(entries, list) else []


def _print_listeners(answer: Answer | None) -> None:
    for entry in _listeners(answer):
        address = f"[{entry['address']}]" if ":" in str(entry["address"]) else entry["address"]
        lacks = f"   (without TLS: {entry['lacks']})" if entry["lacks"] else ""
        print(f"{entry['name']:<12} {address}:{entry['port']}{lacks}")
