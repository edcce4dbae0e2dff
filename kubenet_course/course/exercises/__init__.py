"""Exercises: one file each; see `course/exercise.py` for the shape."""
