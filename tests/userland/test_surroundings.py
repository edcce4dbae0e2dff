"""One program, in the surroundings of either kernel, sees and does the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kubenet_course import Lab
from kubenet_course.errors import KernelError
from kubenet_course.lab.topology import Topology
from kubenet_course.userland.real_surroundings import RealSurroundings
from kubenet_course.userland.streams import Capture
from kubenet_course.userland.surroundings import ProcessSurroundings, Surroundings


async def program(here: Surroundings, folder: str) -> list[Any]:
    """Everything that the shape offers, used once; what came of it."""
    seen: list[Any] = []
    done = await here.run(["cat"], stdin="text\n")
    seen.append(tuple(done))
    seen.append(tuple(await here.run(["sh", "-c", "echo $A; exit 3"], env={"A": "b", "PATH": "/usr/bin:/bin"})))
    seen.append(tuple(await here.run(["pwd"], cwd="/tmp")))
    here.mkdir(f"{folder}/a/b")
    here.mkdir(f"{folder}/a/b")
    here.write(f"{folder}/a/file", "one\n")
    here.write(f"{folder}/a/file", b"two\n", append=True)
    here.symlink("file", f"{folder}/a/link")
    seen.append((here.read(f"{folder}/a/link"), here.readlink(f"{folder}/a/link"), here.listdir(f"{folder}/a")))
    here.rename(f"{folder}/a/file", f"{folder}/a/b/moved")
    seen.append((here.exists(f"{folder}/a/link"), here.exists(f"{folder}/a/b/moved"), here.isdir(f"{folder}/a/b")))
    for attempt in (
        lambda: here.write(f"{folder}/a/b/moved", "", exclusive=True),
        lambda: here.read(f"{folder}/none"),
        lambda: here.remove(f"{folder}/none"),
        lambda: here.remove(f"{folder}/a"),
        lambda: here.listdir(f"{folder}/none"),
    ):
        with pytest.raises(KernelError) as error:
            attempt()
        seen.append(error.value.errno)
    with pytest.raises(KernelError) as error:
        await here.run(["no-such-program"])
    seen.append(error.value.errno)
    here.remove(f"{folder}/a/link")
    seen.append(here.listdir(f"{folder}/a"))
    child = here.spawn(["sh", "-c", "echo out; echo err >&2; sleep 30"], log=f"{folder}/log")
    for _ in range(200):
        if here.read(f"{folder}/log") == b"out\nerr\n":
            break
        await here.sleep(0.1)
    seen.append((child.poll(), here.read(f"{folder}/log")))
    child.kill()
    seen.append((await child.wait(), child.poll()))
    listener = await here.net.listen("127.0.0.1", 0)
    stream = await here.net.connect(*listener.local)
    other = await listener.accept()
    await stream.write(b"hello")
    seen.append(await other.read())
    stream.close()
    other.close()
    listener.close()
    seen.append((len(here.random(5)), here.time() > 1.7e9))
    return seen


def test_a_program_sees_the_same_on_both_kernels(tmp_path: Path) -> None:
    async def real() -> list[Any]:
        return await program(RealSurroundings(), str(tmp_path))  # type: ignore[arg-type]

    with Lab(Topology("one").host("host")) as lab:
        system = lab.backend.machines["host"].system
        result: list[Any] = []

        async def main(proc: Any, argv: list[str]) -> int:
            result.extend(await program(ProcessSurroundings(proc), "/tmp/x"))
            return 0

        err = Capture()
        process = system.spawn(["main"], program=main, stdout=Capture(), stderr=err)
        system.loop.run_until(process.exited)
        assert err.text() == ""
    assert result == asyncio.run(real())
