"""A small internet, to follow a name from the root servers down to the machine it means.

    client 192.168.1.2 ─┐                  ┌─ 8.8.8.8 resolver          asks for others, and remembers
    db          .11    ─┼─ s1 ── .1 isp ───┼─ 198.41.0.4 root           . and in-addr.arpa
                                           ├─ 192.5.6.30 tld-com        com, net
                                           ├─ 199.19.56.1 tld-org       org, edu
                                           ├─ 216.239.32.10 google      google.com
                                           ├─ 142.250.74.36 www         the web server www.google.com
                                           └─ 203.0.113.53, .80 example example.org, .com, .net, .edu and a web server

The name servers are coredns with zone files, the resolver is `resolverd`. `db` runs sshd and has no name
in the DNS: it is for /etc/hosts. The records' names are the internet's, where it was easy; the contents are ours.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "A small internet: root, com, org, and a resolver"

RESOLV = "nameserver 8.8.8.8\nsearch example.org\n"
NSSWITCH = "passwd: files\ngroup:  files\nhosts:  files dns\n"
RESOLVERD = """# resolverd: a recursive name server
root-hints /etc/root.hints
log-queries yes
"""
HINTS = """; where to begin: the root servers
.                        3600000      NS    a.root-servers.net.
a.root-servers.net.      3600000      A     198.41.0.4
"""

ROOT = """$ORIGIN .
$TTL 86400
.       86400   IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 86400
.       518400  IN NS a.root-servers.net.
com.    172800  IN NS a.gtld-servers.net.
net.    172800  IN NS a.gtld-servers.net.
org.    172800  IN NS a0.org-servers.net.
edu.    172800  IN NS a.edu-servers.net.
arpa.   518400  IN NS a.root-servers.net.
a.root-servers.net.  518400 IN A 198.41.0.4
a.gtld-servers.net.  172800 IN A 192.5.6.30
a0.org-servers.net.  172800 IN A 199.19.56.1
a.edu-servers.net.   172800 IN A 199.19.56.1
"""
ROOT_SERVERS = """$TTL 3600000
@ IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026010100 14400 7200 1209600 3600000
@ IN NS a.root-servers.net.
a IN A 198.41.0.4
"""
IN_ADDR = """$TTL 86400
@ IN SOA a.root-servers.net. nstld.iana.org. 2026010100 1800 900 604800 3600
@ IN NS a.root-servers.net.
113.0.203 IN NS ns1.example.org.
8.8.8.8 IN PTR dns.google.
36.74.250.142 IN PTR www.google.com.
"""
COM = """$TTL 172800
@ IN SOA a.gtld-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 900
@ IN NS a.gtld-servers.net.
google IN NS ns1.google.com.
ns1.google IN A 216.239.32.10
example IN NS ns1.example.org.
"""
NET = """$TTL 172800
@ IN SOA a.gtld-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 900
@ IN NS a.gtld-servers.net.
gtld-servers IN NS a.gtld-servers.net.
a.gtld-servers IN A 192.5.6.30
root-servers IN NS a.root-servers.net.
a.root-servers IN A 198.41.0.4
a.edu-servers IN A 199.19.56.1
a0.org-servers IN A 199.19.56.1
example IN NS ns1.example.org.
"""
GTLD_SERVERS = """$TTL 172800
@ IN SOA a.gtld-servers.net. nstld.verisign-grs.com. 2026010100 1800 900 604800 900
@ IN NS a.gtld-servers.net.
a IN A 192.5.6.30
"""
ORG = """$TTL 86400
@ IN SOA a0.org-servers.net. hostmaster.org-servers.net. 2026010100 1800 900 604800 900
@ IN NS a0.org-servers.net.
example IN NS ns1.example.org.
ns1.example IN A 203.0.113.53
"""
EDU = """$TTL 86400
@ IN SOA a.edu-servers.net. hostmaster.edu-servers.net. 2026010100 1800 900 604800 900
@ IN NS a.edu-servers.net.
example IN NS ns1.example.org.
"""
GOOGLE = """$TTL 300
@ IN SOA ns1.google.com. dns-admin.google.com. 2026010101 900 900 1800 60
@ 345600 IN NS ns1.google.com.
@ IN A 142.250.74.46
@ IN MX 10 smtp.google.com.
@ 3600 IN TXT "v=spf1 include:_spf.google.com ~all"
ns1 345600 IN A 216.239.32.10
www IN A 142.250.74.36
smtp IN A 142.250.74.27
mail 604800 IN CNAME googlemail.l.google.com.
googlemail.l IN A 142.250.74.37
ipv6 IN AAAA 2001:db8:74::36
"""
EXAMPLE_ORG = """$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 2026010101 7200 3600 1209600 300
@ IN NS ns1.example.org.
@ IN A 203.0.113.80
@ IN MX 10 mail.example.org.
@ IN MX 20 backup.example.org.
@ IN TXT "v=spf1 mx -all"
@ IN CAA 0 issue "ca.example.org"
ns1 IN A 203.0.113.53
www IN A 203.0.113.80
www IN AAAA 2001:db8:113::80
web IN CNAME www.example.org.
old IN CNAME web.example.org.
search IN CNAME www.google.com.
mail IN A 203.0.113.25
backup IN A 203.0.113.26
short 5 IN A 203.0.113.80
_http._tcp IN SRV 10 60 80 www.example.org.
_http._tcp IN SRV 10 20 80 backup.example.org.
*.apps IN A 203.0.113.90
a.deep.name IN TXT "names between have no records"
lost IN NS ns.lost.example.org.
ns.lost IN A 203.0.113.99
"""
BIG = "".join(f'big IN TXT "{number:02d} {"this text is too long for one datagram " * 3}"\n' for number in range(16))
EXAMPLE = """$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 2026010101 7200 3600 1209600 300
@ IN NS ns1.example.org.
@ IN A 203.0.113.80
www IN CNAME www.example.org.
"""
REVERSE = """$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 2026010101 7200 3600 1209600 300
@ IN NS ns1.example.org.
25 IN PTR mail.example.org.
53 IN PTR ns1.example.org.
80 IN PTR www.example.org.
"""
NGINX = """user root;  # the only user there may be on a machine made without root
events {{}}
http {{
    server {{
        listen 80;
        root {root};
    }}
}}
"""


def corefile(zones: dict[str, str]) -> dict[str, str]:
    """A name server's files: its Corefile and one file a zone."""
    blocks = "\n".join(
        f"{zone} {{\n    file /etc/coredns/{_file(zone)}\n    errors\n    log\n}}" for zone in zones
    )
    return {
        "/etc/coredns/Corefile": blocks + "\n",
        **{f"/etc/coredns/{_file(zone)}": text for zone, text in zones.items()},
    }


def _file(zone: str) -> str:
    return f"db.{zone if zone != '.' else 'root'}"


def _web(text: str) -> dict[str, str]:
    page = f"<!doctype html>\n<title>{text}</title>\n<h1>{text}</h1>\n"
    return {"/srv/nginx.conf": NGINX.format(root="/srv/www"), "/srv/www/index.html": page}


def topology() -> Topology:
    """The lab, untouched."""
    home = {"default": "192.168.1.1"}
    resolv = {"/etc/resolv.conf": RESOLV, "/etc/nsswitch.conf": NSSWITCH}
    servers = (
        ("root", "198.41.0.4/24", "198.41.0.1", {".": ROOT, "root-servers.net": ROOT_SERVERS, "in-addr.arpa": IN_ADDR}, "20ms"),
        ("tld-com", "192.5.6.30/24", "192.5.6.1", {"com": COM, "net": NET, "gtld-servers.net": GTLD_SERVERS}, "15ms"),
        ("tld-org", "199.19.56.1/24", "199.19.56.254", {"org": ORG, "edu": EDU}, "15ms"),
        ("google", "216.239.32.10/24", "216.239.32.1", {"google.com": GOOGLE}, "10ms"),
    )
    examples = {
        "example.org": EXAMPLE_ORG + BIG, "example.com": EXAMPLE, "example.net": EXAMPLE, "example.edu": EXAMPLE,
        "113.0.203.in-addr.arpa": REVERSE,
    }  # fmt: skip
    lab = (
        Topology("dns", title=title)
        .switch("s1")
        .host("client", "192.168.1.2/24", files=resolv, **home)
        .host("db", "192.168.1.11/24", files=resolv, daemons="sshd", **home)
        .router(
            "isp", eth0="192.168.1.1/24", eth1="8.8.8.1/24", eth2="198.41.0.1/24", eth3="192.5.6.1/24",
            eth4="199.19.56.254/24", eth5="216.239.32.1/24", eth6="142.250.74.1/24", eth7="203.0.113.1/24",
        )
        .host(
            "resolver", "8.8.8.8/24", default="8.8.8.1", daemons="resolverd",
            files={"/etc/resolverd.conf": RESOLVERD, "/etc/root.hints": HINTS, "/etc/resolv.conf": "nameserver 127.0.0.1\n"},
        )
    )  # fmt: skip
    for name, address, gateway, zones, _ in servers:
        lab = lab.host(name, address, default=gateway, daemons="coredns", files=corefile(zones))
    lab = lab.host(
        "www", "142.250.74.36/24", default="142.250.74.1", commands="nginx -c /srv/nginx.conf", files=_web("www.google.com")
    )
    lab = lab.host(
        "example", eth0=("203.0.113.53/24", "203.0.113.80/24"), default="203.0.113.1", daemons="coredns",
        commands="nginx -c /srv/nginx.conf", files={**corefile(examples), **_web("www.example.org")},
    )  # fmt: skip
    lab = lab.link("client", "s1").link("db", "s1").link("isp:eth0", "s1").link("isp:eth1", "resolver", delay="2ms")
    for port, (name, *_, delay) in enumerate(servers, 2):
        lab = lab.link(f"isp:eth{port}", name, delay=delay)
    return lab.link("isp:eth6", "www", delay="10ms").link("isp:eth7", "example", delay="25ms")
