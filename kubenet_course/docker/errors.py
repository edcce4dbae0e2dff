"""What goes wrong in the engine, in Docker's words."""

from __future__ import annotations

from kubenet_course.errors import KubenetError


class DaemonError(KubenetError):
    """dockerd answers with an error; `message` is printed after `Error response from daemon: `.

    `status` is the HTTP status Docker's API would give (404 not found, 409 conflict, …); `exit_status` is
    what `docker run` ends with where it is not 125.
    """

    def __init__(self, message: str, status: int = 500, exit_status: int = 125):
        super().__init__(message)
        self.message = message
        self.status = status
        self.exit_status = exit_status


def no_such_container(name: str) -> DaemonError:
    return DaemonError(f"No such container: {name}", 404)
