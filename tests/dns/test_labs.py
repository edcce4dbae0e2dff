"""The labs `dns` and `coredns` on the emulated kernel: what the notes type there, without a real namespace."""

from __future__ import annotations

import pytest

from kubenet_course.lab.lab import Lab
from tests.support.dns import ask

NOTES = [
    ("ping -c 1 db", "", "ping: db: Name or service not known\n", 2),
    ("cat >> /etc/hosts <<X\n192.168.1.11\tdb\nX", "", "", 0),
    ("ping -c 1 db | head -1", "PING db (192.168.1.11) 56(84) bytes of data.\n", "", 0),
    ("ssh db", "", "Pseudo-terminal will not be allocated because stdin is not a terminal.\r\nHost key verification failed.\r\n", 255),
    ("curl -s http://www.google.com | tail -1", "<h1>www.google.com</h1>\n", "", 0),
    ("cat /etc/resolv.conf", "nameserver 8.8.8.8\nsearch example.org\n", "", 0),
    ("grep -o 'files dns' /etc/nsswitch.conf", "files dns\n", "", 0),
    ("nslookup www.google.com | tail -3", "Name:\twww.google.com\nAddress: 142.250.74.36\n\n", "", 0),
    ("nslookup db | tail -2", "** server can't find db: NXDOMAIN\n\n", "", 1),
    ("dig +short www.google.com", "142.250.74.36\n", "", 0),
    ("dig +trace www.google.com | grep -c Received", "4\n", "", 0),
    ("curl -s http://web | tail -1", "<h1>www.example.org</h1>\n", "", 0),
]


@pytest.fixture(scope="module")
def internet() -> Lab:  # type: ignore[misc]
    with Lab.load("dns") as lab:
        yield lab


def test_the_notes_dns_section(internet: Lab) -> None:
    for line, out, err, status in NOTES:
        done = internet.run("client", line)
        if line.startswith("nslookup db"):
            status = 0  # of tail
        assert (done.stdout, done.stderr, done.returncode) == (out, err, status), line


def test_the_resolver_remembers_on_the_virtual_clock(internet: Lab) -> None:
    first = ask(internet, "client", "8.8.8.8", "short.example.org", "A")
    internet.run("client", "sleep 2")
    later = ask(internet, "client", "8.8.8.8", "short.example.org", "A")
    assert (first.answer[0].ttl, later.answer[0].ttl) == (5, 3)
    internet.run("client", "sleep 4")
    log = internet.run("resolver", "wc -l < /var/log/resolverd.log").stdout
    assert ask(internet, "client", "8.8.8.8", "short.example.org", "A").answer[0].ttl == 5
    assert int(internet.run("resolver", "wc -l < /var/log/resolverd.log").stdout) > int(log) + 1


def test_servers_are_seen_as_programs(internet: Lab) -> None:
    assert "/etc/coredns/Corefile" in internet.run("root", "ps -o args= -C coredns").stdout
    assert '"coredns"' in internet.run("root", "ss -Hlnup").stdout
    assert '"resolverd"' in internet.run("resolver", "ss -Hlntp").stdout


def test_an_answer_comes_from_the_address_that_was_asked(internet: Lab) -> None:
    for server in ("203.0.113.53", "203.0.113.80"):
        assert f"SERVER: {server}#53" in internet.run("client", f"dig @{server} example.org").stdout


def test_a_server_that_is_gone_and_comes_back() -> None:
    with Lab.load("dns") as lab:
        lab.run("google", "pkill coredns")
        assert "SERVFAIL" in lab.run("client", "dig www.google.com").stdout
        lab.run("google", "coredns -conf /etc/coredns/Corefile > /dev/null 2>&1 &")
        lab.run("client", "sleep 6")
        assert lab.run("client", "dig +short www.google.com").stdout == "142.250.74.36\n"


def test_building_it_twice_is_the_same() -> None:
    texts = []
    for _ in range(2):
        with Lab.load("dns") as lab:
            texts.append(lab.run("client", "dig www.example.com; dig +trace example.edu").stdout)
    assert texts[0] == texts[1]


def test_broken_tcp_connections_do_no_harm(internet: Lab) -> None:
    for data in ("\\x00\\x00", "\\xff\\xffabc", "\\x00\\x05ab", "GET / HTTP/1.0\\r\\n\\r\\n", "\\x00\\x0c" + "\\x00" * 12, ""):
        for server in ("8.8.8.8", "216.239.32.10"):
            internet.run("client", f"printf '{data}' | nc -w 1 {server} 53 > /dev/null")
    assert internet.run("client", "dig +short +tcp @216.239.32.10 www.google.com").stdout == "142.250.74.36\n"
    assert internet.run("client", "dig +short +tcp @8.8.8.8 www.google.com").stdout == "142.250.74.36\n"


def test_nothing_fails_in_python(internet: Lab) -> None:
    assert {name: machine.system.defects for name, machine in internet.backend.machines.items() if machine.system.defects} == {}  # type: ignore[attr-defined]


def test_coredns_is_set_up_as_in_the_notes() -> None:
    with Lab.load("coredns") as lab:
        url = "https://github.com/coredns/coredns/releases/download/v1.7.0/coredns_1.7.0_linux_amd64.tgz"
        assert "‘coredns_1.7.0_linux_amd64.tgz’ saved [" in lab.run("dns", f"wget {url}").stderr
        assert lab.run("dns", "tar -xzvf coredns_1.7.0_linux_amd64.tgz").output == "coredns\n"
        lab.run("dns", "cat > /etc/hosts <<X\n192.168.1.20 web\n192.168.1.11 db\nX")
        lab.run("dns", "cat > Corefile <<X\n. {\n\thosts /etc/hosts {\n\t\tfallthrough\n\t}\n\tforward . 8.8.8.8\n\tlog\n\tcache\n}\nX")
        lab.run("dns", "./coredns > coredns.log 2>&1 &")
        lab.run("client", "echo nameserver 192.168.1.10 > /etc/resolv.conf")
        assert lab.run("client", "curl -s http://web").stdout == "<h1>web.lab.example</h1>\n"
        assert lab.run("client", "curl -s http://www.example.org").stdout == "<h1>www.example.org</h1>\n"
        assert lab.run("client", "ping -c 1 db | head -1").stdout == "PING db (192.168.1.11) 56(84) bytes of data.\n"
        assert '"A IN www.example.org. udp 33 false 512" NOERROR qr,aa,rd' in lab.run("dns", "cat coredns.log").stdout


def test_a_server_that_forwards_to_itself_lets_time_pass() -> None:
    with Lab.load("coredns") as lab:
        lab.run("dns", "printf '. {\\n forward . 192.168.1.10\\n}\\n' > Corefile; coredns > log 2>&1 & sleep 1")
        done = lab.run("client", "dig @192.168.1.10 +timeout=2 +tries=1 www.example.org")
        assert "no servers could be reached" in done.stdout or "SERVFAIL" in done.stdout
        # what it asked itself is over after a while, and it answers again
        lab.run("dns", "printf '. {\\n forward . 8.8.8.8\\n}\\n' > Corefile; sleep 20; pkill coredns; coredns > log 2>&1 & sleep 1")
        assert lab.run("client", "dig @192.168.1.10 +short www.example.org").stdout == "203.0.113.80\n"
