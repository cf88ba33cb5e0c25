"""The values a template may use for one client: client, advisor, branch, firm, occasion, report, event.

Nothing of the client's file but how they are addressed goes into a text unless a template asks for it by name.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from outreach.composing.salutation import salutation, surname
from outreach.content.approval_formats import Disclosure
from outreach.core.settings import Settings
from outreach.occasions.birthdays import years_between

_OPT_OUT = {
    ("sms", "zh"): "拒收请回复R",
    ("sms", "en"): "Reply STOP to opt out",
    ("email", "zh"): "如不希望再收到此类邮件，请回复“退订”。",
    ("email", "en"): "To stop receiving these mails, reply STOP.",
}


def is_chinese(language: str) -> bool:
    """Whether ``language`` is written in Chinese."""
    return language.startswith("zh")


def firm_name(settings: Settings, language: str) -> str:
    """The firm's name in ``language``."""
    return settings.firm_name if is_chinese(language) else settings.firm_name_en


def signature(settings: Settings, language: str) -> str:
    """The signature that opens an SMS: 【firm】, which counts as text."""
    name = firm_name(settings, language)
    return f"【{name}】" if is_chinese(language) else f"[{name}]"


def opt_out_text(channel: str, language: str) -> str:
    """How to opt out on ``channel``; a letter says nothing."""
    return _OPT_OUT.get((channel, "zh" if is_chinese(language) else "en"), "")


def disclosure_text(known: Mapping[str, Disclosure], wanted: Sequence[str], language: str) -> str:
    """The wanted disclosures in one line, in the order given."""
    chinese = is_chinese(language)
    texts = [known[name].zh if chinese else known[name].en for name in wanted if name in known]
    return ("" if chinese else " ").join(texts)


def fixed_context(
    settings: Settings, channel: str, language: str, disclosures: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """What is the same for every client on a channel and in a language."""
    name = firm_name(settings, language)
    return {
        "firm": {"name": name, "signature": signature(settings, language)},
        "opt_out_text": opt_out_text(channel, language),
        "disclosures": disclosures,
        **extra,
    }


def client_context(row: Row[Any], language: str) -> dict[str, Any]:
    """What is the client's own: address, advisor, branch. Missing values are empty text, never an error."""
    chinese = is_chinese(language)
    context: dict[str, Any] = {
        "client": {
            "salutation": salutation(row.name, row.gender, row.kind, language),
            "name": row.name,
            "surname": surname(row.name),
            "tier": row.tier,
        },
        "branch": {
            "name": row.branch_name if chinese else row.branch_name_en or row.branch_name,
            "code": row.branch_code,
            "phone": row.branch_phone,
            "complaint_phone": row.complaint_phone,
            "email": row.branch_email,
            "address": row.branch_address,
        },
    }
    if row.signer_id is not None:
        context["advisor"] = {
            "name": row.signer_name if chinese else row.signer_name_en or row.signer_name,
            "phone": row.signer_phone,
            "email": row.signer_email,
            "licence": row.advisory_licence or row.securities_licence,
            "advisory_licence": row.advisory_licence,
            "securities_licence": row.securities_licence,
        }
    return context


def occasion_context(name_zh: str, name_en: str, on: date | None, language: str) -> dict[str, Any]:
    """The occasion by name and date."""
    return {
        "name": name_zh if is_chinese(language) else name_en,
        "date": on.isoformat() if on else "",
        "year": on.year if on else "",
    }


_MONTHS = "January February March April May June July August September October November December".split()


def date_in_words(day: date, language: str) -> str:
    """A date as a letter says it: 2027年3月5日, 5 March 2027."""
    if is_chinese(language):
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def due_context(about: date, send_date: date, language: str) -> dict[str, Any]:
    """``due``: the date a note is about and the days from the send date to it; years and subject are each client's
    own (``due_of``)."""
    return {
        "date": date_in_words(about, language),
        "days": (about - send_date).days,
        "years": 0,
        "subject": "",
    }


_COUNTED = frozenset({"opened_on", "assessed_on", "id_expiry", "margin_expiry"})


def due_of(row: Row[Any], field: str, about: date, language: str) -> dict[str, Any]:
    """A client's own part of ``due``: full years since the date of ``field``, and what a dated fact is about."""
    since = getattr(row, field, None) if field in _COUNTED else None  # an age is nobody's to read
    subjects = row.subjects or ()
    return {
        "years": years_between(since, about) if since is not None else 0,
        "subject": ("、" if is_chinese(language) else ", ").join(dict.fromkeys(subjects)),
    }


def feed_context(kind: str, data: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """``report`` or ``event`` from a feed item: absent values empty, instants on the firm's clock."""
    values = {key: _shown(value, zone) for key, value in data.items()}
    values["corrects"] = ""  # the earlier title, for a client whom that one reached
    if kind == "research":
        values["published_on"] = values.get("published_at", "")[:10]
        values["authors"] = "、".join(
            part.strip()
            for part in str(values.get("authors", "")).replace("；", ";").split(";")
            if part.strip()
        )
        return {"report": values}
    return {"event": values}


def _shown(value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    text = str(value)
    if len(text) > 16 and text[4:5] == "-" and text[10:11] == "T":
        try:
            return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        except ValueError:
            return text
    return text
