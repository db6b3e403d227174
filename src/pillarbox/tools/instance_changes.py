"""The actions of `postmulti -e`: instances are made, taken in, given away, turned on and off, and named.

DESCRIPTION
    init      multi_instance_wrapper and multi_instance_enable of the primary instance
    create    a configuration directory from the stock files, queue and data directories; with inet services off
              and nobody to submit until the admin says otherwise; then as import
    import    name and group into its main.cf, its directory into multi_instance_directories of the primary one
    destroy   an empty instance that is off and does not run: its directories, as far as they are only its own
    deport    an instance out of multi_instance_directories; its files stay
    enable, disable, assign   what they say, in its own main.cf

    A new instance `postfix-out` has the directories of the primary one with the last part of each path replaced:
    /etc/postfix-out, /var/spool/postfix-out, /var/lib/postfix-out.

FAULTS
    Stop  what is asked for cannot be done; nothing has changed
"""

import os
import shutil
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pillarbox.config import main_cf_edit
from pillarbox.config.edit_file import edit_file
from pillarbox.config.host_facts import host_facts
from pillarbox.config.logical_lines import split_name_value
from pillarbox.config.parameters.instances import Instances
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.reading import read_configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.supervisor import postfix_control
from pillarbox.supervisor.queue_permissions import Instance, mend
from pillarbox.tools.command_settings import Stop
from pillarbox.tools.installation.texts import MAIN_CF, MASTER_CF
from pillarbox.tools.managed_instances import PREFIX, ManagedInstance, ManagedInstances, Selection
from pillarbox.tools.system_log import SystemLog
from pillarbox.vocabulary.faults import ConfigurationFault

ACTIONS: Final = ("create", "destroy", "import", "deport", "enable", "disable", "assign", "init")
MAKING: Final = ("create", "import")
"""Actions that take directories."""
ASSIGNING: Final = (*MAKING, "assign")
"""Actions that take a name and a group."""

_PRIVATE: Final = ("config_directory", "queue_directory", "data_directory")
_SAFE: Final = frozenset("!@%-_=+:./")
"""What a name may have besides letters and digits."""
_SHARED: Final = (
    "command_directory daemon_directory meta_directory mail_owner setgid_group sendmail_path mailq_path "
    "newaliases_path html_directory manpage_directory sample_directory readme_directory shlib_directory"
).split()
"""Parameters that a new instance takes over, as far as the primary one sets them."""
_QUEUE_DIRECTORIES: Final = (
    "active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace"
).split()


class Assignment(msgspec.Struct, frozen=True):
    """A new name and group: None for no change, empty for none."""

    name: str | None = None
    group: str | None = None

    def check(self) -> None:
        """Stop if one of them cannot be had.  A name becomes part of paths."""
        if self.name:
            if not _is_safe(self.name):
                raise Stop(f"Unsafe characters in new instance name: '{self.name}'")
            if "/" in self.name:
                raise Stop(f"Illegal '/' character in new instance name: '{self.name}'")
            if not self.name.startswith(PREFIX):
                raise Stop(f"New instance name must start with '{PREFIX}'")
        if self.group and not _is_safe(self.group):
            raise Stop(f"Unsafe characters in '-G {self.group}'")


def _is_safe(text: str) -> bool:
    return all(letter in _SAFE or (letter.isascii() and letter.isalnum()) for letter in text)


class Changes:
    """What the actions work on."""

    def __init__(self, snapshot: Snapshot, *, verbose: bool) -> None:
        self._snapshot = snapshot
        self._primary = snapshot.group(Paths).config_directory
        name = f"{snapshot.value('syslog_name')}/postmulti-script"
        self._log = SystemLog(snapshot, program="postmulti-script", label=name, tag=name, shows_all=verbose)
        self._actions: dict[str, Callable[[ManagedInstances, ManagedInstance], None]] = {
            "deport": self._deport,
            "destroy": self._destroy,
            "enable": lambda _, instance: _set(instance.config_directory, multi_instance_enable="yes"),
            "disable": lambda _, instance: _set(instance.config_directory, multi_instance_enable="no"),
        }

    def make(self, action: str, selection: Selection, assignment: Assignment, words: list[str]) -> int:
        """Do an action; the exit status."""
        try:
            if action == "init":
                _set(
                    self._primary,
                    multi_instance_wrapper="${command_directory}/postmulti -p --",
                    multi_instance_enable="yes",
                )
                return 0
            instances = ManagedInstances(self._snapshot)
            if action in MAKING:
                assignment.check()
                self._add(
                    instances, _new_instance(instances, action, words, assignment), selection, assignment
                )
                return 0
            instance = instances.selected(selection)
            if action == "assign":
                assignment.check()
                changed = _assign(instances, instance, assignment)
                if changed:
                    self._check_managed()
                    _set(instance.config_directory, **changed)
                return 0
            if action in ("destroy", "deport"):
                instances.remove(instance)
            self._check_managed()
            self._actions[action](instances, instance)
        except _Refused as refused:
            self._log.refuse(str(refused))
            return 1
        except OSError as error:
            raise Stop(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
        except ConfigurationFault as fault:
            raise Stop(str(fault)) from fault
        return 0

    # -- an instance comes -----------------------------------------------------------------------------

    def _add(
        self,
        instances: ManagedInstances,
        instance: ManagedInstance,
        before: Selection,
        assignment: Assignment,
    ) -> None:
        """Let it join the list, write its files if they are not there, and give its directories their owners."""
        changed = _assign(instances, instance, assignment)
        instances.insert(instance, before)
        self._check_managed()
        directory = instance.config_directory
        if not all(os.path.isfile(f"{directory}/{name}") for name in ("main.cf", "master.cf")):
            self._write_files(instance)
        _set(directory, **changed)
        self._update_lists(instances, instance, deported=False)
        for change in mend(Instance.of(read_configuration(directory, facts=host_facts()).snapshot)):
            self._log.note(change)

    def _write_files(self, instance: ManagedInstance) -> None:
        """The stock files, master.cf last: once that is there the instance is complete."""
        os.makedirs(instance.config_directory, mode=0o755, exist_ok=True)
        os.makedirs(instance.queue_directory, mode=0o755, exist_ok=True)
        os.makedirs(instance.data_directory, mode=0o700, exist_ok=True)
        new = f"{instance.config_directory}/.tmp"
        os.makedirs(new, mode=0o700, exist_ok=True)
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            stock = f"{self._snapshot.value('meta_directory')}/{name}.proto"
            if os.path.isfile(stock):
                shutil.copy2(stock, f"{new}/{name}")
            else:
                with open(f"{new}/{name}", "w", encoding="utf-8") as file:
                    file.write(text)
        own = {name: self._snapshot.explicit(name) for name in _SHARED}
        shared = {name: self._snapshot.value(name) for name, value in own.items() if value is not None}
        shared = {name: value for name, value in shared.items() if value}
        path = f"{new}/main.cf"
        others = set(_SHARED) - set(shared)
        edit_file(
            path,
            lambda text: main_cf_edit.take_away(text, others, main_cf_edit.Edit.COMMENT_OUT, path=path)[0],
        )
        _set(
            new,
            master_service_disable="inet",
            authorized_submit_users="",
            queue_directory=instance.queue_directory,
            data_directory=instance.data_directory,
            **shared,
        )
        for name in ("main.cf", "master.cf"):
            os.rename(f"{new}/{name}", f"{instance.config_directory}/{name}")
        os.rmdir(new)

    # -- an instance goes ------------------------------------------------------------------------------

    def _deport(self, instances: ManagedInstances, instance: ManagedInstance) -> None:
        _check_stopped(instance)
        self._update_lists(instances, instance, deported=True)

    def _destroy(self, instances: ManagedInstances, instance: ManagedInstance) -> None:
        """Only names that are an instance's own, and directories only if they are empty."""
        _check_stopped(instance)
        self._update_lists(instances, instance, deported=False)
        queue = instance.queue_directory
        for path in (*(f"{queue}/{name}" for name in _QUEUE_DIRECTORIES), instance.data_directory, queue):
            self._remove_directory(path)
        for name in ("master.cf", "main.cf"):
            if os.path.lexists(f"{instance.config_directory}/{name}"):
                os.unlink(f"{instance.config_directory}/{name}")
        self._remove_directory(instance.config_directory)

    def _remove_directory(self, path: str) -> None:
        try:
            os.rmdir(path)
        except OSError:
            self._log.advise(f"{path}: please verify contents and remove by hand")

    # -- the primary one's main.cf ---------------------------------------------------------------------

    def _check_managed(self) -> None:
        settings = self._snapshot.group(Instances)
        if not settings.multi_instance_wrapper:
            raise _Refused("multi_instance_wrapper is empty, run 'postmulti -e init' first.")
        if not settings.multi_instance_enable:
            raise _Refused("multi_instance_enable!=yes, run 'postmulti -e init' first.")

    def _update_lists(
        self, instances: ManagedInstances, instance: ManagedInstance, *, deported: bool
    ) -> None:
        """An instance that is given away may still be named by users (alternate_config_directories)."""
        before = self._snapshot.group(Paths).alternate_config_directories
        directory = instance.config_directory
        after = [one for one in before if one != directory] + ([directory] if deported else [])
        values = {"multi_instance_directories": instances.directories}
        if set(after) != set(before):
            values["alternate_config_directories"] = " ".join(after)
        _set(self._primary, **values)


class _Refused(Exception):
    """The instance, or how the host is set up, does not allow it."""


def _new_instance(
    instances: ManagedInstances, action: str, words: Iterable[str], assignment: Assignment
) -> ManagedInstance:
    """The directories that the command line gives, or that follow from the name; of an import, those it has."""
    given = dict(_directory(word, action) for word in words)
    primary = instances.primary

    def private(parameter: str) -> str:
        return given.get(parameter) or _derived(parameter, getattr(primary, parameter), assignment)

    directory = private("config_directory")
    instances.check_unused(directory)
    if action == "import":
        return ManagedInstance.read(directory)
    return ManagedInstance(directory, private("queue_directory"), private("data_directory"))


def _directory(word: str, action: str) -> tuple[str, str]:
    try:
        name, value = split_name_value(word)
    except ValueError as error:
        raise Stop(f"Malformed parameter setting '{word}'") from error
    if name not in (_PRIVATE if action == "create" else _PRIVATE[:1]):
        raise Stop(f"Parameter '{name}' not valid with action {action}")
    if not value.startswith("/"):
        raise Stop(f"Parameter setting '{name}' is not an absolute path")
    trimmed = value.rstrip("/")
    if not trimmed:
        raise Stop(f"Parameter setting '{name}' is the root directory")
    return name, trimmed


def _derived(parameter: str, of_primary: str, assignment: Assignment) -> str:
    if not assignment.name:
        raise Stop(f"Missing {parameter} parameter value")
    above = os.path.dirname(of_primary.rstrip("/")).rstrip("/")
    return f"{above}/{assignment.name}"


def _assign(instances: ManagedInstances, instance: ManagedInstance, assignment: Assignment) -> dict[str, str]:
    """Give an instance its name and group; what has to be written for that."""
    changed: dict[str, str] = {}
    if assignment.group is not None and assignment.group != instance.group:
        instance.group = changed["multi_instance_group"] = assignment.group
    if assignment.name is not None and assignment.name != instance.name:
        instances.claim_name(instance, assignment.name)
        instance.name = changed["multi_instance_name"] = assignment.name
    return changed


def _check_stopped(instance: ManagedInstance) -> None:
    directory = instance.config_directory
    snapshot = read_configuration(directory, facts=host_facts()).snapshot
    if postfix_control.running(Instance.of(snapshot)) is not None:
        raise _Refused(f"Instance '{directory}' is not stopped")


def _set(directory: str, **values: str) -> None:
    """As `postconf -e` does."""
    path = f"{directory}/main.cf"
    if values:
        edit_file(path, lambda text: main_cf_edit.set_values(text, values, path=path)[0])
