"""Twilio's signature on its callbacks (X-Twilio-Signature), checked by the SDK's own validator."""

from collections.abc import Mapping

from twilio.request_validator import RequestValidator


def signature_holds(auth_token: str, url: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether Twilio signed this form for this exact public URL."""
    return bool(RequestValidator(auth_token).validate(url, dict(form), signature))
