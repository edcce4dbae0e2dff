"""A DNS server host that has no DNS server yet: CoreDNS is downloaded, unpacked, configured and asked.

    dns    192.168.1.10 ─┐                      ┌─ 8.8.8.8 internet    names of the world: github.com, example.org, …
    client         .2   ─┼─ s1 ── .1 gateway ───┼─ 140.82.121.4 github  the download host, over https
    web            .20  ─┤                      └─ 203.0.113.80 example a web server, www.example.org
    db             .11  ─┘

`github` serves the release archives under their own URLs (1.7.0, which the notes name, and a current one).
What is in them is the lab's coredns: an emulated program, or on real namespaces a script that runs
`python -m kubenet_course.dns`. Its certificate is this lab's own, and the lab's machines trust it.
"""

from __future__ import annotations

from kubenet_course.course.scenarios.dns import NGINX
from kubenet_course.lab.topology import Topology

title = "A host that becomes a DNS server: CoreDNS"

VERSIONS = ("1.7.0", "1.12.1")
RESOLV = "nameserver 8.8.8.8\n"

#: For github.com inside of this lab, and of no use outside: nobody else trusts it.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBhDCCASqgAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApnaXRodWIu
Y29tMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAVMRMwEQYDVQQD
DApnaXRodWIuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5XlBZOEv13vn
tWgYQ7W6DcHCa46NTnUmWcNWoM1GjZQWv5m/nu8BrgJGfLa69vMZKAdg0u/2Rru1
LzVkOdRnx6NpMGcwJQYDVR0RBB4wHIIKZ2l0aHViLmNvbYIOd3d3LmdpdGh1Yi5j
b20wDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAoQwHQYDVR0OBBYEFHLp
xhtPmuPNE3ktBWNtzUtMC9jUMAoGCCqGSM49BAMCA0gAMEUCIQD9awk77zgubvt5
dYQ+0n5+/wGDawet2rIz1E7CQPfSFgIgIVeri3aiwXTCsR2KPL+TluqZlQI6aKbX
FlsEWdQ4VYA=
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXmm7k8cQQdnCPVq6
pX6A0dIAQ3X+xWkGXCn29Q/QbtOhRANCAATleUFk4S/Xe+e1aBhDtboNwcJrjo1O
dSZZw1agzUaNlBa/mb+e7wGuAkZ8trr28xkoB2DS7/ZGu7UvNWQ51GfH
-----END PRIVATE KEY-----
"""
TRUST = """if [ -L /etc/ssl ]; then rm /etc/ssl; cp -aL /run/.computer/etc/ssl /etc/ssl; fi
mkdir -p /etc/ssl/certs
cat /etc/lab-ca.crt >> /etc/ssl/certs/ca-certificates.crt"""

WORLD = """.:53 {
    hosts /etc/coredns/world.hosts {
        ttl 300
        fallthrough
    }
    file /etc/coredns/db.root .
    errors
    log
}
"""
NOTHING = ". 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 86400\n"
HOSTS = """140.82.121.4 github.com www.github.com
203.0.113.80 example.org www.example.org
8.8.8.8 dns.google
"""
GITHUB = """user root;
events {}
http {
    server {
        listen 443 ssl;
        server_name github.com;
        ssl_certificate /srv/github.crt;
        ssl_certificate_key /srv/github.key;
        root /srv/www;
        default_type application/octet-stream;
    }
    server {
        listen 80;
        server_name github.com;
        return 301 https://github.com$request_uri;
    }
}
"""


def _archives() -> tuple[str, ...]:
    """Commands that pack this lab's coredns as the releases are packed: one executable file."""
    lines = []
    for version in VERSIONS:
        folder = f"/srv/www/coredns/coredns/releases/download/v{version}"
        lines.append(f"mkdir -p {folder}")
        lines.append(f'tar -czf {folder}/coredns_{version}_linux_amd64.tgz -C "$(dirname "$(command -v coredns)")" coredns')
    return tuple(lines)


def topology() -> Topology:
    """The lab, untouched."""
    home = {"default": "192.168.1.1"}
    trust = {"/etc/lab-ca.crt": CERTIFICATE}
    page = {"/srv/nginx.conf": NGINX.format(root="/srv/www")}
    web = {**page, "/srv/www/index.html": "<h1>web.lab.example</h1>\n"}
    example = {**page, "/srv/www/index.html": "<h1>www.example.org</h1>\n"}
    github = {"/srv/github.crt": CERTIFICATE, "/srv/github.key": KEY, "/srv/nginx.conf": GITHUB}
    start = "nginx -c /srv/nginx.conf"
    return (
        Topology("coredns", title=title)
        .switch("s1")
        .host("dns", "192.168.1.10/24", files={"/etc/resolv.conf": RESOLV, **trust}, commands=TRUST, **home)
        .host("client", "192.168.1.2/24", files={"/etc/resolv.conf": RESOLV, **trust}, commands=TRUST, **home)
        .host("web", "192.168.1.20/24", files=web, commands=start, **home)
        .host("db", "192.168.1.11/24", daemons="sshd", **home)
        .router("gateway", eth0="192.168.1.1/24", eth1="8.8.8.1/24", eth2="140.82.121.1/24", eth3="203.0.113.1/24")
        .host(
            "internet", "8.8.8.8/24", default="8.8.8.1", daemons="coredns",
            files={
                "/etc/coredns/Corefile": WORLD, "/etc/coredns/world.hosts": HOSTS, "/etc/coredns/db.root": NOTHING,
                "/etc/resolv.conf": "nameserver 127.0.0.1\n",
            },
        )
        .host("github", "140.82.121.4/24", default="140.82.121.1", files=github, commands=(*_archives(), start))
        .host("example", "203.0.113.80/24", default="203.0.113.1", files=example, commands=start)
        .link("dns", "s1").link("client", "s1").link("web", "s1").link("db", "s1").link("gateway:eth0", "s1")
        .link("gateway:eth1", "internet", delay="5ms")
        .link("gateway:eth2", "github", delay="10ms")
        .link("gateway:eth3", "example", delay="10ms")
    )  # fmt: skip
