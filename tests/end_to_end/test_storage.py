"""Everyday failures of storage, and kills, as a user of the commands meets them."""

import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

import opencmr.pipeline  # noqa: F401  (before a test stands in for what it imports)
from opencmr import storage
from opencmr.storage import ownership

PROGRAM = "from opencmr.cli import main; main()"
KILLS_S = (0.3, 1.5, 3.0, 5.0)
"""When a run is killed, from the start of Python to after the end of a quick one."""


def words_of(verb: str, out: Path, dicom: Path, nifti: Path) -> tuple[object, ...]:
    """A command of ``verb`` that writes to ``out``."""
    return {
        "analyze": ("analyze", dicom, "-o", out, "--overwrite"),
        "segment": ("segment", nifti / "sax.nii.gz", "-o", out / "l.nii.gz", "--overwrite"),
        "simulate": ("simulate", "--small", "-o", out),
        "demo": ("demo", "--small", "-o", out, "--overwrite"),
    }[verb]


def never_begun(*_: object, **__: object) -> None:
    raise AssertionError("the work was begun")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a command begins its work before it has looked at its output."""
    monkeypatch.setattr("opencmr.intake.studies.read_studies", never_begun)
    monkeypatch.setattr("opencmr.simulate.simulate_study", never_begun)
    monkeypatch.setattr("opencmr.segment.short_axis.segment_short_axis", never_begun)


VERBS = ("analyze", "segment", "simulate", "demo")


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("place", ["file", "dangling", "loop", "under-file/out", "x" * 300, "full"])
def test_an_output_that_cannot_be_is_named_before_the_work(
    opencmr, phantom_dicom, phantom_nifti, tmp_path, monkeypatch, verb, place
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "under-file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    if place == "full":
        few = shutil._ntuple_diskusage(10**9, 10**9, 5)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: few)
    before = sorted(tmp_path.iterdir())
    outcome = opencmr(*words_of(verb, tmp_path / place, phantom_dicom, phantom_nifti))
    assert outcome.status == 2, outcome.err
    assert "unexpected" not in outcome.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("verb", ["analyze", "simulate", "demo"])
def test_the_folder_that_one_stands_in_is_no_output(
    opencmr, phantom_dicom, phantom_nifti, tmp_path, monkeypatch, verb
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = opencmr(*words_of(verb, Path(), phantom_dicom, phantom_nifti))
    assert outcome.status == 2, outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(("source", "out"), [(".", "opencmr-result"), ("result/in", "result")])
def test_input_and_output_may_not_lie_in_each_other(
    opencmr, tmp_path, monkeypatch, source, out
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / source).mkdir(parents=True, exist_ok=True)
    outcome = opencmr("analyze", source, "-o", out, "--overwrite")
    assert outcome.status == 2
    assert "lies in" in outcome.err
    index = tmp_path / "DICOMDIR"
    index.write_bytes(b"")
    assert opencmr("analyze", index, "-o", tmp_path / "out").status == 2


@pytest.mark.parametrize("verb", ["analyze", "demo"])
def test_no_temporary_space_is_named_before_the_work(
    opencmr, phantom_dicom, phantom_nifti, tmp_path, monkeypatch, verb
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory")

    monkeypatch.setattr("opencmr.simulate.simulate_study", never_begun)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    outcome = opencmr(*words_of(verb, tmp_path / "out", phantom_dicom, phantom_nifti))
    assert outcome.status == 2
    assert "TMPDIR" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "verb",
    [pytest.param(v, marks=[] if v == "analyze" else pytest.mark.long) for v in VERBS],
)
def test_a_disk_that_fills_during_the_work_leaves_nothing_half(
    phantom_dicom, phantom_nifti, tmp_path, verb
) -> None:
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (2048, 2048)); "
    words = words_of(verb, tmp_path / "out", phantom_dicom, phantom_nifti)
    done = run(tmp_path, limit + PROGRAM, *words)
    assert done.returncode == 1, done.stderr
    assert "no space" in done.stderr
    assert "unexpected" not in done.stderr
    assert list(tmp_path.glob("out*")) == []
    assert list(tmp_path.glob(".opencmr*")) == []


FILLING = """
import contextlib, io, os, shutil, sys
from pathlib import Path
from opencmr.cli import main
from opencmr.storage import space

disk, words = Path(sys.argv[1]), sys.argv[2:]
sys.argv = ["opencmr", *words, "-o", str(disk / "out"), "--overwrite", "--quiet"]
space.LEAST_FREE_BYTES = 0


def run():
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            main()
    except SystemExit as left:
        return left.code or 0, said.getvalue()
    return 0, said.getvalue()


def files():
    return {p.relative_to(disk): p.read_bytes() for p in disk.rglob("*") if p.is_file()}


def filled(free_bytes):
    with (disk / "ballast").open("wb") as ballast:
        taken = shutil.disk_usage(disk).free - free_bytes
        os.posix_fallocate(ballast.fileno(), 0, taken)


assert run()[0] == 0
sizes = [path.stat().st_size for path in sorted(disk.rglob("*")) if path.is_file()]
whole = sum(-(-size // 4096) * 4096 for size in sizes)
for share in (0.0, 0.6, 0.95):
    before = files()
    filled(int(whole * share))
    status, said = run()
    (disk / "ballast").unlink()
    assert status in (1, 2), (share, status, said)
    assert "space" in said and "unexpected" not in said, (share, said)
    assert files() == before, (share, sorted(files()))
    assert {p.name for p in disk.iterdir()} <= {"out"}, list(disk.iterdir())
    if share:  # the last fills with no earlier result beside it
        shutil.rmtree(disk / "out", ignore_errors=True)
print("held")
"""


@pytest.mark.long
def test_a_disk_that_is_full_at_any_write_costs_neither_the_old_result_nor_leaves_half(
    phantom_dicom, tmp_path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk.py").write_text(FILLING)
    mount = f"mount -t tmpfs -o size=64m none {shlex.quote(str(tmp_path / 'disk'))}"
    apart = ("unshare", "--mount", "--user", "--map-root-user", "sh", "-c")
    if not shutil.which("unshare") or subprocess.run([*apart, mount], check=False).returncode:
        pytest.skip("no small file system can be mounted here to be filled")
    words = (sys.executable, tmp_path / "disk.py", tmp_path / "disk", "analyze", phantom_dicom)
    command = [*apart, f"{mount} && {shlex.join(map(str, words))}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.endswith("held\n"), done.stderr


def test_a_temporary_folder_that_fills_is_told_and_costs_no_study_its_place(
    phantom_dicom, tmp_path
) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for file in list(phantom_dicom.glob("*.dcm"))[:5]:
            archive.write(file, file.name)
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (2048, 2048)); "
    done = run(tmp_path, limit + PROGRAM, "analyze", tmp_path / "in.zip", "-o", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "temporary folder" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.zip"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_may_not_be_written_is_named_before_the_work(
    phantom_dicom, phantom_nifti, tmp_path, verb
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    # For root the rights of a folder count only without this capability.
    drop = (
        "import ctypes, os\n"
        "if os.geteuid() == 0:\n"
        "    header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "    ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())\n"
    )
    words = words_of(verb, closed / "out", phantom_dicom, phantom_nifti)
    done = run(tmp_path, drop + PROGRAM, *words)
    assert done.returncode == 2, done.stderr
    assert "permission" in done.stderr


def test_labels_never_replace_a_json_file_that_is_no_description(
    opencmr, phantom_nifti, tmp_path
) -> None:
    (tmp_path / "l.json").write_text('{"RepetitionTime": 3}')
    outcome = opencmr(*words_of("segment", tmp_path, tmp_path, phantom_nifti))
    assert outcome.status == 2
    assert (tmp_path / "l.json").read_text() == '{"RepetitionTime": 3}'
    assert [p.name for p in tmp_path.iterdir()] == ["l.json"]


def run(folder: Path, program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program with ``folder`` as temporary space."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("after_s", KILLS_S)
def test_a_killed_run_leaves_the_earlier_result_or_the_new_one(
    analysed, phantom_dicom, tmp_path, after_s
) -> None:
    out = tmp_path / "out"
    shutil.copytree(analysed[1], out)
    before = (out / "run.json").read_bytes()
    words = words_of("analyze", out, phantom_dicom, phantom_dicom)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with storage.result_folder(tmp_path / "next", overwrite=False):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["next", "out"]
    ours, others = ownership.sorted_by_owner(out)
    assert others == 0
    assert len(ours) == len([p for p in out.rglob("*") if p.is_file()])
    assert (out / "run.json").read_bytes() == before or process.returncode == 0
