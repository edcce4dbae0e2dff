"""How `log` fills its format (plugin/pkg/replacer)."""

from __future__ import annotations

import pytest

from tests.support.coredns import World, ask

ALL = "{type} {name} {class} {proto} {size} {remote} {port} {local} {>id} {>opcode} {>do} {>bufsize} {rcode} {>rflags}"


@pytest.mark.parametrize(
    ("form", "expect"),
    [
        ("A {A}", "A {A}"),
        ("{{remote}}", "{10.0.0.5}"),
        ("{ A {remote} A }", "{ A 10.0.0.5 A }"),
        ("{remote}}", "10.0.0.5}"),
        ("{{remote}", "{10.0.0.5"),
        ("Foo } {remote}", "Foo } 10.0.0.5"),
        ("{ Foo", "{ Foo"),
        ("A { {remote} {type} {/meta1} } B", "A { 10.0.0.5 HINFO - } B"),
        ("{/test/meta2", "{/test/meta2"),
        ("{test/meta2} {/test/meta4}", "{test/meta2} -"),
        ("{test}", "{test}"),
        (ALL, "HINFO example.org. IN udp 29 10.0.0.5 40000 10.0.0.1 4711 0 false 512 NOERROR qr,aa,rd"),
    ],
)
def test_format(form: str, expect: str) -> None:
    world = World()
    ask(world.engine(f'example.org {{\nlog . "{form}"\nwhoami\n}}\n'), "example.org.", "HINFO")
    assert world.logged == [f"[INFO] {expect}"]
