"""What is common to all configurations, and what CNI_ARGS says.

# CNI SPEC 1.1, section 1 "Plugin configuration objects"; containernetworking/cni pkg/types
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubenet_course.cni import gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, RAW, STRING, ListOf, MapOf, Struct
from kubenet_course.cni.result import DNS, Dns, Result, dns_of, of_data

IPAM = Struct("IPAM", {"type": STRING}, go="types.IPAM")
PREV_RESULT = MapOf(RAW, go="map[string]interface {}")
#: What GC is told: attachments that are still valid.
ATTACHMENTS = ListOf(
    Struct("GCAttachment", {"containerID": STRING, "ifname": STRING}, go="types.GCAttachment"),
    go="[]types.GCAttachment",
)
COMMON: Mapping[str, Any] = {
    "cniVersion": STRING,
    "name": STRING,
    "type": STRING,
    "capabilities": MapOf(BOOL, go="map[string]bool"),
    "ipam": IPAM,
    "dns": DNS,
    "prevResult": PREV_RESULT,
    "cni.dev/valid-attachments": ATTACHMENTS,
}


def shape(name: str = "NetConf", **fields: Any) -> Struct:
    """The shape of a plugin's configuration: the common keys and its own."""
    return Struct(name, {**COMMON, **fields})


def load(text: bytes, wanted: Struct, failure: str = "failed to load netconf: ") -> dict[str, Any]:
    """A configuration's fields. Raises CniError with Go's words after `failure`."""
    try:
        return gojson.decode(text, wanted)
    except gojson.GoJsonError as error:
        raise CniError(f"{failure}{error}") from None


def valid_attachments(fields: dict[str, Any]) -> set[tuple[str, str]]:
    """(container id, interface) of each attachment that GC leaves alone."""
    return {
        (item["containerID"], item["ifname"]) for item in fields["cni.dev/valid-attachments"] or () if item
    }


def dns(fields: dict[str, Any]) -> Dns:
    return dns_of(fields["dns"])


#: Versions whose results have one form.
_FORMS = (("0.1.0", "0.2.0"), ("0.3.0", "0.3.1", "0.4.0"), ("1.0.0", "1.1.0"))


def prev_result(fields: dict[str, Any], failure: str = "") -> Result | None:
    """The result of the plugin before; None where there is none. Raises CniError, `failure` before its words."""
    if fields["prevResult"] is None:
        return None
    data = fields["prevResult"]
    version = fields["cniVersion"] or versions.OLDEST
    failure += "could not parse prevResult: "
    said = data.get("cniVersion") or version
    form = next((form for form in _FORMS if version in form), ())
    if isinstance(said, str) and said not in form:
        shown = " ".join(["", *form] if "0.1.0" in form else form)
        raise CniError(
            f"{failure}result type supports [{shown}] but unmarshalled CNIVersion is {gojson.quoted(said)}"
        )
    try:
        return of_data(data, version)
    except CniError as error:
        raise CniError(f"{failure}{error.msg}") from None


def args(text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """The pairs of CNI_ARGS. `known`: name → a function that reads the value, or None for text.

    A pair that is not known is an error unless IgnoreUnknown is true. Raises CniError.
    """
    found: dict[str, Any] = {}
    unknown: list[str] = []
    ignore = False
    for pair in text.split(";") if text else ():
        name, equals, value = pair.partition("=")
        if not equals or "=" in value:
            raise CniError(f"ARGS: invalid pair {gojson.quoted(pair)}")
        try:
            if name == "IgnoreUnknown":
                ignore = _boolean(value)
            elif name in known:
                reader = known[name]
                found[name] = reader(value) if reader else value
            else:
                unknown.append(gojson.quoted(pair))
        except gojson.GoJsonError as error:
            raise CniError(f"ARGS: error parsing value of pair {gojson.quoted(pair)}: {error}") from None
    if unknown and not ignore:
        raise CniError(f"ARGS: unknown args [{' '.join(unknown)}]")
    return found


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true"):
        return True
    if text.lower() in ("0", "false"):
        return False
    raise gojson.GoJsonError(f"boolean unmarshal error: invalid input {text}")
