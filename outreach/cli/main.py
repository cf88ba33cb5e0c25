"""``outreach``: one binary for every role. Commands are loaded when they are called."""

import importlib
import os
import sys

import click

from outreach import __version__
from outreach.core.errors import OutreachError

# command -> module; each module has a click command of the same name (dashes as underscores).
COMMANDS: dict[str, str] = {
    "run": "outreach.cli.run",
    "demo": "outreach.cli.demo",
    "web": "outreach.cli.processes",
    "scheduler": "outreach.cli.processes",
    "worker": "outreach.cli.processes",
    "migrate": "outreach.cli.processes",
    "init": "outreach.cli.content",
    "content": "outreach.cli.content",
    "clients": "outreach.cli.people",
    "holdings": "outreach.cli.people",
    "dates": "outreach.cli.people",
    "feeds": "outreach.cli.people",
    "crm": "outreach.cli.crm",
    "subscriptions": "outreach.cli.feeds",
    "token": "outreach.cli.tokens",
    "calendar": "outreach.cli.calendar",
    "jobs": "outreach.cli.jobs",
    "review": "outreach.cli.review",
    "absence": "outreach.cli.absence",
    "material": "outreach.cli.material",
    "delivery": "outreach.cli.delivery",
    "notices": "outreach.cli.notices",
    "report": "outreach.cli.report",
    "archive": "outreach.cli.archive",
}


class _Lazy(click.Group):
    """Loads a command's module only when it is asked for, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{module} has no command {cmd_name}")
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Client care by message: composed on a schedule, approved, sent byte for byte, kept as a record."""


def main() -> None:
    """Run the command line; an error of ours is told in words, with what to do next, and exit status 1."""
    try:
        cli.main(prog_name="outreach", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os._exit(0)
    except OutreachError as error:
        click.echo(f"outreach: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
