"""deploy/ and scripts/: what cannot be run here can at least be held against the programs it starts."""

from __future__ import annotations

import configparser
import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text().replace("\\\n", " "))
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_program_with_flags_that_it_knows(path: Path) -> None:
    program, *flags = shlex.split(_unit(path)["Service"]["ExecStart"])
    name = Path(program).name
    if name == "etcd":
        return
    package = name.replace("-", "_")
    source = "".join(p.read_text() for p in ROOT.glob(f"*/{package}/settings.py"))
    importlib.import_module(package)
    unknown = [flag for flag in flags if flag.startswith("--") and f'"{flag}"' not in source]
    assert not unknown, f"{name} does not know {unknown}"


@pytest.mark.parametrize("name", ["sampan-agent", "sampan-runtime"])
def test_stopping_a_node_unit_leaves_the_containers(name: str) -> None:
    service = _unit(ROOT / "deploy" / "systemd" / f"{name}.service")["Service"]
    assert service["KillMode"] == "process"
    assert service["Delegate"] == "yes"
    assert not {"PrivateTmp", "ProtectSystem", "PrivateMounts"} & set(service)


@pytest.mark.parametrize("script", ["up", "test", "check", "setup.sh", "../deploy/install"])
def test_scripts_are_well_formed(script: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / "scripts" / script)], check=True, timeout=60)


def test_the_vagrantfile_names_three_machines() -> None:
    text = (ROOT / "deploy" / "Vagrantfile").read_text()
    assert len(re.findall(r'"192\.168\.56\.\d+"', text)) == 3
