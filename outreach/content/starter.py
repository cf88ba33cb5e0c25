"""Where the starter set lies: the demonstration institution's files, in the wheel or beside the code."""

import shutil
from pathlib import Path

from outreach.core.errors import BadInput

FOLDERS = ("templates", "jobs", "approvals")
SETS = Path("approvals", "sets")  # sets of policies that take the place of approvals/policies
DEFAULT = "china"


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


def lay_out(target: Path, policies: str = DEFAULT) -> list[Path]:
    """Copy the starter set to ``target``, with one of the shipped sets of policies; returns the files.

    Raises BadInput when one of its folders is there, or for a set that there is not.
    """
    sets = policy_sets()
    if policies not in sets:
        raise BadInput(f"There is no set of policies {policies!r}.", mend=f"Use one of: {', '.join(sets)}.")
    for name in FOLDERS:
        if (target / name).exists():
            raise BadInput(f"{target / name} is there already.", mend="Choose an empty folder.")
    target.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.copytree(starter_root() / name, target / name, ignore=shutil.ignore_patterns(SETS.name))
    if policies != DEFAULT:
        chosen, approvals = starter_root() / SETS / policies, target / SETS.parent
        shutil.rmtree(approvals / "policies")
        shutil.copytree(chosen, approvals, dirs_exist_ok=True, ignore=shutil.ignore_patterns("README.md"))
        shutil.copyfile(chosen / "README.md", approvals / "policies" / "README.md")
    return sorted(path for name in FOLDERS for path in (target / name).rglob("*") if path.is_file())


def policy_sets() -> tuple[str, ...]:
    """The shipped sets of policies: China's, and those that take its place."""
    others = sorted(path.name for path in (starter_root() / SETS).glob("*") if path.is_dir())
    return (DEFAULT, *others)
