import os
import subprocess
import sys

import pytest
from sampan_master.__main__ import main
from sampan_master.data_dir import DirectoryInUse, claimed, identity

HOLDER = "import sys, time; from pathlib import Path; from sampan_master.data_dir import claimed\n"
HOLDER += "with claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_directory_is_one_master_s_at_a_time(tmp_path):
    directory, said = tmp_path / "new", rf"another master's \(pid {os.getpid()}\)"
    with claimed(directory), pytest.raises(DirectoryInUse, match=said), claimed(directory):
        pass
    with claimed(directory):
        pass


def test_a_killed_master_holds_nothing(tmp_path, capsys):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        ports = [word for flag in ("--listen", "--node-listen", "--join-listen") for word in (flag, "127.0.0.1:0")]
        assert main(["--data-dir", str(tmp_path), "--in-memory", *ports]) == 1
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with claimed(tmp_path):
        pass


def test_the_identity_is_kept_and_names_the_machine(tmp_path, monkeypatch):
    first = identity(tmp_path)
    assert identity(tmp_path) == first
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    assert identity(tmp_path) == f"another_{first.rpartition('_')[2]}"
