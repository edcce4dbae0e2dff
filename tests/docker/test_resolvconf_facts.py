"""/etc/resolv.conf of a container: the facts of moby's resolvconf_test.go and of its integration tests."""

from __future__ import annotations

import pytest

from kubenet_course.docker.resolvconf import parse

V6 = "2001:4860:4860::8888 2001:4860:4860::8844"
#: The host's file, whether the network has IPv6, `--dns`; the name servers that come of it, and whether they are defaults.
LEGACY = [
    ("nameserver 10.0.0.1", False, "", "10.0.0.1", False),
    ("nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1", True, "", "10.0.0.1 fdb6:b8fe:b528::1", False),
    ("nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1", False, "", "10.0.0.1", False),
    ("nameserver 127.0.0.53", False, "", "8.8.8.8 8.8.4.4", True),
    ("nameserver 127.0.0.53", True, "", f"8.8.8.8 8.8.4.4 {V6}", True),
    ("nameserver 127.0.0.53\nnameserver ::1", False, "", "8.8.8.8 8.8.4.4", True),
    ("nameserver 127.0.0.53\nnameserver ::1", True, "", f"8.8.8.8 8.8.4.4 {V6}", True),
    ("nameserver 127.0.0.53\nnameserver fd3e:2d1a:1f5a::1", True, "", "fd3e:2d1a:1f5a::1", False),
    ("nameserver 127.0.0.53\nnameserver fd3e:2d1a:1f5a::1", False, "", "8.8.8.8 8.8.4.4", True),
    ("nameserver 127.0.0.53", False, "127.0.0.1 ::1", "127.0.0.1 ::1", False),
]
#: The host's file, `--dns`, `--dns-option`, what the resolver requires; who is asked, the options, where ndots comes from.
INTERNAL = [
    ("nameserver 10.0.0.1", "", "", "", "host(10.0.0.1)", "", ""),
    ("nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1", "", "", "", "host(10.0.0.1) host(fdb6:b8fe:b528::1)", "", ""),
    ("nameserver 127.0.0.53", "", "", "", "host(127.0.0.53)", "", ""),
    ("nameserver 10.0.0.1", "127.0.0.53", "", "", "127.0.0.53", "", ""),
    ("nameserver fd14:6e0e:f855::1", "", "", "", "host(fd14:6e0e:f855::1)", "", ""),
    ("nameserver 127.0.0.53\nnameserver ::1", "", "", "", "host(127.0.0.53) host(::1)", "", ""),
    ("nameserver 127.0.0.53\noptions ndots:1", "", "", "ndots:0", "host(127.0.0.53)", "ndots:1", "host"),
    ("nameserver 127.0.0.53", "", "", "ndots:0", "host(127.0.0.53)", "ndots:0", "internal"),
    ("nameserver 127.0.0.53", "", "ndots:2", "ndots:0", "host(127.0.0.53)", "ndots:2", "override"),
    (
        "nameserver 127.0.0.53\noptions trust-ad", "", "", "ndots:0 attempts:3 edns0 trust-ad",
        "host(127.0.0.53)", "trust-ad ndots:0 attempts:3 edns0", "internal",
    ),
    ("", "", "", "", "", "", ""),
    ("nameserver 8.8.8.8\noptions ndots:-1", "", "", "", "host(8.8.8.8)", "ndots:-1", "host"),
    ("nameserver 8.8.8.8\noptions ndots:-1 foo:bar ndots ndots:", "", "", "ndots:2", "host(8.8.8.8)", "foo:bar ndots:2", "internal"),
    ("nameserver 8.8.8.8\noptions ndots:1 foo:bar ndots ndots:", "", "", "ndots:2", "host(8.8.8.8)", "ndots:1 foo:bar", "host"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "ipv6", "dns", "servers", "default"), LEGACY)
def test_a_network_without_a_resolver_of_its_own(host: str, ipv6: bool, dns: str, servers: str, default: bool) -> None:
    found = parse(host)
    found.override(dns.split(), [], [])
    found.for_legacy(ipv6)
    assert found.servers == servers.split()
    assert ("# Used default nameservers.\n" in found.text()) is default
    assert "'/etc/resolv.conf' (legacy)\n" in found.text()


@pytest.mark.parametrize(("host", "dns", "given", "required", "asked", "options", "ndots"), INTERNAL)
def test_a_network_with_one(host: str, dns: str, given: str, required: str, asked: str, options: str, ndots: str) -> None:
    found = parse(host)
    found.override(dns.split(), [], given.split())
    found.for_internal("127.0.0.11", tuple(required.split()))
    assert [str(one) for one in found.external] == asked.split()
    assert found.options == options.split()
    assert found.ndots_from == ndots
    assert found.servers == ["127.0.0.11"]


def test_the_last_option_of_a_name_counts() -> None:
    found = parse("options ndots:0 edns0 ndots:1")
    assert (found.option("ndots"), found.option("edns0"), found.option("trust-ad")) == ("1", "", None)


def test_what_a_file_tells_of_itself() -> None:
    assert parse("").text("") == "\n# Based on host file: '/etc/resolv.conf'\n# Overrides: []\n"
    assert parse("nameserver 1.2.3.4.5", "").text("") == (
        "\n# Based on host file: ''\n# Invalid nameservers: [1.2.3.4.5]\n# Overrides: []\n"
    )
    strange = parse("\nsomething unexpected\nnameserver 127.0.0.53\noptions ndots:1\nunrecognised thing\n")
    assert strange.text("") == (
        "nameserver 127.0.0.53\noptions ndots:1\nsomething unexpected\nunrecognised thing\n\n"
        "# Based on host file: '/etc/resolv.conf'\n# Overrides: []\n# Option ndots from: host\n"
    )
    changed = parse("nameserver 1.2.3.4\nsearch invalid\noptions ndots:0")
    changed.override(
        ["2.3.4.5", "fdba:acdd:587c::53"], ["com", "invalid", "example"], ["ndots:1", "edns0", "trust-ad"]
    )
    assert changed.text("") == (
        "nameserver 2.3.4.5\nnameserver fdba:acdd:587c::53\nsearch com invalid example\noptions ndots:1 edns0 trust-ad\n\n"
        "# Based on host file: '/etc/resolv.conf'\n# Overrides: [nameservers search options]\n# Option ndots from: override\n"
    )
    empty = parse("")
    empty.for_internal("127.0.0.11")
    assert empty.text("") == (
        "nameserver 127.0.0.11\noptions ndots:0\n\n# Based on host file: '/etc/resolv.conf' (internal resolver)\n"
        "# NO EXTERNAL NAMESERVERS DEFINED\n# Overrides: []\n# Option ndots from: internal\n"
    )
