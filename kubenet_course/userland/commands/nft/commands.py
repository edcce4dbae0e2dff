"""What was typed, as data: commands with their objects, before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import Expr, Loc


@dataclass(slots=True)
class Spec:
    """Which object: family, table, its name; or a handle. Each with its place in the text."""

    family: str | None = None
    table: str = ""
    name: str = ""
    handle: int | None = None
    position: int | None = None
    index: int | None = None
    family_loc: Loc | None = None
    table_loc: Loc | None = None
    name_loc: Loc | None = None
    handle_loc: Loc | None = None

    @property
    def af(self) -> str:
        return self.family or "ip"


@dataclass(slots=True)
class Command:
    op: str
    obj: str
    spec: Spec
    data: Any = None
    loc: Loc | None = None
    #: `loc` reaches to the line's end.
    ended: bool = False


@dataclass(slots=True)
class RuleData:
    """Statements as typed, and the rule's comment."""

    statements: list[Any]
    comment: str = ""
    loc: Loc | None = None


@dataclass(slots=True)
class HookData:
    type: str
    hook: str
    priority: Any
    type_loc: Loc | None = None
    hook_loc: Loc | None = None
    priority_loc: Loc | None = None
    devices: tuple[Any, ...] = ()
    loc: Loc | None = None


@dataclass(slots=True)
class ChainData:
    hook: HookData | None = None
    policy: Any = None
    policy_loc: Loc | None = None
    comment: str = ""
    rules: list[RuleData] = field(default_factory=list)
    offload: bool = False


@dataclass(slots=True)
class SetData:
    key_types: tuple[tuple[str, Loc | None], ...] = ()
    data_types: tuple[tuple[str, Loc | None], ...] = ()
    key_expr: Expr | None = None
    data_expr: Expr | None = None
    object_kind: str = ""
    data_interval: bool = False
    flags: set[str] = field(default_factory=set)
    timeout: Any = None
    gc_interval: Any = None
    size: Any = None
    policy: str = ""
    auto_merge: bool = False
    comment: str = ""
    statements: list[Any] = field(default_factory=list)
    elements: Any = None
    loc: Loc | None = None


@dataclass(slots=True)
class TableData:
    comment: str = ""
    flags: list[str] = field(default_factory=list)
    #: (kind, name, name's place, data, place) in the order of the text.
    items: list[tuple[str, str, Loc | None, Any, Loc | None]] = field(default_factory=list)


@dataclass(slots=True)
class ObjectData:
    statement: Any = None
    comment: str = ""
    loc: Loc | None = None


@dataclass(slots=True)
class Definition:
    """define name = value; `value` None undefines it."""

    name: str
    value: Any
    loc: Loc | None = None
    #: "define", "redefine" or "undefine".
    kind: str = "define"
