"""The file tree: paths, links, mounts, /proc and /sys."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory, FileView, NetnsFile, VirtualFile
from kubenet_course.userland.files.procfs import netns_file
from kubenet_course.userland.system import System
from tests.userland.machines import machine, run


@pytest.fixture
def system() -> System:
    return machine()


@pytest.fixture
def view(system: System) -> FileView:
    return system.files.view


#: operation → errno
ERRORS = [
    (lambda v: v.read("/nope"), errno.ENOENT),
    (lambda v: v.read("/etc"), errno.EISDIR),
    (lambda v: v.read("/etc/hosts/x"), errno.ENOTDIR),
    (lambda v: v.read(""), errno.ENOENT),
    (lambda v: v.read("/" + "x" * 300), errno.ENAMETOOLONG),
    (lambda v: v.write("/nope/x", b""), errno.ENOENT),
    (lambda v: v.write("/tmp", b""), errno.EISDIR),
    (lambda v: v.write("/proc/nope", b""), errno.ENOENT),
    (lambda v: v.mkdir("/etc"), errno.EEXIST),
    (lambda v: v.mkdir("/nope/x"), errno.ENOENT),
    (lambda v: v.rmdir("/etc"), errno.ENOTEMPTY),
    (lambda v: v.rmdir("/etc/hosts"), errno.ENOTDIR),
    (lambda v: v.remove("/etc"), errno.EISDIR),
    (lambda v: v.remove("/nope"), errno.ENOENT),
    (lambda v: v.rename("/nope", "/tmp/x"), errno.ENOENT),
    (lambda v: v.rename("/etc", "/etc/x"), errno.EINVAL),
    (lambda v: v.rename("/etc/hosts", "/etc"), errno.EISDIR),
    (lambda v: v.symlink("x", "/etc/hosts"), errno.EEXIST),
    (lambda v: v.readlink("/etc/hosts"), errno.EINVAL),
    (lambda v: v.listdir("/etc/hosts"), errno.ENOTDIR),
    (lambda v: v.link("/etc", "/tmp/x"), errno.EPERM),
    (lambda v: v.umount("/tmp"), errno.EINVAL),
]


@pytest.mark.parametrize(("operation", "code"), ERRORS)
def test_an_operation_fails_with_the_system_calls_errno(view: FileView, operation, code: int) -> None:
    with pytest.raises(KernelError) as raised:
        operation(view)
    assert raised.value.errno == code


def test_a_loop_of_links_is_eloop(view: FileView) -> None:
    view.symlink("b", "/tmp/a")
    view.symlink("a", "/tmp/b")
    with pytest.raises(KernelError) as raised:
        view.read("/tmp/a")
    assert raised.value.errno == errno.ELOOP


#: path → where it leads
PATHS = [
    ("/bin/ls", "/usr/bin/ls"),
    ("/var/run/netns", "/run/netns"),
    ("/usr/bin/../../etc/./hosts", "/etc/hosts"),
    ("/..", "/"),
    ("/etc/os-release", "/usr/lib/os-release"),
    ("/tmp/new", "/tmp/new"),
]


@pytest.mark.parametrize(("path", "target"), PATHS)
def test_a_path_is_walked_as_the_kernel_walks_it(view: FileView, path: str, target: str) -> None:
    assert view.resolve(path) == target


def test_hard_links_share_their_content_and_count(view: FileView) -> None:
    view.write("/tmp/a", b"one")
    view.link("/tmp/a", "/tmp/b")
    view.write("/tmp/b", b"two")
    assert view.read("/tmp/a") == b"two"
    assert view.stat("/tmp/a").nlink == 2
    view.remove("/tmp/b")
    assert view.stat("/tmp/a").nlink == 1


def test_names_of_directories_sort_by_bytes_and_globs_hide_dots(view: FileView) -> None:
    for name in ("b", "B", ".h", "a"):
        view.write(f"/tmp/{name}", b"")
    assert view.listdir("/tmp") == [".h", "B", "a", "b"]
    assert view.glob("/tmp/*") == ["/tmp/B", "/tmp/a", "/tmp/b"]
    assert view.glob("[ab]", "/tmp") == ["a", "b"]
    assert view.glob(".*", "/tmp") == [".h"]
    assert view.glob("/tmp/x*") == []


def test_a_views_own_mounts_stay_its_own_and_it_sees_its_parents(view: FileView) -> None:
    view.mkdir("/etc/netns/red", parents=True)
    view.write("/etc/netns/red/resolv.conf", b"nameserver 10.0.0.1\n")
    inside = view.child({"/etc/resolv.conf": "/etc/netns/red/resolv.conf"})
    assert inside.read("/etc/resolv.conf") == b"nameserver 10.0.0.1\n"
    assert view.read("/etc/resolv.conf") == b""
    view.mount("/mnt", Directory())
    view.write("/mnt/x", b"seen")
    assert inside.read("/mnt/x") == b"seen"
    view.umount("/mnt")
    assert not inside.exists("/mnt/x")


def test_virtual_files_can_be_added_and_may_refuse(system: System) -> None:
    seen: list[bytes] = []

    def write(proc, data: bytes) -> None:
        if b"bad" in data:
            raise KernelError(errno.EINVAL)
        seen.append(data)

    system.files.mount_virtual("/opt/room/knob", VirtualFile(lambda proc: b"42\n", write))
    assert run(
        system, "cat /opt/room/knob; echo on > /opt/room/knob; echo bad > /opt/room/knob; echo $?"
    ) == (
        b"42\n1\n",
        b"bash: line 1: echo: write error: Invalid argument\n",
        0,
    )
    assert seen == [b"on\n"]


def test_programs_are_files_that_can_be_copied(system: System) -> None:
    out, err, status = run(
        system,
        "head -c 20 /bin/echo; cp /bin/echo ./mine; ./mine works; tar -czf t.tgz mine; rm mine; tar -xzf t.tgz; "
        "./mine again; chmod -x mine; ./mine",
    )
    assert out == b"#!kubenet:echo\nworks\nagain\n"
    assert (err, status) == (b"bash: line 1: ./mine: Permission denied\n", 126)


def test_a_network_namespace_lives_as_long_as_a_mount_or_a_process_uses_it(system: System) -> None:
    view = system.files.view
    net = system.new_netns()
    view.write("/run/netns/red", b"")
    view.mount("/run/netns/red", netns_file(net), ("nsfs", "nsfs", "rw"))
    node = view.node("/var/run/netns/red")
    assert isinstance(node, NetnsFile) and node.net is net
    out, _, _ = run(system, "ls /run/netns; nsenter --net=/run/netns/red readlink /proc/self/ns/net")
    assert out == f"red\nnet:[{net.inode}]\n".encode()
    assert net.alive
    view.umount("/run/netns/red")
    assert not net.alive


def test_an_unshared_namespace_ends_with_its_last_process(system: System) -> None:
    before = len(system.host.namespaces)
    out, _, _ = run(
        system, "unshare -n sh -c 'ls /sys/class/net; readlink /proc/self/ns/net'; readlink /proc/$$/ns/net"
    )
    first, second, third = out.decode().split()
    assert first == "lo" and second != third
    assert len(system.host.namespaces) == before


PROC = [
    ("cat /proc/sys/net/ipv4/ip_forward", b"0\n"),
    ("echo 1 > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward", b"1\n"),
    ("cat /proc/self/comm", b"cat\n"),
    ("cat /proc/$$/cmdline | tr '\\0' ' ' | cut -c1-7", b"bash -c\n"),
    ("ls -d /proc/self/ns/net /proc/1/ns/net", b"/proc/1/ns/net\n/proc/self/ns/net\n"),
    ("head -3 /proc/self/status | tail -1 | cut -f1", b"State:\n"),
    ("cat /proc/sys/kernel/hostname; echo blue > /proc/sys/kernel/hostname; hostname", b"red\nblue\n"),
    ("ls /proc/sys/net/ipv4/conf", b"all\ndefault\nlo\n"),
    (
        "cat /sys/class/net/lo/address /sys/class/net/lo/mtu /sys/class/net/lo/type",
        b"00:00:00:00:00:00\n65536\n772\n",
    ),
    ("readlink /sys/class/net/lo", b"../../devices/virtual/net/lo\n"),
    ("head -1 /proc/net/arp | cut -c1-10", b"IP address\n"),
    ("cat /proc/net/route | wc -c", b"128\n"),
    ("awk '{print NF}' /proc/loadavg", b"5\n"),
    ("grep -c processor /proc/cpuinfo", b"2\n"),
]


@pytest.mark.parametrize(("script", "expected"), PROC)
def test_proc_and_sys_answer(system: System, script: str, expected: bytes) -> None:
    assert run(system, script)[0] == expected


def test_refused_sysctls_and_read_only_files_say_why(system: System) -> None:
    out, err, _ = run(
        system,
        "echo x > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/version; echo 1 > /sys/class/net/lo/ifindex; "
        "cat /sys/class/net/lo/speed; echo 1 > /proc/sys/nope",
    )
    assert err.decode().splitlines() == [
        "bash: line 1: echo: write error: Invalid argument",
        "bash: line 1: echo: write error: Input/output error",
        "bash: line 1: /sys/class/net/lo/ifindex: Permission denied",
        "cat: /sys/class/net/lo/speed: Invalid argument",
        "bash: line 1: /proc/sys/nope: No such file or directory",
    ]


def test_two_machines_share_nothing() -> None:
    first, second = machine("red"), machine("blue")
    run(first, "echo x > /tmp/mine; echo 1 > /proc/sys/net/ipv4/ip_forward")
    assert run(second, "ls /tmp/mine; cat /proc/sys/net/ipv4/ip_forward; hostname")[0] == b"0\nblue\n"


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "fib_tries").glob("*.txt")), ids=lambda path: path.stem
)
def test_the_trie_of_routes_has_the_shape_that_a_real_kernel_gave_it(path: Path) -> None:
    """Each file holds the commands and what /proc/net/fib_trie then was on Linux 6.18."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    system = machine()
    run(system, "".join(line[2:] for line in lines if line.startswith("# ")))
    expected = "".join(line for line in lines if not line.startswith("# "))
    assert run(system, "cat /proc/net/fib_trie")[0].decode() == expected
