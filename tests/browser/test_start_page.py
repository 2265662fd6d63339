"""What a learner sees first."""

import pytest


def test_the_printed_address_opens_the_course_map(lab, page, screenshot):
    outside = []
    page.on(
        "request",
        lambda request: (
            outside.append(request.url) if not request.url.startswith(lab.url) else None
        ),
    )
    lab.open(page)
    assert "/lab/tree/notebooks/start.ipynb" in page.url
    page.locator(".jp-NotebookPanel:visible .jp-MarkdownOutput table").get_by_text(
        "Event notification"
    ).wait_for()
    screenshot("start")
    assert (
        page.locator(".Toastify__toast:visible, .jp-Dialog:visible").count() == 0
    )  # no news, no question
    assert [url for url in outside if url.startswith("http")] == []


def test_the_start_page_runs(lab, page, screenshot):
    lab.open(page, "start.ipynb")
    lab.choose(
        page, "Edit", "Clear Outputs of All Cells"
    )  # so that what is there afterwards was not there before
    output = page.locator(".jp-NotebookPanel:visible .jp-CodeCell .jp-OutputArea-output").first
    output.wait_for(state="detached")
    lab.run_all(page)
    output.wait_for(state="attached")
    prompts = page.locator(".jp-NotebookPanel:visible .jp-CodeCell .jp-InputPrompt")
    assert all(text.strip("[]: ").isdigit() for text in prompts.all_inner_texts())
    assert (
        page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
        ).count()
        == 0
    )
    screenshot("start-after-running")


@pytest.mark.parametrize("token", ["", "?token=wrong"])
def test_without_its_token_the_server_lets_nobody_in(lab, page, token):
    answer = page.request.get(f"{lab.url}api/contents{token}")
    assert answer.status == 403
