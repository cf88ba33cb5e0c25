"""Mail by SMTP."""

from outreach.delivery.channels.smtp.channel import SmtpChannel
from outreach.delivery.channels.smtp.eml import eml, message_id_header

__all__ = ["SmtpChannel", "eml", "message_id_header"]
