"""Where the starter set lies: the demonstration institution's files, in the wheel or beside the code."""

import shutil
from pathlib import Path

from outreach.core.errors import BadInput

FOLDERS = ("templates", "jobs", "approvals")


def starter_root() -> Path:
    """The folder that holds the starter set's templates/, jobs/ and approvals/.

    Raises BadInput when the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    # In a checkout the package's folders are links to the institution's own, which are meant.
    for root in (package / "starter_files", package.parents[1]):
        if all((root / name).is_dir() and not (root / name).is_symlink() for name in FOLDERS):
            return root
    raise BadInput("The starter set is not part of this installation.", mend="Install Outreach again.")


def lay_out(target: Path) -> list[Path]:
    """Copy the starter set to ``target``; returns the files. Raises BadInput when one of its folders is there."""
    for name in FOLDERS:
        if (target / name).exists():
            raise BadInput(f"{target / name} is there already.", mend="Choose an empty folder.")
    target.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.copytree(starter_root() / name, target / name)
    return sorted(path for name in FOLDERS for path in (target / name).rglob("*") if path.is_file())
