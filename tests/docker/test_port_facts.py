"""What `-p` and `--expose` mean: the facts of go-connections' nat tests; refusals are in the words of the command of 28.2.2."""

from __future__ import annotations

import pytest

from kubenet_course.docker.ports import PortError, parse_expose, parse_publish

#: What is written; host address, host ports and container port of each mapping, or what is said.
SPECS = [
    ("0.0.0.0:1234-1235:3333-3334/tcp", "0.0.0.0:1234:3333/tcp 0.0.0.0:1235:3334/tcp"),
    ("[2001:4860:0:2001::68]::333", "2001:4860:0:2001::68::333/tcp"),
    ("[::1]:80:80", "::1:80:80/tcp"),
    ("2001:4860:0:2001::68::333", "2001:4860:0:2001::68::333/tcp"),
    ("::1:80:80", "::1:80:80/tcp"),
    ("::::80", "::::80/tcp"),
    ("1234/tcp", "::1234/tcp"),
    ("2345/udp", "::2345/udp"),
    ("3456/sctp", "::3456/sctp"),
    ("1234:1234/tcp", ":1234:1234/tcp"),
    ("2345:2345/UDP", ":2345:2345/udp"),
    ("0.0.0.0:3456:3456/sctp", "0.0.0.0:3456:3456/sctp"),
    ("1234-1236/tcp", "::1234/tcp ::1235/tcp ::1236/tcp"),
    ("2345-2347:2345-2347/udp", ":2345:2345/udp :2346:2346/udp :2347:2347/udp"),
    ("192.168.1.100::80", "192.168.1.100::80/tcp"),
    ("192.168.1.100:8080:80", "192.168.1.100:8080:80/tcp"),
    ("192.168.1.100::6000/udp", "192.168.1.100::6000/udp"),
    ("8000-9000:80", ":8000-9000:80/tcp"),
    ("80/", "::80/tcp"),
    ("published=1500,target=200", ":1500:200/tcp"),
    ("target=80,published=1500,protocol=udp", ":1500:80/udp"),
    ("target=80", "::80/tcp"),
    ("published=80,target=8080,mode=host", ":80:8080/tcp"),
    ("target=80,published", "invalid publish opts format (should be name=value but got 'published')"),
    ("published=1500,target=", "no port specified: 1500:/tcp<empty>"),
    ("localhost:1234:1234/tcp", "invalid IP address: localhost"),
    ("localhost:1234-1236:1234-1236/tcp", "invalid IP address: localhost"),
    ("192.168.1.100", "invalid containerPort: 192.168.1.100"),
    ("192.168.1.100:-1:-1", "invalid containerPort: -1"),
    ("80:9000-8000", "invalid containerPort: 9000-8000"),
    ("9000-8000:80", "invalid hostPort: 9000-8000"),
    ("8000-:80", "invalid hostPort: 8000-"),
    ("80:8000a", "invalid containerPort: 8000a"),
    ("80: 80", "invalid containerPort:  80"),
    ("80:+80", "invalid containerPort: +80"),
    ("80:8_0", "invalid containerPort: 8_0"),
    ("80:65536", "invalid containerPort: 65536"),
    ("65536:80", "invalid hostPort: 65536"),
    ("8080-8082:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080-8082"),
    ("80:80/icmp", "invalid proto: icmp"),
    ("80:", "no port specified: 80:<empty>"),
    ("", "no port specified: <empty>"),
    ("80:/udp", "no port specified: 80:/udp<empty>"),
    ("80:/icmp", "no port specified: 80:/icmp<empty>"),
    ("fe80::1%eth0:80:80", "invalid IP address: fe80::1%eth0"),
    ("[::1:80:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
    ("[::1]x:80:80", "invalid IP address [::1]x: address [::1]x:: missing port in address"),
    ("010.0.0.1:80:80", "invalid IP address: 010.0.0.1"),
    ("1:2:3:4", "invalid IP address: 1:2"),
    ("80/tcp/udp", "::80/tcp"),
    ("a=b", "no port specified: :/tcp<empty>"),
]


@pytest.mark.parametrize(("spec", "expect"), SPECS)
def test_spec(spec: str, expect: str) -> None:
    try:
        found = parse_publish(spec)
    except PortError as problem:
        assert str(problem) == expect
        return
    shown = []
    for one in found:
        host = "" if not one.host_port else f"{one.host_port}" if one.host_port == one.host_end else f"{one.host_port}-{one.host_end}"
        shown.append(f"{one.host_ip}:{host}:{one.key}")
    assert " ".join(shown) == expect


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        ("80", "80/tcp"),
        ("80/", "80/tcp"),
        ("80-82/udp", "80/udp 81/udp 82/udp"),
        ("1234-1234", "1234/tcp"),
        ("0", "0/tcp"),
        ("1:2", "invalid port format for --expose: 1:2"),
        ("82-80", "invalid range format for --expose: 82-80, error: invalid range specified for port: 82-80"),
        ("x", 'invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax'),
        ("8000a-9000", 'invalid range format for --expose: 8000a-9000, error: strconv.ParseUint: parsing "8000a": invalid syntax'),
        ("8000-9000a", 'invalid range format for --expose: 8000-9000a, error: strconv.ParseUint: parsing "9000a": invalid syntax'),
        ("/tcp", "invalid range format for --expose: /tcp, error: empty string specified for ports"),
        ("", "invalid range format for --expose: , error: empty string specified for ports"),
        ("65536", 'invalid range format for --expose: 65536, error: strconv.ParseUint: parsing "65536": value out of range'),
        ("80-", 'invalid range format for --expose: 80-, error: strconv.ParseUint: parsing "": invalid syntax'),
        ("-", 'invalid range format for --expose: -, error: strconv.ParseUint: parsing "": invalid syntax'),
    ],
)
def test_expose(spec: str, expect: str) -> None:
    try:
        assert " ".join(parse_expose(spec)) == expect
    except PortError as problem:
        assert str(problem) == expect
