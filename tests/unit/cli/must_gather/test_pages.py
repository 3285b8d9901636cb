"""The summary as Markdown and as a page: nothing that a cluster says becomes markup."""

from collections import Counter
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from cli.must_gather import markdown, page
from cli.must_gather.diagnostics import Status
from cli.must_gather.digest import EVENTS_KEPT, Digest
from cli.must_gather.facts import AgentFact, EventFact, NodeFact, PodFact, PolicyFact
from cli.must_gather.summary import MOST_ROWS, Section, grouped, sections, verdict

NASTY = "<script>alert(1)</script> | \"'><img src=x onerror=y> [a](javascript:b) `c`\n# d"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def digest(text: str) -> Digest:
    """One of everything, with this text wherever there is one."""
    found = Digest("2026-11-27T04:00:00+00:00", text, text, {"nodes": text}, {text: text})
    condition = (text, "False", text, text)
    found.policies = [PolicyFact("NicClusterPolicy", text, text, text, (condition,), ((text, text, text),))]
    found.pods = [PodFact(text, text, text, text, False, 1, text, True, driver=False)]
    found.nodes = {text: NodeFact(text, nic=True, ready=False)}
    found.agents = {text: AgentFact(text, text, text, ((text, text),), in_step=False)}
    found.diagnostics = {text: Counter(Status)}
    found.saw_event(EventFact(text, text, text, text, text, 1))
    found.failed(text, text)
    found.notes.append(text)
    return found


def rendered(text: str) -> str:
    return page.write(text, sections(digest(text)), [f"pods/{text}"])


@given(st.text(max_size=60) | st.just(NASTY))
def test_the_page_has_the_same_tags_whatever_the_texts_are(text: str) -> None:
    harmless, nasty = Tags(), Tags()
    harmless.feed(rendered("x"))
    nasty.feed(rendered(text))
    assert nasty.found <= harmless.found
    assert nasty.attributes <= harmless.attributes


def test_the_page_loads_nothing() -> None:
    made = rendered("x")
    assert "default-src 'none'" in made
    assert "<script" not in made
    assert "http://" not in made
    assert "https://" not in made


def test_a_text_stays_in_its_cell_of_the_markdown() -> None:
    made = markdown.write("t", [Section("s", (), ("a", "b"), ((NASTY, "2"),))])
    (row,) = (line for line in made.splitlines() if "script" in line)
    assert "<" not in row
    assert row.endswith(" | 2 |")
    assert r"\[a\]" in row


def test_a_table_that_is_too_long_says_how_much_is_missing() -> None:
    found = Digest("", "", "")
    found.pods = [PodFact(f"p{n}", "", "", "Pending", False, 0, "", True, driver=False) for n in range(MOST_ROWS + 7)]
    made = markdown.write("t", sections(found))
    assert "and 7 more" in made


def test_failures_are_told_by_reason() -> None:
    found = Digest("", "", "")
    found.done = 3
    for what, why in (("log of a", "no such host"), ("nodes", "forbidden"), ("log of b", "no such\nhost")):
        found.failed(what, why)
    assert grouped(found) == [("no such host", 2, "log of a"), ("forbidden", 1, "nodes")]
    assert verdict(found) == "partial: 3 things collected, 3 not (see errors.txt)"


def test_the_newest_events_are_kept() -> None:
    found = Digest("", "", "")
    for n in range(EVENTS_KEPT * 3):
        found.saw_event(EventFact(f"2026-11-27T{n:06}Z", "", "", "", "", 1))
    assert [event.last for event in found.events][:2] == ["2026-11-27T000149Z", "2026-11-27T000148Z"]
    assert len(found.events) == EVENTS_KEPT
