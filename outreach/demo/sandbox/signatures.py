"""How Twilio and the SMS platform's gateway sign, from their own descriptions (not from our channels' code)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def twilio_signature(token: str, url: str, params: Mapping[str, str]) -> str:
    """X-Twilio-Signature of a form POST: base64 HMAC-SHA1 over the address and the sorted names and values.

    Source: Twilio, "Validating requests are coming from Twilio".
    """
    text = url + "".join(name + params[name] for name in sorted(params))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def send_signature(
    secret: str, account: str, timestamp: int, nonce: str, to: str, reference: str, text: str
) -> str:
    """``sign`` of the gateway's POST /sms (docs/reference/gateway.md)."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return _hex(secret, "\n".join((account, str(timestamp), nonce, to, reference, digest)).encode())


def lookup_signature(secret: str, account: str, timestamp: int, nonce: str, reference: str) -> str:
    """``sign`` of the gateway's GET /sms."""
    return _hex(secret, "\n".join((account, str(timestamp), nonce, reference)).encode())


def callback_signature(secret: str, timestamp: int, body: bytes) -> str:
    """``X-Gateway-Signature`` of what the gateway posts."""
    return _hex(secret, f"{timestamp}.".encode() + body)


def _hex(secret: str, data: bytes) -> str:
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
