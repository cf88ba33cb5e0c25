"""Settings come from the environment; a bad one is named with what to do, and every one is documented."""

import re
from pathlib import Path

import pytest

from outreach.core.errors import Misconfigured
from outreach.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_that_the_code_reads_is_documented_and_the_other_way_round() -> None:
    pattern = re.compile(r"OUTREACH_[A-Z_]+[A-Z]")
    read = {
        name
        for path in (ROOT / "outreach").rglob("*.py")
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    reference = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    documented = {name for name in pattern.findall(reference) if not name.endswith("_FILE")}
    read = {name for name in read if not name.endswith("_FILE")}
    assert read - documented == set()
    assert documented - read == {"OUTREACH_CHROMIUM"}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OUTREACH_PORT": "eighty"}, "OUTREACH_PORT"),
        ({"OUTREACH_ZONE": "Mars/Olympus"}, "OUTREACH_ZONE"),
        ({"OUTREACH_TWILIO_ACCOUNT_SID": "AC1"}, "OUTREACH_TWILIO_AUTH_TOKEN"),
        ({"OUTREACH_GATEWAY_URL": "http://127.0.0.1:1"}, "OUTREACH_GATEWAY_SECRET"),
        ({"OUTREACH_SMTP_HOST": "mail", "OUTREACH_SMTP_TLS": "maybe"}, "OUTREACH_SMTP_TLS"),
        ({"OUTREACH_SMTP_HOST": "mail", "OUTREACH_SMTP_PER_SECOND": "-3"}, "OUTREACH_SMTP_PER_SECOND"),
        ({"OUTREACH_DATABASE_URL_FILE": "/nowhere/at/all"}, "OUTREACH_DATABASE_URL_FILE"),
    ],
)
def test_a_bad_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=named) as raised:
        Settings.from_environment(environment)
    assert raised.value.mend


def test_a_secret_may_lie_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n", encoding="utf-8")
    environment = {"OUTREACH_TWILIO_ACCOUNT_SID": "AC1", "OUTREACH_TWILIO_AUTH_TOKEN_FILE": str(secret)}
    secret.chmod(0o644)
    with pytest.raises(Misconfigured, match="others can read it"):
        Settings.from_environment(environment)
    secret.chmod(0o600)
    settings = Settings.from_environment(environment)
    assert settings.twilio is not None
    assert settings.twilio.auth_token == "s3cret"
    assert "s3cret" not in repr(settings)
