"""SMS by the HTTP gateway of the firm's SMS platform (docs/reference/gateway.md)."""

from outreach.delivery.channels.gateway.channel import GatewayChannel, callback_holds

__all__ = ["GatewayChannel", "callback_holds"]
