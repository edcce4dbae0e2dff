"""systemctl and service, for the one unit that the lab manages: docker.

    systemctl start|stop|restart|reload|status|is-active docker        service docker start|stop|restart|status

Everything else is the machine's own program's business (`program` passes it on).
"""

from __future__ import annotations

from kubenet_course.docker import daemon
from kubenet_course.docker.store import FAILED, PID_FILE, SOCKET, Store
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

UNITS = ("docker", "docker.service", "docker.socket")
VERBS = ("start", "stop", "restart", "reload", "status", "is-active", "try-restart", "force-reload")
OWN = {"systemctl": "/usr/bin/systemctl", "service": "/usr/sbin/service"}
STOP_SECONDS = 60.0
FAILURE = (
    "Job for docker.service failed because the control process exited with error code.\n"
    'See "systemctl status docker.service" and "journalctl -xeu docker.service" for details.\n'
)


def verb_of(argv: list[str]) -> str:
    """What is asked of docker; "" if the command line is about something else."""
    words = [word for word in argv[1:] if not word.startswith("-")]
    if argv[0].rpartition("/")[2] == "service":
        words = words[::-1]
    if len(words) == 2 and words[0] in VERBS and words[1] in UNITS:
        return words[0]
    return ""


async def program(here: Surroundings, argv: list[str]) -> int:
    verb = verb_of(argv)
    name = argv[0].rpartition("/")[2]
    if not verb:
        done = await here.run([OWN[name], *argv[1:]])
        here.out(done.stdout)
        here.err(done.stderr)
        return done.returncode
    return await manage(here, verb, name == "service")


async def manage(here: Surroundings, verb: str, script: bool) -> int:
    """Do it; `script`: say what the init script says."""
    store = Store(here)
    if verb == "is-active":
        here.out("active\n" if daemon.running(store) else "inactive\n")
        return 0 if daemon.running(store) else 3
    if verb == "status":
        return _status(here, store, script)
    if verb == "reload":
        return 0
    if verb != "start":
        if script:
            here.out("Stopping Docker: docker.\n")
        await _stop(here, store)
    if verb == "stop":
        return 0
    if script:
        here.out("Starting Docker: docker.\n")
    if await daemon.ensure(here):
        return 0
    try:
        reason = here.read(FAILED).decode()
    except KernelError:
        reason = "it does not answer"
    here.err(f"{reason}\n" if script else FAILURE)
    return 1


async def _stop(here: Surroundings, store: Store) -> None:
    if not daemon.running(store):
        return
    await here.run(["kill", here.read(PID_FILE).decode().strip()])
    waited = 0.0
    while here.exists(PID_FILE) and waited < STOP_SECONDS:
        await here.sleep(0.01)
        waited += 0.01
    store.remove_tree(SOCKET)


def _status(here: Surroundings, store: Store, script: bool) -> int:
    running = daemon.running(store)
    if script:
        here.out("Docker is running.\n" if running else "Docker is not running.\n")
        return 0 if running else 3
    mark, state = ("●", "active (running)") if running else ("○", "inactive (dead)")
    here.out(
        f"{mark} docker.service - Docker Application Container Engine\n"
        "     Loaded: loaded (/lib/systemd/system/docker.service; enabled; preset: enabled)\n"
        f"     Active: {state}\nTriggeredBy: ● docker.socket\n       Docs: https://docs.docker.com\n"
    )
    if running:
        here.out(f"   Main PID: {here.read(PID_FILE).decode().strip()} (dockerd)\n")
    return 0 if running else 3
