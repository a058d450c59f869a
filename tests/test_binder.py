"""The Binder image: what can be held without building it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def binder_requirements() -> dict[str, Requirement]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.mark.parametrize("dependency", PROJECT["dependencies"])
def test_dependency_is_pinned(dependency: str) -> None:
    """Each dependency of the package has one exact version on Binder, and one that the package accepts."""
    wanted = Requirement(dependency)
    (pin,) = binder_requirements()[canonicalize_name(wanted.name)].specifier

    assert pin.operator == "=="
    assert pin.version in wanted.specifier


def test_jupyterlab_is_not_replaced() -> None:
    """JupyterLab has the package's own floor, so that the one in Binder's image will do."""
    (lab,) = [
        requirement
        for requirement in map(Requirement, PROJECT["optional-dependencies"]["lab"])
        if requirement.name == "jupyterlab"
    ]

    assert set(lab.specifier) <= set(binder_requirements()["jupyterlab"].specifier)


def test_python_is_supported() -> None:
    """Binder's Python is one that the package supports."""
    runtime = re.fullmatch(r"python-(3\.\d+)\n", (BINDER / "runtime.txt").read_text(encoding="utf-8"))

    assert runtime
    assert runtime[1] in SpecifierSet(PROJECT["requires-python"])
    assert f"Programming Language :: Python :: {runtime[1]}" in PROJECT["classifiers"]


def test_post_build_is_a_program() -> None:
    """The last build step is executable and at least parses."""
    script = BINDER / "postBuild"

    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_post_build_settings_exist() -> None:
    """Every JupyterLab setting that the image overrides is one that JupyterLab has."""
    script = (BINDER / "postBuild").read_text(encoding="utf-8")
    overrides = re.search(r"<<'JSON'\n(.*?)^JSON$", script, re.MULTILINE | re.DOTALL)
    assert overrides

    schemas = Path(sys.prefix, "share", "jupyter", "lab", "schemas")
    for plugin, settings in json.loads(overrides[1]).items():
        package, _, name = plugin.partition(":")
        schema = json.loads((schemas / package / f"{name}.json").read_text(encoding="utf-8"))
        assert settings.keys() <= schema["properties"].keys()


def test_links_lead_to_lessons() -> None:
    """Every lesson that a Binder link opens is there."""
    links = re.findall(r"https://mybinder\.org/v2/\S+?urlpath=lab/tree/([^\s)\"]+)", README)

    assert links
    assert [link for link in links if not (ROOT / unquote(link)).is_file()] == []


@pytest.mark.skipif(not shutil.which("jupyter-repo2docker"), reason="needs jupyter-repo2docker on the PATH")
def test_repo2docker_accepts_it() -> None:
    """The dependencies are a layer below the repository, which a change of lesson leaves as it is."""
    plan = subprocess.run(
        ["jupyter-repo2docker", "--no-build", "--no-run", "--debug", "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().replace("-", "=")
    steps = ('-r "binder/requirements.txt"', "COPY --chown=0:0 src/ ", "RUN ./binder/postBuild", "ENTRYPOINT")

    assert f"environment for {python}" in plan.stderr
    positions = [plan.stdout.index(step) for step in steps]
    assert positions == sorted(positions)
