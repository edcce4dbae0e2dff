"""The conventions that keep the rooms apart, as tests: layers, budgets, no shared state, light import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.grammars import LANGUAGES, digest
from tests.support.grammars import ROOT as GRAMMARS

PACKAGE = Path(__file__).parent.parent / "kubenet_course"

#: Lowest first; a room imports from its own level and from those before it.
LAYERS = (
    ("errno", "errors", "registry"),
    ("wire", "sim", "gotemplate"),
    ("kernel",),
    ("userland",),
    ("dns",),
    ("docker", "cni"),
    ("kube",),
    ("lab",),
    ("view",),
    ("widgets",),
    ("course",),
    ("jupyter", "cli", "doctor"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}

#: Rooms above the seam see machines, never kernel objects; these files wire the two together.
KERNEL_USERS = ("kernel/", "userland/", "lab/backends/emulated")
KERNEL_EXCEPTIONS = {
    "view/emulated_journey.py": "turns what the emulated kernel's recorder kept into records",
}
#: Mininet is imported here alone, inside functions.
MININET_USERS = ("lab/backends/real/builder.py",)

FILE_LINES, FUNCTION_LINES = 450, 80
#: File → why it is longer.
LONG_FILES: dict[str, str] = {}
#: "file: function" → why it is longer.
LONG_FUNCTIONS: dict[str, str] = {
    "kernel/inet/route.py: _route_output": "ip_route_output_key_hash_rcu() is one long list of cases, and read beside it",
    "kernel/netfilter/conntrack.py: conntrack_in": "the way of every packet: calls would cost more than they explain",
}
#: "file: NAME" → why a module keeps something that changes.
STATE: dict[str, str] = {}

HEAVY = (
    "IPython", "anywidget", "dns", "ipywidgets", "jinja2", "lark", "matplotlib", "mininet", "networkx",
    "numpy", "rich", "traitlets", "yaml",
)  # fmt: skip
MUTATORS = {
    "append",
    "add",
    "update",
    "pop",
    "popitem",
    "clear",
    "setdefault",
    "extend",
    "insert",
    "remove",
    "discard",
}


@lru_cache(1)
def sources() -> dict[str, ast.Module]:
    """Path below the package → syntax tree."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports(name: str, tree: ast.Module, *, types: bool = False) -> Iterator[tuple[str, int, bool]]:
    """(module, line, at module level) of each import; those for type checkers only if `types`."""
    package = ["kubenet_course", *Path(name).parent.parts]
    for node, top in _walk(tree, types, True):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, top
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module, node.lineno, top
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno, top


def _walk(node: ast.AST, types: bool, top: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        if not types and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for other in child.orelse:
                yield from _walk(ast.Module([other], []), types, top)
            continue
        yield child, top
        inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from _walk(child, types, top and not inner)


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "kubenet_course" and len(parts) > 1 else None


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {Path(name).parts[0].removesuffix(".py") for name in sources()} - {"__init__", "__main__"}
    assert rooms <= set(LEVEL), f"not in LAYERS: {sorted(rooms - set(LEVEL))}"


def test_imports_go_down_only() -> None:
    wrong = []
    for name, tree in sources().items():
        own = Path(name).parts[0].removesuffix(".py")
        if own not in LEVEL:
            continue
        for module, line, _ in imports(name, tree):
            target = room(module)
            if target in LEVEL and LEVEL[target] > LEVEL[own]:
                wrong.append(f"{name}:{line} imports {module}: {own} is below {target}")
    assert not wrong, "\n".join(wrong)


def test_only_the_emulated_backend_knows_the_kernel_above_userland() -> None:
    wrong = [
        f"{name}:{line} imports {module}"
        for name, tree in sources().items()
        if not name.startswith(KERNEL_USERS) and name not in KERNEL_EXCEPTIONS
        for module, line, _ in imports(name, tree)
        if room(module) == "kernel"
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_builder_knows_mininet() -> None:
    wrong = [
        f"{name}:{line} imports {module}"
        for name, tree in sources().items()
        for module, line, top in imports(name, tree)
        if module.split(".")[0] == "mininet" and (name not in MININET_USERS or top)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles_at_module_level() -> None:
    names = {
        ".".join(["kubenet_course", *Path(name).with_suffix("").parts]).removesuffix(".__init__"): name
        for name in sources()
    }
    graph = {
        module: {m for m, _, top in imports(name, sources()[name]) if top and m in names and m != module}
        for module, name in names.items()
    }
    # `from package import submodule` depends on the submodule, not on the package importing it back.
    done: set[str] = set()
    trail: list[str] = []

    def visit(module: str) -> None:
        if module in trail:
            raise AssertionError("cycle: " + " → ".join([*trail[trail.index(module) :], module]))
        if module in done:
            return
        trail.append(module)
        for other in sorted(graph[module]):
            if not module.startswith(f"{other}."):
                visit(other)
        trail.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_files_stay_within_their_budget() -> None:
    """Or say why not: in LONG_FILES, or in a line of the module's docstring that begins with `Length:`."""
    wrong = []
    for name, tree in sources().items():
        if "\nLength: " in (ast.get_docstring(tree) or ""):
            continue
        lines = (PACKAGE / name).read_text(encoding="utf-8").count("\n")
        if lines > FILE_LINES and name not in LONG_FILES:
            wrong.append(f"{name}: {lines} lines")
        if lines <= FILE_LINES and name in LONG_FILES:
            wrong.append(f"{name}: is short again, take it out of LONG_FILES")
    assert not wrong, "\n".join(wrong)


def test_functions_stay_within_their_budget() -> None:
    wrong = []
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES and f"{name}: {node.name}" not in LONG_FUNCTIONS:
                    wrong.append(f"{name}:{node.lineno} {node.name}: {lines} lines")
    assert not wrong, "\n".join(wrong)


def test_every_module_says_its_contract() -> None:
    """And so every command, plugin, device, match, target, kind, scenario and widget does."""
    wrong = [
        name for name, tree in sources().items() if tree.body and not (ast.get_docstring(tree) or "").strip()
    ]
    assert not wrong, f"no docstring: {wrong}"


def test_no_module_level_mutable_state() -> None:
    """No `global`, and no module-level list, dict or set that its own module changes."""
    wrong = []
    for name, tree in sources().items():
        tables = {
            target.id
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
            and isinstance(node.value, (ast.List, ast.Dict, ast.Set, ast.Call))
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                wrong.append((name, node.names[0], node.lineno))
            changed = _changed(node)
            if changed in tables and _inside_function(tree, node):
                wrong.append((name, changed, node.lineno))
    said = [f"{name}:{line} {what} changes" for name, what, line in wrong if f"{name}: {what}" not in STATE]
    assert not said, "\n".join(said)


def _changed(node: ast.AST) -> str | None:
    """The name of what a node changes in place, as `NAME[…] = `, `NAME.append(…)`, `del NAME[…]`."""
    targets: list[ast.expr] = []
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, ast.AugAssign):
        targets = [node.target]
    for target in targets:
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            return target.value.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        if isinstance(node.func.value, ast.Name):
            return node.func.value.id
    return None


def _inside_function(tree: ast.Module, node: ast.AST) -> bool:
    """Inside a function that has no local or parameter of that name (which would hide the module's)."""
    name = _changed(node)
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and node in ast.walk(function):
            arguments = function.args
            local = {a.arg for a in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs)}
            local |= {
                n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
            return name not in local
    return False


def test_importing_the_package_is_light() -> None:
    script = f"import sys, kubenet_course; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_lab_needs_no_notebook_and_no_drawing() -> None:
    heavy = ("IPython", "ipywidgets", "matplotlib", "mininet", "networkx", "numpy")
    script = "import sys; from kubenet_course import Lab; Lab.load('single').run('host', 'true'); " + (
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize("name", ["Lab", "Topology", "Completed", "LabError", "load_ipython_extension"])
def test_public_names_are_there(name: str) -> None:
    import kubenet_course

    assert name in kubenet_course.__all__
    assert getattr(kubenet_course, name) is not None


def test_other_names_are_not() -> None:
    import kubenet_course

    with pytest.raises(AttributeError, match="no attribute 'Laboratory'"):
        kubenet_course.Laboratory  # noqa: B018


def test_error_numbers_are_those_of_linux_everywhere() -> None:
    """`kubenet_course.errno`, not the computer's: a browser page numbers and words them differently."""
    own = ("errno.py", "lab/backends/real/linux.py")
    wrong = [
        f"{name}:{line}: from kubenet_course import errno"
        for name, tree in sources().items()
        if name not in own
        for module, line, _ in imports(name, tree)
        if module == "errno" or module.startswith("errno.")
    ]
    assert not wrong, "\n".join(wrong)


def test_parser_tables_are_those_of_the_grammar_beside_them() -> None:
    for folder in LANGUAGES:
        shipped = json.loads((GRAMMARS / folder / "tables.json").read_text(encoding="utf-8"))
        assert shipped["grammar"] == digest(folder), f"{folder}: run python -m tests.support.grammars"
