"""-m realm: the routing realm of the packet's route (libipt_realm, xt_realm.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, mark_text, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: /etc/iproute2/rt_realms of a fresh machine.
REALMS = {"cosmos": 0}


def parse_masked(extension: Extension, opt: Opt, text: str, known: dict[str, int]) -> tuple[int, int]:
    value_text, slash, mask_text = text.partition("/")
    value, mask = number(value_text, 0xFFFFFFFF), number(mask_text, 0xFFFFFFFF) if slash else 0xFFFFFFFF
    if value is None and text in known:
        return known[text], 0xFFFFFFFF
    if value is not None and mask is None:
        raise problem(f'{extension.name}: bad integer value for option "--{opt.name}", or out of range.\n')
    if value is None or mask is None:
        raise problem(f'{extension.name}: could not map name {text} to an integer value for option "--{opt.name}".\n')
    return value, mask


class Realm(Extension):
    name = "realm"
    families = (4,)
    hooks = (1, 2, 3, 4)
    options = (Opt("realm", "string", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.values["realm"] = parse_masked(self, opt, value, REALMS)

    def _text(self, named: bool) -> str:
        value, mask = self.values["realm"]
        if named and mask == 0xFFFFFFFF:
            for name, number_of in REALMS.items():
                if number_of == value:
                    return name
        return mark_text(value, mask)

    def save(self) -> str:
        return f"{self.bang('realm')}--realm {self._text(True)}"

    def listing(self, names: Names | None) -> str:
        return f"{self.bang('realm')}realm {self._text(names is not None)}"

    def nft(self, rule: XtRule) -> str | None:
        value, mask = self.values["realm"]
        if mask == 0xFFFFFFFF:
            return f"rtclassid {'!= ' if self.inverted else ''}{self._text(True)}"
        return f"rtclassid and 0x{mask:x} {'!=' if self.inverted else '=='} 0x{value:x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (value, mask), inverted = self.values["realm"], bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            realm = getattr(skb.dst, "tclassid", 0) if skb.dst is not None else 0
            return (realm & mask == value) != inverted

        return test


EXTENSION = Realm
