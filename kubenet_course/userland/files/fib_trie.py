"""/proc/net/fib_trie: the routing table as the kernel's level-compressed trie (net/ipv4/fib_trie.c).

The emulated kernel looks routes up in dictionaries; here the trie is grown anew from the routes,
with the kernel's own rules of when a node grows (`inflate`), shrinks (`halve`) or goes
(`collapse`), so that the file reads as it does on a real machine.
"""

from __future__ import annotations

from typing import Any

KEY_LENGTH = 32
INFLATE, INFLATE_ROOT, HALVE, HALVE_ROOT = 50, 30, 25, 15
MAX_WORK = 10
SCOPES = {0: "universe", 200: "site", 253: "link", 254: "host", 255: "nowhere"}


class Leaf:
    """All routes whose prefix has this address."""

    def __init__(self, key: int):
        self.key = key
        self.pos = 0
        self.bits = 0
        self.parent: TNode | Root | None = None
        self.routes: list[Any] = []


class TNode:
    """A node that looks at `bits` bits from bit `pos` upwards."""

    def __init__(self, key: int, pos: int, bits: int):
        shift = pos + bits
        self.key = (key >> shift) << shift if shift < KEY_LENGTH else 0
        self.pos = pos
        self.bits = bits
        self.parent: TNode | Root | None = None
        self.children: list[Child | None] = [None] * (1 << bits)
        self.empty = 1 << bits
        self.full = 0

    def index(self, key: int) -> int:
        return (key ^ self.key) >> self.pos

    def is_full(self, child: Child | None) -> bool:
        """tnode_full(): the child begins right where this node ends."""
        return isinstance(child, TNode) and child.pos + child.bits == self.pos

    def put(self, at: int, child: Child | None) -> None:
        old = self.children[at]
        self.empty += (child is None) - (old is None)
        self.full += self.is_full(child) - self.is_full(old)
        self.children[at] = child
        if child is not None:
            child.parent = self


class Root:
    """struct trie: one child."""

    def __init__(self) -> None:
        self.child: Child | None = None


Child = Leaf | TNode


class Trie:
    """Grown by `insert`; `lines()` is the file's text for one table."""

    def __init__(self) -> None:
        self.root = Root()

    def _put(self, parent: TNode | Root, key: int, child: Child | None) -> None:
        if isinstance(parent, TNode):
            parent.put(parent.index(key), child)
        else:
            parent.child = child
            if child is not None:
                child.parent = parent

    def insert(self, route: Any) -> None:
        """fib_insert_alias() and fib_insert_node()."""
        key = int(route.prefix.address)
        parent: TNode | Root = self.root
        here = self.root.child
        while isinstance(here, TNode):
            at = here.index(key)
            if at >> here.bits:
                break
            parent, here = here, here.children[at]
        if isinstance(here, Leaf) and here.key == key:
            here.routes.append(route)
            here.routes.sort(key=lambda one: (-one.prefix.prefixlen, -one.tos, one.metric))
            return
        leaf = Leaf(key)
        leaf.routes.append(route)
        if here is not None:
            node = TNode(key, (key ^ here.key).bit_length() - 1, 1)
            node.put(node.index(key) ^ 1, here)
            self._put(parent, key, node)
            parent = node
        self._put(parent, key, leaf)
        while isinstance(parent, TNode):
            parent = self._resize(parent)

    # -- balance ------------------------------------------------------------------------------
    def _child_of(self, parent: TNode | Root, key: int) -> TNode:
        child = parent.children[parent.index(key)] if isinstance(parent, TNode) else parent.child
        assert isinstance(child, TNode)
        return child

    def _resize(self, node: TNode) -> TNode | Root:
        """resize(): returns the parent."""
        parent = node.parent
        assert parent is not None
        work, key = MAX_WORK, node.key
        while work and self._should_inflate(parent, node):
            self._inflate(parent, node)
            work -= 1
            node = self._child_of(parent, key)
        if work != MAX_WORK:
            return parent
        while work and self._should_halve(parent, node):
            self._halve(parent, node)
            work -= 1
            node = self._child_of(parent, key)
        if len(node.children) - node.empty < 2:
            self._put(parent, key, next((one for one in node.children if one is not None), None))
        return parent

    def _should_inflate(self, parent: TNode | Root, node: TNode) -> bool:
        used = len(node.children) - node.empty + node.full
        threshold = len(node.children) * (INFLATE_ROOT if isinstance(parent, Root) else INFLATE)
        return used > 1 and node.pos > 0 and 50 * used >= threshold

    def _should_halve(self, parent: TNode | Root, node: TNode) -> bool:
        used = len(node.children) - node.empty
        threshold = len(node.children) * (HALVE_ROOT if isinstance(parent, Root) else HALVE)
        return used > 1 and node.bits > 1 and 100 * used < threshold

    def _replace(self, parent: TNode | Root, new: TNode) -> None:
        self._put(parent, new.key, new)
        for child in reversed(list(new.children)):
            if new.is_full(child):
                assert isinstance(child, TNode)
                self._resize(child)

    def _inflate(self, parent: TNode | Root, old: TNode) -> None:
        new = TNode(old.key, old.pos - 1, old.bits + 1)
        for at, child in enumerate(old.children):
            if child is None:
                continue
            if not old.is_full(child):
                new.put(new.index(child.key), child)
                continue
            assert isinstance(child, TNode)
            if child.bits == 1:
                new.put(2 * at, child.children[0])
                new.put(2 * at + 1, child.children[1])
                continue
            half = len(child.children) // 2
            for which in (0, 1):
                part = TNode(child.key | which << new.pos, child.pos, child.bits - 1)
                for place in range(half):
                    part.put(place, child.children[which * half + place])
                new.put(2 * at + which, part)
        self._replace(parent, new)

    def _halve(self, parent: TNode | Root, old: TNode) -> None:
        new = TNode(old.key, old.pos + 1, old.bits - 1)
        for at in range(0, len(old.children), 2):
            first, second = old.children[at], old.children[at + 1]
            if first is None or second is None:
                new.put(at // 2, second if second is not None else first)
                continue
            joined = TNode(first.key, old.pos, 1)
            joined.put(0, first)
            joined.put(1, second)
            new.put(at // 2, joined)
        self._replace(parent, new)

    # -- text ---------------------------------------------------------------------------------
    def lines(self) -> list[str]:
        """fib_trie_seq_show()."""
        child = self.root.child
        if child is None:
            return []
        return self._show(child, 0 if isinstance(child, Leaf) else 1)

    def _show(self, node: Child, depth: int) -> list[str]:
        if isinstance(node, TNode):
            length = KEY_LENGTH - node.pos - node.bits
            found = [
                f"{'   ' * (depth - 1)}  +-- {_dotted(node.key)}/{length} {node.bits} {node.full} {node.empty}"
            ]
            for child in node.children:
                if child is not None:
                    found += self._show(child, depth + (1 if isinstance(child, TNode) else 0))
            return found
        found = [f"{'   ' * depth}  |-- {_dotted(node.key)}"]
        for route in node.routes:
            tos = f" tos={route.tos}" if route.tos else ""
            scope = SCOPES.get(route.scope, f"scope={route.scope}")
            found.append(
                f"{'   ' * (depth + 1)}  /{route.prefix.prefixlen} {scope} {route.type.upper()}{tos}"
            )
        return found


def _dotted(key: int) -> str:
    return ".".join(str(key >> shift & 255) for shift in (24, 16, 8, 0))


def fib_trie(net: Any) -> str:
    """The file: tables main and local share one trie until a policy rule is made."""
    tables = net.ipv4.tables
    own_rules = [rule for rule in net.ipv4.rules.rules if (rule.priority, rule.table) not in DEFAULT_RULES]
    text = ""
    for number in sorted(tables, key=lambda one: (one & 255, one)):
        name = {254: "Main:", 255: "Local:"}.get(number, f"Id {number}:")
        sources = [255, 254] if number in (254, 255) and not own_rules else [number]
        routes = [route for source in sources for route in tables[source]]
        if not routes and (number not in (254, 255) or not any(tables[one] for one in (254, 255))):
            continue
        trie = Trie()
        for route in sorted(routes, key=lambda one: int(one.prefix.address)):
            trie.insert(route)
        text += "".join(f"{line}\n" for line in [name, *trie.lines()])
    return text


DEFAULT_RULES = frozenset({(0, 255), (32766, 254), (32767, 253)})
