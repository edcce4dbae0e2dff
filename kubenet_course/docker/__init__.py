"""A Docker Engine whose networking is made of ordinary commands: `ip`, `iptables`, `sysctl`, and files.

`docker` (`cli/`), `dockerd`, `containerd-shim-runc-v2`, `docker-proxy` and `docker-resolver` are programs
on `userland.surroundings.Surroundings`, so the same code runs on both kernels. State is in files below
/var/lib/docker and /run/docker; a container is a process in network, mount and uts namespaces of its own.
The words, the rules and the shapes are those of Docker 28.
"""
