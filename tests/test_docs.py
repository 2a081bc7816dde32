"""What the documentation names exists: links, paths, modules, functions, `make` targets and commands."""

import ast
import importlib
import re
import shlex
from functools import cache, partial
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "failover/**/*.md", "deploy/**/*.md") for page in ROOT.glob(pattern)
)
DECISIONS = sorted(page for page in ROOT.glob("docs/decisions/*.md") if page.name != "README.md")
SECTIONS = ["Context", "Decision", "Cost", "What would change our mind"]
READERS_OWN = {"notes.py", "sitecustomize.py"}
"""Files that a page tells its reader to write."""

FENCE = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a) [^>]*(?:src|href)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
SYSTEM_CHECK = re.compile(r"\w+\.[EW]\d+")
MAKE = re.compile(r"(?:`|^\$ )(?:[A-Z_]+=\S+ )*make ([a-z-]+)", re.M)
MANAGE = re.compile(r"manage\.py ([a-z_]+)")
DEFINED_IN = re.compile(r"`([\w/.]+\.py)`, `([\w.]+)`")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", _text(page)), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@cache
def _file_names() -> set[str]:
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".venv")]
    return {file.name for folder in folders for file in folder.rglob("*.*")} | {file.name for file in ROOT.iterdir()}


@cache
def _defined(file: Path) -> set[str]:
    """The names that a module defines: functions, classes, constants, and what its classes define."""
    names = set()
    for node in ast.parse(_text(file)).body:
        for name in _names(node):
            names.add(name)
            names |= {f"{name}.{inner}" for part in getattr(node, "body", []) for inner in _names(part)}
    return names


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _is_name_of_something(dotted: str) -> bool:
    """Whether a dotted name is a module or package of ours, or something that one of them holds."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part, None)
        return thing is not None
    return False


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    wrong = []
    for page in PAGES:
        for target in (link or source for link, source in LINK.findall(FENCE.sub("", _text(page)))):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if re.match(r"[a-z]+:", target):
                continue
            if not file.exists() or (anchor and anchor not in _anchors(file)):
                wrong.append((_name(page), target))
    assert not wrong


def test_every_path_and_module_in_backticks_exists() -> None:
    wrong = [(_name(page), code) for page in PAGES for code in CODE.findall(_prose(page)) if not _exists(page, code)]
    assert not wrong


def _prose(page: Path) -> str:
    return FENCE.sub("", _text(page))


def _exists(page: Path, code: str) -> bool:
    """Whether a path or module named on a page exists; true of what is neither."""
    if re.fullmatch(r"(failover|polls|surveyapp|tests)(\.\w+)+", code) and not code.endswith(".py"):
        return bool(SYSTEM_CHECK.fullmatch(code)) or _is_name_of_something(code)
    if not PATH.fullmatch(code):
        return True
    if "/" not in code:
        return not code.endswith(".py") or code in READERS_OWN | _file_names()
    made_by_runs = {line.strip("/") for line in _text(ROOT / ".gitignore").splitlines()}
    is_ours = code.endswith(".py") or code.split("/")[0] in {entry.name for entry in ROOT.iterdir()} - made_by_runs
    return not is_ours or (ROOT / code).exists() or (page.parent / code).exists()


def test_every_function_that_is_named_beside_its_file_is_defined_there() -> None:
    named = [(_name(page), path, name) for page in PAGES for path, name in DEFINED_IN.findall(_text(page))]
    assert not [entry for entry in named if entry[2] not in _defined(ROOT / entry[1])]


def test_every_make_target_and_every_command_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text(ROOT / "Makefile"), re.M))
    commands = set(get_commands())
    wrong = []
    for page in PAGES:
        wrong += [(_name(page), f"make {name}") for name in MAKE.findall(_text(page)) if name not in targets]
        wrong += [(_name(page), name) for name in MANAGE.findall(_text(page)) if name not in commands]
    assert not wrong


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_every_decision_has_a_date_and_its_sections_and_is_in_the_index(page: Path) -> None:
    text = _text(page)
    assert re.search(r"^Date: 20\d\d-\d\d-\d\d$", text, re.M)
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    assert f"]({page.name})" in _text(page.parent / "README.md")


LINE = re.compile(r"`(?:\.venv/bin/python )?manage\.py ([^`\n]+)`")
OPEN_ENDED = re.compile(r"[|\[\]…]|\.\.\.")
"""What shows the form of a command, and is none that a reader could type."""


@pytest.mark.parametrize("page", [page for page in PAGES if page not in DECISIONS], ids=_name)
def test_every_command_line_can_be_typed(page: Path) -> None:
    """Its options and the number of its arguments are right; an argument may stand for another one."""
    text = re.sub(r"\s*\n\s*", " ", _text(page))
    for line in LINE.findall(text):
        if OPEN_ENDED.search(line) or len(line.split()) == 1:
            continue
        name, *arguments = shlex.split(line)
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        parser.error = partial(_refuse, line)
        parser.parse_args(arguments)


def _refuse(line: str, message: str) -> None:
    pytest.fail(f"manage.py {line}: {message}")
