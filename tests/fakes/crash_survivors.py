"""What the files of `CrashFileSystem` hold, and what of them is found after a crash."""

import stat
from enum import Enum, auto


class Survives(Enum):
    """What is found after the restart."""

    SYNCED = auto()
    NAMES = auto()
    CONTENT = auto()
    ALL = auto()


class File:
    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = stat.S_IFREG | mode
        self.content = bytearray()
        self.on_disk = b""
        self.written_out: bytes | None = None
        self.named: bytes | None = None  # what its name does not survive without
        self.modified_ns = 0
        self.links = 0

    def change(self) -> None:
        """What is written now has not been written out."""
        self.written_out = self.named = None


class Directory:
    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = stat.S_IFDIR | mode
        self.names = Names()
        self.on_disk: dict[str, Node] = {}
        self.modified_ns = 0
        self.links = 0


Node = File | Directory


class Names(dict[str, Node]):
    """Names that programs see; each node knows how many it has."""

    def __setitem__(self, name: str, node: Node) -> None:
        """It may have led to another node before."""
        if name in self:
            self[name].links -= 1
        node.links += 1
        super().__setitem__(name, node)

    def __delitem__(self, name: str) -> None:
        """One name less."""
        self[name].links -= 1
        super().__delitem__(name)


def survivor_directory(directory: Directory, survives: Survives, seen: dict[int, Node]) -> Directory:
    after = Directory(directory.number, stat.S_IMODE(directory.mode))
    after.modified_ns = directory.modified_ns
    seen[directory.number] = after
    names_survive = survives in {Survives.NAMES, Survives.ALL}
    for name, node in (directory.names if names_survive else directory.on_disk).items():
        survivor = seen.get(node.number)
        if survivor is None:
            if isinstance(node, Directory):
                survivor = survivor_directory(node, survives, seen)
            else:
                survivor = _survivor_file(node, survives)
                seen[node.number] = survivor
        after.names[name] = after.on_disk[name] = survivor
    return after


def _survivor_file(file: File, survives: Survives) -> File:
    after = File(file.number, stat.S_IMODE(file.mode))
    after.modified_ns = file.modified_ns
    content_survives = survives in {Survives.CONTENT, Survives.ALL}
    if content_survives:
        after.on_disk = bytes(file.content)
    elif survives is Survives.NAMES and file.named is not None:
        after.on_disk = file.named
    else:
        after.on_disk = file.on_disk
    after.content[:] = after.on_disk
    return after
