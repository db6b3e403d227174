"""Pillarbox: the whole mail system of a Unix host.

While msgspec is loaded it does not find typing_extensions, from which it would take three names that `typing` has
as well: to load it, with inspect, ast and tokenize, takes nearly as long as Python's own start.  Nor does it load
what nobody here uses: its YAML, TOML, JSON schemas and view of types.
"""

import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
else:
    ModuleType = type(sys)

_UNUSED = {
    "msgspec._json_schema": ("schema", "schema_components"),
    "msgspec.inspect": (),
    "msgspec.toml": (),
    "msgspec.yaml": (),
}
"""Parts of msgspec, and the names that it takes from them."""


class _StandIns:
    """A finder and loader of modules that stand for others, for msgspec."""

    def find_spec(self, name: str, path: object = None, target: object = None, /) -> ModuleSpec | None:
        """ModuleNotFoundError for what is not there, None for all that others may find."""
        if name in _UNUSED:
            return ModuleSpec(name, self)  # type: ignore[arg-type]  # it does what a Loader does
        if name == "typing_extensions" and _is_loading_msgspec():
            raise ModuleNotFoundError(f"{name} is not needed", name=name)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """None: an empty one."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Names that are asked for stand for nothing."""
        vars(module).update(dict.fromkeys(_UNUSED.get(module.__name__, ())))


def _is_loading_msgspec() -> bool:
    module = sys.modules.get("msgspec")
    return module is not None and not hasattr(module, "Struct")


sys.meta_path.insert(0, _StandIns())
