"""The magics of exercises and quizzes: `%exercise`, `%break`, `%check`, `%hint`, `%solve`, `%quiz`.

%exercise routing_default     a fresh lab and a task            %exercise           lists them
%break routing_wrong_gateway  a lab in which one thing is wrong
%check                        is it solved? what is missing, and why
%hint                         the hint that fits; again: the next one
%solve                        run the reference solution from the start
%quiz 02_routing              the questions of a notebook
"""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class

from kubenet_course.course.quiz import Quiz
from kubenet_course.course.quiz import names as quiz_names
from kubenet_course.course.session import CourseSession, exercises, faults
from kubenet_course.errors import LabError, near
from kubenet_course.jupyter.session import NotebookSession, one_sentence, write


@magics_class
class CourseMagics(Magics):
    """`session` is the notebook's (its lab is the exercise's lab); `course` remembers hints and progress."""

    def __init__(self, shell: Any, session: NotebookSession):
        super().__init__(shell=shell)
        self.session = session
        self.course = CourseSession()

    @line_magic
    def exercise(self, line: str) -> None:
        """Start an exercise on a fresh lab, or list the exercises."""
        with one_sentence():
            self._begin(line, exercises(), "%exercise")

    @line_magic("break")  # type: ignore[arg-type]
    def break_(self, line: str) -> None:
        """Start a lab in which one thing is wrong, or list those there are."""
        with one_sentence():
            self._begin(line, faults(), "%break")

    def _begin(self, line: str, known: dict[str, Any], magic: str) -> None:
        name = line.strip()
        if not name:
            width = max(map(len, known))
            rows = [(self._mark(key), key, piece.title, getattr(piece, "minutes", 0)) for key, piece in known.items()]
            write("\n".join(f"{mark} {key:{width}}  {title}" + (f" ({time} min)" if time else "") for mark, key, title, time in rows))
            return
        if name not in known:
            raise LabError(f"{magic} knows no {name!r}{near(name, known)}; {magic} without a name lists what there is.")
        if self.session.lab is not None:
            self.course.backend = self.session.lab.backend_name
        self.session.use(self.course.begin(name))
        write(self.course.describe())

    def _mark(self, name: str) -> str:
        """✔ for what was solved in this notebook's session, – where the solution was shown first."""
        if name in self.course.solution_shown:
            return "–"
        return "✔" if name in self.course.solved else " "

    @line_magic
    def check(self, line: str) -> Any:
        """Look whether the exercise is solved; say what is missing, and why."""
        with one_sentence():
            self._same_lab()
            return self.course.check()
        return None

    @line_magic
    def hint(self, line: str) -> None:
        """A hint that fits what is wrong now; asked again, the next one."""
        with one_sentence():
            self._same_lab()
            write(self.course.hint())

    @line_magic
    def solve(self, line: str) -> None:
        """Take the lab back to its start and run the reference solution."""
        with one_sentence():
            self._same_lab()
            write(self.course.solve())

    @line_magic
    def quiz(self, line: str) -> Any:
        """The questions of a notebook, or the names of the quizzes."""
        with one_sentence():
            from kubenet_course.course.quiz_widget import QuizWidget

            if not line.strip():
                write("\n".join(quiz_names()))
                return None
            return QuizWidget(Quiz.load(line.strip()))
        return None

    def _same_lab(self) -> None:
        """The exercise is judged on its own lab; say so if another one was loaded since."""
        if self.course.lab is not None and self.session.need() is not self.course.lab:
            raise LabError(
                f"Another lab was loaded since. `%exercise {self.course.name}` starts the exercise again."
            )


def register(shell: Any, session: NotebookSession) -> None:
    """Called when the extension is loaded."""
    shell.register_magics(CourseMagics(shell, session))
