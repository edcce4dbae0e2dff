"""The same queries by dig, nslookup, host and curl to the same servers on both kernels: the same text, ids and times aside.

On real namespaces Debian's own clients ask our servers; on the emulated kernel all is emulated.
"""

from __future__ import annotations

import re

import pytest

from kubenet_course.lab.lab import Lab

pytestmark = [pytest.mark.real, pytest.mark.slow]

#: Asked by `client` in the lab `dns`: of the resolver, and of each authoritative server by itself.
INTERNET = """
dig www.google.com
dig www.google.com +noedns
dig www.google.com +tcp
dig +short www.google.com
dig WWW.Google.COM +noall +answer
dig google.com MX
dig google.com TXT +noall +answer
dig google.com NS
dig google.com SOA +multiline
dig mail.google.com
dig mail.google.com AAAA
dig ipv6.google.com AAAA +short
dig example.org ANY
dig example.org CAA +noall +answer
dig example.com
dig www.example.net
dig old.example.org
dig search.example.org
dig x.y.apps.example.org +noall +answer
dig deep.name.example.org
dig nothing.example.org
dig nothing.nowhere
dig big.example.org TXT +short | sort | md5sum
dig big.example.org TXT +ignore | grep -c TXT
dig _http._tcp.example.org SRV +noall +answer | sort
dig -x 203.0.113.80
dig -x 8.8.8.8 +short
dig -x 10.0.0.1
dig . NS
dig . NS +norecurse
dig example.org AXFR
dig localhost
dig version.bind TXT CH
dig +norecurse nothing.cached.example.org
dig lost.example.org +noall +comments
dig @198.41.0.4 www.google.com
dig @198.41.0.4 com NS +norecurse
dig @198.41.0.4 . SOA
dig @198.41.0.4 113.0.203.in-addr.arpa NS
dig @192.5.6.30 www.google.com +norecurse
dig @192.5.6.30 nothing.com +dnssec
dig @192.5.6.30 example.com NS
dig @199.19.56.1 www.example.org
dig @199.19.56.1 org DS
dig @216.239.32.10 www.google.com +nocookie
dig @216.239.32.10 www.google.com +cookie=0123456789abcdef | grep COOKIE
dig @216.239.32.10 www.google.com +bufsize=512
dig @216.239.32.10 www.google.com +edns=1 +noednsneg
dig @216.239.32.10 example.org
dig @216.239.32.10 mail.google.com
dig @203.0.113.53 example.org NS
dig @203.0.113.80 www.example.org
dig @203.0.113.53 web.example.org A +nocomments
dig @203.0.113.53 lost.example.org
dig @203.0.113.53 x.lost.example.org A
dig @203.0.113.53 big.example.org TXT +noall +stats +tcp | grep SIZE
dig @203.0.113.53 www.example.org AAAA +tcp
dig @203.0.113.53 example.org AXFR +tcp
dig @203.0.113.53 -p 54 example.org +tries=1 +timeout=1
dig @192.168.1.11 example.org +tries=1 +timeout=1
dig +trace www.example.edu +nodnssec
host www.example.org
host -t mx example.org
host 203.0.113.25
host nothing.example.org
host -t ns google.com 8.8.8.8
nslookup www.example.com
nslookup db
nslookup 203.0.113.80
nslookup nothing.example.org
nslookup -type=mx google.com
nslookup www.google.com 216.239.32.10
nslookup -type=mx google.com 216.239.32.10
nslookup -type=mx www.google.com 216.239.32.10
nslookup -type=soa nothing.google.com 216.239.32.10
curl -s http://www.example.org/ | head -1
getent hosts www.example.org
ping -c 1 web | head -1
"""

COREFILE = r"""example.org {
    file db.example.org
    transfer {
        to *
    }
    log
}
lan 10.0.0.0/24 {
    hosts lan.hosts {
        ttl 60
    }
    errors
}
. {
    any
    chaos me myself
    nsid a-server
    bufsize 1100
    local
    rewrite name suffix .alias. .example.org. answer auto
    template IN A ip {
        match ^(?P<a>\d+)-(?P<b>\d+)\.ip\.$
        answer "{{ .Name }} 60 IN A 10.1.{{ .Group.a }}.{{ .Group.b }}"
        fallthrough
    }
    acl bad {
        block
    }
    forward . 127.0.0.1:54
    cache 30
    errors
}
.:54 {
    hosts lan.hosts
    file db.root .
    prometheus :9153
}
"""
FILES = {
    "Corefile": COREFILE,
    "lan.hosts": "10.0.0.7 db.lan db\n10.0.0.8 web.lan web\n2001:db8::8 web.lan\n",
    "db.example.org": "$TTL 300\n@ SOA ns h 1 7200 3600 1209600 60\n@ NS ns\nns A 10.0.0.1\nwww A 10.0.0.2\n*.w TXT \"wild\"\nmx MX 5 www\n",
    "db.root": ". 60 SOA a. b. 1 2 3 4 30\nexample.org. 60 NS ns.elsewhere.\nwww.example.net. 60 A 10.9.9.9\n",
}  # fmt: skip
#: Asked by `client` of the coredns above, on the host `dns` of the lab `coredns`.
CHAIN = """
dig www.example.org
dig mx.example.org MX
dig x.w.example.org TXT
dig nothing.example.org
dig example.org AXFR
dig db.lan
dig web.lan ANY
dig web.lan AAAA
dig nothing.lan
dig -x 10.0.0.7
dig -x 10.0.0.99
dig www.example.net
dig db
dig www.alias
dig 3-4.ip
dig 3.ip
dig x.bad
dig localhost
dig version.bind TXT CH
dig authors.bind TXT CH +short
dig www.example.net +nsid
dig www.example.net +bufsize=4096
dig nothing.net
dig ANY anything.net
nslookup db.lan
nslookup 10.0.0.8
host web.lan
curl -s http://192.168.1.10:9153/metrics | grep -c coredns_dns_requests_total
curl -s -o /dev/null -w '%{http_code} %{content_type}' http://192.168.1.10:9153/other
"""

IGNORED = [
    (r"id: \d+", "id: N"), (r"Query time: \d+ msec", "Query time: N msec"), (r"WHEN: .*", "WHEN: T"), (r" in \d+ ms", " in N ms"),
    (r"COOKIE: [0-9a-f]+", "COOKIE: C"), (r"time=[\d.]+ ms", "time=N ms"), (r"XFR size: (.*)", r"XFR size: \1"),
]  # fmt: skip


TTLS = (5, 30, 60, 300, 3600, 86400, 172800, 345600, 604800)


def plain(text: str) -> str:
    for pattern, to in IGNORED:
        text = re.sub(pattern, to, text)
    return re.sub(r"(\s)(\d+)(\s+IN\s)", lambda match: match[1] + whole(int(match[2])) + match[3], text)


def whole(ttl: int) -> str:
    """A TTL as it was before it waited in a cache for some seconds."""
    return str(next((known for known in TTLS if 0 <= known - ttl < min(known, 20)), ttl))


def transcript(lab: Lab, lines: str) -> list[tuple[str, str, str, int]]:
    found = []
    for line in lines.strip().splitlines():
        done = lab.run("client", line)
        found.append((line, plain(done.stdout), plain(done.stderr), done.returncode))
    return found


def internet(backend: str) -> list[tuple[str, str, str, int]]:
    with Lab.load("dns", backend=backend) as lab:
        return transcript(lab, INTERNET)


def chain(backend: str) -> list[tuple[str, str, str, int]]:
    with Lab.load("coredns", backend=backend) as lab:
        for name, text in FILES.items():
            lab.machine("dns").write(f"/root/{name}", text)
        lab.run("dns", "coredns > log 2>&1 &")
        lab.run("dns", "for i in $(seq 100); do grep -q linux/amd64 log && break; sleep 0.1; done")
        lab.run("client", "echo nameserver 192.168.1.10 > /etc/resolv.conf")
        return transcript(lab, CHAIN)


@pytest.mark.parametrize("lab", [internet, chain])
def test_both_kernels_say_the_same(lab) -> None:  # type: ignore[no-untyped-def]
    emulated, real = lab("emulated"), lab("mininet")
    different = [f"{one}\n-- emulated {one[3]}\n{one[1]}{one[2]}\n-- real {two[3]}\n{two[1]}{two[2]}" for one, two in zip(emulated, real) if one != two]
    assert not different, f"{len(different)} of {len(real)}:\n" + "\n".join(different)


def test_there_are_enough_of_them() -> None:
    assert len(INTERNET.strip().splitlines()) + len(CHAIN.strip().splitlines()) >= 100
