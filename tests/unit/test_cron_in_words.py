"""When a job fires, in words; what has no words is shown as it is written."""

import pytest

from outreach.occasions.cron_words import cron_in_words

SAID = [
    ("30 8 * * *", "每天 08:30", "every day at 08:30"),
    ("0 9,15 * * *", "每天 09:00、15:00", "every day at 09:00 and 15:00"),
    ("30 8 * * mon-fri", "周一至周五 08:30", "Monday to Friday at 08:30"),
    ("30 8 * * 1-5", "周一至周五 08:30", "Monday to Friday at 08:30"),
    ("0 16 * * fri", "每周五 16:00", "every Friday at 16:00"),
    ("0 16 * * FRI", "每周五 16:00", "every Friday at 16:00"),
    ("0 16 * * 5", "每周五 16:00", "every Friday at 16:00"),
    ("5 16 * * 0", "每周日 16:05", "every Sunday at 16:05"),
    ("5 16 * * 7", "每周日 16:05", "every Sunday at 16:05"),
    ("0 9 * * mon,wed,fri", "每周一、周三、周五 09:00", "every Monday, Wednesday and Friday at 09:00"),
    ("0 10 1 * *", "每月1日 10:00", "on the 1st of every month at 10:00"),
    ("0 10 2,12,23 * *", "每月2日、12日、23日 10:00", "on the 2nd, 12th and 23rd of every month at 10:00"),
    ("0 10 l * *", "每月最后一日 10:00", "on the last day of every month at 10:00"),
    ("0 10 1 1,4,7 *", "每年1月、4月、7月1日 10:00", "on the 1st of January, April and July at 10:00"),
    ("0 10 15 mar *", "每年3月15日 10:00", "on the 15th of March at 10:00"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "zh", "en"), SAID)
def test_usual_shapes_are_said_in_both_languages(expression: str, zh: str, en: str) -> None:
    assert cron_in_words(expression, "zh-CN") == zh
    assert cron_in_words(expression, "en") == en


@pytest.mark.parametrize(
    "expression",
    [
        "*/5 * * * *",
        "0 * * * *",
        "0,30 9 * * *",
        "0 9-17 * * *",
        "0 9 1 * mon",
        "0 9 * 3 *",
        "0 9 * * fri#1",
        "0 9 1-7 * *",
        "0 9 1 */3 *",
        "0 9 * * mon-wed,fri",
        "nonsense",
    ],
)
def test_any_other_is_shown_as_it_is_written(expression: str) -> None:
    assert cron_in_words(expression, "zh-CN") == cron_in_words(expression, "en") == expression
