"""One extension, one file: a folder of modules becomes a table from name to module.

A file's name is its name; a module may say `NAMES = ("iptables-save", …)` where a file name
cannot spell it or where it answers to several. A duplicate name or a module that cannot be
imported is an error at once, never a silent gap.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from kubenet_course.errors import KubenetError


def text_of(package: str, name: str) -> str:
    """A text file that lies in a package. (`importlib.resources` would bring zipfile and tempfile with it.)"""
    found = pkgutil.get_data(package, name)
    if found is None:
        raise FileNotFoundError(f"{package}: {name}")
    return found.decode()


def discover(package: str) -> dict[str, ModuleType]:
    """Import every public module of `package` and return them by name.

    Modules whose file name begins with ``_`` are helpers and are left out.
    Raises KubenetError on a duplicate name; an ImportError passes through.
    """
    root = importlib.import_module(package)
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules(root.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        for name in getattr(module, "NAMES", (info.name,)):
            if name in found:
                raise KubenetError(
                    f"{name!r} is defined twice: by {found[name].__name__} and by {module.__name__}"
                )
            found[name] = module
    return found
