"""Client libraries that scripts/fetch-clients has put into .clients/, each run by its own interpreter."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from fakes.mail_system import PATIENCE

CLIENTS: Final = Path(__file__).parents[2] / ".clients"
SCRIPTS: Final = Path(__file__).parents[1] / "system" / "clients"
_PYTHON: Final = CLIENTS / "python" / "bin" / "python"
_NODE_MODULES: Final = CLIENTS / "node_modules"
LIBRARIES: Final = ("aioimaplib", "imapclient", "imapflow")


def version(name: str) -> str:
    """The library's version; "" if it cannot be used."""
    if name == "imapflow":
        description = _NODE_MODULES / name / "package.json"
        if shutil.which("node") is None or not description.exists():
            return ""
        return str(json.loads(description.read_text())["version"])
    found = sorted((CLIENTS / "python").glob(f"lib/python3*/site-packages/{name}-*.dist-info"))
    return found[0].name.removeprefix(f"{name}-").removesuffix(".dist-info") if found else ""


def run_day(name: str, port: int, user: str, password: str) -> None:
    """Run what the library does in a day; what it says if it is not content is an AssertionError."""
    if name == "imapflow":
        command = [shutil.which("node") or "node", str(SCRIPTS / f"{name}_day.mjs")]
    else:
        command = [str(_PYTHON), str(SCRIPTS / f"{name}_day.py")]
    done = subprocess.run(
        [*command, "127.0.0.1", str(port), user, password, str(_NODE_MODULES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run_live_tests(port: int, user: str, password: str, settings: Path) -> str:
    """Run the tests that imapclient brings for servers, by settings in a file that is written; what they say."""
    lines = [
        "[DEFAULT]",
        "host = 127.0.0.1",
        f"port = {port}",
        f"username = {user}",
        f"password = {password}",
    ]
    settings.write_text("\n".join([*lines, "ssl = false", ""]))
    command = [str(_PYTHON), "-m", "imapclient.livetest", str(settings)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=3 * PATIENCE).stderr
