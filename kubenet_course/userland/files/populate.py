"""The files of a freshly installed minimal Debian 12 that matter for networking, and /dev.

Texts are facts in Debian's layout. What a lab wants otherwise it writes over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from kubenet_course.errno import ENOSPC
from kubenet_course.registry import text_of
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.userland.files import procfs, sysfs
from kubenet_course.userland.files.loader import image
from kubenet_course.userland.files.nodes import (
    CharDevice,
    Directory,
    Node,
    RegularFile,
    Symlink,
    UnreadDirectory,
)
from kubenet_course.userland.streams import Reader, WriteError, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree
    from kubenet_course.userland.process import Process

DIRECTORIES = """
boot dev dev/pts dev/shm:1777 etc etc/alternatives etc/apt etc/cron.d etc/default etc/init.d etc/iproute2
etc/iproute2/rt_protos.d etc/iproute2/rt_tables.d etc/network etc/network/if-up.d etc/profile.d etc/ssh
etc/ssl etc/sysctl.d home media mnt opt opt/cni opt/cni/bin proc:555 root:700 run run/lock:1777 run/netns
srv sys:555 tmp:1777 usr usr/games usr/include usr/lib usr/lib/cni usr/libexec usr/local
usr/local/bin usr/local/lib usr/local/sbin usr/local/share usr/share usr/src var var/backups
var/cache var/lib var/lib/cni var/lib/dhcp var/lib/misc var/log var/mail var/opt var/spool var/tmp:1777
usr/lib64 etc/nginx/conf.d var/log/nginx
""".split()

LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "var/run": "/run",
    "var/lock": "/run/lock",
    "etc/mtab": "/proc/mounts",
    "etc/os-release": "../usr/lib/os-release",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/sysctl.d/99-sysctl.conf": "../sysctl.conf",
    "etc/nginx/sites-enabled/default": "/etc/nginx/sites-available/default",
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
}

FILES = {
    "usr/lib/os-release": """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
""",
    "etc/debian_version": "12.11\n",
    "etc/issue": "Debian GNU/Linux 12 \\n \\l\n\n",
    "etc/host.conf": "multi on\n",
    "etc/networks": "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n",
    "etc/resolv.conf": "",
    "etc/fstab": "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n",
    "etc/shells": "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n",
    "etc/sysctl.conf": "# Settings applied at boot; see sysctl.d(5).\n#net.ipv4.ip_forward=1\n",
    "etc/nsswitch.conf": """# /etc/nsswitch.conf
passwd:         files
group:          files
shadow:         files
gshadow:        files

hosts:          files dns
networks:       files

protocols:      db files
services:       db files
ethers:         db files
rpc:            db files

netgroup:       nis
""",
    "etc/iproute2/rt_tables": """#
# reserved values
#
255\tlocal
254\tmain
253\tdefault
0\tunspec
#
# local
#
#1\tinr.ruhep
""",
    "etc/iproute2/rt_protos": """#
# Reserved protocols.
#
0\tunspec
1\tredirect
2\tkernel
3\tboot
4\tstatic
8\tgated
9\tra
10\tmrt
11\tzebra
12\tbird
13\tdnrouted
14\txorp
15\tntk
16\tdhcp
18\tkeepalived
42\tbabel
99\topenr
186\tbgp
187\tisis
188\tospf
189\trip
192\teigrp
""",
    "etc/iproute2/rt_scopes": """#
# reserved values
#
0\tglobal
255\tnowhere
254\thost
253\tlink
#
# pseudo-reserved
#
200\tsite
""",
    "etc/iproute2/rt_realms": "#\n# reserved values\n#\n0\tcosmos\n",
    "etc/iproute2/rt_dsfield": "0x0\tdefault\n0x28\tAF11\n0x30\tAF12\n0x38\tAF13\n0x48\tAF21\n0x50\tAF22\n"
    "0x58\tAF23\n0x68\tAF31\n0x70\tAF32\n0x78\tAF33\n0x88\tAF41\n0x90\tAF42\n0x98\tAF43\n0x20\tCS1\n"
    "0x40\tCS2\n0x60\tCS3\n0x80\tCS4\n0xA0\tCS5\n0xC0\tCS6\n0xE0\tCS7\n0xB8\tEF\n",
    "etc/iproute2/group": "# device group names\n0\tdefault\n",
    "etc/passwd": """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
""",
    "etc/group": """root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
www-data:x:33:
users:x:100:
nogroup:x:65534:
""",
    "etc/profile": "# /etc/profile: what login shells read\n",
    "etc/bash.bashrc": "# /etc/bash.bashrc: what interactive shells read\n",
    "root/.bashrc": "# ~/.bashrc: what interactive shells read\n",
    "root/.profile": "# ~/.profile: what login shells read\n",
    "usr/share/zoneinfo/Etc/UTC": "",
    "var/log/wtmp": "",
}

#: Files with the machine's name in them.
OWN_FILES = {
    "etc/hostname": "{0}\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\t{0}\n\n"
    "# The following lines are desirable for IPv6 capable hosts\n"
    "::1     localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n",
}

#: Programs that Debian puts into /usr/sbin.
SBIN = frozenset(
    """arp arptables bridge brctl chroot conntrack dnsmasq ebtables ethtool haproxy ifconfig ifdown
    ifup init ip6tables ip6tables-restore ip6tables-save iptables iptables-legacy
    iptables-legacy-restore iptables-legacy-save iptables-nft iptables-nft-save iptables-restore
    iptables-save iptables-translate ip6tables-legacy ip6tables-nft ipset ipvsadm ipvsadm-restore
    ipvsadm-save ipmaddr iptunnel mii-tool modprobe nameif nft nginx nologin ovs-vswitchd plipconfig
    rarp route rtacct rtmon service slattach sshd sysctl tc tcptraceroute
    traceroute vconfig xtables-monitor""".split()
)


#: Folders of plugins: what their programs' names begin with, and where the files are that it links to.
PLUGINS = {"usr/lib/cni": ("cni/", ""), "opt/cni/bin": ("cni/", "/usr/lib/cni")}


@lru_cache(1)
def _netdb() -> dict[str, str]:
    """/etc/services and /etc/protocols as text."""
    raw = json.loads(text_of("kubenet_course.userland.files", "netdb.json"))
    return {
        "etc/services": "".join(_columns(line) for line in raw["services"]),
        "etc/protocols": "".join(_columns(line) for line in raw["protocols"]),
    }


@lru_cache(1)
def _daemon_files() -> dict[str, str]:
    """What Debian's nginx package brings: its configuration and its pages."""
    return json.loads(text_of("kubenet_course.userland.daemons", "nginx/files.json"))


@lru_cache(1)
def _same_everywhere() -> dict[str, bytes]:
    """Path → content of the files that every machine begins with; machines share the bytes."""
    return {path: text.encode() for path, text in {**FILES, **_netdb(), **_daemon_files()}.items()}


def _columns(line: str) -> str:
    name, number, *aliases = line.split()
    tabs = "\t" if len(name) >= 8 else "\t\t"
    return f"{name}{tabs}{number}" + (f"\t\t{' '.join(aliases)}" if aliases else "") + "\n"


#: Where programs lie.
PROGRAM_FOLDERS = ("usr/bin", "usr/sbin", *PLUGINS)


def populate(tree: FileTree) -> None:
    """Fill the root directory; the others are filled when somebody first looks into them."""
    image = _image(tuple(tree.system.programs))
    tree.fill_root(_fill(tree, image.root), image.root.nlink, image.last_ino)


class _Image:
    """What every machine with the same programs begins with: a tree of nodes to make its own after."""

    def __init__(self, programs: tuple[str, ...]):
        self.root = Directory(ino=1)
        self.last_ino = 1
        for entry in DIRECTORIES:
            path, _, mode = entry.partition(":")
            self._put(path, Directory(int(mode or "755", 8)))
        for path, target in LINKS.items():
            self._put(path, Symlink(target))
        for path, data in _same_everywhere().items():
            self._put(path, RegularFile(data))
        for path, text in OWN_FILES.items():
            self._put(path, _Own(partial(_own_file, text=text)))
        for where in PROGRAM_FOLDERS:
            # Their programs' inode numbers are set aside, so it makes no difference which are asked for first.
            folder = partial(_ProgramDirectory, where=where, names=_numbered(programs, where), first_ino=self.last_ino + 1)
            self.last_ino += len(programs) + 1
            self._put(where, _Own(folder, is_directory=True))
        for path, make in _DEVICES.items():
            self._put(path, _Own(make))
        self._put("proc", _Own(procfs.root, is_directory=True))
        self._put("sys", _Own(sysfs.root, is_directory=True))

    def _put(self, path: str, node: Node) -> None:
        here = self.root
        *parents, name = path.split("/")
        for part in parents:
            child = here.entries.get(part)
            if child is None:
                child = Directory(ino=self._new_ino())
                here.entries[part] = child
                here.nlink += 1
            assert isinstance(child, Directory), path
            here = child
        node.ino = self._new_ino()
        here.entries[name] = node
        if isinstance(node, Directory) or isinstance(node, _Own) and node.is_directory:
            here.nlink += 1

    def _new_ino(self) -> int:
        self.last_ino += 1
        return self.last_ino


_image = lru_cache(8)(_Image)


class _Own(Node):
    """In an image: what each machine has its own of."""

    __slots__ = ("make", "is_directory")

    def __init__(self, make: Callable[[FileTree], Node], is_directory: bool = False):
        super().__init__()
        self.make = make
        self.is_directory = is_directory


def _own_file(tree: FileTree, text: str) -> RegularFile:
    return RegularFile(text.format(tree.system.host.hostname).encode())


def _fill(tree: FileTree, folder: Directory) -> dict[str, Node]:
    """A machine's own nodes after those of an image's directory."""
    made: dict[str, Node] = {}
    for name, node in folder.entries.items():
        if isinstance(node, RegularFile):
            own: Node = RegularFile(node.read(None), ino=node.ino)
        elif isinstance(node, Symlink):
            own = Symlink(node.target, ino=node.ino)
        elif isinstance(node, Directory):
            own = UnreadDirectory(node.mode, node.ino, node.nlink, partial(_fill, tree, node))
        else:
            assert isinstance(node, _Own)
            own = node.make(tree)
            own.ino = node.ino
        made[name] = own
    return made


def _numbered(programs: tuple[str, ...], where: str) -> dict[str, int]:
    """The names of the files in a folder of programs, in order."""
    if where in PLUGINS:
        prefix = PLUGINS[where][0]
        names = [name[len(prefix) :] for name in programs if name.startswith(prefix)]
    else:
        names = [name for name in programs if "/" not in name and (name in SBIN) == (where == "usr/sbin")]
    return {name: number for number, name in enumerate(sorted(names))}


class _ProgramDirectory(Directory):
    """/usr/bin, /usr/sbin or a folder of plugins: a file comes about when somebody first asks for it, all of
    them when somebody looks at the folder, so that a machine costs less.

    `names` are the programs', with their numbers, which are added to `first_ino`.
    """

    __slots__ = ("_all", "_made", "_names", "_sbin", "_first_ino", "_prefix", "_target")
    computed = True

    def __init__(self, tree: FileTree, *, where: str, names: dict[str, int], first_ino: int):
        self._made: dict[str, Node] = {}
        self._all = True
        self._sbin = where == "usr/sbin"
        self._prefix, self._target = PLUGINS.get(where, ("", ""))
        self._names = names
        super().__init__()
        self._all = False
        self._first_ino = first_ino

    def get(self, name: str, proc: Process | None) -> Node | None:
        node = self._made.get(name)
        if node is None and not self._all and (name in self._names or (self._sbin and name == "ip")):
            node = self._made[name] = self._make(name)
        return node

    def _make(self, name: str) -> Node:
        if self._sbin and name == "ip":
            return Symlink("/bin/ip", ino=self._first_ino + len(self._names))
        if self._target:
            return Symlink(f"{self._target}/{name}", ino=self._first_ino + self._names[name])
        return RegularFile(image(self._prefix + name), 0o755, ino=self._first_ino + self._names[name])

    @property
    def entries(self) -> dict[str, Node]:  # type: ignore[override]
        if not self._all:
            names = [*self._names, *(["ip"] if self._sbin and "ip" not in self._names else [])]
            self._made = {name: self._made.get(name) or self._make(name) for name in names}
            self._all = True
        return self._made

    @entries.setter
    def entries(self, value: dict[str, Node]) -> None:
        self._made = value


class _Endless(Reader):
    """/dev/zero and /dev/urandom. A millisecond passes for every read, so that a program that
    copies them for ever comes to the end of the time it was given."""

    def __init__(self, tree: FileTree, make: Callable[[int], bytes]):
        self.loop = tree.system.loop
        self.make = make

    async def read(self, size: int = -1) -> bytes:
        await self.loop.sleep(MILLISECOND)
        return self.make(1 << 16 if size < 0 else min(size, 4096))

    async def readline(self) -> bytes:
        return await self.read(4096)


def _null_reader(proc: Process | None) -> Reader:
    return Reader()


def _terminal_out(proc: Process | None) -> Writer:
    return proc.stdout.add_writer() if proc else Writer()


def _random_device(tree: FileTree, minor: int) -> CharDevice:
    source = tree.system.host.random
    return CharDevice((1, minor), lambda proc: _Endless(tree, source.randbytes), read=lambda proc: source.randbytes(4096))


class _FullWriter(Writer):
    """/dev/full: every write fails with ENOSPC."""

    def write(self, data: bytes) -> None:
        if data:
            raise WriteError(ENOSPC)


def _full(proc: Process | None) -> Writer:
    return _FullWriter()


_DEVICES: dict[str, Callable[[FileTree], Node]] = {
    "dev/null": lambda tree: CharDevice((1, 3), _null_reader),
    "dev/zero": lambda tree: CharDevice((1, 5), lambda proc: _Endless(tree, bytes), read=lambda proc: bytes(4096)),
    "dev/full": lambda tree: CharDevice((1, 7), lambda proc: _Endless(tree, bytes), _full),
    "dev/random": lambda tree: _random_device(tree, 8),
    "dev/urandom": lambda tree: _random_device(tree, 9),
    "dev/tty": lambda tree: CharDevice((5, 0), _null_reader, _terminal_out),
    "dev/console": lambda tree: CharDevice((5, 1), _null_reader),
}
