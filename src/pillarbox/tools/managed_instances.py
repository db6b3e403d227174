"""The instances of a host, as postmulti(1) sees them: the primary one, and those that its main.cf lists.

DESCRIPTION
    `ManagedInstances.of(snapshot)` reads the main.cf of each.  No two instances may have a directory or a name in
    common: each claims its own when it joins, and one that comes too late is refused.

FAULTS
    Stop  a main.cf that cannot be read, a claim of two, a selection that nothing matches
"""

import os
from typing import Final, Literal

import msgspec

from pillarbox.config.host_facts import host_facts
from pillarbox.config.parameters.instances import Instances
from pillarbox.config.parameters.paths import Paths
from pillarbox.config.reading import read_configuration
from pillarbox.config.snapshot import Snapshot
from pillarbox.tools.command_settings import Stop
from pillarbox.vocabulary.faults import ConfigurationFault

PREFIX: Final = "postfix-"
"""With which the name of an instance begins."""
_SHARED: Final = ("command_directory", "daemon_directory", "shlib_directory")
"""Directories that no instance may have for itself."""


class Selection(msgspec.Struct, frozen=True):
    """Which instances a command is for: -a, -g or -i, or none of them."""

    kind: Literal["none", "all", "group", "name"] = "none"
    text: str = ""

    def matches(self, instance: "ManagedInstance") -> bool:
        """Whether an instance is one of them."""
        match self.kind:
            case "none":
                return False
            case "all":
                return True
            case "group":
                return self.text == instance.group != ""
        if instance.primary and self.text == "-":
            return True
        if self.text.startswith("/") or not instance.name:
            return self.text == instance.config_directory
        if not self.text.startswith(PREFIX):
            return self.text == instance.name.removeprefix(PREFIX)
        return self.text == instance.name


class ManagedInstance(msgspec.Struct):
    """One instance; name and group are empty if it has none."""

    config_directory: str
    queue_directory: str = ""
    data_directory: str = ""
    name: str = ""
    group: str = ""
    enabled: bool = False
    primary: bool = False

    @classmethod
    def of(cls, snapshot: Snapshot) -> "ManagedInstance":
        """As its main.cf describes it."""
        paths, settings = snapshot.group(Paths), snapshot.group(Instances)
        return cls(
            config_directory=paths.config_directory,
            queue_directory=paths.queue_directory,
            data_directory=paths.data_directory,
            name=settings.multi_instance_name,
            group=settings.multi_instance_group,
            enabled=settings.multi_instance_enable,
        )

    @classmethod
    def read(cls, directory: str) -> "ManagedInstance":
        """As the main.cf in a directory describes it."""
        if not os.path.exists(f"{directory}/main.cf"):
            raise Stop(f"Failed to obtain all required {directory}/main.cf parameters")
        try:
            return cls.of(read_configuration(directory, facts=host_facts()).snapshot)
        except ConfigurationFault as fault:
            raise Stop(str(fault)) from fault


class ManagedInstances:
    """All of them, the primary one first, the others in the order in which they are started."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._owners: dict[str, str] = {}
        self.primary = ManagedInstance.of(snapshot)
        self.primary.primary = True
        for parameter in _SHARED:
            self._claim(self.primary, parameter, snapshot.value(parameter))
        self._claim_all(self.primary)
        self.secondary: list[ManagedInstance] = []
        for directory in snapshot.group(Instances).multi_instance_directories:
            instance = ManagedInstance.read(directory)
            self._claim_all(instance)
            self.secondary.append(instance)
        if not self.secondary:
            self.primary.enabled = True  # a host without others is not managed, and always on

    @property
    def all(self) -> list[ManagedInstance]:
        """In the order in which they are started."""
        return [self.primary, *self.secondary]

    @property
    def directories(self) -> str:
        """What multi_instance_directories of the primary instance has to say."""
        return " ".join(instance.config_directory for instance in self.secondary)

    def selected(self, selection: Selection) -> ManagedInstance:
        """The one instance that -i names."""
        if selection.kind != "name":
            raise Stop("Select an instance via '-i name'")
        for instance in self.all:
            if selection.matches(instance):
                return instance
        raise Stop(f"No instance named {selection.text}")

    def insert(self, instance: ManagedInstance, before: Selection) -> None:
        """Let an instance join, in front of the first that the selection matches, or else as the last."""
        self._claim_all(instance)
        position = next((at for at, one in enumerate(self.secondary) if before.matches(one)), None)
        if position is None and before.kind in ("group", "name"):
            raise Stop("No matching secondary instances")
        self.secondary.insert(len(self.secondary) if position is None else position, instance)

    def remove(self, instance: ManagedInstance) -> None:
        """Let an instance go; the primary one and those that are on stay."""
        if instance.primary:
            raise Stop("Cannot remove the primary instance")
        if instance.enabled:
            raise Stop("Cannot remove enabled instances")
        self.secondary.remove(instance)

    def check_unused(self, directory: str) -> None:
        """Stop if a configuration directory belongs to somebody."""
        owner = self._owners.get(directory)
        if owner is not None:
            raise Stop(
                f"new config_directory={directory} is already in use by instance {owner}={directory}",
            )

    def claim_name(self, instance: ManagedInstance, name: str) -> None:
        """Stop if another instance has the name."""
        self._claim(instance, "multi_instance_name", name)

    def _claim_all(self, instance: ManagedInstance) -> None:
        if instance.name:
            self.claim_name(instance, instance.name)
        for parameter in ("config_directory", "queue_directory", "data_directory"):
            self._claim(instance, parameter, getattr(instance, parameter))

    def _claim(self, instance: ManagedInstance, parameter: str, value: str) -> None:
        claimant = f"{instance.config_directory}, {parameter}"
        owner = self._owners.setdefault(value, claimant)
        if owner != claimant:
            raise Stop(f"instance {claimant}={value} conflicts with instance {owner}={value}")
