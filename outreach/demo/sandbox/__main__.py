"""``python -m outreach.demo.sandbox smtp|twilio|gateway --port N --state DIR``: one server, one process."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from outreach.core.errors import OutreachError
from outreach.demo.sandbox import gateway, twilio
from outreach.demo.sandbox.gateway import GatewayServer
from outreach.demo.sandbox.serve import Server, run
from outreach.demo.sandbox.smtp import MailServer
from outreach.demo.sandbox.twilio import TwilioServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server that the command line names; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return run(_server(options), options.port, options.control_port, options.parent or os.getppid())
    except (OutreachError, OSError) as error:
        sys.stderr.write(f"{options.server}: {error}\n")
        return 1


def _server(options: argparse.Namespace) -> Server:
    if options.server == "smtp":
        return MailServer(options.state, fsync=options.fsync)
    if options.server == "twilio":
        return TwilioServer(
            options.state,
            account_sid=options.account_sid,
            auth_token=options.auth_token,
            fsync=options.fsync,
            url=options.inbound_url,
            callback_delay=options.callback_delay,
            callbacks=options.callbacks,
        )
    return GatewayServer(
        options.state,
        account=options.account,
        secret=options.secret,
        fsync=options.fsync,
        url=options.callback_url,
        callback_delay=options.callback_delay,
        callbacks=options.callbacks,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="outreach.demo.sandbox", description=__doc__)
    servers = parser.add_subparsers(dest="server", required=True)
    for name in ("smtp", "twilio", "gateway"):
        one = servers.add_parser(name)
        one.add_argument("--port", type=int, default=0, help="0: any free port")
        one.add_argument("--control-port", type=int, default=0, help="smtp only; the others have one port")
        one.add_argument("--state", type=Path, required=True, help="folder of the files that keep the counts")
        one.add_argument("--no-fsync", dest="fsync", action="store_false", help="for benchmarks")
        one.add_argument(
            "--parent", type=int, help="process with which to stop; default: the one that started this"
        )
        if name != "smtp":
            one.add_argument("--callback-delay", type=float, default=0.1, help="seconds before each callback")
            one.add_argument(
                "--no-callbacks", dest="callbacks", action="store_false", help="report no states"
            )
        if name == "twilio":
            one.add_argument("--inbound-url", help="where clients' texts are posted")
            one.add_argument("--account-sid", default=twilio.ACCOUNT)
            one.add_argument("--auth-token", default="sandbox")
        if name == "gateway":
            one.add_argument("--callback-url", help="where receipts and replies are posted")
            one.add_argument("--account", default="outreach", help=f"sends as {gateway.SENDER}")
            one.add_argument("--secret", default="sandbox")
    return parser


if __name__ == "__main__":
    sys.exit(main())
