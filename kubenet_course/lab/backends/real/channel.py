"""JSON messages, one a line, over a pipe or socket; bytes travel as text with surrogate escapes.

`Channel` never blocks on reading (`feed` takes what a selector found) and writes whole messages.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def to_text(data: bytes) -> str:
    """Any bytes as a string that JSON can carry; `to_bytes` gives them back exactly."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Channel:
    """Both directions of a connection, as file descriptors (which may be the same one)."""

    def __init__(self, reading: int, writing: int):
        self.reading = reading
        self.writing = writing
        self.closed = False
        self._rest = b""

    def feed(self) -> Iterator[Message]:
        """The messages that one read(2) completes; sets `closed` at the end of file."""
        try:
            data = os.read(self.reading, 1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def receive(self) -> Message | None:
        """Wait for one message (for a peer that answers one by one); None at the end."""
        while not self.closed:
            for message in self.feed():
                return message
        return None

    def send(self, message: Message) -> None:
        """Write a whole message; waits where the peer reads slowly. BrokenPipeError if it is gone."""
        data = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        while data:
            try:
                data = data[os.write(self.writing, data) :]
            except BlockingIOError:
                select.select([], [self.writing], [])
