"""Settings: every one is an environment variable, documented in docs/reference/settings.md."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

from outreach.core.errors import Misconfigured


@dataclass(frozen=True)
class TwilioAccount:
    """One account at Twilio: where Hong Kong and overseas SMS go."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str = ""
    base_url: str = "https://api.twilio.com"
    per_second: float = 100.0


@dataclass(frozen=True)
class Gateway:
    """The HTTP gateway of the firm's SMS platform: where mainland SMS goes."""

    url: str
    account: str
    secret: str = field(repr=False)
    per_second: float = 500.0


@dataclass(frozen=True)
class Smtp:
    """The relay that takes the firm's mail."""

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: str = "none"  # none | starttls | tls
    per_second: float = 200.0


@dataclass(frozen=True)
class Settings:
    """What one process needs to know about where it runs."""

    home: Path
    database_url: str | None = None
    content: Path | None = None
    keys: Path = Path("var/keys")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    locale: str = "zh-CN"
    zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    firm_name: str = "示例证券"
    firm_name_en: str = "Example Securities"
    send_window: str | None = None
    twilio: TwilioAccount | None = None
    gateway: Gateway | None = None
    smtp: Smtp | None = None
    sandbox_state: Path | None = None
    demonstration: bool = False
    drop: Path | None = None
    link_hosts: tuple[str, ...] = ()  # hosts that any message may link to
    # A dropped client file beyond one of these (percent) waits for a person.
    import_rejected_percent: float = 5.0  # of its rows refused
    import_changed_percent: float = 30.0  # of the clients changed
    import_ended_percent: float = 2.0  # of the clients closed or said to have died
    write_back: time | None = time(4, 30)  # when the client system's file is written; None: never by itself
    # When staff is told what was gathered for them, on working days.
    notice_times: tuple[time, ...] = (time(8, 30), time(11, 30), time(14, 30), time(17, 0))
    notice_targets: Path | None = None  # the file of messengers and webhooks; what it holds is secret

    @property
    def drop_folder(self) -> Path:
        """The folder that is watched for files of other programs."""
        return self.drop or self.home / "drop"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Raises Misconfigured, naming the variable, when a value is unusable or a secret file is readable by
        others.
        """
        env = os.environ if environment is None else environment
        home = Path(env.get("OUTREACH_HOME", "var")).expanduser().resolve()
        port = _number(env, "OUTREACH_PORT", 8000)
        host = env.get("OUTREACH_HOST", "127.0.0.1")
        return cls(
            home=home,
            database_url=_secret(env, "OUTREACH_DATABASE_URL") or None,
            content=Path(env["OUTREACH_CONTENT"]).resolve() if env.get("OUTREACH_CONTENT") else None,
            keys=Path(env.get("OUTREACH_KEYS", home / "keys")).resolve(),
            host=host,
            port=port,
            public_url=env.get("OUTREACH_PUBLIC_URL", f"http://{host}:{port}").rstrip("/"),
            locale=env.get("OUTREACH_LOCALE", "zh-CN"),
            zone=_zone(env),
            firm_name=env.get("OUTREACH_FIRM_NAME", "示例证券"),
            firm_name_en=env.get("OUTREACH_FIRM_NAME_EN", "Example Securities"),
            send_window=env.get("OUTREACH_SEND_WINDOW") or None,
            twilio=_twilio(env),
            gateway=_gateway(env),
            smtp=_smtp(env),
            sandbox_state=Path(env["OUTREACH_SANDBOX"]).resolve() if env.get("OUTREACH_SANDBOX") else None,
            demonstration=env.get("OUTREACH_DEMONSTRATION", "") == "1",
            link_hosts=tuple(
                one.strip().lower() for one in env.get("OUTREACH_LINK_HOSTS", "").split(",") if one.strip()
            ),
            import_rejected_percent=_percent(env, "OUTREACH_IMPORT_REJECTED_PERCENT", 5.0),
            import_changed_percent=_percent(env, "OUTREACH_IMPORT_CHANGED_PERCENT", 30.0),
            import_ended_percent=_percent(env, "OUTREACH_IMPORT_ENDED_PERCENT", 2.0),
            write_back=_time_of_day(env, "OUTREACH_WRITE_BACK", time(4, 30)),
            notice_times=_times_of_day(env, "OUTREACH_NOTICE_TIMES", cls.notice_times),
            notice_targets=_secret_file(env, "OUTREACH_NOTICE_TARGETS"),
            drop=Path(env["OUTREACH_DROP"]).expanduser().resolve() if env.get("OUTREACH_DROP") else None,
        )


def _secret(env: Mapping[str, str], name: str) -> str:
    """The variable itself, or the content of the file that NAME_FILE names (mode 0600 or tighter)."""
    if env.get(name):
        return env[name]
    file_name = env.get(f"{name}_FILE")
    if not file_name:
        return ""
    return read_secret(Path(file_name), f"{name}_FILE").strip()


def read_secret(path: Path, name: str) -> str:
    """What a secret file holds; ``name``: the setting that names it.

    Raises Misconfigured when it can't be read, or when others can read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            f"{name} names {path}, which can't be read: {error.strerror}.", mend="Check the path."
        ) from error
    except UnicodeDecodeError:
        raise Misconfigured(
            f"{name} names {path}, which is not text in UTF-8.", mend="Save it as UTF-8."
        ) from None
    if mode & 0o077:
        raise Misconfigured(f"{path} holds a secret but others can read it.", mend=f"Run: chmod 600 {path}")
    return text


def _secret_file(env: Mapping[str, str], name: str) -> Path | None:
    """The secret file that a variable names, if it can be read and only by us."""
    if not env.get(name):
        return None
    path = Path(env[name]).expanduser().resolve()
    read_secret(path, name)
    return path


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise Misconfigured(
            f"{name} is {text!r}, not a whole number.", mend=f"Set {name} to digits."
        ) from None


def _percent(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise Misconfigured(f"{name} is {text!r}.", mend=f"Set {name} to a share from 0 to 100.")
    return value


def _time_of_day(env: Mapping[str, str], name: str, default: time) -> time | None:
    text = env.get(name)
    if not text:
        return default
    if text.lower() == "off":
        return None
    try:
        hour, minute = text.split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise Misconfigured(
            f"{name} is {text!r}.", mend="Write a time of day such as 04:30, or off."
        ) from None


def _times_of_day(env: Mapping[str, str], name: str, default: tuple[time, ...]) -> tuple[time, ...]:
    text = env.get(name)
    if not text:
        return default
    try:
        pairs = [part.strip().split(":") for part in text.split(",")]
        return tuple(sorted({time(int(hour), int(minute)) for hour, minute in pairs}))
    except ValueError:
        raise Misconfigured(
            f"{name} is {text!r}.", mend="Write times of day such as 08:30,11:30,14:30,17:00."
        ) from None


def _zone(env: Mapping[str, str]) -> ZoneInfo:
    name = env.get("OUTREACH_ZONE", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Misconfigured(
            f"OUTREACH_ZONE is {name!r}, which is no time zone.",
            mend="Use an IANA name such as Asia/Shanghai.",
        ) from None


def _rate(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if value <= 0:
        raise Misconfigured(f"{name} is {text!r}.", mend=f"Set {name} to calls a second, more than 0.")
    return value


def _twilio(env: Mapping[str, str]) -> TwilioAccount | None:
    sid = env.get("OUTREACH_TWILIO_ACCOUNT_SID")
    if not sid:
        return None
    token = _secret(env, "OUTREACH_TWILIO_AUTH_TOKEN")
    if not token:
        raise Misconfigured(
            "OUTREACH_TWILIO_ACCOUNT_SID is set, OUTREACH_TWILIO_AUTH_TOKEN is not.",
            mend="Set it, or OUTREACH_TWILIO_AUTH_TOKEN_FILE.",
        )
    return TwilioAccount(
        account_sid=sid,
        auth_token=token,
        sender=env.get("OUTREACH_TWILIO_FROM", ""),
        base_url=env.get("OUTREACH_TWILIO_BASE_URL", "https://api.twilio.com").rstrip("/"),
        per_second=_rate(env, "OUTREACH_TWILIO_PER_SECOND", 100.0),
    )


def _gateway(env: Mapping[str, str]) -> Gateway | None:
    url = env.get("OUTREACH_GATEWAY_URL")
    if not url:
        return None
    secret = _secret(env, "OUTREACH_GATEWAY_SECRET")
    if not secret:
        raise Misconfigured(
            "OUTREACH_GATEWAY_URL is set, OUTREACH_GATEWAY_SECRET is not.",
            mend="Set it, or OUTREACH_GATEWAY_SECRET_FILE.",
        )
    return Gateway(
        url=url.rstrip("/"),
        account=env.get("OUTREACH_GATEWAY_ACCOUNT", "outreach"),
        secret=secret,
        per_second=_rate(env, "OUTREACH_GATEWAY_PER_SECOND", 500.0),
    )


def _smtp(env: Mapping[str, str]) -> Smtp | None:
    host = env.get("OUTREACH_SMTP_HOST")
    if not host:
        return None
    tls = env.get("OUTREACH_SMTP_TLS", "none")
    if tls not in {"none", "starttls", "tls"}:
        raise Misconfigured(f"OUTREACH_SMTP_TLS is {tls!r}.", mend="Use none, starttls or tls.")
    return Smtp(
        host=host,
        port=_number(env, "OUTREACH_SMTP_PORT", 25),
        sender=env.get("OUTREACH_SMTP_FROM", "care@example.com"),
        username=env.get("OUTREACH_SMTP_USERNAME", ""),
        password=_secret(env, "OUTREACH_SMTP_PASSWORD"),
        tls=tls,
        per_second=_rate(env, "OUTREACH_SMTP_PER_SECOND", 200.0),
    )
