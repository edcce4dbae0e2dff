"""Families of random scripts, one a file, each with a FAMILY."""
