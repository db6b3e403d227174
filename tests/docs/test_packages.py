"""Each package says what is in it, and docs/architecture.md names all packages and processes."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src/pillarbox"
PACKAGES: Final = sorted(file.parent for file in SOURCE.rglob("__init__.py"))
ARCHITECTURE: Final = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT)))
def test_a_package_leads_to_its_files(package: Path) -> None:
    """Its docstring names none that is not there, and nothing is loaded with it but what it needs itself."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    assert text
    named = re.findall(r"[\w*/]+\.py\b", text)
    assert [name for name in named if not any(any(base.glob(name)) for base in (package, SOURCE, ROOT))] == []


def test_packages_stand_in_the_architecture() -> None:
    """Each one of the layers."""
    names = {package.name for package in PACKAGES if package.parent == SOURCE}
    layers = ARCHITECTURE.partition("## Layers")[2].partition("\n## ")[0]
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", layers)) == []


def test_processes_stand_in_the_architecture() -> None:
    """Each module of daemons/ that is the entry of one."""
    entries = [
        file.relative_to(SOURCE).as_posix()
        for file in SOURCE.glob("daemons/*.py")
        if re.search(r"^(?:async )?def main\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(entries) > 8
    assert sorted(entry for entry in entries if f"`{entry}`" not in ARCHITECTURE) == []
