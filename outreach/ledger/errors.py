"""What the ledger says when bytes, a signature or a proof do not hold."""

from outreach.core.errors import OutreachError


class RecordAltered(OutreachError):
    """What is stored is not what was recorded."""

    code = "record_altered"
    mend = "Keep it as it is, tell compliance, and run: outreach archive verify --database"
