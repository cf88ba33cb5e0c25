"""What is in force, written back as the files that made it: a folder or an archive that publishes as "no change"."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from outreach.content.starter import FOLDERS
from outreach.content.tree import tree_in_force, write_tree
from outreach.core.access import Permission
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say: the same content gives the same bytes


def export_content(work: Work) -> dict[str, str]:
    """path -> text of everything in force, below templates/, jobs/ and approvals/. The export is recorded.

    Raises Forbidden unless the actor publishes content or runs the jobs, NotFound before the first publication.
    """
    if not (work.actor.may(Permission.PUBLISH) or work.actor.may(Permission.RUN_JOBS)):
        raise Forbidden(mend="Ask somebody who runs the jobs or publishes content.")
    tree = tree_in_force(work.conn)
    if not tree:
        raise NotFound("No content is published yet.", mend="Run: outreach content publish")
    body = json.dumps(sorted(tree.items()), ensure_ascii=False, separators=(",", ":")).encode()
    fields = {
        "export_id": new_id(),
        "purpose": "content",
        "object": "content",
        "count": len(tree),
        "bytes": sum(len(text.encode()) for text in tree.values()),
        "manifest_digest": hashlib.sha256(body).digest(),
    }
    record(work, Entry("export", fields))
    return tree


def write_folder(target: Path, tree: Mapping[str, str]) -> None:
    """Write ``tree`` into ``target``. Raises BadInput when one of its three folders is there already: a file that
    is in force no more would be published again from it."""
    for name in FOLDERS:
        if (target / name).exists() or (target / name).is_symlink():
            raise BadInput(
                f"{target / name} is there already.",
                mend="Choose an empty folder; compare both, and keep what you need.",
            )
    write_tree(target, tree)


def zipped(tree: Mapping[str, str]) -> bytes:
    """``tree`` as a ZIP archive, byte for byte the same for the same files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(tree.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, text.encode())
    return held.getvalue()
