"""-m policy: packets that IPsec took care of (libxt_policy); there is no IPsec, so only "none" holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, mask_text, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

PROTOCOLS = {51: "ah", 50: "esp", 108: "ipcomp"}
ELEMENT = ("reqid", "spi", "proto", "mode", "tunnel-dst", "tunnel-src")
NEEDS = "at least one of reqid, spi, tunnel-src, tunnel-dst, proto or mode is required."


class Policy(Extension):
    name = "policy"
    options = (
        Opt("dir", "string"), Opt("pol", "string"), Opt("strict"), Opt("reqid", "uint32", invert=True, multi=True),
        Opt("spi", "uint32", invert=True, multi=True), Opt("tunnel-src", "hostmask", invert=True, multi=True),
        Opt("tunnel-dst", "hostmask", invert=True, multi=True), Opt("proto", "protocol", invert=True, multi=True),
        Opt("mode", "string", invert=True, multi=True), Opt("next", multi=True, also=("strict",)),
    )  # fmt: skip

    def __init__(self, family: int):
        super().__init__(family)
        #: Each element of the policy: key -> (value, inverted).
        self.elements: list[dict[str, tuple[Any, bool]]] = [{}]

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "dir" and value.lower() not in ("in", "out"):
            raise problem(f'policy_match: invalid dir "{value}"')
        if opt.id == "pol" and value.lower() not in ("none", "ipsec"):
            raise problem(f'policy match: invalid policy "{value}"')
        if opt.id == "next":
            if self.values.get("pol", "").lower() == "none":
                raise problem("policy match: policy none but policy given")
            if len(self.elements) == 4:
                raise problem("policy match: maximum policy depth reached")
            self.elements.append({})
        elif opt.id in ELEMENT:
            if opt.id in self.elements[-1]:
                raise problem(f"policy match: double --{opt.id} option")
            if opt.id == "proto" and value not in PROTOCOLS:
                raise problem("policy match: protocol must be ah/esp/ipcomp")
            if opt.id == "mode":
                if value.lower() not in ("tunnel", "transport"):
                    raise problem(f'policy match: invalid mode "{value}"')
                value = value.lower()
            self.elements[-1][opt.id] = (value, invert)

    def check(self, names: Names) -> None:
        if "dir" not in self.values:
            raise problem("policy match: neither --dir in nor --dir out specified")
        none = self.values.get("pol", "ipsec").lower() == "none"
        if none and "strict" in self.values:
            raise problem("policy match: policy none but --strict given")
        for position, element in enumerate(self.elements):
            if "strict" in self.values and not element:
                raise problem(f"policy match: empty policy element {position}. --strict is in effect, but {NEEDS}")
            tunnel = "tunnel-src" in element or "tunnel-dst" in element
            mode = element.get("mode", ("", False))
            if tunnel and (mode[0] != "tunnel" or mode[1]):
                raise problem("policy match: --tunnel-src/--tunnel-dst is only valid in tunnel mode")

    def refused(self, place: Place, rule: XtRule) -> int:
        incoming = self.values["dir"].lower() == "in"
        return errno.EINVAL if place.hooks & ({3, 4} if incoming else {0, 1}) else 0

    def hidden(self) -> Any:
        none = self.values.get("pol", "").lower() == "none"
        return tuple(sorted((key, str(value)) for element in self.elements for key, value in element.items())) if none else ()

    def _element(self, element: dict[str, tuple[Any, bool]], dashes: str, numeric: bool) -> str:
        words = []
        for key in ELEMENT:
            if key not in element:
                continue
            value, inverted = element[key]
            if key == "spi":
                text = f"0x{value:x}"
            elif key == "proto":
                text = str(value) if numeric else PROTOCOLS[value]
            elif key.startswith("tunnel"):
                network = type(value[0])(value[0] & value[1])
                text = f"{network}{mask_text(value[1], self.family)}"
            else:
                text = str(value)
            words.append(f"{'! ' if inverted else ''}{dashes}{key} {text}")
        return " ".join(words)

    def _words(self, dashes: str, numeric: bool) -> str:
        words = [f"{dashes}dir {self.values['dir'].lower()} {dashes}pol {self.values.get('pol', 'ipsec').lower()}"]
        words += [f"{dashes}strict"] if "strict" in self.values else []
        for position, element in enumerate(self.elements):
            if self.values.get("pol", "").lower() == "none":
                break
            if "strict" in self.values:
                words += [f"[{position}]"] if not dashes else [f"{dashes}next"] if position else []
            words.append(self._element(element, dashes, numeric))
        return " ".join(word for word in words if word)

    def save(self) -> str:
        return self._words("--", False)

    def listing(self, names: Names | None) -> str:
        return f"policy match {self._words('', names is None)}"

    def nft(self, rule: XtRule) -> str | None:
        if any(self.elements) or "strict" in self.values or self.values["dir"].lower() != "in":
            return None
        return f"meta secpath {'missing' if self.values.get('pol', '').lower() == 'none' else 'exists'}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        none = self.values.get("pol", "ipsec").lower() == "none"
        return lambda skb, state: none


EXTENSION = Policy
