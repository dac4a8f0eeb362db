"""Links between the repository's pages lead somewhere, and EXPERIMENTS.md to every entry."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
ENTRIES = sorted((ROOT / "experiments").glob("*.md"))
MAX_BYTES = 60_000

FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*\s*?$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^\s<>()]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
TAG = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)", re.IGNORECASE)
QUOTED = re.compile(r"\[\"([^\"]+)\"\]\([^\s()#]*#([^\s()]+)\)")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$", re.MULTILINE)
ENTRY = re.compile(r"^## (.*)$", re.MULTILINE)


@cache
def pages() -> tuple[Path, ...]:
    """Return every *.md file that git knows or would take in."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = {ROOT / name for name in told.stdout.split("\0") if name}
    return tuple(sorted(page for page in found if page.is_file()))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(text: str) -> list[str]:
    """Return the targets of links and pictures, but those in code and those to elsewhere."""
    words = SPAN.sub("", FENCE.sub("", text))
    found = LINK.findall(words) + REFERENCE.findall(words) + TAG.findall(words)
    return [target for target in found if not ELSEWHERE.match(target)]


def anchor_of(heading: str) -> str:
    """Return GitHub's name of a heading: small letters, digits, `_` and `-`, blanks as `-`."""
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the names of a page's headings; the second of one name ends in `-1`."""
    found, seen = set[str](), dict[str, int]()
    for heading in HEADING.findall(FENCE.sub("", text)):
        name = anchor_of(heading)
        found.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return found


def what_is_wrong(page: Path, target: str) -> str:
    """Return what is wrong with a link of a page, nothing where it leads somewhere."""
    name, _, anchor = unquote(target).partition("#")
    file = page.parent / name if name else page
    if not file.exists():
        return f"{target}: no such file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
        return f"{target}: {file.name} has no such heading"
    return ""


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_links_lead_somewhere(page: Path):
    wrong = [told for link in links(page.read_text()) if (told := what_is_wrong(page, link))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_quoted_titles_lead_to_the_entry_that_they_name(page: Path):
    for title, anchor in QUOTED.findall(SPAN.sub("", page.read_text())):
        day, rest = anchor[:11], anchor[11:]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d-", day), anchor
        assert rest.startswith(anchor_of(" ".join(title.split()))), f"{title!r} leads to {anchor}"


@pytest.mark.parametrize("page", ENTRIES, ids=shown)
def test_every_entry_is_linked_from_the_page_of_what_is_known(page: Path):
    known = links((ROOT / "EXPERIMENTS.md").read_text())
    entries = [f"{shown(page)}#{anchor_of(entry)}" for entry in ENTRY.findall(page.read_text())]
    missed = [entry for entry in entries if entry not in known]
    assert not missed, f"EXPERIMENTS.md links no {', '.join(missed)}"


@pytest.mark.parametrize("page", ENTRIES, ids=shown)
def test_entries_are_dated_newest_first_and_parted_by_topic(page: Path):
    entries = ENTRY.findall(page.read_text())
    assert all(re.match(r"\d{4}-\d\d-\d\d: \S", entry) for entry in entries), entries
    days = [entry[:10] for entry in entries]
    assert days == sorted(days, reverse=True)
    size = page.stat().st_size
    assert size <= MAX_BYTES, f"{shown(page)} has {size} bytes, at most {MAX_BYTES}: part it"


def test_no_two_entries_have_one_title():
    entries = [entry for page in ENTRIES for entry in ENTRY.findall(page.read_text())]
    titles = [entry.partition(": ")[2] for entry in entries]
    assert sorted(titles) == sorted(set(titles))


def test_anchors_are_those_of_github():
    text = "# A `b_c`: what's new (ITC)?\n```\n# no\n```\n## Same\n## Same\n### [O](x.md) 1.5 %\n"
    assert anchors(text) == {"a-b_c-whats-new-itc", "same", "same-1", "o-15-"}


def test_links_in_code_are_none_and_those_over_lines_are():
    text = '`[a](b.md)` [c\nd](e.md#f) ![g](h.png "i") <a href="j.md">\n```\n[k](l.md)\n```\n'
    assert links(text + "[m](https://n.o)\n[p]: q.md\n") == ["e.md#f", "h.png", "q.md", "j.md"]
