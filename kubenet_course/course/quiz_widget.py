"""A quiz in a notebook: plain ipywidgets, usable with the keyboard; its text form is the questions."""

from __future__ import annotations

import html
import re
from typing import Any

import ipywidgets as widgets

from kubenet_course.course.quiz import Question, Quiz

#: Long answers take several lines; ipywidgets cuts them off at the first.
STYLE = """<style>
.kn-quiz .widget-radio-box { max-width: 100%; }
.kn-quiz .widget-radio-box label { display: block; position: relative; height: auto; line-height: 1.45; padding: 1px 0 1px 22px;
  white-space: normal; }
.kn-quiz .widget-radio-box label input { position: absolute; left: 1px; top: 1px; float: none; margin: 0; }
.kn-quiz .widget-checkbox, .kn-quiz .widget-label-basic { height: auto; }
.kn-quiz .widget-label-basic { line-height: 1.45; white-space: normal; align-items: flex-start; }
.kn-quiz .widget-html-content { line-height: 1.45; white-space: normal; }
</style>"""


def marked(words: str) -> str:
    """Text as HTML; what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(words))


class QuestionBox(widgets.VBox):
    """One question: choose, press Check, read whether it is so and why."""

    def __init__(self, number: int, question: Question):
        self.question = question
        self.title = widgets.HTML(f"<b>{number}. {marked(question.question)}</b>")
        self.boxes: list[widgets.Checkbox] = []
        self.choice: widgets.RadioButtons | None = None
        if question.several:
            self.boxes = [widgets.Checkbox(description=text, indent=False, layout={"width": "95%"}) for text in question.answers]
            answers: list[widgets.Widget] = list(self.boxes)
        else:
            self.choice = widgets.RadioButtons(options=list(question.answers), value=None, layout={"width": "100%"})
            answers = [self.choice]
        self.button = widgets.Button(description="Check", tooltip="Check this answer")
        self.explain = widgets.Button(description="Explain", tooltip="Show the right answer and why", disabled=True)
        self.verdict = widgets.HTML("", layout={"min_height": "1.4em"})
        self.button.on_click(self._check)
        self.explain.on_click(self._explain)
        super().__init__([self.title, *answers, widgets.HBox([self.button, self.explain]), self.verdict])

    def chosen(self) -> set[int]:
        """The numbers of the chosen answers, from 1."""
        if self.choice is not None:
            return set() if self.choice.index is None else {self.choice.index + 1}
        return {number for number, box in enumerate(self.boxes, 1) if box.value}

    def _check(self, _: object) -> None:
        right, words = self.question.answered(self.chosen())
        mark = "✔" if right else "✘"
        self.verdict.value = f'<span role="status">{mark} {marked(words)}</span>'
        self.explain.disabled = right

    def _explain(self, _: object) -> None:
        answers = "; ".join(self.question.answers[number - 1] for number in sorted(self.question.right))
        self.verdict.value = f'<span role="status">{marked(answers)} — {marked(self.question.because)}</span>'


class QuizWidget(widgets.VBox):
    """All questions of a quiz."""

    def __init__(self, quiz: Quiz):
        self.quiz = quiz
        super().__init__([QuestionBox(number, question) for number, question in enumerate(quiz.questions, 1)])
        self.children[0].title.value += STYLE
        self.add_class("kn-quiz")

    def __repr__(self) -> str:
        return str(self.quiz)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """ipywidgets cuts its text form short; here it is whole."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = repr(self)
        return bundle
