"""A real Thunderbird on a virtual screen, with a profile of its own, told what to do by Marionette.

DESCRIPTION
    Marionette is the door that Thunderbird's own tests use: JSON arrays in packets of `LENGTH:JSON` over TCP.
    Scripts run in the program itself, as its own code does, and await what they started: what they do goes
    through the same folders, windows and connections as a person's clicks.  `picture()` takes the screen.
"""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

from fakes import counterparts
from fakes.mail_system import PATIENCE, until

_PREFERENCES: Final = {
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
_SCREEN: Final = "1280x900x24"
# What every script can use: the services, and a bounded wait for something that happens in another thread.
_PRELUDE: Final = """
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const later = () => new Promise(resolve => Services.tm.dispatchToMainThread(() => resolve()));
async function until(happened, what) {
  for (const end = Date.now() + 30000; Date.now() < end; await later()) {
    const found = happened();
    if (found) return found;
  }
  throw new Error("after 30 seconds still not: " + what);
}
"""


class Thunderbird:
    """One running program; `with` ends it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._processes: list[subprocess.Popen[bytes]] = []
        self._buffer = b""
        self._number = 0
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Thunderbird":
        port = _free_port()
        profile = self._home / "profile"
        profile.mkdir()
        preferences = {**_PREFERENCES, "marionette.port": port}
        (profile / "user.js").write_text(
            "".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in preferences.items())
        )
        try:
            self._display = self._start_screen()
            self._start("thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote",
                        "--profile", str(profile), display=self._display)  # fmt: skip
            until(lambda: self._connect(port), what=self._said)
            self._packet()  # its greeting, an object
            self._call("WebDriver:NewSession", capabilities={})
            self._call("Marionette:SetContext", value="chrome")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def run(self, script: str, *arguments: str | int, seconds: int = 60) -> list[str]:
        """Run JavaScript in the program; the strings that it returns.  `arguments` are `given[0]`, `given[1]`, …"""
        self._call("WebDriver:SetTimeouts", script=seconds * 1000)
        wrapped = (
            "const given = [...arguments]; const done = given.pop();"
            "(async () => {" + _PRELUDE + script + "})().then("
            "value => done({value}),"
            "error => done({error: String(error) + '\\n' + error.stack}));"
        )
        answer = self._call(
            "WebDriver:ExecuteAsyncScript", script=wrapped, args=list(arguments), sandbox="system"
        )["value"]
        if "error" in answer:
            raise AssertionError(f"in Thunderbird: {answer['error']}\n{self._said()}")
        values: list[str] = answer["value"]
        return values

    def picture(self, path: Path) -> None:
        """The screen as a PNG file."""
        command = [counterparts.program("import") or "import", "-display", self._display, "-window", "root"]
        subprocess.run([*command, str(path)], check=True, timeout=PATIENCE)

    # -- the programs ----------------------------------------------------------------------------------

    def _start_screen(self) -> str:
        """An X server that chooses its own number."""
        ours, theirs = os.pipe()
        self._start(
            "xvfb", "-displayfd", str(theirs), "-screen", "0", _SCREEN, "-nolisten", "tcp", keep=theirs
        )
        os.close(theirs)
        with os.fdopen(ours) as numbers:
            return ":" + numbers.readline().strip()

    def _start(self, name: str, *arguments: str, display: str = "", keep: int | None = None) -> None:
        with open(self._home / f"{name}.log", "ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [counterparts.program(name) or name, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=() if keep is None else (keep,),
                    env={
                        "HOME": str(self._home),
                        "PATH": os.environ["PATH"],
                        "LANG": "C.UTF-8",
                        "DISPLAY": display,
                    },
                    start_new_session=True,
                )
            )

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _said(self) -> str:
        return "Thunderbird answers; it said:\n" + "".join(
            path.read_text(errors="replace")[-2000:] for path in self._home.glob("*.log")
        )

    # -- Marionette ------------------------------------------------------------------------------------

    def _connect(self, port: int) -> bool:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=90)
        except OSError:
            return False
        return True

    def _call(self, name: str, **parameters: object) -> dict[str, Any]:
        assert self._socket is not None
        self._number += 1
        text = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            _, number, error, result = self._packet()
            if number == self._number:
                assert error is None, f"{name}: {error}\n{self._said()}"
                found: dict[str, Any] = result
                return found

    def _packet(self) -> list[Any]:
        while b":" not in self._buffer:
            self._receive()
        length, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(length):
            self._receive()
        text, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        packet: list[Any] = json.loads(text)
        return packet

    def _receive(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        assert data, f"Thunderbird ended: {self._said()}"
        self._buffer += data


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
