"""The real kernel's side of a lab: namespaces made and kept by a helper process.

    notebook ── pipes ── helper (pid 1 of the lab: guardian.py) ── worker (builder.py, Mininet)
                                                              └── one agent per machine (agent.py)

Nothing in here runs in the notebook's process except `probe.py`. The helper lives in its own
network, mount, process, uts and ipc namespace (and user namespace, without root), so whatever is
made in there ends with it, however it ends.
"""
