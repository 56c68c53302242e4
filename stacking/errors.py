"""The one error type for bad input: it names place, key, value, allowed range and remedy."""

from __future__ import annotations

from typing import Any


class StackingError(ValueError):
    """Bad input, described so that its author can mend it without reading our code.

    Args:
        problem: what is wrong, in one sentence.
        place: file, table or component in which it was found.
        key: name of the offending entry.
        value: the offending value.
        allowed: allowed range or set.
        remedy: what to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        place: str = "",
        key: str = "",
        value: Any = None,
        allowed: str = "",
        remedy: str = "",
    ) -> None:
        self.problem, self.place, self.key = problem, place, key
        self.value, self.allowed, self.remedy = value, allowed, remedy
        super().__init__(self.render())

    def render(self) -> str:
        """Return the message with one labelled line per known fact."""
        facts = [
            ("where", self.place),
            ("key", self.key),
            ("value", "" if self.value is None else _short(self.value)),
            ("allowed", self.allowed),
            ("remedy", self.remedy),
        ]
        return "\n".join([self.problem] + [f"  {label:8}{text}" for label, text in facts if text])

    def to_dict(self) -> dict[str, str]:
        """Return the same facts for machines (``--json``)."""
        return {
            "problem": self.problem,
            "place": self.place,
            "key": self.key,
            "value": "" if self.value is None else _short(self.value),
            "allowed": self.allowed,
            "remedy": self.remedy,
        }


def _short(value: Any, limit: int = 200) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
