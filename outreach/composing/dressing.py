"""A person's own words, dressed for a channel: signature, disclosures, contacts, how to opt out."""

from collections.abc import Mapping
from typing import Any

from outreach.composing.context import is_chinese, opt_out_text, signature
from outreach.core.settings import Settings

SLOTS = ("{称呼}", "{salutation}")  # how the client is addressed, in a free text


def fill(text: str, salutation: str) -> str:
    """``text`` with the client's salutation in its place."""
    for slot in SLOTS:
        text = text.replace(slot, salutation)
    return text.strip()


def dress(
    settings: Settings,
    channel: str,
    language: str,
    said: str,
    disclosures: str,
    context: Mapping[str, Any],
    *,
    advice: bool = False,
) -> str:
    """``said`` with what must stand around it; what stands there already is not repeated. ``advice`` names its author
    with the licence number and where to complain in an SMS, too."""
    chinese = is_chinese(language)
    parts = [said]
    if disclosures and "".join(disclosures.split()) not in "".join(said.split()):
        parts.append(disclosures)
    if channel in ("call", "letter"):  # a script or a letter is whole as it is written
        return "\n\n".join(part for part in parts if part) + "\n"
    opt_out = opt_out_text(channel, language)
    if channel == "sms":
        name = signature(settings, language)
        if advice:
            parts.insert(1, _adviser(context, said, chinese))
        if opt_out not in said:
            parts.append(opt_out)
        text = _in_one_line([part for part in parts if part], chinese)
        return text if text.startswith(name) else f"{name}{'' if chinese else ' '}{text}"
    contacts = _contacts(context, settings, chinese)
    if contacts not in said:
        parts.append(contacts)
    if opt_out not in said:
        parts.append(opt_out)
    return "\n\n".join(part for part in parts if part) + "\n"


def _in_one_line(parts: list[str], chinese: bool) -> str:
    """Parts one after the other; after a Chinese full stop no blank is needed."""
    text = ""
    for part in parts:
        blank = "" if not text or (chinese and text[-1] in "。！？；…”）") else " "
        text += blank + part
    return text


def _adviser(context: Mapping[str, Any], said: str, chinese: bool) -> str:
    """Who advises, in a line of an SMS; empty when the text says it already."""
    advisor, complaints = context.get("advisor"), str(context["branch"]["complaint_phone"])
    if advisor is None or (advisor["licence"] in said and complaints in said):
        return ""
    if chinese:
        return f"{advisor['name']}（执业编号{advisor['licence']}），投诉电话{complaints}。"
    return f"{advisor['name']} (licence {advisor['licence']}), complaints {complaints}."


def _contacts(context: Mapping[str, Any], settings: Settings, chinese: bool) -> str:
    """Who writes, with the licence number, and where to ask or complain (art. 17, 40, 50)."""
    branch, advisor = context["branch"], context.get("advisor")
    if chinese:
        who = f"{advisor['name']}（执业编号 {advisor['licence']}）\n" if advisor else ""
        where = f"电话 {branch['phone']} · 投诉电话 {branch['complaint_phone']}"
        return f"{who}{settings.firm_name} {branch['name']} · {where}"
    who = f"{advisor['name']} (licence {advisor['licence']})\n" if advisor else ""
    return (
        f"{who}{settings.firm_name_en}, {branch['name']} · phone {branch['phone']}"
        f" · complaints {branch['complaint_phone']}"
    )
