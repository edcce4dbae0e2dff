"""Questions before something is removed."""

from __future__ import annotations

from kubenet_course.docker.cli import Session


async def confirmed(session: Session, question: str) -> bool:
    """Ask; whether the answer is yes."""
    session.out(question)
    answer = (await session.here.stdin()).decode("utf-8", "replace").strip().lower()
    return answer in ("y", "yes")
