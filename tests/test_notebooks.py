"""Strict nbval compares only what is stored: so what is stored must be complete, and free of what can hide or differ.

A cell that was never run, one with a tag that weakens the comparison, or one that shows a widget without a digest is
always green. These tests look for such cells, and for traces of the machine the notebooks were run on.
"""

import ast
import io
import re
import tempfile
import tokenize
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from tools import store

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = store.notebooks()

WEAKENING_TAGS = re.compile(r"nbval|raises-exception|skip-execution", re.IGNORECASE)
WEAKENING_COMMENTS = re.compile(r"NBVAL_|PYTEST_VALIDATE")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
HERE = [
    str(place) for place in (ROOT, Path.home(), Path(tempfile.gettempdir())) if len(place.parts) > 1
]
MACHINE_PATH = re.compile(
    "|".join(
        [
            r"/home/",
            r"/Users/",
            r"\b[A-Z]:\\\w",
            r"site-packages",
            r"ipykernel_\d",
            *(rf"(?<![\w.]){re.escape(place)}(?![\w-])" for place in HERE),
        ]
    )
)
# What shows differently from run to run, or nothing at all to a test (strict nbval, executors, graders).
UNSTABLE = {
    "interact": "use a panel with .value",
    "interactive": "use a panel with .value",
    "interactive_output": "use a panel with .value",
    "clear_output": "show a new output in a new cell",
    "update_display": "show a new output in a new cell",
    "Output": "use widgets.HTML or widgets.Image",
    "Styler": "show the plain table",
    "style": "show the plain table",
    "display_id": "show a new output in a new cell",
}


def complaints(notebook) -> list[str]:
    """What is wrong with a stored notebook, one sentence each."""
    found = []
    count = 0
    if "widgets" in notebook.metadata:
        found.append("the notebook holds saved widget state")
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        count += 1
        said = [*in_source(cell), *in_outputs(cell)]
        if cell.execution_count != count:
            said.append(
                f"its execution count is {cell.execution_count}, not {count}: it was not run in order"
            )
        found += [f"cell {position}: {sentence}" for sentence in said]
    return found


def in_source(cell):
    for tag in cell.metadata.get("tags", []):
        if WEAKENING_TAGS.search(tag):
            yield f"the tag {tag!r} weakens the test"
    if not cell.source.strip():
        yield "it is empty"
        return
    if WEAKENING_COMMENTS.search(cell.source):
        yield "a comment for nbval weakens the test"
    if MACHINE_PATH.search(cell.source):
        yield f"its source names a place on one machine: {MACHINE_PATH.search(cell.source).group()}"
    if found := re.search(r"""["']\.\.?/""", cell.source):
        yield f"its source names a place beside the notebook ({found.group()}), which may run elsewhere; use data_file"
    try:
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree = compile(cell.source, "cell", "exec", flags)
    except SyntaxError as error:
        yield f"it is not plain Python: {error.msg}"
        return
    if last_token(cell.source) == ";":
        yield "a trailing ';' hides its output"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield f"'from {node.module} import *' hides where names come from"
        for name in names(node):
            if name in UNSTABLE:
                yield f"{name!r} breaks strict tests; {UNSTABLE[name]}"


def names(node):
    match node:
        case ast.Name(id=name) if isinstance(node.ctx, ast.Load):
            yield name
        case ast.Attribute(attr=name):
            yield name
        case ast.keyword(arg=str() as name):
            yield name
        case ast.ImportFrom(names=aliases):
            yield from (alias.name for alias in aliases)


def last_token(source: str) -> str:
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type not in nothing][-1]


def in_outputs(cell):
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            yield f"it raised {output.ename}"
        if output.get("name") == "stderr":
            yield "it wrote to stderr"
        if store.WIDGET_VIEW in output.get("data", {}):
            yield "it stores a widget's view, which is empty without its kernel"
        for shown in texts(output):
            if found := ADDRESS.search(shown):
                yield f"it shows a memory address: {found.group()}"
            if found := MACHINE_PATH.search(shown):
                yield f"it shows a place on one machine: {found.group()}"
            if any(is_set(line) for line in [shown, *shown.splitlines()]):
                yield "it prints a set, whose order differs between processes"


def texts(output):
    """What is written in an output, without the bytes of pictures."""
    if "text" in output:
        yield output.text
    for kind, shown in output.get("data", {}).items():
        if not kind.startswith("image/") or kind == "image/svg+xml":
            yield str(shown)


def is_set(shown: str) -> bool:
    try:
        return isinstance(ast.literal_eval(shown.strip()), set)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_stored_notebook_hides_nothing(path):
    found = complaints(nbformat.read(path, as_version=4))
    assert not found, f"{path.name}:\n" + "\n".join(found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_as_the_storing_script_lays_it_out(path):
    before = path.read_text(encoding="utf-8")
    after = store.text(store.tidy(nbformat.reads(before, as_version=4)))
    assert after == before, f"{path.name}: store it with 'uv run python tools/store.py'"


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
PAGES = [*NOTEBOOKS, *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_of_the_course_lead_somewhere(path):
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        page = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        page = path.read_text(encoding="utf-8")
    targets = [unquote(target) for target in LINK.findall(page) if not re.match(r"[a-z]+:", target)]
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing, f"{path.name} links to what is not there: {missing}"


def one_cell(source="1", outputs=(), count=1, **metadata):
    cell = nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=count, metadata=metadata
    )
    return nbformat.v4.new_notebook(cells=[cell])


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", text=text, name=name)


def shown(**data):
    return nbformat.v4.new_output(
        "display_data", data={kind.replace("__", "/"): value for kind, value in data.items()}
    )


@pytest.mark.parametrize(
    ("notebook", "complaint"),
    [
        (one_cell(count=None), "not run in order"),
        (one_cell(count=2), "not run in order"),
        (one_cell(""), "empty"),
        (one_cell(tags=["nbval-ignore-output"]), "weakens"),
        (one_cell(tags=["raises-exception"]), "weakens"),
        (one_cell("# NBVAL_SKIP\n1"), "weakens"),
        (one_cell("1;"), "trailing"),
        (one_cell("1;  # quiet"), "trailing"),
        (one_cell("%matplotlib inline"), "plain Python"),
        (one_cell("from edalab import *"), "import *"),
        (one_cell("from ipywidgets import interact"), "interact"),
        (one_cell("import ipywidgets\nout = ipywidgets.Output()"), "Output"),
        (one_cell("clear_output()"), "clear_output"),
        (one_cell("table.style"), "style"),
        (one_cell("display(1, display_id='x')"), "display_id"),
        (one_cell("open('/home/ada/orders.csv')"), "one machine"),
        (one_cell("open('../data/orders.csv')"), "use data_file"),
        (one_cell(outputs=[printed("<A object at 0x7f3a91c2aa00>")]), "memory address"),
        (one_cell(outputs=[shown(text__html="<b>0x7f3a91c2aa00</b>")]), "memory address"),
        (one_cell(outputs=[printed("C:\\course\\orders.csv")]), "one machine"),
        (one_cell(outputs=[printed("{'b', 'a'}\n")]), "set"),
        (one_cell(outputs=[printed("careful", name="stderr")]), "stderr"),
        (
            one_cell(outputs=[nbformat.v4.new_output("error", ename="KeyError", evalue="")]),
            "raised KeyError",
        ),
        (
            one_cell(
                outputs=[nbformat.v4.new_output("display_data", data={store.WIDGET_VIEW: {}})]
            ),
            "widget",
        ),
    ],
)
def test_hygiene_finds(notebook, complaint):
    assert any(complaint in said for said in complaints(notebook)), complaints(notebook)


def test_hygiene_lets_a_good_cell_pass():
    good = one_cell(
        "await run()  # ; this is a comment",
        [printed("{'a': 1} 7f3a91c2"), shown(image__png="/home/0x1234567")],
    )
    assert complaints(good) == []


def test_tidying_keeps_what_is_shown_and_drops_live_widgets():
    picture = nbformat.v4.new_output(
        "display_data", data={store.WIDGET_VIEW: {}, "text/plain": "panel"}
    )
    widget = nbformat.v4.new_output("display_data", data={store.WIDGET_VIEW: {}})
    notebook = one_cell("panel", [picture, widget], scrolled=True, tags=["wide"])
    notebook.metadata["widgets"] = {"state": {}}
    tidied = store.tidy(store.tidy(notebook))
    [cell] = tidied.cells
    assert [output.data for output in cell.outputs] == [{"text/plain": "panel"}]
    assert cell.metadata == {"tags": ["wide"]} and "widgets" not in tidied.metadata
    assert complaints(tidied) == []


def test_equal_cells_get_different_ids():
    cells = [nbformat.v4.new_markdown_cell("the same") for _ in range(3)]
    ids = [cell.id for cell in store.tidy(nbformat.v4.new_notebook(cells=cells)).cells]
    assert len(set(ids)) == 3


def test_check_names_the_cell_that_differs():
    fresh = one_cell("1 + 1", [printed("2")])
    stale = one_cell("1 + 1", [printed("3")])
    assert store.differences(store.tidy(stale), store.tidy(fresh)) == ["cell 1 (outputs): 1 + 1"]
