"""Which provider may carry a message, by the number's country (DESIGN.md §7, Routes).

Twilio does not carry securities content to mainland China (its own country guideline), so mainland numbers go
by the HTTP gateway of the firm's SMS platform; Hong Kong and overseas go by Twilio. A number without a lawful
route is refused with that reason.
"""

from dataclasses import dataclass

from outreach.core.settings import Settings

PERSON = "person"  # not a program: somebody carries it out, and says what came of it
HANDED_OVER = frozenset({"letter", "call"})

# By longest matching prefix of the E.164 number. "" is everything else.
_SMS_ROUTES: dict[str, str] = {"+86": "gateway", "+": "twilio"}


@dataclass(frozen=True)
class Route:
    """A provider, or the reason why there is none."""

    provider: str | None
    reason: str = ""


def route(channel: str, address: str, settings: Settings) -> Route:
    """The provider for ``address`` on ``channel``, of those that are configured."""
    if channel == "email":
        return Route("smtp") if settings.smtp else Route(None, "no_mail_server")
    if channel == "sms":
        prefix = max((known for known in _SMS_ROUTES if address.startswith(known)), key=len, default=None)
        if prefix is None:
            return Route(None, "no_route")
        provider = _SMS_ROUTES[prefix]
        configured = settings.gateway if provider == "gateway" else settings.twilio
        return Route(provider) if configured else Route(None, "no_route")
    if channel in HANDED_OVER:
        return Route(PERSON)
    return Route(None, "no_route")
