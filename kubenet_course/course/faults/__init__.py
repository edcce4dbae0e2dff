"""Faults that break a lab in one way; see `course/fault.py` for the shape."""
