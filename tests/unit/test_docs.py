"""The documentation says what is: pages for all reasons, links that lead somewhere, tests and targets that exist."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from coordinator.states import STATES
from nicfleet import names
from nicfleet.reasons import Reason

REPOSITORY = Path(__file__).parent.parent.parent
FINDINGS = REPOSITORY / "docs/findings"
COMPATIBILITY = REPOSITORY / "docs/compatibility.md"
MARKS_PAGE = REPOSITORY / "docs/reference/upstream-marks.md"
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])

HEADINGS = ["Meaning", "Where you see it", "Evidence", "What to do"]
BEHAVIOURS = {*range(1, 53), *range(54, 57), *range(63, 77)}
"""Those of this version: what users of NIC operators suffered from, by number."""

MARKS = {
    "API": {"1": "C", "2.1": "WCC", "2.5": "W", "2.7": "C", "2.9": "CW", "2.10": "W", "3": "W", "4": "WW", "7.3": "C"}
    | {"8": "WWWWW"},
    "Admission": {"1": "CW", "2": "WW", "4.1": "W", "4.2": "WWWWWW", "4.3": "WWWWW", "4.4": "WWW", "4.5": "W"}
    | {"4.6": "W", "5": "WW", "5.1": "WW", "5.2": "WW", "6": "W"},
    "States": {"3.2": "W", "3.3": "CWW", "3.5": "WWWW", "3.8": "WCW", "3.9": "WWWWW", "3.10": "WW", "3.11": "WW"}
    | {"6": "W", "7.1": "WW", "7.2": "WW", "7.3": "W", "7.4": "WW", "7.5": "W", "7.6": "WW", "7.7": "WW"}
    | {"11": "W", "14": "W", "15.2": "W", "16": "WW", "17": "W"},
    "Networks": {"1": "WW", "3": "WWW", "4": "W", "5": "WWWWWWCW", "6": "WW", "7": "W"},
}
"""The marks of the fact sheets about upstream, by sheet and section, in their order; the sheets are not kept here."""

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(FENCED.pattern + r"|^ {4,}\S[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
MARK_ROW = re.compile(r"^\| ([CW]) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def headings(text: str, level: str) -> list[str]:
    return re.findall(rf"^{level} (.+)$", FENCED.sub("", text), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = headings(page.read_text(), "#{1,6}")
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[str]:
    """Targets of relative links."""
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", target):
            yield target


def rows() -> dict[int, str]:
    """What shows a behaviour, by its number."""
    found: dict[int, str] = {}
    for number, _, evidence in ROW.findall(COMPATIBILITY.read_text()):
        assert int(number) not in found, f"behaviour {number} has two rows"
        found[int(number)] = evidence
    return found


def split(text: str, level: str) -> Iterator[tuple[str, str]]:
    """Headings of a level, each with what is below it."""
    _, *parts = re.split(rf"^{level} (.+)$", text, flags=re.MULTILINE)
    return zip(parts[::2], parts[1::2], strict=True)


def marks() -> dict[str, dict[str, list[str]]]:
    """What shows how we deal with each mark, as "C evidence": by sheet and section, in the order of the page."""
    return {
        sheet: {
            section.partition(" ")[0]: [f"{mark} {evidence}" for mark, _, _, evidence in MARK_ROW.findall(rows)]
            for section, rows in split(sections, "###")
        }
        for sheet, sections in split(MARKS_PAGE.read_text(), "##")
    }


@cache
def functions(path: Path) -> set[str]:
    assert path.is_file(), f"{path} does not exist"
    tree = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_reason_has_its_page_and_every_page_its_reason() -> None:
    assert {page.stem for page in FINDINGS.glob("*.md")} - {"README"} == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_finding_is_explained_like_the_others(reason: Reason) -> None:
    text = (FINDINGS / f"{reason}.md").read_text()
    assert headings(text, "#") == [reason]
    assert headings(text, "##") == HEADINGS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE)), "a part is empty"


def test_the_index_lists_every_finding() -> None:
    assert {Path(target).stem for target in links(FINDINGS / "README.md")} >= set(Reason)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(linked), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    code = " ".join(CODE.findall(page.read_text()))
    assert set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", code)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_values_that_are_set_are_the_charts(page: Path) -> None:
    """A wrong one would be refused, but only once somebody types it."""
    code = " ".join(CODE.findall(page.read_text()))
    given = re.findall(r"--set(?:-[a-z]+)?[ =]([^ `\n]+)", code)
    paths = {each.partition("=")[0] for words in given for each in re.split(r",(?=[a-z])", words)}
    assert {path for path in paths if not _is_value(path)} == set()


def _is_value(path: str) -> bool:
    """Below an empty mapping, and a context of SELinux, are Kubernetes' own words."""
    here = yaml.safe_load((REPOSITORY / "deploy/nicfleet/values.yaml").read_text())
    for part in path.split("."):
        if here == {} or "seLinuxOptions" in path.split(".")[: path.split(".").index(part)]:
            return True
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return True


NEW_COMPONENT = REPOSITORY / "docs/how-to/add-a-component.md"
"""Its files are those that the reader is to make."""


@pytest.mark.parametrize("page", [page for page in PAGES if page != NEW_COMPONENT], ids=name_of)
def test_charts_and_files_that_commands_name_exist(page: Path) -> None:
    code = " ".join(CODE.findall(page.read_text()))
    named = set(re.findall(r"(?<![\w./-])deploy/(?:nicfleet|crds|[\w./-]+\.ya?ml)(?![\w./-])", code))
    assert {each for each in named if not (REPOSITORY / each).exists()} == set()


@pytest.mark.parametrize("program", ["agent", "coordinator"])
def test_every_flag_is_explained_with_its_variable(program: str) -> None:
    command = [sys.executable, "-m", program, "--help"]
    said = " ".join(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    flags = re.findall(r"(--[a-z-]+) [^()]*\(([A-Z_]+)[;)]", said.partition("the version and exit")[2])
    _, _, after = (REPOSITORY / "docs/reference/flags.md").read_text().partition(f"## nicfleet-{program}\n")
    explained = re.findall(r"^\| `(--[a-z-]+)` \| `([A-Z_]+)` ", after.partition("\n## ")[0], re.MULTILINE)
    assert flags
    assert explained == flags


def test_every_label_is_explained() -> None:
    text = (REPOSITORY / "docs/reference/labels.md").read_text()
    explained = set(re.findall(r"^\| `([^`<]+)", text, re.MULTILINE))
    assert explained == names.LABEL_KEYS | set(names.LABEL_PREFIXES)


def test_every_state_is_explained_with_its_condition() -> None:
    text = (REPOSITORY / "docs/reference/status.md").read_text()
    explained = re.findall(r"^\| `(state-\S+)` \| `[^`]+` \| (?:`(\w+)`|none) \|$", text, re.MULTILINE)
    assert explained == [(state.name, state.condition or "") for state in STATES]


def test_every_behaviour_has_its_row() -> None:
    assert rows().keys() >= BEHAVIOURS


@pytest.mark.parametrize("number", sorted(rows()))
def test_a_behaviour_is_shown_by_tests_that_exist_or_says_why_not(number: int) -> None:
    evidence = rows()[number]
    assert "not yet: " in evidence or TEST.search(evidence)
    assert_tests_exist(evidence)


def assert_tests_exist(evidence: str) -> None:
    for path, test in TEST.findall(evidence):
        assert test in functions(REPOSITORY / path), f"{path} has no {test}"


def test_every_mark_of_the_fact_sheets_has_its_row() -> None:
    found = {
        sheet: {section: "".join(row[0] for row in rows) for section, rows in sections.items()}
        for sheet, sections in marks().items()
    }
    assert found == MARKS
    count = sum(len(each) for sections in MARKS.values() for each in sections.values())
    assert f" {count} facts " in MARKS_PAGE.read_text()


@pytest.mark.parametrize("sheet", MARKS)
def test_every_mark_is_shown_by_tests_that_exist(sheet: str) -> None:
    for section, rows in marks()[sheet].items():
        for evidence in rows:
            assert TEST.search(evidence), f"{section} has a row without a test"
            assert_tests_exist(evidence)
