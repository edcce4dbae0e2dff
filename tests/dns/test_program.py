"""`coredns` and `resolverd` as programs: starting, failing, reloading, ending; the same words on both kernels."""

from __future__ import annotations

import re

import pytest

from kubenet_course.lab.lab import Lab
from tests.support.dns import ask

#: Corefile | standard output and error, exit status. `{}` in it stand on their own lines, as a Corefile wants.
REFUSED = {
    ". {\n whoami\n foo\n}\n": "Corefile:3 - Error during parsing: Unknown directive 'foo'\n",
    ". {\n whoami\n": "Corefile:2 - Syntax error: Unexpected token 'whoami', expecting '}'\n",
    ". {\n whoami x\n}\n": "plugin/whoami: Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after 'x'\n",
    ". {\n hosts /etc/hosts {\n ttl -1\n }\n}\n": "plugin/hosts: Corefile:3 - Error during parsing: ttl provided is invalid\n",
    ". {\n hosts\n hosts\n}\n": "plugin/hosts: this plugin can only be used once per Server Block\n",
    ". {\n forward . 1.2.3\n}\n": 'plugin/forward: not an IP address or file: "1.2.3"\n',
    ". {\n cache 0\n}\n": "plugin/cache: cache TTL can not be zero or negative: 0\n",
    ". {\n whoami\n}\n.:53 {\n whoami\n}\n": "cannot serve dns://.:53 - it is already defined\n",
    ". {\n whoami\n}\n. {\n bind 127.0.0.1\n whoami\n}\n": "cannot serve dns://.:53 on 127.0.0.1 - zone overlap listener capacity with dns://.:53\n",
    ". {\n kubernetes cluster.local\n}\n": "plugin/kubernetes: unable to load in-cluster configuration, "
    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined\n",
    ". {\n import nothere\n}\n": "Corefile:2 - Error during parsing: File to import not found: nothere\n",
    ". {\n trace\n}\n": "kubenet: coredns: the plugin trace is not emulated: nothing collects traces here\n",
    "tls://. {\n whoami\n}\n": "kubenet: coredns: servers that speak tls are not emulated\n",
    ". {\n whoami\n health bla:a\n}\n": "listen tcp: lookup tcp/a: unknown port\n",
    ". {\n whoami\n health bla:80\n}\n": "listen tcp: lookup bla: no such host\n",
    ". {\n whoami\n health :9000\n ready :9000\n}\n.:54 {\n prometheus :54\n}\n": "listen tcp :54: bind: address already in use\n",
    ". {\n bind eth9\n whoami\n}\n": 'plugin/bind: not a valid IP address or interface name: "eth9"\n',
}

LINES = [
    ("echo '. { foo }' | coredns -conf stdin", "", "stdin:1 - Error during parsing: Unknown directive 'foo'\n", 1),
    ("coredns -version", "CoreDNS-1.12.1\nlinux/amd64, go1.24.1, 707c7c1\n", "", 0),
    ("coredns -conf /none", "", "loading Caddyfile via flag: open /none: no such file or directory\n", 1),
    ("coredns foo bar", "", "extra command line arguments: [foo bar]\n", 1),
    ("coredns -pidfile", "", "flag needs an argument: -pidfile\nUsage of coredns:\n", 2),
    ("coredns --quiet=maybe", "", 'invalid boolean value "maybe" for -quiet: parse error\nUsage of coredns:\n', 2),
    ("resolverd -V", "resolverd 0.1 (kubenet-course)\n", "", 0),
    ("resolverd -c /none", "", "resolverd: /none: no such file or directory\n", 1),
    ("printf 'listen 1.2.3.4\\nfoo 1\\n' > /root/r.conf; resolverd -c /root/r.conf", "", "resolverd: /root/r.conf:2: unknown setting 'foo'\n", 1),
]

LIFE = """
printf '.:53 {\\n whoami\\n log\\n reload 2s\\n}\\nexample.org:1053 {\\n bind 127.0.0.1\\n hosts\\n}\\n' > Corefile
(coredns -pidfile /run/c.pid > log 2>&1; echo ended $? >> log) &
w() { for i in $(seq 100); do grep -qs "$1" log && return; sleep 0.1; done; }
w linux/amd64
ss -Hlntu | awk '{print $1, $5}' | sort
coredns
printf '.:53 {\\n whoami\\n bad\\n}\\n' > Corefile
kill -USR1 $(cat /run/c.pid); w 'SIGUSR1: Corefile'
printf '.:54 {\\n whoami\\n}\\n' > Corefile
kill -USR1 $(cat /run/c.pid); w 'Reloading complete'
ss -Hlntu | awk '{print $1, $5}' | sort
kill $(cat /run/c.pid); w ended
ls /run/c.pid
cat log
"""
EXPECTED = """tcp *:53
tcp 127.0.0.1:1053
udp *:53
udp 127.0.0.1:1053
Listen: listen tcp :53: bind: address already in use
tcp *:54
udp *:54
.:53
example.org.:1053 on 127.0.0.1
[INFO] plugin/reload: Running configuration SHA512 = HASH
CoreDNS-1.12.1
linux/amd64, go1.24.1, 707c7c1
[INFO] SIGUSR1: Reloading
[INFO] Reloading
[ERROR] Restart failed: Corefile:3 - Error during parsing: Unknown directive 'bad'
[ERROR] SIGUSR1: Corefile:3 - Error during parsing: Unknown directive 'bad'
[INFO] SIGUSR1: Reloading
[INFO] Reloading
.:54
[INFO] Reloading complete
[INFO] SIGTERM: Shutting down servers then terminating
ended 0
"""

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]


@pytest.fixture(scope="module", params=BACKENDS)
def lab(request: pytest.FixtureRequest) -> Lab:  # type: ignore[misc]
    with Lab.load("single", backend=request.param) as opened:
        yield opened


def test_what_a_corefile_is_refused_for(lab: Lab) -> None:
    for text, problem in REFUSED.items():
        lab.machine("host").write("/root/Corefile", text)
        done = lab.run("host", "coredns")
        assert (done.stdout, done.returncode) == ("", 1), text
        assert problem in done.stderr if not problem.endswith("\n") else done.stderr == problem, text


def test_command_lines(lab: Lab) -> None:
    for line, out, err, status in LINES:
        done = lab.run("host", line)
        assert (done.stdout, done.returncode) == (out, status), line
        assert done.stderr.startswith(err) if "Usage" in err else done.stderr == err, line
    assert "  dns.kubernetes\n" in lab.run("host", "coredns -plugins").stdout


def test_start_reload_and_end(lab: Lab) -> None:
    done = lab.run("host", LIFE)
    text = re.sub(r"[0-9a-f]{128}", "HASH", done.stdout.replace("::1", "*"))
    lines = [line for line in (done.stderr + text).splitlines() if "cannot access" not in line and "Terminated" not in line]
    error = [line for line in lines if line.startswith("Listen:")]
    rest = [line for line in lines if not line.startswith(("Listen:", "bash:"))]
    expected = EXPECTED.splitlines()
    assert error == [line for line in expected if line.startswith("Listen:")]
    assert rest == [line for line in expected if not line.startswith("Listen:")]


LOOP = """
printf '. {\\n loop\\n forward . 127.0.0.1\\n}\\n' > Corefile
timeout 20 coredns > log; echo $?
sed 's/[0-9]\\{6,\\}/N/g; s/127.0.0.1:[0-9]*/C/' log | grep FATAL | head -1
"""
PAGES = """
printf '. {\\n whoami\\n reload 2s 1s\\n health :8080\\n ready\\n}\\n' > Corefile
(coredns > log 2>&1 &)
w() { for i in $(seq 200); do grep -qs "$1" log && return; sleep 0.1; done; }
w linux/amd64
curl -s localhost:8080/health; echo; curl -s localhost:8181/ready; echo; curl -si localhost:8080/x | grep -v Date
printf '. {\\n whoami\\n reload 2s 1s\\n bad\\n}\\n' > Corefile
w 'reload failed'
printf '.:53 {\\n whoami\\n reload 2s 1s\\n health :8088 {\\n lameduck 1s\\n }\\n}\\n' > Corefile
w 'Reloading complete'
curl -s localhost:8088/health; echo; ss -Hlnt | awk '{print $4}' | sort
pkill coredns; w lameduck; sleep 2; pgrep coredns
sed 's/SHA512 = .*/SHA/' log
"""
SHOWN = """OK
OK
HTTP/1.1 404 Not Found
X-Content-Type-Options: nosniff
Content-Type: text/plain; charset=utf-8
Content-Length: 19

404 page not found
OK
*:53
*:8088
.:53
[INFO] plugin/reload: Running configuration SHA
CoreDNS-1.12.1
linux/amd64, go1.24.1, 707c7c1
[INFO] Reloading
[ERROR] Restart failed: Corefile:4 - Error during parsing: Unknown directive 'bad'
[ERROR] plugin/reload: Corefile changed but reload failed: Corefile:4 - Error during parsing: Unknown directive 'bad'
[INFO] Reloading
.:53
[INFO] plugin/reload: Running configuration SHA
[INFO] Reloading complete
[INFO] SIGTERM: Shutting down servers then terminating
[INFO] plugin/health: Going into lameduck mode for 1s
"""


def test_a_loop_is_found(lab: Lab) -> None:
    status, line = lab.run("host", LOOP).stdout.splitlines()
    assert (status, line.partition(", see")[0]) == ("1", '[FATAL] plugin/loop: Loop (C -> :53) detected for zone "."')


def test_pages_and_a_reload_by_itself(lab: Lab) -> None:
    assert lab.run("host", PAGES).stdout.replace("\r", "") == SHOWN


def test_no_corefile_means_whoami_on_port_53() -> None:
    with Lab.load("single") as lab:
        lab.run("host", "coredns > log &")
        answer = ask(lab, "host", "127.0.0.1", "foo.example.org", "A")
        assert [rrset.to_text() for rrset in answer.additional][0] == "foo.example.org. 0 IN A 127.0.0.1"
        log = lab.run("host", "cat log").stdout
        assert log.startswith(".:53\nCoreDNS-1.12.1\nlinux/amd64, go1.24.1, 707c7c1\n[INFO] 127.0.0.1:")
        assert re.search(r'\d+ "A IN foo.example.org. udp 44 false 1232" NOERROR qr,aa,rd 103 [\d.e-]+s\n$', log)


def test_the_archive_is_run_as_the_notes_have_it() -> None:
    """wget, tar, ./coredns: in the folder, with the Corefile there."""
    with Lab.load("coredns") as lab:
        lab.run("dns", "echo 140.82.121.4 github.com >> /etc/hosts")
        url = "https://github.com/coredns/coredns/releases/download/v1.7.0/coredns_1.7.0_linux_amd64.tgz"
        assert lab.run("dns", f"wget -q {url} && tar -xzvf coredns_1.7.0_linux_amd64.tgz").stdout == "coredns\n"
        lab.run("dns", "echo 192.168.1.20 web >> /etc/hosts; printf '. {\\n hosts /etc/hosts\\n}\\n' > Corefile; ./coredns > log 2>&1 &")
        answer = ask(lab, "client", "192.168.1.10", "web")
        assert answer.answer[0].to_text() == "web. 3600 IN A 192.168.1.20"


@pytest.mark.real
def test_the_archive_is_run_on_real_namespaces() -> None:
    with Lab.load("coredns", backend="mininet") as lab:
        url = "https://github.com/coredns/coredns/releases/download/v1.7.0/coredns_1.7.0_linux_amd64.tgz"
        assert lab.run("dns", f"wget -q {url} && tar -xzvf coredns_1.7.0_linux_amd64.tgz").stdout == "coredns\n"
        lab.run("dns", "echo 192.168.1.20 web >> /etc/hosts; printf '. {\\n hosts /etc/hosts\\n}\\n' > Corefile; ./coredns > log 2>&1 &")
        wait = "for i in $(seq 50); do dig +short +tries=1 +timeout=1 @192.168.1.10 web | grep -qx 192.168.1.20 && break; sleep 0.1; done"
        assert lab.run("client", f"{wait}; dig +noall +answer @192.168.1.10 web").stdout.split() == ["web.", "3600", "IN", "A", "192.168.1.20"]
