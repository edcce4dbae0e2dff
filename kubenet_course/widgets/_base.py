"""What all widgets share: text that is the picture, ids that are the same every time, and being live.

A widget's repr() is its facts as text. That is what a terminal shows, what a notebook keeps as
text/plain (whole, where ipywidgets would cut it short) and what nbval compares; the view beside it
draws the same traits. Widgets need no `Output()` and no file from elsewhere: the scripts and the
style in `static/` travel with the widget.

A live widget reads again after the cell in which its lab changed. In a terminal, `refresh()` does it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kubenet_course.errors import KubenetError

STATIC = Path(__file__).parent / "static"
#: Live pictures of one lab; beyond that the oldest is no longer brought up to date.
LIVE_LIMIT = 40


@cache
def static(*names: str) -> str:
    """Files of `static/`, one after the other."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def free_model_id() -> str:
    """The first of a fixed series of ids that no living widget has: a notebook's bytes stay the same."""
    from ipywidgets.widgets.widget import _instances

    number = 1
    while (found := hashlib.md5(f"kubenet_course {number}".encode()).hexdigest()) in _instances:
        number += 1
    return found


class Picture(anywidget.AnyWidget):
    """The base of every widget: `alt` is its text form, `note` why it may be out of date."""

    _css = static("kubenet.css")
    alt = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(model_id=free_model_id(), **traits)

    def __repr__(self) -> str:
        return self.alt + (f"\n({self.note})" if self.note else "")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return {"text/plain": repr(self)}
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = repr(self)
        return bundle

    def refresh(self) -> None:
        """Read the lab again; a picture of something past has nothing to do."""

    def follow(self, lab: Any) -> None:
        """Be refreshed after each cell that changed `lab`."""
        shell = _shell()
        if shell is None or not hasattr(lab, "on_change"):
            return
        live = getattr(shell, "kubenet_live", None)
        if live is None:
            live = shell.kubenet_live = Live()
            shell.events.register("post_run_cell", live.flush)
        live.add(lab, self)


class Live:
    """Which widgets look at which lab, and which labs changed in this cell; belongs to the IPython shell."""

    def __init__(self) -> None:
        self.watching: dict[int, list[Picture]] = {}
        self.changed: set[int] = set()

    def add(self, lab: Any, picture: Picture) -> None:
        key = id(lab)
        if key not in self.watching:
            self.watching[key] = []
            lab.on_change(lambda changed: self.changed.add(id(changed)))
        self.watching[key].append(picture)
        del self.watching[key][:-LIVE_LIMIT]

    def flush(self, *_: object) -> None:
        """After a cell: every widget of a changed lab reads again; one that cannot says why."""
        changed, self.changed = self.changed, set()
        for key in changed:
            for picture in list(self.watching.get(key, ())):
                try:
                    picture.refresh()
                    picture.note = ""
                except KubenetError as error:
                    picture.note = f"not up to date: {error}"
                except Exception as failure:  # noqa: BLE001 - dropped and named; the learner's cell goes on
                    picture.note = f"no longer updated: {type(failure).__name__}: {failure}"
                    self.watching[key].remove(picture)


def _shell() -> Any:
    import sys

    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
