"""Attaching a container to a network: `Runtime.add`, `check`, `delete`, `gc`, `status`, `version`.

ADD calls the plugins of a list one after the other, each with the result of the one before (prevResult);
DEL calls them from the last to the first with the result that was kept; CHECK in the order of ADD. What
ADD gave is kept in /var/lib/cni/results/NETWORK-CONTAINER-INTERFACE until DEL.

# CNI SPEC 1.1, section 3 "Execution of Network Configurations"; containernetworking/cni libcni/api.go
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubenet_course.cni import gojson, invoke, versions
from kubenet_course.cni.errors import CniError, RuntimeFailure
from kubenet_course.cni.result import Result, of_data, of_text, to_data
from kubenet_course.cni.runtime.configs import NetworkConfigList, PluginConfig
from kubenet_course.cni.skel import (
    validate_container_id,
    validate_interface_name,
    validate_network_name,
)
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

CACHE = "/var/lib/cni"
KIND = "cniCacheV1"

_VERSIONS = gojson.Struct(
    "pluginInfo", {"cniVersion": gojson.STRING, "supportedVersions": gojson.ListOf(gojson.STRING)}, go="version.pluginInfo"
)


@dataclass
class Attachment:
    """One container's interface in a network, as a runtime names it (libcni's RuntimeConf).

    `args` become CNI_ARGS; of `capability_args` a plugin gets what its configuration's capabilities name.
    """

    container_id: str
    netns: str
    ifname: str
    args: list[tuple[str, str]] = field(default_factory=list)
    capability_args: dict[str, Any] = field(default_factory=dict)


class Runtime:
    """Calls plugins that lie in `path`; `cache` is the folder where results are kept."""

    def __init__(self, here: Surroundings, path: Iterable[str], cache: str = CACHE):
        self.here = here
        self.path = list(path)
        self.cache = cache

    # -- one plugin -------------------------------------------------------------------------
    def _environment(self, command: str, attachment: Attachment | None) -> dict[str, str]:
        item = attachment or Attachment("", "", "")
        pairs = ";".join(f"{key}={value}" for key, value in item.args)
        return {
            **self.here.env,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": item.container_id,
            "CNI_NETNS": item.netns,
            "CNI_ARGS": pairs,
            "CNI_IFNAME": item.ifname,
            "CNI_PATH": ":".join(self.path),
        }

    async def _execute(
        self, command: str, plugin: PluginConfig, inject: Mapping[str, Any], attachment: Attachment | None
    ) -> tuple[str, bytes]:
        """Call one plugin: (what it printed, the configuration it got). Raises CniError."""
        path = invoke.find(self.here, plugin.type, self.path)
        if command == "ADD" and attachment is not None:
            validate_container_id(attachment.container_id)
            validate_network_name(str(inject["name"]))
            validate_interface_name(attachment.ifname)
        data = {**plugin.data, **inject}
        given = attachment.capability_args if attachment else {}
        runtime_config = {name: given[name] for name in plugin.capabilities if name in given}
        if runtime_config:
            data["runtimeConfig"] = runtime_config
        stdin = gojson.dumps(data, indent=None, sort_keys=True).encode()
        return await invoke.execute(self.here, path, stdin, self._environment(command, attachment)), stdin

    @staticmethod
    def _inject(config: NetworkConfigList, before: Result | None) -> dict[str, Any]:
        inject: dict[str, Any] = {"name": config.name, "cniVersion": config.version}
        if before is not None:
            inject["prevResult"] = to_data(before, config.version)
        return inject

    # -- the operations ---------------------------------------------------------------------
    async def add(self, config: NetworkConfigList, attachment: Attachment) -> Result:
        """Attach. Raises RuntimeFailure; plugins that were called before the failing one stay called."""
        result: Result | None = None
        for plugin in config.plugins:
            try:
                text, _ = await self._execute("ADD", plugin, self._inject(config, result), attachment)
                result = of_text(text, config.version)
            except CniError as error:
                raise RuntimeFailure(f"plugin {plugin.described} failed (add): {error}", error) from None
        result = result or Result()
        try:
            self._remember(config, attachment, result)
        except (KernelError, CniError) as failure:
            shown = failure.strerror.lower() if isinstance(failure, KernelError) else failure
            raise RuntimeFailure(
                f"failed to set network {gojson.quoted(config.name)} cached result: {shown}"
            ) from None
        return result

    async def check(self, config: NetworkConfigList, attachment: Attachment) -> None:
        """Whether all is as ADD left it. Raises RuntimeFailure."""
        if not _at_least(config.version, "0.4.0"):
            raise RuntimeFailure(
                f"configuration version {gojson.quoted(config.version)} does not support the CHECK command"
            )
        if config.disable_check:
            return
        before = self.cached_result(config, attachment)
        for plugin in config.plugins:
            try:
                await self._execute("CHECK", plugin, self._inject(config, before), attachment)
            except CniError as error:
                raise RuntimeFailure(str(error), error) from None

    async def delete(self, config: NetworkConfigList, attachment: Attachment) -> None:
        """Detach; again and again if need be. Raises RuntimeFailure."""
        before = None
        if _at_least(config.version, "0.4.0"):
            try:
                before = self.cached_result(config, attachment)
            except RuntimeFailure:
                self._forget(config, attachment)
        for plugin in reversed(config.plugins):
            try:
                await self._execute("DEL", plugin, self._inject(config, before), attachment)
            except CniError as error:
                raise RuntimeFailure(f"plugin {plugin.described} failed (delete): {error}", error) from None
        self._forget(config, attachment)

    async def gc(self, config: NetworkConfigList, valid: Iterable[tuple[str, str]] = ()) -> None:
        """Detach everything but `valid` (container id, interface), then have plugins look for leftovers."""
        if config.disable_gc:
            return
        keep = set(valid)
        problems = []
        for attachment in self.attachments(config.name):
            if (attachment.container_id, attachment.ifname) in keep:
                continue
            try:
                await self.delete(config, attachment)
            except RuntimeFailure as error:
                problems.append(
                    f"failed to delete stale attachment {attachment.container_id} {attachment.ifname}: {error}"
                )
        if _at_least(config.version, "1.1.0"):
            inject = self._inject(config, None)
            inject["cni.dev/valid-attachments"] = [
                {"containerID": container_id, "ifname": ifname} for container_id, ifname in sorted(keep)
            ]
            for plugin in config.plugins:
                try:
                    await self._execute("GC", plugin, inject, None)
                except CniError as error:
                    problems.append(f"failed to GC plugin {plugin.type}: {error}")
        if problems:
            raise RuntimeFailure("\n".join(problems))

    async def status(self, config: NetworkConfigList) -> None:
        """Whether the network's plugins could serve an ADD. Raises RuntimeFailure."""
        if not _at_least(config.version, "1.1.0"):
            return
        for plugin in config.plugins:
            try:
                await self._execute("STATUS", plugin, self._inject(config, None), None)
            except CniError as error:
                raise RuntimeFailure(str(error), error) from None

    async def plugin_versions(self, name: str) -> list[str]:
        """Which versions a plugin supports. Raises CniError."""
        path = invoke.find(self.here, name, self.path)
        env = {**self._environment("VERSION", Attachment("", "dummy", "dummy")), "CNI_PATH": "dummy"}
        return versions_said(await invoke.execute(self.here, path, b'{"cniVersion":"%s"}' % versions.CURRENT.encode(), env))

    async def validate(self, config: NetworkConfigList) -> list[str]:
        """Whether every plugin is there and of the list's version; the capabilities. Raises RuntimeFailure."""
        problems, capabilities = [], []
        version = config.version or versions.OLDEST
        for plugin in config.plugins:
            try:
                if version not in await self.plugin_versions(plugin.type):
                    problems.append(
                        f"plugin {plugin.type} does not support config version {gojson.quoted(version)}"
                    )
            except CniError as error:
                problems.append(str(error))
            capabilities += plugin.capabilities
        if problems:
            raise RuntimeFailure(f"[{' '.join(problems)}]")
        return sorted(set(capabilities))

    # -- what is remembered -----------------------------------------------------------------
    def _file(self, network: str, attachment: Attachment) -> str:
        return f"{self.cache}/results/{network}-{attachment.container_id}-{attachment.ifname}"

    def _remember(self, config: NetworkConfigList, attachment: Attachment, result: Result) -> None:
        data: dict[str, Any] = {
            "kind": KIND,
            "containerId": attachment.container_id,
            "config": base64.b64encode(config.text).decode(),
            "ifName": attachment.ifname,
            "networkName": config.name,
        }
        if attachment.netns:
            data["netns"] = attachment.netns
        if attachment.args:
            data["cniArgs"] = [list(pair) for pair in attachment.args]
        if attachment.capability_args:
            data["capabilityArgs"] = attachment.capability_args
        raw = to_data(result, config.version)
        data["result"] = json.loads(json.dumps(raw, sort_keys=True))
        self.here.mkdir(f"{self.cache}/results")
        self.here.write(self._file(config.name, attachment), gojson.dumps(data, indent=None), mode=0o600)

    def _forget(self, config: NetworkConfigList, attachment: Attachment) -> None:
        path = self._file(config.name, attachment)
        if self.here.exists(path):
            self.here.remove(path)

    def cached_result(self, config: NetworkConfigList, attachment: Attachment) -> Result | None:
        """What ADD gave; None where nothing is kept. Raises RuntimeFailure."""
        path = self._file(config.name, attachment)
        if not self.here.exists(path):
            return None
        try:
            data = gojson.loads(self.here.read(path))
            if isinstance(data, dict) and data.get("kind") == KIND:
                data = data.get("result") or {}
            return of_data(data, data.get("cniVersion", "") if isinstance(data, dict) else "")
        except (gojson.GoJsonError, CniError) as error:
            raise RuntimeFailure(
                f"failed to get network {gojson.quoted(config.name)} cached result: {error}"
            ) from None

    def attachments(self, network: str = "") -> list[Attachment]:
        """Every attachment that is kept, of one network or of all."""
        folder = f"{self.cache}/results"
        found = []
        for name in self.here.listdir(folder) if self.here.isdir(folder) else ():
            try:
                data = gojson.loads(self.here.read(f"{folder}/{name}"))
                base64.b64decode(data["config"])
                item = Attachment(
                    data["containerId"],
                    data.get("netns", ""),
                    data["ifName"],
                    [(key, value) for key, value in data.get("cniArgs", ())],
                    data.get("capabilityArgs") or {},
                )
            except (gojson.GoJsonError, KeyError, TypeError, ValueError, binascii.Error):
                continue  # not one of ours
            if data.get("kind") == KIND and network in ("", data.get("networkName")):
                found.append(item)
        return found


def versions_said(text: str) -> list[str]:
    """The versions in what a plugin prints for VERSION. Raises CniError."""
    try:
        fields = gojson.decode(text, _VERSIONS)
    except gojson.GoJsonError as error:
        raise CniError(f"decoding version info: {error}") from None
    if not fields["cniVersion"]:
        raise CniError("decoding version info: missing field cniVersion")
    if fields["supportedVersions"]:
        return list(fields["supportedVersions"])
    if fields["cniVersion"] != "0.2.0":
        raise CniError("decoding version info: missing field supportedVersions")
    return ["0.1.0", "0.2.0"]


def _at_least(version: str, other: str) -> bool:
    try:
        return versions.at_least(version, other)
    except versions.VersionError as error:
        raise RuntimeFailure(str(error)) from None
