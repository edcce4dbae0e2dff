"""The versions of the standard, and which of them a plugin and a configuration agree on.

# CNI SPEC 1.1, "Version considerations"; containernetworking/cni pkg/version
"""

from __future__ import annotations

import re

from kubenet_course.cni import gojson
from kubenet_course.cni.errors import DECODING_FAILURE, INCOMPATIBLE_VERSION, CniError
from kubenet_course.errors import KubenetError

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
CURRENT = SUPPORTED[-1]
#: What a configuration without a version is of.
OLDEST = "0.1.0"

_CONFIG = gojson.Struct("", {"cniVersion": gojson.STRING})


class VersionError(KubenetError):
    """A text that is no version."""


def parse(text: str) -> tuple[int, int, int]:
    """``1.0.0`` as numbers; "" is the oldest. Raises VersionError."""
    parts = (text or OLDEST).split(".")
    if len(parts) > 3:
        raise VersionError(f"invalid version {gojson.quoted(text)}: too many parts")
    numbers = []
    for name, part in zip(("major", "minor", "micro"), parts):
        if not re.fullmatch(r"[+-]?[0-9]+", part):
            raise VersionError(
                f"failed to convert {name} version part {gojson.quoted(part)}: "
                f"strconv.Atoi: parsing {gojson.quoted(part)}: invalid syntax"
            )
        numbers.append(int(part))
    numbers += [0] * (3 - len(numbers))
    return numbers[0], numbers[1], numbers[2]


def at_least(version: str, other: str) -> bool:
    """Whether `version` is `other` or later. Raises VersionError."""
    return parse(version) >= parse(other)


def of_config(text: bytes) -> str:
    """The version a configuration asks for. Raises CniError(6)."""
    try:
        found = gojson.decode(text, _CONFIG)["cniVersion"]
    except gojson.GoJsonError as error:
        raise CniError(f"decoding version from network config: {error}", DECODING_FAILURE) from None
    return found or OLDEST


def agree(version: str, supported: tuple[str, ...]) -> None:
    """Raise CniError(1) where a plugin does not support a configuration's version."""
    if version not in supported:
        words = " ".join(gojson.quoted(name) for name in supported)
        raise CniError(
            "incompatible CNI versions",
            INCOMPATIBLE_VERSION,
            f"config is {gojson.quoted(version)}, plugin supports [{words}]",
        )
