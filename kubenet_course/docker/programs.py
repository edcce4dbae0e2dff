"""The engine's programs: a command's name and the module whose `program(here, argv)` it is."""

from __future__ import annotations

PROGRAMS = {
    "docker": "kubenet_course.docker.cli",
    "dockerd": "kubenet_course.docker.daemon",
    "containerd": "kubenet_course.docker.containerd",
    "containerd-shim-runc-v2": "kubenet_course.docker.shim",
    "docker-proxy": "kubenet_course.docker.proxy",
    "docker-resolver": "kubenet_course.docker.resolver",
    "systemctl": "kubenet_course.docker.service",
    "service": "kubenet_course.docker.service",
    "docker-app": "kubenet_course.docker.apps",
}
