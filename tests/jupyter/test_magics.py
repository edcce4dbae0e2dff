"""The magics in a real IPython shell: what they print, one sentence for a mistake, the variable `lab`."""

from __future__ import annotations

import pytest

from kubenet_course import Lab

interactive = pytest.importorskip("IPython.core.interactiveshell")


@pytest.fixture
def shell():
    interactive.InteractiveShell.clear_instance()
    shell = interactive.InteractiveShell.instance()
    shell.run_line_magic("load_ext", "kubenet_course")
    yield shell
    shell.run_line_magic("unload_ext", "kubenet_course")
    interactive.InteractiveShell.clear_instance()


@pytest.fixture
def run(shell, capsys):
    """Run a cell; (what it printed, its result)."""

    def run_cell(cell: str):
        capsys.readouterr()
        done = shell.run_cell(cell)
        assert done.error_before_exec is None and done.error_in_exec is None, cell
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        assert printed.err == ""
        return printed.out, done.result

    return run_cell


MISTAKES = [
    ("%routes", "There is no lab yet: `%lab load NAME` starts one"),
    ("%host red ip route", "There is no lab yet"),
    ("%%host red\nip route", "There is no lab yet"),
    ("%lab load nope", "there is no lab 'nope'"),
    ("%lab load linux_router", "did you mean linux-router?"),
    ("%exercise Routing-default", "did you mean routing_default?"),
    ("%quiz 02_routng", "did you mean 02_routing?"),
    ("%check", "no exercise has been started"),
    ("%lab load two-networks --backend nope", "there is no backend 'nope'"),
    ("%lab load two-networks --seed x", "--seed takes a number"),
    ("%lab load", "Name one lab"),
    ("%lab nope", "%lab has no 'nope'"),
    ("%undo", "There is no lab yet"),
]


@pytest.mark.parametrize("cell, words", MISTAKES)
def test_a_mistake_without_a_lab_is_one_sentence(run, cell, words):
    out, _ = run(cell)
    assert words in out
    assert len(out.strip().splitlines()) == 1


LATER_MISTAKES = [
    ("%host nobody ip route", "There is no machine 'nobody' in this lab"),
    ("%machine nobody", "there is no machine 'nobody'"),
    ("%routes nobody", "there is no machine or namespace 'nobody'"),
    ("%routes A B", "%routes takes one machine"),
    ("%topology --frob", "topology: got an unexpected keyword argument 'frob'"),
    ("%routes --nope=1", "has no option 'nope'"),
    ("%fdb A", "A has no bridge"),
    ("%journey A", "%journey MACHINE COMMAND"),
    ("%resolution A", "%resolution MACHINE COMMAND"),
    ("%explain", "%explain MACHINE COMMAND"),
    ("%redo", "nothing to redo"),
    ("%undo 99", "nothing left to undo"),
    ("%undo nowhere", "no checkpoint 'nowhere'"),
    ("%checkpoint 3", "one word, and no number"),
    ("%checkpoint two words", "one word, and no number"),
    ("%diff --since=nowhere", "no checkpoint 'nowhere'"),
    ("%%host A ip route\nls", "%%host takes a machine only"),
    ('%routes "A', "The line cannot be read"),
]


def test_a_mistake_with_a_lab_is_one_sentence(run):
    run("%lab load two-networks")
    for cell, words in LATER_MISTAKES:
        out, result = run(cell)
        assert words in out, (cell, out)
        assert result is None
        assert len(out.strip().splitlines()) == 1, out


def test_a_cell_runs_as_in_a_terminal(run, shell):
    out, _ = run("%lab load two-networks")
    assert "Commands run on: A" in out
    assert isinstance(shell.user_ns["lab"], Lab)
    cell = "%%host A\ncd /tmp; X=3\necho $X $PWD\nls /nope\n# a comment\nB$ hostname\nfor i in 1 2; do\n  echo $i\ndone"
    out, _ = run(cell)
    assert out == "3 /tmp\nls: cannot access '/nope': No such file or directory\n[2]\nB\n1\n2\n"
    assert run("%%host A\npwd")[0] == "/tmp\n", "a machine's shell lives as long as the lab"
    assert run("%host hostname")[0] == "A\n"
    assert run("%host B hostname")[0] == "B\n"


def test_the_current_machine(run, shell):
    run("%lab load two-networks")
    run("%machine B")
    assert run("%%host\nhostname")[0] == "B\n"
    run("%%host\nrouter$")
    assert shell.kubenet.machine == "router"
    assert repr(run("%routes")[1]).startswith("Routes of router")


def test_undo_redo_diff_and_history(run):
    run("%lab load two-networks")
    run("%host A ip route add 10.0.0.0/8 via 192.168.1.1")
    assert "+ A      came  route  10.0.0.0/8 via 192.168.1.1" in repr(run("%diff")[1])
    assert run("%undo")[0] == "Taken back: A$ ip route add 10.0.0.0/8 via 192.168.1.1\n"
    assert "10.0.0.0/8" not in repr(run("%routes A")[1])
    assert run("%redo")[0].startswith("Done again: A$ ip route add")
    assert "10.0.0.0/8" in repr(run("%routes A")[1])
    assert "ip route add 10.0.0.0/8" in repr(run("%history")[1])
    run("%lab reset")
    assert "10.0.0.0/8" not in repr(run("%routes A")[1])


def test_tables_follow_what_is_done(run, shell):
    run("%lab load two-networks")
    run("table = %routes A")
    run("%host A ip route add 10.0.0.0/8 via 192.168.1.1")
    assert "+ 10.0.0.0/8" in repr(shell.user_ns["table"])
    run("%undo")
    assert "- 10.0.0.0/8" in repr(shell.user_ns["table"])
    run("%lab close")
    assert run("%lab")[0].startswith("There is no lab yet")


def test_a_lab_of_the_learners_own_is_used(run):
    run("from kubenet_course import Lab\nlab = Lab.load('switching')")
    assert run("%lab")[0].startswith("Lab switching")


def test_a_resolution(run):
    run("%lab load dns")
    assert "resolver ← google" in repr(run("%resolution client dig www.google.com")[1])


def test_a_journey_and_an_explanation(run):
    run("%lab load two-networks")
    assert "It works" in repr(run("%journey A ping -c1 192.168.2.10")[1])
    assert str(run("%explain A ping -c1 10.9.9.9")[1]).startswith("The packet comes as far as router")


COMPLETIONS = [
    ("ip ro", ["route"]),
    ("ip route add 10.0.0.0/8 via 192.168.1.1 dev e", ["eth0"]),
    ("ip link set dev ", ["eth0", "lo"]),
    ("ip netns exec ", ["red"]),
    ("ip -n ", ["red"]),
    ("ip netns exec red ip lin", ["link"]),
    ("iptables -t ", ["filter", "mangle", "nat", "raw", "security"]),
    ("iptables -A POST", ["POSTROUTING"]),
    ("iptables -t nat -A POSTROUTING -j MASQ", ["MASQUERADE"]),
    ("cat /etc/hostn", ["/etc/hostname"]),
    ("ping 192.168.2.1", ["192.168.2.1", "192.168.2.10"]),
    ("ls; ip a", ["addr", "address"]),
    ("router$ ip link set dev eth", ["eth0", "eth1"]),
    ("sysctl net.ipv4.ip_f", ["net.ipv4.ip_forward"]),
]


def test_completion(run, shell):
    from kubenet_course.jupyter.completion import complete

    run("%lab load two-networks")
    run("%host A ip netns add red")
    for line, expected in COMPLETIONS:
        assert complete(shell.kubenet, line)[1] == expected, line


def test_completion_through_ipython(run, shell):
    from IPython.core.completer import provisionalcompleter

    run("%lab load two-networks")
    cells = {"%lab load two": ["two-networks"], "%host rou": ["router"], "%%host A\nip ro": ["route"],
             "%journey A ping 192.168.2.10": ["192.168.2.10"], "%routes s": ["s1", "s2"], "%exercise routing_d": ["routing_default"], "%break switching_p": ["switching_port_down"],
             "%quiz 02": ["02_routing"], "%hooks POST": ["POSTROUTING"], "%firewall A --table=r": ["--table=raw"],
             "%%host A\ndocker network con": ["connect"], "%%host A\nxyzzy --nothing-fi": ["--nothing-fi"]}  # fmt: skip
    with provisionalcompleter():
        for cell, expected in cells.items():
            assert [c.text for c in shell.Completer.completions(cell, len(cell))] == expected, cell


def test_a_lab_that_is_not_there_leaves_the_one_before_as_it_is(run):
    run("%lab load two-networks")
    run("%lab load nope")
    out, _ = run("%host A hostname")
    assert out == "A\n"


def test_a_lab_that_was_closed_says_so(run):
    run("%lab load two-networks")
    run("lab.close()")
    out, _ = run("%routes A")
    assert out == "The lab two-networks is closed: `%lab load two-networks` starts it anew.\n"


def test_an_error_of_ours_in_python_is_one_sentence_too(shell, capsys):
    shell.run_cell("%lab load two-networks")
    capsys.readouterr()
    done = shell.run_cell("lab.redo()")
    assert done.error_in_exec is not None
    printed = capsys.readouterr()
    assert (printed.out + printed.err).strip() == "LabError: there is nothing to redo"
    shell.run_cell("lab.machine('A').read('/etc/nosuch')")
    assert "No such file or directory: 'A:/etc/nosuch'" in capsys.readouterr().out


def test_one_percent_sign_too_few_is_understood(run):
    run("%lab load two-networks")
    out, _ = run("%host B\nhostname\necho done")
    assert out == "B\ndone\n"
    out, _ = run("%host A hostname\n%host B hostname")
    assert out == "A\nB\n"


def test_a_journey_without_a_machine_is_the_current_ones(run):
    run("%lab load two-networks\n%machine A")
    _, result = run("%journey ping -c 1 127.0.0.1")
    assert repr(result).startswith("A$ ping -c 1 127.0.0.1")


def test_a_command_of_several_lines_is_one_row_of_the_history(run):
    run("%lab load two-networks")
    run("%%host A\nfor i in 1 2; do\necho $i\ndone")
    _, result = run("%history")
    assert "for i in 1 2; do ⏎ echo $i ⏎ done" in repr(result)


def test_the_list_of_exercises_says_how_long_they_take_and_which_are_solved(run):
    run("%exercise welcome_address")
    run("%host host ip addr add 10.0.0.1/32 dev lo")
    run("%check")
    out, _ = run("%exercise")
    lines = {line[2:].split()[0]: line for line in out.splitlines()}
    assert lines["welcome_address"].startswith("✔ welcome_address") and lines["welcome_address"].endswith("A second address (2 min)")
    assert lines["routing_default"].startswith("  routing_default")
    run("%exercise switching_port")
    run("%solve")
    run("%check")
    out, _ = run("%exercise")
    assert "– switching_port " in out


@pytest.mark.parametrize("cell", ["ip addr add 10.0.0.1/24 dev eth0", "hostname", "\nping -c 1 8.8.8.8\n"])
def test_a_command_typed_as_python_is_told_where_commands_go(shell, capsys, cell):
    shell.run_cell("%lab load switching")
    capsys.readouterr()
    shell.run_cell(cell)
    line = cell.strip()
    assert f"To type `{line.split()[0]}` on a machine: `%host A {line}`" in capsys.readouterr().out
    shell.run_cell("nosuchname + 1")
    shell.run_cell("ip = 1; ip")
    assert "on a machine" not in capsys.readouterr().out
    shell.run_line_magic("unload_ext", "kubenet_course")
    shell.run_cell(cell)
    assert "on a machine" not in capsys.readouterr().out


def test_a_quiz_is_found_by_its_number(run):
    assert str(run("%quiz 02")[1]) == str(run("%quiz 02_routing")[1])
