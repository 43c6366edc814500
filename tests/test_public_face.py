"""The public face: quick to import, every name works, and data flows one way."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import nestkit

PACKAGE = Path(nestkit.__file__).parent
MODULES = sorted(
    m.name for m in pkgutil.walk_packages([str(PACKAGE)], "nestkit.") if "__main__" not in m.name
)

# Each part, and the parts of nestkit that it may import. Nothing imports course or cli.
BASE = {"errors", "facts", "resources", "state"}
MAY_IMPORT = {
    "errors": set(),
    "facts": {"errors"},
    "resources": {"errors"},
    "state": {"errors"},
    "addresses": BASE,
    "credentials": BASE | {"addresses"},
    "pictures": set(),
    "wording": set(),
    "htmltable": set(),
    "tomlfile": {"errors"},
    "plans": BASE | {"planfile", "planview", "scripts"},
    "planfile": BASE | {"plans"},
    "planview": BASE | {"plans", "wording"},
    "transport": BASE | {"addresses", "credentials"},
    "practice": BASE | {"addresses"},
    "runners": BASE,
    "lab": BASE | {"runners"},
    "hosts": BASE | {"addresses", "credentials", "plans", "transport", "practice", "lab"},
    "requirements": BASE | {"tomlfile"},
    "preflight": BASE | {"hosts", "requirements", "wording"},
    "configure": BASE | {"hosts", "htmltable", "plans", "planview", "wording"},
    "scripts": BASE | {"plans", "wording"},
    "benchmark": BASE | {"runners"},
    "report": BASE
    | {"benchmark", "charts", "configure", "pictures", "plans", "planview", "preflight", "wording"},
    "charts": BASE | {"benchmark", "pictures", "runners"},
}


def imports_of(path: Path) -> set[str]:
    """The parts of nestkit that a module imports when it runs, at any depth of its code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
            if node.module == "nestkit":
                names = [f"nestkit.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("nestkit.")}
    return found


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_data_flows_one_way(part: str) -> None:
    files = sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / f"{part}.py"]
    for file in files:
        extra = imports_of(file) - MAY_IMPORT[part] - {part, "__version__"}
        assert not extra, f"{file.name} imports {sorted(extra)}"


def test_every_part_has_its_place_in_the_flow() -> None:
    parts = {name.split(".")[1] for name in MODULES}
    top = {"course", "cli"}
    assert parts == set(MAY_IMPORT) | top


def test_importing_nestkit_loads_nothing_heavy() -> None:
    code = "import sys, nestkit; print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    heavy = {"pandas", "numpy", "matplotlib", "ipywidgets", "IPython", "pyVmomi", "winrm"}
    assert loaded
    assert not heavy & set(loaded.split())


@pytest.fixture
def imported() -> None:
    """All modules: an import binds the module's name in its package, whatever had it before."""
    for module in MODULES:
        importlib.import_module(module)


@pytest.mark.usefixtures("imported")
def test_every_public_name_works_twice_after_all_modules_are_imported() -> None:
    for _ in range(2):
        for name in nestkit.__all__:
            value = getattr(nestkit, name)
            assert value is getattr(nestkit, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        nestkit.nonsense  # noqa: B018


@pytest.mark.usefixtures("imported")
def test_no_public_function_shares_its_name_with_a_module() -> None:
    for module in MODULES:
        package, _, name = module.rpartition(".")
        value = getattr(importlib.import_module(package), name, None)
        assert inspect.ismodule(value), f"{module} is hidden by {value!r}"


def test_modules_stay_short() -> None:
    long = {
        str(path.relative_to(PACKAGE)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 330
    }
    assert not long
