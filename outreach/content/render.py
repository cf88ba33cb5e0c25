"""Messages out of templates: sandboxed Jinja2, compiled once for each version."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError, nodes, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from outreach.core.errors import BadInput

LONGEST = 20_000  # characters of one rendered part


class _Values(ImmutableSandboxedEnvironment):
    """``digest.items`` is what the context calls so, and never the method that a dictionary has by that name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    environment = _Values(
        undefined=StrictUndefined,
        autoescape=html,
        keep_trailing_newline=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Whatever could make much out of little is not needed in a message.
    for name in ("range", "lipsum", "cycler", "joiner", "namespace", "dict"):
        environment.globals.pop(name, None)
    for name in (
        "pprint",
        "tojson",
        "xmlattr",
        "attr",
        "map",
        "select",
        "reject",
        "selectattr",
        "rejectattr",
        "center",
    ):
        environment.filters.pop(name, None)
    return environment


_TEXT, _HTML = _environment(html=False), _environment(html=True)


@dataclass(frozen=True)
class Rendered:
    """What a client would get."""

    text: str
    subject: str = ""
    html: str = ""


class RenderFailed(BadInput):
    """This message could not be made from its template."""

    code = "render_failed"


@lru_cache(maxsize=4096)
def _compiled(source: str, html: bool) -> Template:
    return (_HTML if html else _TEXT).from_string(source)


def parts(channel: str, language: str) -> dict[str, str]:
    """part -> file name of a channel and language."""
    if channel == "email":
        return {
            "subject": f"email.{language}.subject.j2",
            "text": f"email.{language}.txt.j2",
            "html": f"email.{language}.html.j2",
        }
    return {"text": f"{channel}.{language}.j2"}


def render(files: Mapping[str, str], channel: str, language: str, context: Mapping[str, Any]) -> Rendered:
    """Render one message. Raises RenderFailed naming the file, for a missing value or too long a text."""
    made: dict[str, str] = {}
    for part, name in parts(channel, language).items():
        source = files.get(name)
        if source is None:
            if part == "html":
                continue
            raise RenderFailed(f"The template has no {name}.", mend="Add the file, or use another language.")
        try:
            text = _compiled(source, part == "html").render(context)
        except (TemplateError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
            raise RenderFailed(f"{name}: {error}", mend="Correct the template or the data.") from error
        if len(text) > LONGEST:
            raise RenderFailed(
                f"{name} becomes longer than {LONGEST} characters.", mend="Shorten the template."
            )
        made[part] = " ".join(text.split()) if part == "subject" else text.strip()
    return Rendered(**made)


# ── looking at a template without running it ──────────────────────────────────────────────────────────────

_FORBIDDEN = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.Pow,
)


@pass_context
def _left_alone(*_: object) -> str:
    """A filter that is only named: one that takes the context is never computed beforehand."""
    raise NotImplementedError


def _looking(environment: Environment) -> Environment:
    """``environment`` to look with: Jinja computes what is constant while it looks, and ``'x' * 10**9`` or
    ``'a' | indent(1000000000)`` would be made here, in this process and without a bound."""
    eyes = environment.overlay()
    eyes.intercepted_binops = frozenset(_Values.default_binop_table)  # type: ignore[attr-defined]
    eyes.filters = dict.fromkeys(environment.filters, _left_alone)
    return eyes


_LOOK_AT_TEXT, _LOOK_AT_HTML = _looking(_TEXT), _looking(_HTML)


def inspect(source: str, *, html: bool) -> tuple[set[str], list[tuple[int, str]]]:
    """(the variables a template uses, by their first name and ``first.second`` path; what it must not do, by line).

    Raises TemplateSyntaxError for text that is no template.
    """
    environment = _LOOK_AT_HTML if html else _LOOK_AT_TEXT
    tree = environment.parse(source)
    wrong: list[tuple[int, str]] = []
    for kind in _FORBIDDEN:
        wrong += [(node.lineno, f"{type(node).__name__} is not allowed here") for node in tree.find_all(kind)]
    for attribute in tree.find_all(nodes.Getattr):
        if attribute.attr.startswith("_"):
            wrong.append((attribute.lineno, f"`{attribute.attr}` reaches into the program"))
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.arg, nodes.Const) and str(item.arg.value).startswith("_"):
            wrong.append((item.lineno, f"`{item.arg.value}` reaches into the program"))
    for product in tree.find_all(nodes.Mul):
        if any(isinstance(side, nodes.Const) for side in (product.left, product.right)):
            wrong.append((product.lineno, "multiplication may blow a text up"))
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            wrong.append((loop.lineno, "a recursive loop is not allowed here"))
        elif any(True for _ in loop.find_all(nodes.For)):
            wrong.append((loop.lineno, "a loop within a loop is not allowed here"))
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name not in environment.filters:
            wrong.append((filtered.lineno, f"there is no filter `{filtered.name}`"))
    return _used(tree), sorted(wrong)


def _used(tree: nodes.Template) -> set[str]:
    undeclared = find_undeclared_variables(tree)
    used = set(undeclared)
    for attribute in tree.find_all(nodes.Getattr):
        if isinstance(attribute.node, nodes.Name) and attribute.node.name in undeclared:
            used.add(f"{attribute.node.name}.{attribute.attr}")
    return used
