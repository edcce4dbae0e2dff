"""Finding and running a plugin: by a runtime, or by a plugin that hands something on to another.

# CNI SPEC 1.1, section 4 "Plugin delegation"; containernetworking/cni pkg/invoke
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubenet_course.cni import gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import Result, of_text
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Finished, Surroundings

_ERROR = gojson.Struct(
    "Error", {"code": gojson.UINT, "msg": gojson.STRING, "details": gojson.STRING}, go="types.Error"
)


def search_path(text: str) -> list[str]:
    """The folders of a CNI_PATH."""
    return text.split(":") if text else []


def find(here: Surroundings, name: str, folders: Sequence[str]) -> str:
    """The path of a plugin. Raises CniError."""
    if not name:
        raise CniError("no plugin name provided", 0)
    if "/" in name:
        raise CniError(f"invalid plugin name: {name}", 0)
    if not folders:
        raise CniError("no paths provided", 0)
    for folder in folders:
        path = f"{folder.rstrip('/') or ('/' if folder else '.')}/{name}"
        if here.exists(path) and not here.isdir(path):
            return path
    raise CniError(f"failed to find plugin {gojson.quoted(name)} in path [{' '.join(folders)}]")


def _status(done: Finished) -> str:
    if done.returncode > 128:
        return f"signal: {_SIGNALS.get(done.returncode - 128, done.returncode - 128)}"
    return f"exit status {done.returncode}"


_SIGNALS = {2: "interrupt", 6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}


def failure(done: Finished) -> CniError:
    """What a plugin that failed said; its error object where it printed one."""
    if not done.stdout:
        if not done.stderr:
            return CniError(f"netplugin failed with no error message: {_status(done)}", 0)
        return CniError(f"netplugin failed: {gojson.quoted(done.stderr)}: {_status(done)}", 0)
    try:
        fields = gojson.decode(done.stdout, _ERROR)
    except gojson.GoJsonError as error:
        return CniError(
            f"netplugin failed but error parsing its diagnostic message {gojson.quoted(done.stdout)}: {error}",
            0,
        )
    return CniError(fields["msg"], fields["code"], fields["details"])


async def execute(here: Surroundings, path: str, stdin: bytes, env: Mapping[str, str]) -> str:
    """Run a plugin; what it printed. Raises CniError. What it wrote to standard error goes to ours."""
    try:
        done = await here.run([path], stdin=stdin, env=env)
    except KernelError as error:
        words = error.strerror.lower()
        raise CniError(f"netplugin failed with no error message: fork/exec {path}: {words}", 0) from None
    if done.returncode:
        raise failure(done)
    if done.stderr:
        here.err(done.stderr)
    return done.stdout


async def delegate(here: Surroundings, name: str, stdin: bytes, command: str) -> str:
    """Call another plugin for the same attachment, with the environment of this call."""
    try:
        path = find(here, name, search_path(here.env.get("CNI_PATH", "")))
    except CniError as error:
        raise CniError(error.msg) from None
    return await execute(here, path, stdin, {**here.env, "CNI_COMMAND": command})


async def ipam_add(here: Surroundings, name: str, stdin: bytes, version: str) -> Result:
    """Ask an address management plugin; its result. Raises CniError."""
    return of_text(await delegate(here, name, stdin, "ADD"), version or versions.OLDEST)


async def ipam_delete(here: Surroundings, name: str, stdin: bytes) -> None:
    await delegate(here, name, stdin, "DEL")


async def ipam_check(here: Surroundings, name: str, stdin: bytes) -> None:
    await delegate(here, name, stdin, "CHECK")


async def ipam_other(here: Surroundings, name: str, stdin: bytes, command: str) -> None:
    """GC or STATUS, where a configuration has address management."""
    if name:
        await delegate(here, name, stdin, command)


async def ipam_release_quietly(here: Surroundings, name: str, stdin: bytes) -> None:
    """After a failed ADD: what was given is given back; what goes wrong now is not what is to be told."""
    try:
        await ipam_delete(here, name, stdin)
    except CniError:
        return
