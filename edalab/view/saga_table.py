"""Many sagas: a line for each outcome, the worst first."""

from ..claims.saga_outcome import OUTCOMES, Outcome
from ..text import clean, counted, shorten, text_width
from ..trace.saga_story import SagaStory
from .saga_arrows import MARGIN
from .scene import Box, Label, Scene

_KIND = {"inconsistent": "failed", "stuck": "failed", "in doubt": "in doubt", "under way": "under way", "not undone": "final",
         "compensated": "compensation", "refused": "compensation", "done": "done", "not begun": "not yet"}  # fmt: skip


def table(
    scene: Scene, came: dict[SagaStory, Outcome], drawn: SagaStory, y: int, lines: int
) -> int:
    """A line for each outcome: how many sagas, as a bar, and which. Return where it ends; there is room for so many `lines`."""
    scene.labels.append(Label(MARGIN, y, f"{counted(len(came), 'saga')} of this run", "node"))
    groups: dict[str, list[SagaStory]] = {word: [] for word in OUTCOMES}
    for story, outcome_ in came.items():
        groups[outcome_.word].append(story)
    groups = {word: group for word, group in groups.items() if group}
    most = max(map(len, groups.values()))
    y += 22
    for word, group in groups.items():
        scene.labels.append(Label(112, y, word, "channel", "end"))
        wide = max(3, len(group) * 200 // most)
        scene.bars.append(
            Box(122, y - 6, wide, 12, _KIND[word], f"{counted(len(group), 'saga')} {word}")
        )
        scene.labels.append(Label(130 + wide, y, f"{len(group):,}", "under way"))
        names = ", ".join(
            story.subject or story.correlation
            for story in sorted(group, key=lambda one: one is not drawn)[:40]
        )
        x = 342 + text_width(f"{len(group):,}", 11, True)
        scene.labels.append(
            Label(x, y, shorten(clean(names), scene.width - x - MARGIN, 10), "detail")
        )
        y += 18
    return y + 18 * max(0, lines - len(groups)) + 16
