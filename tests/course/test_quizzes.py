"""Quizzes load, have right answers, and never give them away in their text form."""

from __future__ import annotations

import pytest

from kubenet_course.course.quiz import Quiz, names
from kubenet_course.course.quiz_widget import QuizWidget


@pytest.mark.parametrize("name", names())
def test_a_quiz_is_well_formed(name: str) -> None:
    quiz = Quiz.load(name)
    assert len(quiz.questions) >= 3
    for question in quiz.questions:
        assert 2 <= len(question.answers) <= 6
        assert question.answered(set(question.right))[0]
        assert not question.answered(set())[0]
        assert question.because not in str(quiz)


@pytest.mark.parametrize("name", names())
def test_a_quiz_answers_clicks(name: str) -> None:
    widget = QuizWidget(Quiz.load(name))
    assert repr(widget) == str(widget.quiz)
    for box in widget.children:
        for number in box.question.right:
            if box.choice is not None:
                box.choice.index = number - 1
            else:
                box.boxes[number - 1].value = True
        box.button.click()
        assert "Right." in box.verdict.value


def test_the_right_answers_are_not_always_at_the_same_place() -> None:
    places = [min(question.right) for name in names() for question in Quiz.load(name).questions]
    assert len(set(places)) >= 3
