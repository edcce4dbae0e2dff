"""What goes wrong in CNI, as the standard writes it: a code, a message and details.

# CNI SPEC 1.1, section 5 "Result types", Error
"""

from __future__ import annotations

from kubenet_course.errors import KubenetError

INCOMPATIBLE_VERSION = 1
UNSUPPORTED_FIELD = 2
UNKNOWN_CONTAINER = 3
INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
INVALID_NETNS = 8
TRY_LATER = 11
NOT_AVAILABLE = 50
LIMITED = 51
#: What a plugin built with the reference library says where it has no better code (its own range: 100 and up).
INTERNAL = 999

CODES = {
    INCOMPATIBLE_VERSION: "incompatible CNI version",
    UNSUPPORTED_FIELD: "unsupported field in the network configuration",
    UNKNOWN_CONTAINER: "container unknown or does not exist",
    INVALID_ENVIRONMENT: "invalid necessary environment variables",
    IO_FAILURE: "I/O failure",
    DECODING_FAILURE: "failed to decode content",
    INVALID_CONFIG: "invalid network config",
    INVALID_NETNS: "invalid network namespace",
    TRY_LATER: "try again later",
    NOT_AVAILABLE: "the plugin is not available: it cannot serve ADD requests",
    LIMITED: "the plugin is not available, and existing containers may have limited connectivity",
}


class CniError(KubenetError):
    """An error of a plugin: `code` as the standard numbers it, `msg` in few words, `details` if any."""

    def __init__(self, msg: str, code: int = INTERNAL, details: str = ""):
        super().__init__(f"{msg}; {details}" if details else msg)
        self.msg = msg
        self.code = code
        self.details = details

    def to_data(self) -> dict[str, object]:
        """The error object's keys, in the order in which plugins print them."""
        data: dict[str, object] = {"code": self.code, "msg": self.msg}
        if self.details:
            data["details"] = self.details
        return data


class RuntimeFailure(KubenetError):
    """An error of the runtime itself; it may wrap a plugin's (`cause`)."""

    def __init__(self, msg: str, cause: CniError | None = None):
        super().__init__(msg)
        self.cause = cause
