"""SMS by Twilio: Hong Kong and overseas."""

from outreach.delivery.channels.twilio.channel import TwilioChannel
from outreach.delivery.channels.twilio.webhooks import signature_holds

__all__ = ["TwilioChannel", "signature_holds"]
