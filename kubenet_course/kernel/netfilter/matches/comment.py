"""-m comment: words for people; every packet matches (libxt_comment)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, quote

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Comment(Extension):
    name = "comment"
    options = (Opt("comment", "string", mand=True, high=256),)

    def save(self) -> str:
        return f"--comment {quote(self.values['comment'])}"

    def listing(self, names: Names | None) -> str:
        return f"/* {self.values['comment']} */"

    def nft(self, rule: XtRule) -> str | None:
        return ""

    def compile(self, net: NetNamespace) -> None:  # type: ignore[override]
        return None


EXTENSION = Comment
