"""How much disk an installation takes, by package.

    python benchmarks/environment_size.py -o benchmarks/environment_size.json [--extras pdf,dicom]

A new environment of this Python is made in a temporary folder and the package is installed there
from this checkout by pip, as a user does it.  Files count with their size, 1 MB is 10^6 bytes; pip
and setuptools are not counted.  Bytecode (``.pyc``) is what pip adds when it installs.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
NOT_COUNTED = {"pip", "setuptools"}
MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--extras", default="", help="extras, separated by commas")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        wanted = f"{REPOSITORY}[{options.extras}]" if options.extras else str(REPOSITORY)
        subprocess.run([f"{place}/bin/pip", "install", "--quiet", wanted], check=True)
        (site,) = Path(place).glob("lib/python*/site-packages")
        result = {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "extras": options.extras.split(",") if options.extras else [],
            **sizes(site),
        }
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "packages"}, indent=1))


def sizes(site: Path) -> dict[str, object]:
    """Return the size of each package in a folder of packages, the largest first, and of all."""
    rows = [row(one) for one in distributions(path=[str(site)]) if one.name not in NOT_COUNTED]
    rows.sort(key=lambda one: (-one["mb"], one["name"]))
    total = sum(one["mb"] for one in rows)
    bytecode = sum(one["bytecode_mb"] for one in rows)
    return {
        "total_mb": round(total, 1),
        "bytecode_mb": round(bytecode, 1),
        "packages": [
            {key: round(value, 2) if key.endswith("mb") else value for key, value in one.items()}
            for one in rows
        ],
    }


def row(package: Distribution) -> dict:
    """Return one package: name, version, size of its files, and of those the bytecode."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or ()]
    bytes_of = {path: path.stat().st_size for path in paths if path.is_file()}
    bytecode = sum(size for path, size in bytes_of.items() if path.suffix == ".pyc")
    return {
        "name": package.name,
        "version": package.version,
        "mb": sum(bytes_of.values()) / MB,
        "bytecode_mb": bytecode / MB,
    }


if __name__ == "__main__":
    main()
