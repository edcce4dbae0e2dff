"""-m owner: whose socket sent it (libxt_owner, xt_owner.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Owner(Extension):
    name = "owner"
    hooks = (3, 4)
    options = (
        Opt("uid-owner", "string", invert=True),
        Opt("gid-owner", "string", invert=True),
        Opt("socket-exists", invert=True),
        Opt("suppl-groups"),
    )

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "suppl-groups" and "gid-owner" not in self.values:
            raise problem('owner: Bad value for "--suppl-groups" option: "you need to use --gid-owner first"')
        if opt.kind != "string":
            return
        known = names.user_id(text) if opt.id == "uid-owner" else names.group_id(text)
        if known is not None:
            self.values[opt.id] = (known, known)
            return
        low_text, dash, high_text = text.partition("-")
        low = number(low_text, 0xFFFFFFFE)
        high = number(high_text, 0xFFFFFFFE) if dash else low
        if low is None or high is None:
            raise problem(f'owner: Bad value for "--{opt.name}" option: "{text}"')
        self.values[opt.id] = (low, high)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("owner: At least one of --uid-owner, --gid-owner or --socket-exists is required")

    def refused(self, place: Place, rule: XtRule) -> int:
        for key in ("uid-owner", "gid-owner"):
            low, high = self.values.get(key, (0, 0))
            if low > high:
                return errno.EINVAL
        return super().refused(place, rule)

    def _range(self, key: str, names: Names | None = None) -> str:
        low, high = self.values[key]
        if low != high:
            return f"{low}-{high}"
        if names is not None:
            return (names.user_name(low) if key == "uid-owner" else names.group_name(low)) or str(low)
        return str(low)

    def save(self) -> str:
        words = [f"{self.bang('socket-exists')}--socket-exists"] if "socket-exists" in self.values else []
        words += [
            f"{self.bang(key)}--{key} {self._range(key)}" for key in ("uid-owner", "gid-owner") if key in self.values
        ]
        words += ["--suppl-groups"] if "suppl-groups" in self.values else []
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        words = [f"{self.bang('socket-exists')}owner socket exists"] if "socket-exists" in self.values else []
        for key, word in (("uid-owner", "UID"), ("gid-owner", "GID")):
            if key in self.values:
                words.append(f"{self.bang(key)}owner {word} match {self._range(key, names)}")
        words += ["incl. suppl. groups"] if "suppl-groups" in self.values else []
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        if "socket-exists" in self.values or "suppl-groups" in self.values:
            return None
        return " ".join(
            f"{field} {'!= ' if key in self.inverted else ''}{self._range(key)}"
            for key, field in (("uid-owner", "skuid"), ("gid-owner", "skgid"))
            if key in self.values
        )

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        values, inverted = self.values, self.inverted

        def test(skb: Any, state: Any) -> bool:
            sk = skb.sk
            if sk is None:
                return all(key in inverted for key in values if key != "suppl-groups")
            if "socket-exists" in inverted:
                return False
            for key, attribute in (("uid-owner", "uid"), ("gid-owner", "gid")):
                if key in values:
                    low, high = values[key]
                    if (low <= getattr(sk, attribute, 0) <= high) == (key in inverted):
                        return False
            return True

        return test


EXTENSION = Owner
