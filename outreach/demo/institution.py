"""The demonstration institution: two branches, their people, about 200 clients, on whatever day it is.

Everything enters as it would in a firm: clients by the import of a CSV file, reports and events by their
feeds, messages by the services that the pages use. Nobody in it exists. Telephone numbers are of ranges that
are fictitious by their regulator's word (US 555-01xx, Australia 491 570) or that carry no subscribers
(mainland data cards 147 0000, an unassigned Hong Kong block).
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from outreach.auth.passwords import set_password
from outreach.core import clock
from outreach.core.access import SYSTEM, Role
from outreach.demo.names import ENGLISH, GIVEN, HEADER, SURNAMES
from outreach.ledger.work import Opener, Work
from outreach.occasions.lunar import LunarDay, lunar_days_of
from outreach.people.staff import NewBranch, NewStaff, add_branch, add_staff
from outreach.people.tables import staff

PASSWORD = "care-2026"  # noqa: S105 - the demonstration's, printed at every start
FAR = timedelta(days=900)

BRANCHES = (
    NewBranch(
        code="SH01",
        name="上海浦东营业部",
        name_en="Shanghai Pudong Branch",
        phone="021-00000001",
        complaint_phone="021-00000009",
        email="pudong@example.com",
        address="上海市浦东新区示例路 1 号",
    ),
    NewBranch(
        code="BJ01",
        name="北京建国路营业部",
        name_en="Beijing Jianguo Road Branch",
        phone="010-00000001",
        complaint_phone="010-00000009",
        email="jianguo@example.com",
        address="北京市朝阳区示例路 2 号",
    ),
)


@dataclass(frozen=True)
class Person:
    """A member of the demonstration's staff."""

    staff_no: str
    username: str
    name: str
    name_en: str
    role: Role
    branch: str | None
    licensed: bool = True
    advisory: bool = True


PEOPLE = (
    Person("M001", "manager.sh", "沈若兰", "Shen Ruolan", Role.MANAGER, "SH01"),
    Person("D001", "deputy.sh", "许知行", "Xu Zhixing", Role.DEPUTY, "SH01"),
    Person("A001", "advisor1.sh", "林晓", "Lin Xiao", Role.ADVISOR, "SH01"),
    Person("A002", "advisor2.sh", "周明远", "Zhou Mingyuan", Role.ADVISOR, "SH01"),
    Person(
        "A003", "advisor3.sh", "唐一诺", "Tang Yinuo", Role.ADVISOR, "SH01", licensed=False, advisory=False
    ),
    Person("M002", "manager.bj", "陆景行", "Lu Jingxing", Role.MANAGER, "BJ01"),
    Person("D002", "deputy.bj", "苏可欣", "Su Kexin", Role.DEPUTY, "BJ01"),
    Person("A004", "advisor1.bj", "何思远", "He Siyuan", Role.ADVISOR, "BJ01"),
    Person("A005", "advisor2.bj", "高雨桐", "Gao Yutong", Role.ADVISOR, "BJ01"),
    Person("A006", "advisor3.bj", "罗子涵", "Luo Zihan", Role.ADVISOR, "BJ01"),
    Person("H001", "head.office", "程静怡", "Cheng Jingyi", Role.HEAD_OFFICE, None),
    Person("H002", "head.office2", "顾南风", "Gu Nanfeng", Role.HEAD_OFFICE, None),
    Person("K001", "compliance", "严正清", "Yan Zhengqing", Role.COMPLIANCE, None),
    Person("O001", "operator", "欧阳宁", "Ouyang Ning", Role.OPERATOR, None),
)


def load_people(open_work: Opener) -> dict[str, UUID]:
    """Add the branches, the staff and their sign-ins; returns staff number -> id."""
    today = clock.now().date()
    with open_work(SYSTEM) as work:
        branch_ids = {new.code: add_branch(work, new) for new in BRANCHES}
        numbers: dict[str, UUID] = {}
        for person in PEOPLE:
            numbers[person.staff_no] = add_staff(
                work,
                NewStaff(
                    staff_no=person.staff_no,
                    name=person.name,
                    name_en=person.name_en,
                    roles=[(person.role, branch_ids[person.branch] if person.branch else None)],
                    email=f"{person.username}@example.com",
                    securities_licence=f"S000{person.staff_no}" if person.licensed else "",
                    securities_expires=today + FAR if person.licensed else None,
                    advisory_licence=f"T000{person.staff_no}" if person.advisory else "",
                    advisory_expires=today + FAR if person.advisory else None,
                ),
            )
            set_password(work, numbers[person.staff_no], person.username, PASSWORD)
        return numbers


def loaded(work: Work) -> bool:
    """Whether the demonstration's people are there."""
    return (
        work.conn.execute(select(staff.c.id).where(staff.c.staff_no == PEOPLE[0].staff_no)).first()
        is not None
    )


# ── clients ───────────────────────────────────────────────────────────────────────────────────────────────

_MONTHS = ["正", "二", "三", "四", "五", "六", "七", "八", "九", "十", "冬", "腊"]
_TENS = ("初", "十", "廿", "三")
_DIGITS = "一二三四五六七八九十"


def lunar_text(day: LunarDay) -> str:
    """八月十五, 闰六月初六: as a client file writes it."""
    if day.day == 10:
        word = "初十"
    elif day.day == 20:
        word = "二十"
    elif day.day == 30:
        word = "三十"
    else:
        word = _TENS[day.day // 10] + _DIGITS[day.day % 10 - 1]
    return f"{'闰' if day.leap else ''}{_MONTHS[day.month - 1]}月{word}"


def write_clients(path: Path, today: date, count: int = 200) -> None:
    """Write the client file: UTF-8 with BOM, Chinese headers, with the dirt such files have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, HEADER)
        writer.writeheader()
        writer.writerows(_clients(today, count))


def _clients(today: date, count: int) -> Iterator[dict[str, str]]:
    chance = random.Random(20260101)  # noqa: S311 - the same people at every start
    lunar_today = min(lunar_days_of(today), key=lambda day: (day.leap, day.month, day.day))
    for number in range(1, count + 1):
        yield _client(chance, number, today, lunar_today)


def _client(chance: random.Random, number: int, today: date, lunar_today: LunarDay) -> dict[str, str]:
    english = number % 10 == 0
    branch = BRANCHES[number % 2]
    advisors = [
        person.staff_no for person in PEOPLE if person.role is Role.ADVISOR and person.branch == branch.code
    ]
    birth = date(chance.randint(1948, 2000), chance.randint(1, 12), chance.randint(1, 28))
    lunar = ""
    if number % 16 in (1, 2):  # a dozen and more solar birthdays today, on any date
        birth = _on_day(birth.year, today)
    elif number % 40 == 3:
        lunar = lunar_text(lunar_today)
    risk = chance.choice(("C1", "C2", "C2", "C3", "C3", "C3", "C4", "C4", "C5"))
    assessed = today - timedelta(days=chance.randint(20, 600))
    if number % 33 == 0:
        assessed = today - timedelta(days=820)
    name = chance.choice(SURNAMES) + chance.choice(GIVEN)
    if english:
        name = ENGLISH[(number // 10 - 1) % len(ENGLISH)]
    row = {
        "客户号": f"C{number:07d}",
        "资金账号": f"80{number:08d}",
        "客户姓名": name,
        "性别": chance.choice("男女"),
        "证件有效期": "长期"
        if number % 3 == 0
        else (today + timedelta(days=chance.randint(40, 3000))).isoformat(),
        "出生日期": birth.isoformat(),
        "农历生日": lunar,
        "手机": _mobile(number, english),
        "邮箱": f"client{number}@example.net",
        "地址": "香港示例道 8 号" if english else f"{branch.address}客户楼 {number} 室",
        "邮编": "100022",
        "客户级别": (
            "钻石"
            if number % 50 == 1
            else "VIP"
            if number % 7 == 0
            else "核心"
            if number % 5 == 0
            else "普通"
        ),
        "风险等级": risk,
        "测评日期": assessed.isoformat(),
        "投资者类别": "普通投资者",
        "开户日期": (today - timedelta(days=chance.randint(60, 4000))).isoformat(),
        "账户状态": "正常",
        "客户经理工号": advisors[(number // 2) % len(advisors)],
        "营业部": branch.name,
        "渠道偏好": "邮件" if number % 9 == 0 else "短信",
        "语言": "en" if english else "zh-CN",
    }
    return row | _dirt(number, today, birth)


def _dirt(number: int, today: date, birth: date) -> dict[str, str]:
    """What real client files hold, at fixed places; 17 is the deceased client whose birthday is today."""
    special: dict[int, dict[str, str]] = {
        17: {"客户姓名": "秦怀谷(已故)", "出生日期": _on_day(1941, today).isoformat()},
        22: {"拒收标志": "是"},
        29: {"账户状态": "销户"},
        38: {"手机": "1.39E+10"},
        41: {"手机": "021-00000123"},
        52: {
            "风险等级": "C2",
            "测评日期": (today - timedelta(days=90)).isoformat(),
            "客户经理工号": "A001",
            "营业部": BRANCHES[0].name,
        },
        63: {"客户姓名": "示例贸易有限公司", "证件类型": "营业执照", "证件号码": "91110105MA01ABCD1X"},
        74: {"手机": _mobile(73, english=False), "出生日期": _on_day(1979, today).isoformat()},
        73: {"出生日期": _on_day(1977, today).isoformat()},
        81: {"出生日期": f"{today.year - 9}-03-05"},
        95: {"客户经理工号": "A999", "客户级别": "VIP"},
        106: {"客户姓名": "测试客户"},
        127: {"出生日期": "1900-01-01"},
        138: {"客户号": ""},
        149: {"邮箱": "not-an-address"},
        150: {"备注": '=HYPERLINK("http://example.com")'},
    }
    del birth
    return special.get(number, {})


def _on_day(year: int, day: date) -> date:
    """``day``'s month and day in ``year``; for 29 February the 28th where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _mobile(number: int, english: bool) -> str:
    if not english:
        return f"1470000{number:04d}"
    position = number // 10
    if position % 3 == 0:
        return f"+1 202 555 {100 + position:04d}"
    if position % 3 == 1:
        return f"+852 4440 {1000 + position}"
    return (
        f"+61 491 570 {position + 5:03d}"
        if position + 5 in {6, 156, 157, 158, 159, 110}
        else f"+852 4440 {2000 + position}"
    )
