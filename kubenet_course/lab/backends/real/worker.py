"""The lab's switchboard: builds the lab, then carries requests to the machines' agents and back.

Standard input and output are the connection to the notebook's process (messages of `channel.py`).
The first message is {"op": "build", "id", "spec", "fresh_proc", "env"}; later ones carry "machine".
Requests to different machines overlap; each agent answers in its own time.
"""

from __future__ import annotations

import os
import selectors

from kubenet_course.lab.backends.real.builder import BuildError, Machines, build
from kubenet_course.lab.backends.real.channel import Channel, Message


def main() -> None:
    """Serve one lab until standard input ends."""
    notebook = Channel(0, os.dup(1))
    os.dup2(2, 1)  # whatever prints by itself must not get into the messages
    first = notebook.receive()
    if first is None:
        return
    machines = Machines(first["fresh_proc"], first["env"])
    try:
        build(first["spec"], machines)
    except BuildError as error:
        notebook.send({"id": first["id"], "error": str(error), "kind": "BuildError"})
        return
    except ImportError as error:
        notebook.send(
            {"id": first["id"], "error": f"Mininet cannot be imported: {error}", "kind": "ImportError"}
        )
        return
    notebook.send({"id": first["id"], "notices": machines.notices, "pids": machines.pids})
    _switchboard(notebook, machines)


def _switchboard(notebook: Channel, machines: Machines) -> None:
    selector = selectors.DefaultSelector()
    selector.register(notebook.reading, selectors.EVENT_READ, None)
    for name, channel in machines.channels.items():
        selector.register(channel.reading, selectors.EVENT_READ, name)
    while not notebook.closed:
        for key, _ in selector.select():
            if key.data is None:
                for message in notebook.feed():
                    _forward(message, notebook, machines)
            else:
                channel = machines.channels[key.data]
                for message in channel.feed():
                    notebook.send(message)
                if channel.closed:
                    selector.unregister(key.fd)
                    notebook.send({"id": None, "ended": key.data})


def _forward(message: Message, notebook: Channel, machines: Machines) -> None:
    name = message.pop("machine", None)
    channel = machines.channels.get(name)
    try:
        if channel is None:
            raise BrokenPipeError
        channel.send(message)
    except (BrokenPipeError, ConnectionResetError):
        notebook.send({"id": message["id"], "error": f"machine {name} has ended", "kind": "BuildError"})
