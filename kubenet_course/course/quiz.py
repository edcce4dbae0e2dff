"""Quizzes: a few questions at the end of a notebook, answered with the mouse or the keyboard.

One YAML file in `quizzes/` a notebook: a list of

    - question: Why does …?
      answers: [first, second, third]
      right: 2                      # counted from 1; a list where several are right
      because: One or two sentences that explain, shown after an answer.

In a notebook each question is a widget (radio buttons or check boxes, and a button); its text form
lists the question and the answers, never which is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from kubenet_course.errors import LabError, near


@dataclass(frozen=True)
class Question:
    """`right` holds the numbers, from 1, of the right answers."""

    question: str
    answers: tuple[str, ...]
    right: frozenset[int]
    because: str

    @property
    def several(self) -> bool:
        return len(self.right) > 1

    def answered(self, chosen: set[int]) -> tuple[bool, str]:
        """(whether it is right, what to say)."""
        if not chosen:
            return False, "Choose an answer first."
        if chosen == self.right:
            return True, f"Right. {self.because}"
        return False, "Not so. Look again, or ask for the explanation."

    def __str__(self) -> str:
        mark = "[ ]" if self.several else "( )"
        return "\n".join([self.question, *(f"  {mark} {number}. {text}" for number, text in enumerate(self.answers, 1))])


@dataclass(frozen=True)
class Quiz:
    """The questions of one notebook."""

    name: str
    questions: tuple[Question, ...]

    @classmethod
    def load(cls, name: str) -> Quiz:
        """By file name without its ending, or the number that only one begins with; LabError where there is none or it is malformed."""
        begun = [one for one in names() if one.partition("_")[0] == name]
        name = begun[0] if len(begun) == 1 else name
        file = resources.files("kubenet_course.course").joinpath("quizzes", f"{name}.yaml")
        if not file.is_file():
            raise LabError(f"there is no quiz named {name!r}{near(name, names())}; there are: {', '.join(names())}")
        return cls(name, tuple(_question(name, entry) for entry in yaml.safe_load(file.read_text("utf-8"))))

    def __str__(self) -> str:
        return "\n\n".join(f"{number}. {question}" for number, question in enumerate(self.questions, 1))


def names() -> list[str]:
    """The quizzes there are."""
    folder = resources.files("kubenet_course.course").joinpath("quizzes")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def _question(quiz: str, entry: Any) -> Question:
    try:
        right = entry["right"]
        numbers = frozenset(right if isinstance(right, list) else [right])
        question = Question(
            str(entry["question"]).strip(), tuple(str(answer) for answer in entry["answers"]), numbers, str(entry["because"]).strip()
        )
    except (KeyError, TypeError) as problem:
        raise LabError(f"quiz {quiz}: a question lacks {problem}") from None
    if not numbers <= set(range(1, len(question.answers) + 1)):
        raise LabError(f"quiz {quiz}: {question.question!r} has no answer {sorted(numbers)}")
    return question
