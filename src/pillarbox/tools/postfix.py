"""postfix(1): start, stop and check the MTA.

DESCRIPTION
    postfix [-Dv] [-c config_dir] command

    start              start it and wait until it serves
    start-fg           the same in the foreground
    stop               stop it, waiting five seconds at most; then with force
    quick-stop         the same
    abort              stop it without waiting
    drain              end the supervisor at once; what its roles are committing is finished
    reload             go on with what the configuration says now, and wait until it does; sessions are not cut
    status             whether it runs
    flush              try all deferred mail now
    check              make what is missing in the queue directory; warn of wrong owners, modes, damaged
                       messages and names that mean nothing; fail if a value is wrong or there is no queue directory
    set-permissions    put owners and modes right
    upgrade-configuration  like check: configuration files need no change here
    logrotate          begin a new maillog_file; compress the old one
    tls …              keys and certificates, and settings that turn TLS on (postfix_tls.py)

    -c or MAIL_CONFIG names the configuration directory (/etc/postfix).  -v shows where things are; -D has no
    effect, as no debugger is run.  Without either of them, when main.cf lists other instances, the command is
    for all of them: multi_instance_wrapper gets it, which is postmulti(1).

    What a script sees is what Postfix's own command shows: on a terminal, lines are shown as they are logged;
    elsewhere only those that say why the command failed.

EXIT STATUS
    0  done; for status: it runs
    1  not done, one line says why; for status: it does not run
"""

import datetime
import getopt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from pillarbox.config.findings import start_warnings
from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.instances import Instances
from pillarbox.config.parameters.logging import Logging
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.parameters.queue_manager import QueueManager
from pillarbox.config.reading import Configuration, read_configuration
from pillarbox.config.unknown_names import unknown_names
from pillarbox.config.value_checks import check_values
from pillarbox.net.forks import fork
from pillarbox.net.rights import become
from pillarbox.net.system_clock import SystemClock
from pillarbox.queue.queue_directories import QueueDirectories
from pillarbox.queue.queue_repair import QueueRepair
from pillarbox.supervisor import postfix_control
from pillarbox.supervisor.host_values import check_host_values
from pillarbox.supervisor.listeners import StartFault
from pillarbox.supervisor.log_target import check_maillog_file
from pillarbox.supervisor.queue_permissions import Instance, closed, make_missing, mend, warnings
from pillarbox.supervisor.service_warnings import service_warnings
from pillarbox.tools import run_command
from pillarbox.tools.system_log import SystemLog
from pillarbox.tools.wrong_options import complaint
from pillarbox.vocabulary.faults import ConfigurationFault

_DEFAULT_DIRECTORY: Final = "/etc/postfix"
_MANAGERS: Final = ("postmulti", "postfix-wrapper")
"""Programs of Postfix that multi_instance_wrapper may name: postmulti(1) does what either does."""
_USAGE: Final = (
    "postfix start (or stop, reload, abort, flush, check, status, set-permissions, "
    + "upgrade-configuration, logrotate)"
)


class Failed(Exception):
    """`postfix/postfix-script: fatal: …` and exit status 1."""


class Ended(Exception):
    """The command has ended with an exit status of its own, and has said all there is to say."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class NotRunning(Exception):
    """What `status` says with exit status 1."""


class PostfixCommand:
    """One configuration and what can be done with it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._snapshot = configuration.snapshot
        check_maillog_file(self._snapshot)
        self._instance = Instance.of(self._snapshot)
        self.log = self._open_log()
        self._commands: Final[dict[str, Callable[[], None]]] = {
            "start": self._start,
            "start-fg": self._start_in_foreground,
            "stop": self._stop,
            "quick-stop": self._stop,
            "abort": self._abort,
            "drain": self._drain,
            "reload": self._reload,
            "status": self._status,
            "flush": self._flush,
            "check": self._check_all,
            "set-permissions": self._set_permissions,
            "upgrade-configuration": self._check,
            "logrotate": self._rotate_log,
        }

    def run(self, name: str) -> int:
        """Run a command; the exit status."""
        command = self._commands.get(name)
        try:
            if command is None:
                raise Failed(f"unknown command: '{name}'. Usage: {_USAGE}")
            command()
        except (ConfigurationFault, Failed) as failure:
            self.log.refuse(str(failure))
            return 1
        except NotRunning:
            return 1
        except Ended as end:
            return end.status
        except OSError as error:
            self.log.refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            return 1
        return 0

    def _open_log(self) -> SystemLog:
        return SystemLog(
            self._snapshot,
            program="postfix-script",
            label=f"{self._snapshot.value('syslog_name')}/postfix-script",
        )

    # -- start and stop --------------------------------------------------------------------------------

    def _start(self) -> None:
        self._prepare_start()
        try:
            postfix_control.start(self._instance)
        except StartFault as fault:
            raise Failed(f"mail system startup failed: {fault}") from fault

    def _start_in_foreground(self) -> None:
        if self._snapshot.group(Instances).multi_instance_directories:
            raise Failed("start-fg does not support multi_instance_directories")
        self._prepare_start()
        sys.stderr.flush()
        postfix_control.become_supervisor(self._instance)

    def _prepare_start(self) -> None:
        if postfix_control.running(self._instance) is not None:
            raise Failed("the Postfix mail system is already running")
        self._check()
        self._repair_queue()
        self.log.note("starting the Postfix mail system")

    def _running(self) -> int:
        pid = postfix_control.running(self._instance)
        if pid is None:
            raise Failed("the Postfix mail system is not running")
        if pid <= 0:
            raise Failed(f"{self._instance.queue_directory}/pid/master.pid does not say which process runs")
        return pid

    def _stop(self) -> None:
        pid = self._running()
        self.log.note("stopping the Postfix mail system")
        ended = postfix_control.stop(
            self._instance,
            pid,
            waiting=lambda: self.log.note("waiting for the Postfix mail system to terminate"),
        )
        if not ended:
            self.log.caution("stopping the Postfix mail system with force")
            postfix_control.kill_group(pid)

    def _abort(self) -> None:
        pid = self._running()
        self.log.note("aborting the Postfix mail system")
        os.kill(pid, signal.SIGTERM)

    def _drain(self) -> None:
        pid = self._running()
        self.log.note("stopping the Postfix mail system")
        os.kill(pid, signal.SIGKILL)

    def _reload(self) -> None:
        pid = self._running()
        self.log.note("refreshing the Postfix mail system")
        done = postfix_control.reload(self._instance, pid)
        if done.faults:
            raise Failed("; ".join(done.faults))

    def _status(self) -> None:
        pid = postfix_control.running(self._instance)
        if pid is None:
            self.log.note("the Postfix mail system is not running")
            raise NotRunning
        self.log.note(f"the Postfix mail system is running: PID: {pid}")

    def _flush(self) -> None:
        command = [sys.executable, "-I", "-m", "pillarbox.tools.postqueue"]
        done = subprocess.run([*command, "-c", self._configuration.directory, "-f"], check=False)
        if done.returncode:
            raise Ended(done.returncode)  # it has said why

    # -- files -----------------------------------------------------------------------------------------

    def _check_all(self) -> None:
        self._check()
        if postfix_control.running(self._instance) is None:
            self._repair_queue()
        for warning in (*start_warnings(self._configuration), *service_warnings(self._configuration)):
            self.log.caution(warning)

    def _check(self) -> None:
        if not os.path.exists(self._configuration.master_cf.path):
            raise Failed(
                f"no {self._configuration.master_cf.path} file found; `pillarbox install` writes one"
            )
        check_values(self._configuration)
        check_host_values(self._snapshot)
        if not os.path.isdir(self._instance.queue_directory):
            raise ConfigurationFault(
                self._snapshot.where("queue_directory"),
                f"chdir({self._instance.queue_directory}): No such file or directory",
                mend="if that is where the queue is to be: postfix set-permissions",
            )
        make_missing(self._instance)
        for warning in unknown_names(self._configuration):
            self.log.advise(warning)
        for warning in warnings(self._instance):
            self.log.caution(warning)
        for path in closed(self._instance):
            raise Failed(
                f"{self._instance.mail_owner_name} may not open {path} (type: postfix set-permissions)"
            )

    def _repair_queue(self) -> None:
        """As postsuper(1) does: misplaced files, names that do not match their inodes after a copy, old remains."""
        settings = self._snapshot.group(QueueManager)
        directories = QueueDirectories(
            self._instance.queue_directory,
            hashed=settings.hash_queue_names,
            depth=settings.hash_queue_depth,
        )
        repair = QueueRepair(
            directories,
            long_ids=settings.enable_long_queue_ids,
            clock=SystemClock(),
            warn=self.log.caution,
        )
        owner = self._instance.mail_owner

        def run() -> None:
            try:
                become(owner.uid, owner.gid)  # as postsuper(1): a link out of the queue leads root nowhere
                renamed = repair.run(structure=True, purge=True)
            except OSError as error:
                what = error.filename or f"the rights of {self._instance.mail_owner_name}"
                self.log.refuse(f"{what}: {error.strerror}")
                raise
            if renamed:
                self.log.note(f"Renamed to match inode number: {renamed} message{'s' if renamed > 1 else ''}")

        if os.waitpid(fork(run), 0)[1]:
            raise Ended(1)  # it has said why

    def _set_permissions(self) -> None:
        for change in mend(self._instance):
            self.log.note(change)

    def _rotate_log(self) -> None:
        settings = self._snapshot.group(Logging)
        path = settings.maillog_file
        for name in ("maillog_file", "maillog_file_compressor", "maillog_file_rotate_suffix"):
            if not getattr(settings, name):
                raise Failed(f"empty '{name}' parameter value - logfile rotation failed")
        if path.startswith("/dev/"):
            raise Failed(f"not rotating '{path}'")
        now = datetime.datetime.now(datetime.UTC).astimezone()
        rotated = f"{path}.{now.strftime(settings.maillog_file_rotate_suffix)}"
        failed = f"logfile '{path}' rotation failed"
        try:
            os.rename(path, rotated)
        except OSError as error:
            raise Failed(f"{failed}: {error.strerror}") from error
        pid = postfix_control.running(self._instance)
        if pid is not None and pid > 0:
            postfix_control.reload_and_wait(self._instance, pid)
        self.log = self._open_log()  # what is said from now on is for the new file
        try:
            status = subprocess.run([settings.maillog_file_compressor, rotated], check=False).returncode
        except OSError as error:
            raise Failed(f"{failed}: {settings.maillog_file_compressor}: {error.strerror}") from error
        if status:
            raise Failed(f"{failed}: {settings.maillog_file_compressor}: exit status {status}")


def main(argv: list[str] | None = None) -> int:
    """Entry of the command."""
    directory = os.environ.get("MAIL_CONFIG") or _DEFAULT_DIRECTORY
    try:
        options, arguments = getopt.getopt(sys.argv[1:] if argv is None else argv, "c:Dv")
    except getopt.GetoptError as error:
        sys.stderr.write(f"postfix: {complaint(error)}\n")
        return _fatal("usage: postfix [-c config_dir] [-Dv] command")
    verbose, is_for_one = False, "MAIL_CONFIG" in os.environ
    for option, value in options:
        if option == "-c":
            if not value.startswith("/"):
                return _fatal("-c requires absolute pathname")
            directory, is_for_one = value, True
        verbose = verbose or option == "-v"
    if os.geteuid() != 0:
        sys.stderr.write("postfix: error: to submit mail, use the Postfix sendmail command\n")
        return _fatal("the postfix command is reserved for the superuser")
    try:
        if not os.path.exists(f"{directory}/main.cf"):
            raise ConfigurationFault(f"open {directory}/main.cf", "No such file or directory")
        configuration = read_configuration(directory, facts=host_facts())
        if not is_for_one and configuration.snapshot.group(Instances).multi_instance_directories:
            return _hand_to_manager(configuration, arguments)
        if arguments[:1] == ["tls"]:
            from pillarbox.tools.postfix_tls import TlsCommand  # what makes keys takes a while to load

            return TlsCommand(configuration).run(arguments[1:])
        command = PostfixCommand(configuration)
    except ConfigurationFault as fault:
        SystemLog(None, program="postfix", label="postfix").refuse(str(fault))
        return 1
    if verbose:
        sys.stderr.write(f"postfix: configuration directory {directory}\n")
    if arguments[:1] == ["logrotate"] and len(arguments) > 1:
        command.log.refuse("usage postfix logrotate (no arguments)")
        return 1
    return command.run(arguments[0] if arguments else "")


def _hand_to_manager(configuration: Configuration, arguments: list[str]) -> int:
    """What multi_instance_wrapper names is run in place of this; Postfix's own managers are ours."""
    snapshot = configuration.snapshot
    words = snapshot.group(Instances).multi_instance_wrapper.replace(",", " ").split()
    if not words:
        raise ConfigurationFault(
            snapshot.where("multi_instance_directories"),
            "multi-instance support is requested, but multi_instance_wrapper is empty",
            mend="postmulti -e init",
        )
    if os.path.basename(words[0]) in _MANAGERS:
        options = words[1:] if words[0].endswith("postmulti") else ["-p", "--"]
        words = [sys.executable, "-I", "-m", "pillarbox.tools.postmulti", *options]
    paths = snapshot.group(Paths)
    environment = {
        **os.environ,
        "MAIL_CONFIG": configuration.directory,
        "config_directory": configuration.directory,
        "queue_directory": paths.queue_directory,
        "data_directory": paths.data_directory,
        "command_directory": paths.command_directory,
        "daemon_directory": snapshot.value("daemon_directory"),
    }
    try:
        os.execve(words[0], [*words, *arguments], environment)  # noqa: S606 - what the admin names
    except OSError as error:
        where = snapshot.where("multi_instance_wrapper")
        raise ConfigurationFault(where, f"{words[0]}: {error.strerror}") from error


def _fatal(text: str) -> int:
    sys.stderr.write(f"postfix: fatal: {text}\n")
    return 1


if __name__ == "__main__":
    run_command(main)
