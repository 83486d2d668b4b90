"""Questions on contexts, with the answers that stand in these: what a reader of files or of TFDS returns."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence

Answers = tuple[tuple[str, int], ...]  # text and its first character's place in the context


@dataclasses.dataclass(frozen=True)
class Questions:
    """Questions in the order of their source.

    Args:
        questions: One question per row.
        contexts: The text per row in which the answer is looked for; equal contexts are one object.
        answers: The right answers per row: each its text, and the place of its first character in the context; none
            for a question that the context does not answer. None where they are not known.
        ids: The source's names for the questions; their places, as text, by default.
        mended: Number of questions with an answer whose offset was wrong and has been found.
        left_out: Number of questions of the source that are not here, because no answer of theirs is in the context.
    """

    questions: list[str]
    contexts: list[str]
    answers: list[Answers] | None = None
    ids: list[str] = dataclasses.field(default_factory=list)
    mended: int = 0
    left_out: int = 0

    def __post_init__(self):
        if not self.ids:
            object.__setattr__(self, "ids", [str(place) for place in range(len(self.questions))])

    def __len__(self) -> int:
        return len(self.questions)

    def take(self, places: Sequence[int]) -> "Questions":
        """Returns the questions at these places."""

        def pick(values):
            return None if values is None else [values[i] for i in places]

        return Questions(pick(self.questions), pick(self.contexts), pick(self.answers), pick(self.ids))

    def fingerprint(self) -> str:
        """Returns the SHA-256 of questions, contexts and answers; a context that follows itself counts once."""
        digest, before = hashlib.sha256(), None
        for place, question in enumerate(self.questions):
            context = self.contexts[place]
            answers = None if self.answers is None else self.answers[place]
            digest.update(json.dumps([question, None if context is before else context, answers]).encode() + b"\n")
            before = context
        return digest.hexdigest()
