"""Many sagas: a line for each outcome, the worst first."""

from ..claims.saga_outcome import OUTCOMES, Outcome
from ..text import clean, counted, shorten, text_width
from ..trace.saga_story import SagaStory
from .saga_chart import MARGIN
from .scene import Box, Label, Scene

_KIND = {"inconsistent": "failed", "stuck": "failed", "in doubt": "in doubt", "under way": "under way", "not undone": "final",
         "compensated": "compensation", "refused": "compensation", "done": "done", "not begun": "not yet"}  # fmt: skip


def table(
    scene: Scene, outcomes: dict[SagaStory, Outcome], drawn: SagaStory, y: int, lines: int
) -> int:
    """A line for each outcome: how many sagas, as a bar, and which. Return where it ends; there is
    room for so many `lines`."""
    scene.labels.append(Label(MARGIN, y, f"{counted(len(outcomes), 'saga')} of this run", "node"))
    stories = sorted(outcomes, key=lambda story: story is not drawn)
    groups = {word: [s for s in stories if outcomes[s].word == word] for word in OUTCOMES}
    groups = {word: group for word, group in groups.items() if group}
    y += 22
    for word, group in groups.items():
        count = f"{len(group):,}"
        wide = max(3, len(group) * 200 // max(map(len, groups.values())))
        tip = f"{counted(len(group), 'saga')} {word}"
        scene.bars.append(Box(122, y - 6, wide, 12, _KIND[word], tip))
        names = clean(", ".join(story.subject or story.correlation for story in group[:40]))
        x = 342 + text_width(count, 11, True)
        scene.labels += [
            Label(112, y, word, "channel", "end"),
            Label(130 + wide, y, count, "under way"),
            Label(x, y, shorten(names, scene.width - x - MARGIN, 10), "detail"),
        ]
        y += 18
    return y + 18 * max(0, lines - len(groups)) + 16
