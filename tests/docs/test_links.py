"""The documentation names files, functions and fields; what it names is there."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from sampan_master.apiserver.resources import unused_fields

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ONE_APPLY = ROOT / "docs" / "one-apply.md"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SPAN = re.compile(r"`([^`\n]+)`")
FUNCTION = re.compile(r"(?:\w+\.)*(\w+)\(\)")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|pyi|proto|md|yaml|toml|jsonl)")


def links(page: Path) -> list[str]:
    return [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]


@cache
def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return listed.stdout.split()
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]


def is_in_the_tree(name: str) -> bool:
    return (ROOT / name).exists() or any(path.endswith(f"/{name}") for path in tracked())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_path_of_somebody_s_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|home|root|Users)/\S*", page.read_text(encoding="utf-8")) == []


def test_every_file_that_one_apply_names_is_in_the_tree() -> None:
    named = [span for span in SPAN.findall(ONE_APPLY.read_text(encoding="utf-8")) if FILE.fullmatch(span)]
    assert len(named) > 60
    assert [name for name in named if not is_in_the_tree(name)] == []


def test_every_function_that_one_apply_names_is_defined_in_a_file_it_links_to() -> None:
    files = {(ONE_APPLY.parent / target).resolve() for target in links(ONE_APPLY)}
    code = "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix == ".py")
    spans = SPAN.findall(ONE_APPLY.read_text(encoding="utf-8"))
    named = {found[1] for span in spans if (found := FUNCTION.fullmatch(span))}
    named.remove("word")  # The page says by it how functions are written.
    assert len(named) > 60
    assert sorted(name for name in named if not re.search(rf"\bdef {name}\(", code)) == []


def test_limits_names_every_field_that_is_stored_but_not_acted_upon() -> None:
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    tables = [value for name, value in vars(unused_fields).items() if name.isupper() and isinstance(value, tuple)]
    assert tables
    assert [field for table in tables for field in table if f"`{field}`" not in text] == []
