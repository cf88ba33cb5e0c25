"""The envelope: the part of a record that is a leaf for ever, so it holds no clear personal data.

Every field that may appear is named here with the shape its value must have, and every kind of record names
the fields it may use. An allow-list, since what has entered the tree can't be taken out again: persons appear
by their identifier, addresses by a keyed hash, texts by their digest or commitment.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

VERSION = 1

_Shape = re.Pattern[str] | type[int] | type[bool]
_Json = str | int | list[str]

# The shapes of text. An identifier is a UUID, or a short slug for what has no row of its own ("system").
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = re.compile(rf"{_UUID}|[a-z][a-z_-]{{0,31}}", re.ASCII)
_SLUG = re.compile(r"[a-z][a-z0-9._-]{0,63}", re.ASCII)  # content's ids, states, codes of reasons
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/*-]{0,63}", re.ASCII)  # versions, languages, rules
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# What a provider says is not ours to refuse: what has not this shape (a mobile number, a mail address, prose)
# is recorded by its digest instead. A UUID before the @ is our own Message-ID.
_FOREIGN = re.compile(
    rf"<?{_UUID}@[A-Za-z0-9.-]{{1,100}}>?|(?!(?:86)?1[3-9]\d{{9}}$)[A-Za-z0-9][A-Za-z0-9._:-]{{0,127}}",
    re.ASCII,
)


def _fields(shape: _Shape, names: str) -> dict[str, _Shape]:
    return dict.fromkeys(names.split(), shape)


FIELDS: dict[str, _Shape] = (
    _fields(
        _ID,
        "id actor on_behalf_of author_id owner_id branch_id client_id message_id submission_id occurrence_id"
        " decision_id standing_approval_id attempt_id receipt_id reply_id contact_point_id import_id release_id"
        " feed_item_id fallback_of export_id hold_id session_id draft_id material_id remark_id question_id"
        " deputy_id",
    )
    # SHA-256, in hex. ``commitment`` is salted; ``address_hash`` and ``subject_hash`` are keyed.
    | _fields(
        _DIGEST,
        "commitment digest wire_digest manifest_digest lexicon_digest file_digest address_hash subject_hash root"
        " previous_root key_ring",
    )
    | _fields(
        _SLUG,
        "channel category outcome verb mode template job policy intent basis action method purpose object scope",
    )
    | _fields(
        _CODE,
        "reason reasons rule article language template_version policy_version lexicons versions role provider"
        " basis_ref",
    )
    | _fields(_FOREIGN, "provider_ref provider_status error_code")
    | _fields(
        int,
        "revision count clients rows accepted rejected changed results sampled attempt_number epoch size bytes withheld"
        " segments number conflicts risk_level step",
    )
    | _fields(bool, "urgent bootstrap second_factor advice")
    | _fields(_INSTANT, "occurred_at received_at due_at undo_until expires_at started_at")
    | _fields(_DATE, "send_date from_date until_date")
)
# ssh-keygen's form of a key's name, base64 without padding
FIELDS["fingerprint"] = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)


def _kind(names: str) -> frozenset[str]:
    # Every record may say who did it, where, about whom and which message, and commit to sealed bytes.
    return frozenset(
        f"id actor on_behalf_of branch_id client_id message_id commitment reason {names}".split()
    )


_MESSAGE = (
    "submission_id occurrence_id revision digest channel address_hash category language author_id template"
    " template_version job policy policy_version lexicon_digest decision_id standing_approval_id rule article"
    " send_date urgent segments fallback_of"
)
_SENDING = (
    f"{_MESSAGE} attempt_id attempt_number wire_digest provider provider_ref provider_status error_code outcome"
    " started_at"
)
_DECIDING = (
    "decision_id submission_id occurrence_id standing_approval_id verb mode revision digest manifest_digest count"
    " sampled reasons policy policy_version template template_version lexicon_digest lexicons author_id job category"
    " undo_until due_at urgent scope send_date step"
)

KINDS: dict[str, frozenset[str]] = {
    "message.sent": _kind(_SENDING),
    "message.handed_over": _kind(_SENDING),
    "message.failed": _kind(_SENDING),
    "message.unknown": _kind(_SENDING),
    "message.suppressed": _kind(f"{_MESSAGE} reply_id basis"),
    "message.expired": _kind(_MESSAGE),
    "message.cancelled": _kind(_MESSAGE),
    # the one before (fallback_of) did not reach the client: this one's turn has come
    "fall_through": _kind(_MESSAGE),
    "message.revised": _kind(_MESSAGE),
    # what settled an unknown: a receipt, a look-up at the provider, or a person
    "settled": _kind(f"{_SENDING} receipt_id basis"),
    "receipt": _kind(
        "receipt_id attempt_id channel provider provider_ref provider_status error_code outcome occurred_at"
    ),
    "reply": _kind("reply_id channel provider provider_ref address_hash intent owner_id received_at due_at"),
    "submission": _kind(f"{_DECIDING} expires_at clients"),
    "decision": _kind(_DECIDING),
    "release": _kind(_DECIDING),
    "undo": _kind(_DECIDING),
    # nobody decided in time, or all who may are away: these roles were told, and may decide now, too
    "escalation": _kind(f"{_DECIDING} number role basis"),
    # out of office: the owner is away, the deputy stands in; a note is sealed
    "absence": _kind("owner_id deputy_id action started_at expires_at"),
    # a branch holds what the firm approved for all, or lets it go on
    "branch_hold": _kind(f"{_DECIDING} action"),
    "standing_approval": _kind(f"{_DECIDING} action expires_at"),
    # the sample of a batch: one of it was given back, or it goes on with a new one
    "batch": _kind(f"{_DECIDING} action"),
    # what people say about what waits; the text is sealed
    "remark": _kind("submission_id remark_id question_id verb outcome"),
    # somebody went on with what another (the owner) was working through
    "claim": _kind("submission_id action owner_id"),
    "left_out": _kind(
        "occurrence_id submission_id job template template_version rule article count clients digest send_date"
    ),
    "hold": _kind("hold_id action basis basis_ref scope digest count from_date until_date"),
    "disposal": _kind("basis basis_ref rule article count epoch digest manifest_digest withheld"),
    "search": _kind("purpose object subject_hash scope results from_date until_date"),
    "view": _kind("purpose object submission_id reply_id"),
    "export": _kind(
        "export_id purpose object subject_hash scope count withheld bytes manifest_digest root size previous_root"
        " fingerprint from_date until_date"
    ),
    "consent": _kind(
        "contact_point_id reply_id channel category action basis basis_ref address_hash provider occurred_at"
    ),
    "import": _kind(
        "import_id feed_item_id object file_digest rows accepted rejected changed conflicts bytes action"
    ),
    # a field of a client that a person put right here, or in which a file now says the same
    "correction": _kind("import_id object action"),
    # a file that may be attached to messages, by its digest
    "attachment": _kind("action digest bytes"),
    # what happened to material, which is approved before it has a recipient; ``digest`` binds all that was decided on
    "material": _kind(
        "material_id author_id verb digest file_digest bytes category language risk_level advice reasons expires_at"
    ),
    "write_back": _kind("number count digest size bytes basis"),
    "content.published": _kind("release_id author_id number object digest versions count bootstrap"),
    # what happened to a draft of content; the texts and notes are sealed
    "content.draft": _kind("draft_id verb object scope revision number digest release_id"),
    "signin": _kind("method outcome role second_factor session_id address_hash"),
    "key": _kind("action epoch fingerprint key_ring purpose count"),
}


def rfc3339(at: datetime) -> str:
    """``at`` as RFC 3339 in UTC with milliseconds. Raises ValueError when it is not aware."""
    if at.tzinfo is None:
        raise ValueError("an instant in the ledger needs a time zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def envelope(kind: str, at: datetime, fields: Mapping[str, Any]) -> bytes:
    """The canonical bytes (RFC 8785) of a record of ``kind`` at the instant ``at``.

    UUIDs become their text, aware datetimes RFC 3339, dates ISO 8601, bytes hex; a list keeps its order. A
    field whose value is None is left out. Raises ValueError for a kind or field that ``KINDS`` does not list,
    and for a value that has not the shape its field has in ``FIELDS``: floats, free text, names, telephone
    numbers and addresses have none. Only a provider's own words are never refused; where they have not the
    shape, ``sha256:`` and their digest stand for them.
    """
    allowed = KINDS.get(kind)
    if allowed is None:
        raise ValueError(f"{kind!r} is no kind of record; the kinds are {', '.join(sorted(KINDS))}")
    record: dict[str, _Json] = {"v": VERSION, "kind": kind, "at": rfc3339(at)}
    for name, value in fields.items():
        if name not in allowed:
            raise ValueError(
                f"a {kind} record has no field {name!r}; clear personal data belongs in the sealed part"
            )
        if value is not None:
            record[name] = _checked(kind, name, value)
    # Keys and values are ASCII text, whole numbers and truth values by now, and for these Python's encoder
    # writes what RFC 8785 prescribes, four times faster than the package of that name (a test compares them).
    return _ENCODE(record).encode("ascii")


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_LARGEST = 2**53 - 1  # RFC 8785 §3.2.2.3: beyond it a JSON number is not exact


def _checked(kind: str, name: str, value: Any) -> _Json:
    shape = FIELDS[name]
    if isinstance(shape, re.Pattern):
        if isinstance(value, list | tuple):
            return [_text(kind, name, item, shape) for item in value]
        return _text(kind, name, value, shape)
    if type(value) is not shape or (shape is int and not 0 <= value <= _LARGEST):
        raise ValueError(
            f"{kind}.{name} wants {'a truth value' if shape is bool else 'a whole number from 0'}"
        )
    return int(value) if shape is int else bool(value)


def _text(kind: str, name: str, value: Any, shape: re.Pattern[str]) -> str:
    if isinstance(value, str):
        text = str.__str__(value)  # of a StrEnum, its value
    elif isinstance(value, UUID):
        text = str(value)
    elif isinstance(value, datetime):
        text = rfc3339(value)
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, bytes):
        text = value.hex()
    else:
        raise ValueError(f"{kind}.{name} wants text, not {type(value).__name__}")
    if shape.fullmatch(text) is None:
        if shape is _FOREIGN:
            return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"
        # The value itself stays out of the message, which may end in a log.
        raise ValueError(f"{kind}.{name} has not the shape of its field ({len(text)} characters given)")
    return text
