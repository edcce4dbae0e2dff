"""Go's text/template, as far as --format needs it."""

from __future__ import annotations

import pytest

from kubenet_course.docker.templates import TemplateError, render

DATA = {
    "Name": "/web",
    "State": {"Running": True, "Pid": 7, "Error": ""},
    "Args": ["-g", "daemon off;"],
    "Nets": {"b": {"IP": "172.17.0.2"}, "a": {"IP": "10.0.0.2"}},
    "Ports": {"80/tcp": [{"HostPort": "8080"}], "443/tcp": None},
    "None": None,
}


@pytest.mark.parametrize(
    "template,expected",
    [
        ("{{.Name}}", "/web"),
        ("{{ .State.Pid }} {{.State.Running}}", "7 true"),
        ("{{json .State}}", '{"Running":true,"Pid":7,"Error":""}'),
        ("{{json .Ports}}", '{"80/tcp":[{"HostPort":"8080"}],"443/tcp":null}'),
        ("{{.Args}} {{len .Args}}", "[-g daemon off;] 2"),
        ("{{.State}}", "map[Error: Pid:7 Running:true]"),
        ("{{.None}}", "<no value>"),
        ("{{range .Nets}}{{.IP}} {{end}}", "10.0.0.2 172.17.0.2 "),
        ("{{range $name, $net := .Nets}}{{$name}}={{$net.IP}};{{end}}", "a=10.0.0.2;b=172.17.0.2;"),
        ("{{range $i, $a := .Args}}{{$i}}{{$a}}{{end}}", "0-g1daemon off;"),
        ("{{range .None}}x{{else}}nobody{{end}}", "nobody"),
        ("{{if .State.Error}}bad{{else if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{with .State}}{{.Pid}}{{end}}", "7"),
        ('{{index .Nets "b"}}', "map[IP:172.17.0.2]"),
        ('{{(index .Nets "b").IP}}', "172.17.0.2"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ('{{join .Args ","}} {{upper "x"}} {{lower "X"}} {{title "abc"}}', "-g,daemon off; X x Abc"),
        ('{{printf "%s-%d %q" .Name 3 "a"}}', '/web-3 "a"'),
        ('{{.Name | printf "%.2s"}}', "/w"),
        ('{{slice .Name 1}} {{split "a:b" ":"}}', "web [a b]"),
        (
            '{{eq .State.Pid 7}} {{ne .Name "x"}} {{gt 2 1}} {{and .Name 0}} {{or "" .Name}} {{not .None}}',
            "true true true 0 /web true",
        ),
        ("a {{- .Name -}} b", "a/webb"),
        ('{{println "x"}}', "x\n"),
        ("{{$x := .Name}}{{$x}}", "/web"),
        ("{{/* a comment */}}.", "."),
        ("{{`raw`}}{{true}}", "rawtrue"),
    ],
)
def test_renders(template: str, expected: str) -> None:
    assert render(template, DATA) == expected


@pytest.mark.parametrize(
    "template,problem",
    [
        ("{{.Nope}}", ':1:2: executing "" at <.Nope>: map has no entry for key "Nope"'),
        ("{{.State.Nope}}", ':1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"'),
        ("x {{json .Nope}}", ':1:9: executing "" at <.Nope>: map has no entry for key "Nope"'),
        ("{{.Name.X}}", ':1:7: executing "" at <.Name.X>: can\'t evaluate field X in type string'),
        ("{{.Name", ":1: unclosed action"),
        ("{{nope .Name}}", ':1: function "nope" not defined'),
        ("{{range .Args}}", ":1: unexpected EOF"),
        ("{{end}}", ":1: unexpected {{end}}"),
        ("{{}}", ":1: missing value for command"),
        ("{{if}}x{{end}}", ":1: missing value for if"),
        ("{{(.Name}}", ":1: unclosed left paren"),
        ("{{$nope}}", ':1: undefined variable "$nope"'),
    ],
)
def test_says_what_is_wrong_in_gos_words(template: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template, DATA)
    assert str(caught.value) == problem
