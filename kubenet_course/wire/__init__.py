"""What is on the wire: addresses, checksums, captures, and one header per file.

A header file has one shape: a drawing of the bits, a value class (an immutable named tuple), and
`decode(bytes)`, `encode(...)` and `__str__` in tcpdump's words.
"""
