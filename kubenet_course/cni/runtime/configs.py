"""Network configurations as a runtime reads them from /etc/cni/net.d.

A ``.conflist`` is a list of plugins; a ``.conf`` or ``.json`` is one plugin, which becomes a list of one.
Files are read in the order of their names, lists first; the first of the wanted name is taken. Unless
`loadOnlyInlinedPlugins` is true, plugins are added from ``NAME/*.conf`` beside the list.

# containernetworking/cni libcni/conf.go
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.cni import gojson, versions
from kubenet_course.cni.errors import RuntimeFailure
from kubenet_course.cni.gojson import BOOL, STRING, MapOf, Struct
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

_PLUGIN = Struct(
    "PluginConf",
    {
        "cniVersion": STRING,
        "name": STRING,
        "type": STRING,
        "capabilities": MapOf(BOOL, go="map[string]bool"),
    },
)
_LIST = "error parsing configuration list: "


@dataclass
class PluginConfig:
    """One plugin's configuration: all of it, and what the runtime itself reads."""

    data: dict[str, Any]
    type: str
    name: str = ""
    version: str = ""
    capabilities: list[str] = field(default_factory=list)

    @property
    def described(self) -> str:
        name = f" name={gojson.quoted(self.name)}" if self.name else ""
        return f"type={gojson.quoted(self.type)}{name}"


@dataclass
class NetworkConfigList:
    """A network: its plugins in the order of ADD. `text` is the file's."""

    name: str
    version: str
    plugins: list[PluginConfig]
    text: bytes = b""
    disable_check: bool = False
    disable_gc: bool = False
    only_inlined: bool = False


def _type_name(value: Any) -> str:
    """%T of what encoding/json makes of a value."""
    if value is None:
        return "<nil>"
    names = {bool: "bool", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), "float64")


def plugin_of(data: Any) -> PluginConfig:
    """One plugin's configuration. Raises RuntimeFailure."""
    try:
        fields = gojson.shape_of(data, _PLUGIN)
    except gojson.GoJsonError as error:
        raise RuntimeFailure(f"error parsing configuration: {error}") from None
    if not fields["type"]:
        raise RuntimeFailure("error parsing configuration: missing 'type'")
    wanted = [name for name, on in (fields["capabilities"] or {}).items() if on]
    return PluginConfig(dict(data), fields["type"], fields["name"], fields["cniVersion"], wanted)


def _boolean(data: dict[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise RuntimeFailure(f"{_LIST}invalid type {_type_name(value)} for {key}")
    if value.lower() not in ("true", "false"):
        raise RuntimeFailure(f"{_LIST}invalid value {gojson.quoted(value.lower())} for {key}")
    return value.lower() == "true"


def _version(data: dict[str, Any]) -> str:
    """The highest version of `cniVersion` and `cniVersions` that this runtime knows."""
    said = data.get("cniVersion", "")
    if not isinstance(said, str):
        raise RuntimeFailure(f"{_LIST}invalid cniVersion type {_type_name(said)}")
    if "cniVersions" not in data:
        return said
    several = data["cniVersions"]
    if not isinstance(several, list):
        raise RuntimeFailure(f"{_LIST}invalid type for cniVersions: {_type_name(several)}")
    known = []
    for number, item in enumerate([*several, *([said] if said else [])]):
        if not isinstance(item, str):
            raise RuntimeFailure(f"{_LIST}invalid type for cniVersions index {number}: {_type_name(item)}")
        try:
            if not versions.at_least(item, versions.CURRENT) or item == versions.CURRENT:
                known.append(item)
        except versions.VersionError as error:
            raise RuntimeFailure(
                f"{_LIST}invalid cniVersions entry {item} at index {number}: {error}"
            ) from None
    return max(known, key=versions.parse) if known else said


def list_of_text(text: bytes) -> NetworkConfigList:
    """A configuration list. Raises RuntimeFailure."""
    try:
        data = gojson.loads(text)
    except gojson.GoJsonError as error:
        raise RuntimeFailure(f"{_LIST}{error}") from None
    if not isinstance(data, dict):
        kind = gojson._value_name(data)
        raise RuntimeFailure(
            f"{_LIST}json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )
    if "name" not in data:
        raise RuntimeFailure(f"{_LIST}no name")
    if not isinstance(data["name"], str):
        raise RuntimeFailure(f"{_LIST}invalid name type {_type_name(data['name'])}")
    found = NetworkConfigList(
        data["name"],
        _version(data),
        [],
        text,
        _boolean(data, "disableCheck"),
        _boolean(data, "disableGC"),
        _boolean(data, "loadOnlyInlinedPlugins"),
    )
    if "plugins" not in data:
        if found.only_inlined:
            raise RuntimeFailure(f"{_LIST}`loadOnlyInlinedPlugins` is true, and no 'plugins' key")
        return found
    plugins = data["plugins"]
    if not isinstance(plugins, list):
        raise RuntimeFailure(f"{_LIST}invalid 'plugins' type {_type_name(plugins)}")
    if not plugins:
        raise RuntimeFailure(f"{_LIST}no plugins in list")
    for number, item in enumerate(plugins):
        try:
            found.plugins.append(plugin_of(item))
        except RuntimeFailure as error:
            raise RuntimeFailure(f"failed to parse plugin config {number}: {error}") from None
    return found


def of_plugin(plugin: PluginConfig) -> NetworkConfigList:
    """A single plugin's configuration as a list of one."""
    data = {"cniVersion": plugin.version, "name": plugin.name, "plugins": [plugin.data]}
    text = gojson.dumps(data, indent=None, sort_keys=True).encode()
    return NetworkConfigList(plugin.name, plugin.version, [plugin], text)


# -- files ----------------------------------------------------------------------------------------
def _read(here: Surroundings, path: str) -> bytes:
    try:
        return here.read(path)
    except KernelError as error:
        raise RuntimeFailure(f"error reading {path}: open {path}: {error.strerror.lower()}") from None


def files(here: Surroundings, folder: str, *endings: str) -> list[str]:
    """Paths in a folder by ending, in order; none where there is no such folder."""
    if not here.isdir(folder):
        return []
    paths = [f"{folder.rstrip('/')}/{name}" for name in here.listdir(folder) if name.endswith(endings)]
    return sorted(path for path in paths if not here.isdir(path))


def list_of_file(here: Surroundings, path: str) -> NetworkConfigList:
    """The list in a file, with the plugins beside it. Raises RuntimeFailure."""
    found = list_of_text(_read(here, path))
    if not found.only_inlined:
        for other in files(here, f"{path.rpartition('/')[0]}/{found.name}", ".conf"):
            found.plugins.append(_plugin_of_text(_read(here, other)))
    if not found.plugins:
        raise RuntimeFailure("no plugin configs found")
    return found


def _plugin_of_text(text: bytes) -> PluginConfig:
    try:
        return plugin_of(gojson.loads(text))
    except gojson.GoJsonError as error:
        raise RuntimeFailure(f"error parsing configuration: {error}") from None


def load(here: Surroundings, folder: str, name: str) -> NetworkConfigList:
    """The network of that name. Raises RuntimeFailure, also where another file before it is wrong."""
    lists = files(here, folder, ".conflist")
    for path in lists:
        found = list_of_file(here, path)
        if found.name == name:
            return found
    singles = files(here, folder, ".conf", ".json")
    if not lists and not singles:
        raise RuntimeFailure(f"no net configurations found in {folder}")
    for path in singles:
        plugin = _plugin_of_text(_read(here, path))
        if plugin.name == name:
            return of_plugin(plugin)
    raise RuntimeFailure(f'no net configuration with name "{name}" in {folder}')
