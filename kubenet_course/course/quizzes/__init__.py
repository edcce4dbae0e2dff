"""Quizzes, one YAML file each; see `course/quiz.py` for the shape."""
