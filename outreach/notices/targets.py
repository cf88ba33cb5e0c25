"""The messengers and webhooks by which staff is told: read from the file that OUTREACH_NOTICE_TARGETS names.

A target's address is a secret: whoever has it can write into the group. It is in that file only, and in no log, table
or error.
"""

import logging
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType
from apprise.exception import AppriseException
from apprise.result import AppriseResultStatus

from outreach.core.access import Role
from outreach.core.errors import Misconfigured, Unavailable
from outreach.core.settings import read_secret
from outreach.notices.letters import Letter
from outreach.notices.robots import checked
from outreach.notices.wording import TELLS

SECONDS = 15.0  # for one call, all in
_SETTING = "OUTREACH_NOTICE_TARGETS"
_WHOM = ("staff", "branch", "role", "firm")
_KEYS = ("url", *_WHOM, "tells", "language")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# What is a person's own is not told to a group.
_GROUP_TELLS = tuple(one for one in TELLS if one != "decisions")
_DEFAULT_TELLS = {
    "staff": tuple(TELLS),
    "branch": ("waits", "late"),
    "role": ("waits", "late", "questions", "files"),
    "firm": ("waits", "late", "files"),
}
# Addresses as their makers show them, and what they are written as here.
_HINTS = {
    "oapi.dingtalk.com": "dingtalk://ACCESS_TOKEN, or dingtalk://SECRET@ACCESS_TOKEN for a signed robot",
    "open.feishu.cn": "feishu://TOKEN",
    "open.larksuite.com": "lark://TOKEN",
}

# Its lines may name an address; what matters of them is in the result of the call.
logging.getLogger("apprise").addHandler(logging.NullHandler())
logging.getLogger("apprise").propagate = False


@dataclass(frozen=True)
class Target:
    """One target: exactly one of ``staff_no``, ``branch`` (its code), ``role`` and ``firm`` says whose it is."""

    name: str
    url: str = field(repr=False)
    service: str
    staff_no: str = ""
    branch: str = ""
    role: Role | None = None
    firm: bool = False
    tells: frozenset[str] = frozenset()
    language: str = ""

    @property
    def whose(self) -> str:
        """In words, for the command line."""
        if self.firm:
            return "the firm"
        if self.role:
            return f"role {self.role.value}"
        return f"staff {self.staff_no}" if self.staff_no else f"branch {self.branch}"


def read_targets(path: Path | None) -> tuple[Target, ...]:
    """The targets of the file; none without one.

    Raises Misconfigured, naming target and key, for what can't be used, and when others can read the file.
    """
    if path is None:
        return ()
    try:
        tables = tomllib.loads(read_secret(path, _SETTING))
    except tomllib.TOMLDecodeError as error:
        # Not the error's own text, which can quote a line with an address in it; the place is enough.
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        raise Misconfigured(
            f"{path} is not TOML{f', {place[0]}' if place else ''}.", mend="Mend it there."
        ) from None
    return tuple(_target(path, name, table) for name, table in tables.items())


def _target(path: Path, name: str, table: Any) -> Target:
    where = f"{path}, [{name}]"
    if not isinstance(table, dict):
        raise Misconfigured(f"{path}: {name} stands outside of a target.", mend="Begin with [a-name].")
    if not _NAME.fullmatch(name) or name == "mail":
        raise Misconfigured(
            f"{where}: this is no name of a target.", mend="Use small letters, digits and dashes; not mail."
        )
    for key in table:
        if key not in _KEYS:
            raise Misconfigured(f"{where}: there is no {key!r}.", mend=_instead(key, _KEYS))
    named = [key for key in _WHOM if key in table]
    if len(named) != 1:
        raise Misconfigured(
            f"{where} says {'nothing of' if not named else 'twice'} whose it is.",
            mend="Give one of staff, branch, role, firm = true.",
        )
    whom = named[0]
    if whom == "firm" and table["firm"] is not True:
        raise Misconfigured(f"{where}: firm is only ever true.", mend="Write firm = true, or name another.")
    language = table.get("language", "")
    if language not in ("", "zh-CN", "en"):
        raise Misconfigured(f"{where}: {language!r} is no language of ours.", mend="Use zh-CN or en.")
    url = _text(where, table, "url")
    return Target(
        name=name,
        url=url,
        service=str(plugin_for(url, where).service_name),
        staff_no=_text(where, table, "staff") if whom == "staff" else "",
        branch=_text(where, table, "branch") if whom == "branch" else "",
        role=_role(where, _text(where, table, "role")) if whom == "role" else None,
        firm=whom == "firm",
        tells=_tells(where, table.get("tells"), whom),
        language=language,
    )


def _text(where: str, table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Misconfigured(f"{where}: {key} is missing.", mend=f'Write {key} = "…".')
    return value.strip()


def _role(where: str, text: str) -> Role:
    known = [role.value for role in Role if role is not Role.SYSTEM]
    if text not in known:
        raise Misconfigured(f"{where}: {text!r} is no role.", mend=_instead(text, known))
    return Role(text)


def _tells(where: str, wanted: Any, whom: str) -> frozenset[str]:
    if wanted is None:
        return frozenset(_DEFAULT_TELLS[whom])
    allowed = tuple(TELLS) if whom == "staff" else _GROUP_TELLS
    if not isinstance(wanted, list) or not wanted:
        raise Misconfigured(f"{where}: tells is a list.", mend=f"Some of {', '.join(allowed)}.")
    for one in wanted:
        if one == "decisions" and whom != "staff":
            raise Misconfigured(
                f"{where}: decisions are told to whoever wrote the messages, not to a group.",
                mend="Take it out, or name a member of staff.",
            )
        if one not in allowed:
            raise Misconfigured(f"{where}: nothing of {one!r} is told.", mend=_instead(str(one), allowed))
    return frozenset(wanted)


def _instead(wrong: str, known: Iterable[str]) -> str:
    names = tuple(known)
    near = get_close_matches(wrong, names, 1)
    return f"Did you mean {near[0]}?" if near else f"Use {', '.join(names)}."


def plugin_for(url: str, where: str) -> NotifyBase:
    """What calls ``url``. Raises Misconfigured when nothing can; the address itself is not in the error."""
    asset = AppriseAsset(
        app_id="Outreach",
        app_desc="Outreach",
        app_url="",
        storage_mode="memory",  # nothing of ours in files of its own
        service_timeout=SECONDS,
        http_redirects=False,  # nothing is told to anybody else
        allow_templates=False,
        interpret_emojis=False,
        image_path_mask=False,
    )
    try:
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=False)
    except (AppriseException, TypeError, ValueError):
        plugin = None
    if plugin is None:
        host = url.partition("://")[2].partition("/")[0]
        hint = _HINTS.get(host, "an address as Apprise writes it, such as wecombot://KEY")
        raise Misconfigured(
            f"{where}: the url, which begins with {url.partition(':')[0][:20]!r}, can't be used.",
            mend=f"Write {hint}; docs/howto/notices.md has the forms.",
        )
    return checked(plugin)


def tell_target(target: Target, letter: Letter) -> None:
    """Tell one target, within SECONDS. Raises Unavailable, saying what came back, when it did not take it."""
    plugin = plugin_for(target.url, f"[{target.name}]")
    came_back = Apprise([plugin], asset=plugin.asset).notify(
        title=letter.subject,
        body=letter.text,
        body_format=NotifyFormat.TEXT,
        notify_type=NotifyType.WARNING if letter.urgent else NotifyType.INFO,
        timeout=SECONDS,
    )
    if came_back.status is AppriseResultStatus.SUCCESS:
        return
    said = " ".join(entry.message for result in came_back.results for entry in result.logs())
    if came_back.status is AppriseResultStatus.TIMEOUT:
        said = f"No answer within {SECONDS:.0f} seconds. {said}"
    raise Unavailable(without_secrets(said.strip() or came_back.status.name, target.url)[:300], mend="")


def without_secrets(said: str, url: str) -> str:
    """``said`` without any part of ``url`` that could be a token."""
    for part in sorted(re.findall(r"[^/:@?&=#]{6,}", url.partition("://")[2]), key=len, reverse=True):
        said = said.replace(part, "…")
    return said
