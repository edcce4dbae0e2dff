"""-m state: the old spelling of ctstate (libxt_state)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches.conntrack import parse_states, states_test
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")


class State(Extension):
    name = "state"
    conntrack = True
    options = (Opt("state", "string", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if not value:
            raise problem('"--state" requires a list of states with no spaces, e.g. ESTABLISHED,RELATED')
        self.values["state"] = parse_states(value, STATES, "state")

    def _text(self) -> str:
        return ",".join(state for state in STATES if state in self.values["state"])

    def save(self) -> str:
        return f"{self.bang('state')}--state {self._text()}"

    def listing(self, names: Names | None) -> str:
        return f"{self.bang('state')}state {self._text()}"

    def nft(self, rule: XtRule) -> str | None:
        return f"ct state {self.bang('state')}{self._text().lower()}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        return states_test(self.values["state"], "state" in self.inverted)


EXTENSION = State
