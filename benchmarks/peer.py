"""The same greetings enqueued by django-post_office, a well-kept mail queue on the same PostgreSQL: one template, one
row a recipient; no checks, no digests, no sealing, no record."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import django
import psycopg
from django.conf import settings
from django.core.management import call_command

from benchmarks.bed import bed
from outreach.core import embedded
from outreach.demo.names import GIVEN, SURNAMES

AT_ONCE = 1000  # of send_many
_SINGLY = 20  # one in so many is also enqueued by itself
# The words of templates/new-year.
_TEMPLATE = (
    "【{{ firm }}】{{ client }}，您好！元旦快乐！愿您新的一年身体康健、诸事从容。{{ branch }} 拒收请回复R"
)


@dataclass(frozen=True)
class Enqueued:
    """Messages, and how many a second: singly (a transaction each) and together (``AT_ONCE`` in one)."""

    messages: int
    singly_per_second: float
    together_per_second: float

    def to_json(self) -> dict[str, float]:
        """For the process that asked."""
        return asdict(self)


def measure(count: int) -> Enqueued:
    """Enqueue ``count`` mails in a fresh database of a fresh cluster set as ours is."""
    with bed() as made:
        data = made.home / "postgres"
        with psycopg.connect(embedded.conninfo(data), autocommit=True) as conn:
            conn.execute("CREATE DATABASE peer")
        _configure(str(embedded.socket_dir(data)))
        from post_office import mail
        from post_office.models import Email, EmailTemplate

        template = EmailTemplate.objects.create(name="new-year", subject="元旦快乐", content=_TEMPLATE)
        few = max(count // _SINGLY, 100)
        began = time.perf_counter()
        for wanted in _wanted(few, template):
            mail.send(**wanted)
        singly = few / (time.perf_counter() - began)
        began = time.perf_counter()
        rest = _wanted(count, template)
        while several := list(islice(rest, AT_ONCE)):
            mail.send_many(several)
        together = count / (time.perf_counter() - began)
        assert Email.objects.count() == few + count
    return Enqueued(count, singly, together)


def _wanted(count: int, template: object) -> Iterator[dict[str, object]]:
    for number in range(count):
        name = SURNAMES[number % len(SURNAMES)] + GIVEN[number // 7 % len(GIVEN)]
        yield {
            "recipients": [f"client{number}@example.net"],
            "sender": "care@example.com",
            "template": template,
            "context": {"firm": "示例证券", "client": f"{name}先生", "branch": "上海营业部"},
        }


def _configure(socket: str) -> None:
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "peer",
                "USER": embedded.OWNER,
                "HOST": socket,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
