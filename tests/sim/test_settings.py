"""What the command line says, and what it leaves to the file."""

import pytest
from sampan_sim.settings import parse


def test_without_a_word_it_is_one_node(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/first:/second")
    given = parse([])
    assert (given.nodes, given.prefix, given.writers, given.keep, given.verbose) == (1, "sim", 16, False, False)
    assert (given.kubeconfig, given.context, given.config.seed) == ("/first", "", 0)


def test_the_command_line_comes_before_the_file_and_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", "/first")
    file = tmp_path / "sim.yaml"
    file.write_text("seed: 7\n")
    from_file = parse(["-f", str(file)])
    assert (from_file.config.seed, from_file.nodes) == (7, None)
    words = ["-f", str(file), "--nodes", "3", "--seed", "0", "--prefix", "lab", "--kubeconfig", "/own", "--keep"]
    given = parse([*words, "--context", "c", "--writers", "2", "--verbose"])
    assert (given.config.seed, given.nodes, given.prefix, given.kubeconfig) == (0, 3, "lab", "/own")
    assert (given.keep, given.context, given.writers, given.verbose) == (True, "c", 2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--nodes", "0"],
        ["--nodes", "-1"],
        ["--nodes", "x"],
        ["--writers", "0"],
        ["--prefix", "Lab"],
        ["--prefix", "-a"],
        ["--prefix", "a" * 43],
        ["--seed", "x"],
    ],
)
def test_what_cannot_be_meant_is_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err
