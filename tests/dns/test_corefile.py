"""The Corefile's language and the addresses in it, by the facts of the tests of Caddy's and CoreDNS' parsers."""

from __future__ import annotations

import dns.rcode
import dns.reversename
import pytest

from kubenet_course.dns.corefile import (
    CorefileError,
    Files,
    ServerBlock,
    parse,
    replace_environment,
    tokenize,
)
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import Address
from tests.support.coredns import World, ask

# caddyfile/lexer_test.go; then what lexer.next() makes of comments inside of words.
LINES = [
    ("host:123", "1 host:123"),
    ("host:123\n\n\tdirective", "1 host:123|3 directive"),
    ("host:123 {\n\tdirective\n}", "1 host:123|1 {|2 directive|3 }"),
    ("host:123 { directive }", "1 host:123|1 {|1 directive|1 }"),
    ("host:123 {\n#comment\ndirective\n# comment\nfoobar # another comment\n}", "1 host:123|1 {|3 directive|5 foobar|6 }"),
    ('a "quoted value" b\nfoobar', "1 a|1 quoted value|1 b|2 foobar"),
    ('A "quoted \\"value\\" inside" B', '1 A|1 quoted "value" inside|1 B'),
    ('"don\'t\\escape"', "1 don't\\escape"),
    ('"don\'t\\\\escape"', "1 don't\\\\escape"),
    ('A "quoted value with line\n\tbreak inside" {\n\tfoobar\n}', "1 A|1 quoted value with line\n\tbreak inside|2 {|3 foobar|4 }"),
    ('"C:\\php\\php-cgi.exe"', "1 C:\\php\\php-cgi.exe"),
    ('empty "" string', "1 empty|1 |1 string"),
    ("skip those\r\nCR characters", "1 skip|1 those|2 CR|2 characters"),
    ("\ufeff:8080", "1 :8080"),
    ("log#comment\nerrors", "1 log|2 errors"),
    ("log#comment errors", "1 log|1 errors"),
    ('a"b c"', '1 a"b|1 c"'),
    ('open "never closed\n', "1 open|1 never closed\n"),
    ('"', ""),
    ("# only a comment", ""),
]


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_words(text: str, expected: str) -> None:
    assert "|".join(f"{token.line} {token.text}" for token in tokenize(text)) == expected


VARIABLES = {"PORT": "8080", "ADDRESS": "servername.com", "FOOBAR": "foobar", "PARTIAL_DIR": "r1", "NESTED": "{$PORT}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{$ADDRESS}", "servername.com"),
        ("di{$PARTIAL_DIR}", "dir1"),
        ("{$ADDRESS}:{$PORT}", "servername.com:8080"),
        ("{%ADDRESS%}:{$PORT}", "servername.com:8080"),
        ("{$ADDRESS}:{%PORT%}", "servername.com:8080"),
        ("{%ADDRESS}", "{%ADDRESS}"),
        (":{$PORT$}", ":"),
        ("Test {$FOOBAR} test", "Test foobar test"),
        ("{{ .Name }} {$FOOBAR}", "{{ .Name }} foobar"),
        ("{$}", "{$}"),
        ("{%%}{%PORT%}", "{%%}{%PORT%}"),
        ("{$NESTED}", "8080"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert replace_environment(text, VARIABLES) == expected


def blocks(text: str, *, cwd: str = "/etc/coredns", **files: str) -> list[ServerBlock]:
    contents = {f"/etc/coredns/{name}": body for name, body in files.items()}
    return parse(text, files=Files(contents.get, lambda _: [], cwd=cwd, problem=lambda path: "no such file or directory"))


def words(block: ServerBlock) -> dict[str, str]:
    return {name: " ".join(token.text for token in tokens) for name, tokens in block.directives.items()}


def test_imports() -> None:
    one = blocks("import sub/one", **{"sub/one": "localhost\ndir1\nimport two", "sub/two": "dir2 1"})
    assert [(block.keys, words(block)) for block in one] == [(["localhost"], {"dir1": "dir1", "dir2": "dir2 1"})]
    assert {token.file for token in one[0].directives["dir2"]} == {"/etc/coredns/sub/two"}
    inside = blocks("localhost\ndir1\nproxy {\n import props\n transparent\n}", props="prop1 1\nprop2 2")
    assert words(inside[0]) == {"dir1": "dir1", "proxy": "proxy { prop1 1 prop2 2 transparent }"}
    assert words(blocks("import x", x="a.com {\n # not an import\n basicauth / import password\n}")[0]) == {
        "basicauth": "basicauth / import password"
    }


def test_snippets() -> None:
    text = "(common) {\n gzip foo\n errors stderr\n}\nhttp://example.com {\n import common\n}"
    assert [(block.keys, words(block)) for block in blocks(text)] == [
        (["http://example.com"], {"gzip": "gzip foo", "errors": "errors stderr"})
    ]
    assert words(blocks("(common) {\n gzip foo\n}\nimport x", x="a.com {\n import common\n}")[0]) == {"gzip": "gzip foo"}
    both = blocks("(a) {\n log\n}\n(b) {\n import a\n cache\n}\n. {\n whoami\n import b\n import a\n}")
    assert words(both[0]) == {"whoami": "whoami", "log": "log log", "cache": "cache"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(loop) {\nimport loop\n}\nimport loop", "Corefile:3 - Error during parsing: maximum snippet import depth (1000) exceeded"),
        ("(loop) {\n{ }\nimport loop\n}\nimport loop", "maximum snippet import depth (1000) exceeded"),
        ("(a) {\nimport b\n}\n(b) {\nimport a\n}\n. {\nimport a\n}", "maximum snippet import depth (1000) exceeded"),
        ("import circle", "maximum file import depth (1000) exceeded"),
        ("(a) {\nlog", "Corefile:2 - Syntax error: Unexpected token 'log', expecting '}'"),
        ("(a)\nlog", "Corefile:2 - Syntax error: Unexpected token 'log', expecting '{'"),
        ("(a) {\n}\n(a) {\n}", "Corefile:3 - Error during parsing: redeclaration of previously declared snippet a"),
        ("import", "Corefile:1 - Error during parsing: Wrong argument count or unexpected line ending after 'import'"),
        ("import none", "Corefile:1 - Error during parsing: File to import not found: none"),
        ("import a b", "Corefile:1 - Error during parsing: Import takes only one argument (glob pattern or file)"),
        ('import ""', "Corefile:1 - Error during parsing: Import requires a non-empty filepath"),
        ("import */*.c", "Glob pattern may only contain one wildcard (*), but has others: /etc/coredns/*/*.c"),
        (". {\nlog\n", "Corefile:2 - Syntax error: Unexpected token 'log', expecting '}'"),
        (". {\nlog {\n", "Corefile:2 - Error during parsing: Unexpected EOF"),
        ("a.com, {\n}", "Corefile:1 - Error during parsing: Expected another address but had '{' - check for extra comma"),
        ("a.com,", "Corefile:1 - Error during parsing: Unexpected EOF"),
    ],
)
def test_what_cannot_be_read(text: str, expected: str) -> None:
    with pytest.raises(CorefileError) as problem:
        blocks(text, circle="import circle")
    assert expected in str(problem.value)


def test_blocks_of_a_directive() -> None:
    """caddyfile/dispenser_test.go."""
    c = Dispenser(tokenize("foobar1 {\n sub1 arg1\n sub2\n}\nfoobar2 {\n}"))
    assert (c.next_block(), c.position) == (False, -1)
    assert c.next()
    seen = []
    while c.next_block():
        seen.append((c.text, c.position))
    assert seen == [("sub1", 2), ("arg1", 3), ("sub2", 4)] and (c.position, c.nesting) == (5, 0)
    assert c.next() and not c.next_block() and c.position == 8
    c = Dispenser(tokenize("dir1 arg1 arg2 arg3\ndir2 arg4 arg5\ndir3 arg6 { arg7\ndir4"))
    seen = []
    while c.next():
        if c.text.startswith("dir"):
            seen.append(c.remaining_args())
    assert seen == [["arg1", "arg2", "arg3"], ["arg4", "arg5"], ["arg6"], []]


def test_a_block_that_is_not_closed_ends() -> None:
    c = Dispenser(tokenize("foobar {\n  sub1 arg1"))
    assert c.next() and c.next_block() and c.next_block() and not c.next_block()


# core/dnsserver/address_test.go: TestOverlapAddressChecker; a block a line: address to listen on, zone, port.
@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ("- . 53\n- . 53", "cannot serve dns://.:53 - it is already defined"),
        ("- . 53\n- . 54\n127.0.0.1 . 53", "cannot serve dns://.:53 on 127.0.0.1 - zone overlap listener capacity with dns://.:53"),
        ("127.0.0.1 . 53\n- . 54\n127.0.0.1 . 53", "cannot serve dns://.:53 on 127.0.0.1 - it is already defined"),
        (
            "127.0.0.1 . 53\n- . 54\n128.0.0.1 . 53\n129.0.0.1 . 53\n- . 53",
            "cannot serve dns://.:53 - zone overlap listener capacity with dns://.:53 on 129.0.0.1",
        ),
        (
            "127.0.0.1 . 53\n127.0.0.1 com 53\n- com 53",
            "cannot serve dns://com.:53 - zone overlap listener capacity with dns://com.:53 on 127.0.0.1",
        ),
    ],
)
def test_zones_that_overlap(listen: str, problem: str) -> None:
    text = ""
    for line in listen.splitlines():
        host, zone, port = line.split()
        text += f"{zone}:{port} {{\n{'' if host == '-' else f'bind {host}'}\n}}\n"
    with pytest.raises(CorefileError) as refused:
        World().engine(text)
    assert str(refused.value) == problem


# core/dnsserver/register_test.go: TestGroupingServers.
@pytest.mark.parametrize(
    ("corefile", "servers"),
    [
        (".:53 {\n}", ":53"),
        (".:53 {\n}\n.:54 {\n}", ":53 :54"),
        (".:53 {\n}\ncom:53 {\n}", ":53"),
        (".:53 {\nbind 127.0.0.1\n}\n.:54 {\n}", "127.0.0.1:53 :54"),
        (".:53 {\nbind 127.0.0.1 ::1\n}\n.:54 {\n}", "127.0.0.1:53 ::1:53 :54"),
        (".:53 {\nbind 127.0.0.1 ::1\n}\ncom:53 {\nbind 127.0.0.1 ::1\n}", "127.0.0.1:53 ::1:53"),
        (".:53 {\nbind 127.0.0.1\n}\ncom:53 {\nbind ::1\n}", "127.0.0.1:53 ::1:53"),
        (".:53 {\nbind 127.0.0.1 ::1\n}\ncom:53 {\n}", "127.0.0.1:53 ::1:53 :53"),
    ],
)
def test_what_is_listened_on(corefile: str, servers: str) -> None:
    assert " ".join(f"{server.address}:{server.port}" for server in World().engine(corefile).servers) == servers


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (".", ". 53"),
        (":1053", ". 1053"),
        ("dns://:1053", ". 1053"),
        ("dns://.:1053", ". 1053"),
        ("Example.ORG:5", "example.org. 5"),
        ("10.0.0.0/24", "0.0.10.in-addr.arpa. 53"),
        ("10.0.0.0/24:1053", "0.0.10.in-addr.arpa. 1053"),
        ("2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa. 53"),
        ("2001:db8::/32:54", "8.b.d.0.1.0.0.2.ip6.arpa. 54"),
        ("10.0.0.0/15", "0.10.in-addr.arpa. 53|1.10.in-addr.arpa. 53"),
    ],
)
def test_keys(key: str, expected: str) -> None:
    found: list[Address] = World().engine(f"{key} {{\n}}").configs[0].addresses
    assert "|".join(f"{address.zone} {address.port}" for address in found) == expected


# test/server_reverse_test.go
@pytest.mark.parametrize(
    ("keys", "inside", "outside"),
    [
        (
            "192.168.1.0/25 192.168.3.0/25",
            ["192.168.1.0", "192.168.1.1", "192.168.1.127"],
            ["192.168.1.128", "192.168.1.129", "192.168.1.255", "192.168.2.0"],
        ),
        ("192.168.1.0/24", ["192.168.1.0", "192.168.1.255", "1.168.192.in-addr.arpa."], ["2.168.192.in-addr.arpa."]),
        ("1.168.192.in-addr.arpa", ["192.168.1.0", "192.168.1.128", "1.168.192.in-addr.arpa."], ["2.168.192.in-addr.arpa."]),
    ],
)
def test_reverse_zones(keys: str, inside: list[str], outside: list[str]) -> None:
    engine = World().engine(f"{keys} {{\nwhoami\n}}")
    for names, rcode in ((inside, dns.rcode.NOERROR), (outside, dns.rcode.REFUSED)):
        for name in names:
            owner = name if name.endswith("arpa.") else dns.reversename.from_address(name).to_text()
            assert ask(engine, owner).rcode() == rcode, name


# plugin/pkg/parse/host_test.go
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("8.8.8.8", "8.8.8.8:53"),
        ("8.8.8.8:153", "8.8.8.8:153"),
        ("resolv.conf", "127.0.0.1:53"),
        ("fe80::1", "fe80::1:53"),
        ("[fd01::1]:153", "fd01::1:153"),
        ("/etc/resolv.conf:53", 'not an IP address or file: "/etc/resolv.conf:53"'),
        ("8.9.1043", 'not an IP address or file: "8.9.1043"'),
        ("tls://8.9.1043", 'not an IP address or file: "8.9.1043"'),
        ("empty", "no nameservers found"),
        ("empty resolv.conf", "127.0.0.1:53"),
    ],
)
def test_upstreams(target: str, expected: str) -> None:
    world = World({"resolv.conf": "nameserver 127.0.0.1\n", "empty": ""})
    try:
        engine = world.engine(f". {{\nforward . {target}\n}}")
    except CorefileError as problem:
        assert str(problem) == f"plugin/forward: {expected}"
    else:
        assert [f"{one.address}:{one.port}" for one in engine.configs[0].handlers["forward"].upstreams] == [expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("8.8.8.8:53", "8.8.8.8:53"),
        ("8.8.8.8", "8.8.8.8:53"),
        ("8.8.8.8:", "8.8.8.8:53"),
        ("a.a.a.a:153", "must specify an IP address: `a.a.a.a'"),
        ("8.8.8.8::53", "must specify an IP address: `8.8.8.8::53'"),
        ("resolv.conf", "must specify an IP address: `resolv.conf'"),
    ],
)
def test_addresses_of_peers(word: str, expected: str) -> None:
    try:
        engine = World().engine(f"example.org {{\ntransfer {{\nto {word}\n}}\n}}")
    except CorefileError as problem:
        assert expected in str(problem)
    else:
        assert engine.configs[0].handlers["transfer"].rules[0].to == [expected]  # type: ignore[attr-defined]
