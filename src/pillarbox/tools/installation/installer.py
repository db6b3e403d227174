"""`pillarbox install` and `pillarbox uninstall`: commands, accounts, directories, services.

DESCRIPTION
    Installing is done in steps, each of which looks first and says what it did; what is there already is left as
    it is, and an installation that has taken over stays one when a newer version is installed.  A dry run says the
    same in the conditional and changes nothing.

    Commands go to PREFIX/sbin and PREFIX/bin (/usr/local), which come before Debian's in PATH; so both can be on
    one host, and whichever is started holds the queue.  With `take_over`, Debian's commands and units of the same
    names step aside too (dpkg-divert), so that scripts with full paths and `systemctl reload postfix` reach
    ours.  Uninstalling puts them back.  Configuration, accounts, queue and mail stay in either case.

FAULTS
    InstallFault  a file that is not ours is in the way, or there are no rights
"""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pillarbox.config.host_facts import host_facts
from pillarbox.config.reading import read_configuration
from pillarbox.supervisor import postfix_control
from pillarbox.supervisor.queue_permissions import Instance, mend, planned
from pillarbox.tools.installation import packages, texts
from pillarbox.tools.installation.environment import (
    InstallFault,
    build,
    closed_directory,
    interpreter,
    modules,
)
from pillarbox.tools.installation.manifest import Manifest
from pillarbox.tools.installation.start_scripts import commands, start_script
from pillarbox.vocabulary.faults import ConfigurationFault

ACCOUNTS: Final = {
    "postfix": "owns the queue and runs the MTA",
    "dovecot": "runs the inner programs of POP3 and IMAP",
    "dovenull": "runs what strangers reach before they log in",
    "vmail": "owns mailboxes of virtual users",
}
GROUPS: Final = ("postdrop",)
FOR_USERS: Final = frozenset(("mailq", "newaliases", "pillarbox", "doveadm", "doveconf"))
"""Commands in bin; the others are in sbin, as Debian has them."""
WELL_KNOWN: Final = (
    "/usr/sbin/sendmail",
    "/usr/lib/sendmail",
    "/usr/bin/mailq",
    "/usr/bin/newaliases",
    "/usr/lib/dovecot/dovecot-lda",
)
"""Where programs and monitors look for sendmail and its kin, and main.cf for dovecot-lda, whatever PATH is."""
CALLED_BY_PATH: Final = tuple(
    f"/usr/sbin/{name}"
    for name in (
        "postalias",
        "postcat",
        "postconf",
        "postfix",
        "postlog",
        "postmap",
        "postqueue",
        "postsuper",
    )
)
"""What others call so (Mailman's postmap_command, configuration management), where nobody has it."""
_UNITS: Final = {
    "postfix": ("Pillarbox mail transfer agent", "pillarbox-mta", "postfix start-fg"),
    "dovecot": ("Pillarbox POP3 and IMAP server", "pillarbox-mailbox", "dovecot -F"),
}
_UNIT_DIRECTORY: Final = Path("/etc/systemd/system")
_SYSTEMD_RUNS: Final = Path("/run/systemd/system")
_INIT_SCRIPTS: Final = Path("/etc/init.d")
_PACKAGED_UNITS: Final = (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system"))
_INSTANCES: Final = "postfix@.service"


class Installer:
    """One installation below a prefix."""

    def __init__(
        self,
        prefix: Path,
        *,
        dry_run: bool,
        force: bool,
        take_over: bool,
        say: Callable[[str], None],
    ) -> None:
        if os.geteuid() != 0 and not dry_run:
            raise InstallFault(
                "only root can do this; nothing was changed (--dry-run says what would be done)"
            )
        self._prefix = prefix
        self._dry_run = dry_run
        self._force = force
        self._print = say
        self._library = prefix / "lib" / "pillarbox"
        self._manifest_path = prefix / "lib" / "pillarbox-installed.json"
        self._manifest = Manifest.read(self._manifest_path)
        self._take_over = take_over or bool(self._manifest.diverted)
        self._is_upgrade = bool(self._manifest.diverted if take_over else self._manifest.files)
        self._packages: Mapping[str, str] = {}  # whose the commands are that are there

    # -- install ---------------------------------------------------------------------------------------

    def install(self) -> None:
        """All steps."""
        links = self._links()
        places = [place for path in links for place in (str(path), *_places(path))]
        self._packages = packages.owners(place for place in places if os.path.lexists(place))
        self._check(links)
        self._programs()
        for path, target in links.items():
            self._command(path, target)
        self._accounts()
        self._configuration()
        self._services()
        if not self._dry_run:
            self._manifest.write(self._manifest_path)
        closed = closed_directory(interpreter())
        if closed is not None:
            self._print(
                f"warning: {closed} is closed to ordinary users, so that they cannot run sendmail and mailq; "
                f"use a Python that is not below it (PYTHON=/usr/bin/python3 make run)"
            )
        self._print(f"next: {self._next()}")

    def _next(self) -> str:
        """What an admin types now."""
        if self._is_upgrade:
            return "start both halves again; until then they go on with the programs that run"
        beside = not self._take_over and "/usr/sbin/postfix" in self._packages
        if self._take_over and _SYSTEMD_RUNS.is_dir():
            return "`systemctl enable --now postfix dovecot`"
        if beside and _SYSTEMD_RUNS.is_dir():
            stop, start = "systemctl stop postfix dovecot", "systemctl start pillarbox-mta pillarbox-mailbox"
        else:
            stop, start = "/usr/sbin/postfix stop; /usr/bin/doveadm stop", "postfix start; dovecot"
        if beside:
            return f"`pillarbox check` says what will not be as before; `{stop}`; `{start}`"
        return "edit /etc/postfix/main.cf, then `postfix start`; `dovecot` starts POP3 and IMAP"

    def _links(self) -> dict[Path, str]:
        """Where each command goes."""
        found: dict[Path, str] = {}
        for name, target in sorted(commands().items()):
            found[self._prefix / ("bin" if name in FOR_USERS else "sbin") / name] = target
        return found

    def _check(self, links: dict[Path, str]) -> None:
        """Nothing of others' is overwritten."""
        for path in links:
            if path.exists() and str(path) not in self._manifest.files and not self._force:
                package = self._packages.get(str(path))
                whose = (
                    f"belongs to the package {package}" if package else "was not put there by this command"
                )
                raise InstallFault(
                    f"{path} is there and {whose}; nothing was changed (--force overwrites it, --prefix goes "
                    "elsewhere)"
                )
        for _description, own, _command in _UNITS.values() if self._take_over else ():
            if _SYSTEMD_RUNS.is_dir() and _is_active(own):
                raise InstallFault(
                    f"{own}.service runs, which is to have another name; nothing was changed "
                    "(`systemctl stop pillarbox-mta pillarbox-mailbox` first)"
                )

    def _programs(self) -> None:
        self._do(f"copy the programs to {self._library}", lambda: build(self._library))
        self._ours(self._library)

    def _command(self, path: Path, target: str) -> None:
        text = start_script(f"{self._library}/bin/python", [str(modules(self._library))], target)
        if not path.exists() or path.read_text(errors="replace") != text:
            self._do(f"write {path}", lambda: _write(path, text, 0o755))
        self._ours(path)
        self._well_known(path)

    def _well_known(self, path: Path) -> None:
        """The same command under the full paths that scripts use."""
        for place in _places(path):
            if os.path.realpath(place) == os.path.realpath(path) or place == str(path):
                continue
            package = self._packages.get(place)
            if package is not None and self._take_over:
                self._do(f"move {place} of the package {package} aside", _Diversion(place))
                self._manifest.diverted += [place] if place not in self._manifest.diverted else []
            elif os.path.lexists(place) and not (self._take_over and self._force):
                if place in WELL_KNOWN:
                    whose = f"the package {package}'s" if package else "there already"
                    self._print(f"note: {place} is {whose} and stays; --take-over puts ours in its place")
                continue
            elif place not in WELL_KNOWN + CALLED_BY_PATH and not self._take_over:
                continue
            self._do(f"link {place} to {path}", _Link(place, path))
            self._ours(Path(place))

    def _accounts(self) -> None:
        for name in GROUPS:
            if not _exists(grp.getgrnam, name):
                self._do(f"make the group {name}", _Run("groupadd", "--system", name))
        for name, purpose in ACCOUNTS.items():
            if not _exists(pwd.getpwnam, name):
                group = ["--gid", name] if _exists(grp.getgrnam, name) else ["--user-group"]
                options = ["--system", *group, "--no-create-home", "--home-dir", "/nonexistent"]
                shell = ["--shell", "/usr/sbin/nologin"]
                self._do(f"make the user {name}, who {purpose}", _Run("useradd", *options, *shell, name))

    def _configuration(self) -> None:
        pam = texts.PAM_DEBIAN if os.path.exists("/etc/pam.d/common-auth") else texts.PAM_PLAIN
        for name, text in (
            ("/etc/postfix/main.cf", texts.MAIN_CF),
            ("/etc/postfix/master.cf", texts.MASTER_CF),
            ("/etc/aliases", texts.ALIASES),
            ("/etc/dovecot/dovecot.conf", texts.DOVECOT_CONF),
            ("/etc/pam.d/dovecot", pam),
        ):
            path = Path(name)
            if not path.exists():
                self._do(f"write {name}", _Write(path, text))
        try:
            instance = _instance()
        except ConfigurationFault:
            if not self._dry_run:
                raise
            self._print("would make directories below queue_directory and data_directory that are missing")
            return
        for change in planned(instance) if self._dry_run else mend(instance):
            self._print(f"would {change}" if self._dry_run else change)

    def _services(self) -> None:
        has_systemd = _SYSTEMD_RUNS.is_dir()
        if has_systemd or _UNIT_DIRECTORY.is_dir():
            self._units()
        if not has_systemd and _INIT_SCRIPTS.is_dir():
            self._init_scripts()
        elif not has_systemd and not _UNIT_DIRECTORY.is_dir():
            self._print(
                "note: there is no systemd here; start the two halves with `postfix start` and `dovecot`"
            )

    def _init_scripts(self) -> None:
        """For service(8) of hosts and containers that have no systemd.

        Those of Debian's packages stay: with `take_over` the commands that they run are ours.
        """
        for original, (description, own, _command) in _UNITS.items():
            theirs = _INIT_SCRIPTS / original
            is_there = theirs.exists() and str(theirs) not in self._manifest.files
            if is_there and self._take_over:
                continue
            name = own if is_there else original
            path = _INIT_SCRIPTS / name
            text = texts.init_script(original, name, description, prefix=str(self._prefix))
            if not path.exists() or path.read_text() != text:
                self._do(f"write {path}", _Write(path, text, 0o755))
            self._ours(path)

    def _units(self) -> None:
        for original, (description, own, command) in _UNITS.items():
            name = original if self._take_over else own
            path = _UNIT_DIRECTORY / f"{name}.service"
            text = texts.unit(
                original,
                description,
                start=f"{self._prefix}/sbin/{command}",
                own_name=not self._take_over,
            )
            if self._take_over:
                self._rename_unit(_UNIT_DIRECTORY / f"{own}.service", name)
            if not path.exists() or path.read_text() != text:
                self._do(f"write {path}", _Write(path, text))
            self._ours(path)
        if self._take_over:
            self._mask_instances()
        self._do("tell systemd of the units", _tell_systemd)

    def _rename_unit(self, path: Path, name: str) -> None:
        """The unit of an installation beside the packages goes, which would start the same under another name."""
        if not path.exists() or str(path) not in self._manifest.files:
            return
        if _SYSTEMD_RUNS.is_dir():
            self._do(f"disable {path.name}", _Run("systemctl", "--quiet", "disable", path.name))
        self._do(f"remove {path}, which is {name}.service from now on", _Removal(str(path)))
        self._manifest.files.remove(str(path))

    def _mask_instances(self) -> None:
        """Debian's generator has postfix.service start postfix@-.service, which would start us a second time."""
        mask = _UNIT_DIRECTORY / _INSTANCES
        if not any((directory / _INSTANCES).exists() for directory in _PACKAGED_UNITS):
            return
        if not os.path.lexists(mask):
            self._do(f"mask {_INSTANCES} of the package", _Link(str(mask), Path(os.devnull)))
            self._ours(mask)
        elif str(mask) not in self._manifest.files:
            self._print(f"note: {mask} is there already and stays; it must not start postfix a second time")

    # -- uninstall -------------------------------------------------------------------------------------

    def uninstall(self) -> None:
        """Take away what `install` put there."""
        if not self._manifest.files:
            raise InstallFault(f"nothing is installed below {self._prefix}: {self._manifest_path} is missing")
        pid = self._running()
        if pid is not None and not self._force:
            raise InstallFault(f"the MTA runs (process {pid}); `postfix stop` first, or give --force")
        for name in self._manifest.files:
            if os.path.lexists(name):
                self._do(f"remove {name}", _Removal(name))
        for name in self._manifest.diverted:
            self._do(f"put back {name} of its package", _Restoration(name))
        if self._manifest.diverted and not self._dry_run:
            for change in mend(_instance()):  # which users may write to while no postdrop(1) is set-group-id
                self._print(change)
        self._do(f"remove {self._manifest_path}", _Removal(str(self._manifest_path)))
        if _UNIT_DIRECTORY.is_dir():
            self._do("tell systemd of it", _tell_systemd)
        self._print("/etc/postfix, /etc/dovecot, the queue, the mail and the accounts stay as they are")

    def _running(self) -> int | None:
        """The process that runs from these programs."""
        pid = postfix_control.running(_instance())
        if not pid or pid < 0:
            return None
        try:
            started = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0]
        except OSError:
            return None
        return pid if started.startswith(os.fsencode(self._library)) else None

    # -- steps -----------------------------------------------------------------------------------------

    def _do(self, what: str, action: Callable[[], object]) -> None:
        self._print(f"would {what}" if self._dry_run else what)
        if not self._dry_run:
            action()

    def _ours(self, path: Path) -> None:
        if str(path) not in self._manifest.files:
            self._manifest.files.append(str(path))


class _Run:
    def __init__(self, *command: str) -> None:
        self._command = command

    def __call__(self) -> None:
        try:
            subprocess.run(self._command, check=True, capture_output=True, text=True, timeout=60)
        except FileNotFoundError:
            raise InstallFault(f"{self._command[0]} is not installed") from None
        except subprocess.CalledProcessError as error:
            raise InstallFault(f"{' '.join(self._command)}: {error.stderr.strip()}") from None


class _Write:
    def __init__(self, path: Path, text: str, mode: int = 0o644) -> None:
        self._path, self._text, self._mode = path, text, mode

    def __call__(self) -> None:
        _write(self._path, self._text, self._mode)


class _Link:
    def __init__(self, place: str, target: Path) -> None:
        self._place, self._target = place, target

    def __call__(self) -> None:
        if os.path.lexists(self._place):
            os.unlink(self._place)
        os.makedirs(os.path.dirname(self._place), exist_ok=True)
        os.symlink(self._target, self._place)


class _Diversion:
    def __init__(self, place: str) -> None:
        self._place = place

    def __call__(self) -> None:
        packages.divert(self._place)


class _Restoration:
    def __init__(self, place: str) -> None:
        self._place = place

    def __call__(self) -> None:
        packages.undivert(self._place)


class _Removal:
    def __init__(self, name: str) -> None:
        self._path = Path(name)

    def __call__(self) -> None:
        if self._path.is_dir() and not self._path.is_symlink():
            shutil.rmtree(self._path)
        else:
            self._path.unlink()


def _instance() -> Instance:
    return Instance.of(read_configuration("/etc/postfix", facts=host_facts()).snapshot)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.rename(path)


def _is_active(unit: str) -> bool:
    command = [shutil.which("systemctl") or "/bin/systemctl", "--quiet", "is-active", unit]
    return subprocess.run(command, check=False).returncode == 0


def _tell_systemd() -> None:
    if shutil.which("systemctl") is not None and _SYSTEMD_RUNS.is_dir():
        _Run("systemctl", "daemon-reload")()


def _places(path: Path) -> list[str]:
    """The full paths under which scripts look for the same command."""
    place = f"/usr/{path.parent.name}/{path.name}"
    return [place, *(known for known in WELL_KNOWN if known.endswith("/" + path.name) and known != place)]


def _exists(look: Callable[[str], object], name: str) -> bool:
    try:
        look(name)
    except KeyError:
        return False
    return True
