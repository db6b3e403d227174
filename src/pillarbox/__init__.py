"""Pillarbox: the whole mail system of a Unix host.

While msgspec is loaded it does not find typing_extensions, from which it would take three names that `typing` has
as well: to load it, with inspect, ast and tokenize, takes nearly as long as Python's own start.
"""

import sys


class _WithoutTypingExtensions:
    """A finder that hides them from msgspec, and from nobody else."""

    def find_spec(self, name: str, path: object = None, target: object = None, /) -> None:
        """ModuleNotFoundError, or None: others may find it."""
        if name == "typing_extensions" and _is_loading_msgspec():
            raise ModuleNotFoundError(f"{name} is not needed", name=name)


def _is_loading_msgspec() -> bool:
    module = sys.modules.get("msgspec")
    return module is not None and not hasattr(module, "Struct")


sys.meta_path.insert(0, _WithoutTypingExtensions())
