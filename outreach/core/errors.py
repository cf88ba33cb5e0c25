"""One tree of errors. The docstring is what the user reads; ``mend`` says what to do next."""

from typing import Any


class OutreachError(Exception):
    """Something went wrong."""

    mend: str = ""
    code: str = "error"

    def __init__(self, message: str | None = None, *, mend: str | None = None, **details: Any) -> None:
        text = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(text)
        self.message = text
        if mend is not None:
            self.mend = mend
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".strip()


class BadInput(OutreachError):
    """The input can't be used as it is."""

    code = "bad_input"


class NotFound(OutreachError):
    """There is nothing under that name that you may see."""

    code = "not_found"


class Forbidden(OutreachError):
    """Your role or scope does not allow this."""

    code = "forbidden"


class Conflict(OutreachError):
    """Somebody or something else was faster; nothing was changed."""

    code = "conflict"


class RuleBroken(OutreachError):
    """A compliance rule forbids this."""

    code = "rule_broken"

    def __init__(
        self,
        message: str | None = None,
        *,
        rule: str,
        article: str = "",
        mend: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, mend=mend, **details)
        self.rule = rule
        self.article = article


class Unavailable(OutreachError):
    """A part that this needs is not reachable just now."""

    code = "unavailable"
    mend = "Try again shortly; nothing was lost."


class Misconfigured(OutreachError):
    """The configuration is incomplete or contradictory."""

    code = "misconfigured"
