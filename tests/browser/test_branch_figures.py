"""The branch's plots: drawn without an inline script or style, and tables where there is no script."""

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from outreach.core.access import SYSTEM
from outreach.demo.institution import PASSWORD
from tests.browser.conftest import SignIn
from tests.browser.test_pages_for_everybody import judge
from tests.support.campaign import Machine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

# A fortnight of decisions in the branch of manager.sh, by nobody in particular.
_PAST = text(
    """
    WITH o AS (
        INSERT INTO occurrence (id, job_name, occurrence_key, scheduled_month, send_at, expires_at, state, created_at)
        SELECT gen_random_uuid(), 'past', gen_random_uuid()::text, date_trunc('month', t.at), t.at, t.at, 'composed',
               t.at
          FROM generate_series(1, 14) n, LATERAL (SELECT now() - n * interval '1 day' AS at) t
        RETURNING id, scheduled_month, created_at
    ), s AS (
        INSERT INTO submission (id, occurrence_id, scheduled_month, branch_id, mode, policy_version_id, title,
                                category, sample_seed, created_at, due_by, send_at, expires_at, state)
        SELECT gen_random_uuid(), o.id, o.scheduled_month, b.id, 'each', p.id, '往日', 'information', '', o.created_at,
               o.created_at + interval '4 hours', o.created_at, o.created_at + interval '2 days', 'closed'
          FROM o, (SELECT id FROM branch WHERE code = 'SH01') b,
               (SELECT id FROM content_version WHERE kind = 'policy' AND name = 'advisor-each') p
        RETURNING id, policy_version_id, created_at
    )
    INSERT INTO decision (id, submission_id, verb, actor_id, at, undo_until, manifest_digest, count, policy_version_id)
    SELECT gen_random_uuid(), s.id, 'approve', f.id, s.created_at + interval '40 minutes', s.created_at, '', 1,
           s.policy_version_id
      FROM s, (SELECT id FROM staff WHERE staff_no = 'M001') f
    """
)


@pytest.fixture(scope="module")
def decided(running: Machine) -> Machine:
    with running.outreach.open_work(SYSTEM) as work:
        work.conn.execute(_PAST)
    return running


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 1280), ("en", 390)])
def test_the_plots_are_drawn(decided: Machine, sign_in: SignIn, locale: str, width: int) -> None:
    page = sign_in("manager.sh", locale, width)
    page.goto("/branch")
    expect(page.locator(".plot canvas")).to_have_count(2)
    drawn = page.evaluate(
        "[...document.querySelectorAll('.plot canvas')].map(one => {"
        " const all = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;"
        " return all.some((value, at) => at % 4 === 3 && value > 0); })"
    )
    assert drawn == [True, True]
    page.locator("figure details summary").first.click()
    expect(page.locator("figure details table").first).to_contain_text(
        "40 分钟" if locale == "zh-CN" else "40 min"
    )
    judge(page, locale)


def test_without_a_script_the_figures_are_tables(decided: Machine, chromium: Browser) -> None:
    context = chromium.new_context(
        base_url=decided.settings.public_url, locale="en", java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#username", "manager.sh")
    page.fill("#password", PASSWORD)
    page.click("form[action='/sign-in'] button")
    page.goto("/branch")
    expect(page.locator(".plot")).to_have_count(2)
    expect(page.locator(".plot").first).to_be_hidden()
    page.locator("figure details summary").first.click()
    expect(page.locator("figure details table").first).to_be_visible()
    expect(page.locator("figure details table").first).to_contain_text("40 min")
    context.close()
