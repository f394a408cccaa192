"""Files appear whole or not at all; results replace results, and cost nobody a file."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencmr import storage
from opencmr.errors import ConfigurationError, OpencmrError, StorageError
from opencmr.storage import locks

SWITCHES = ("rename", "replace", "mkdir", "unlink", "rmdir", "open", "write_text")
"""Methods of ``Path`` before each of which a process may be killed."""


class KilledError(BaseException):
    """Stands for SIGKILL: nothing may be done after it."""


def write_result(folder: Path, content: str, study: str = "k") -> None:
    """Write what a report's writers write, in small."""
    files = [
        storage.write_bytes(folder / name, f"{content} {name}".encode())
        for name in ("report.html", "segmentation/s01_seg.nii.gz")
    ]
    record = {
        "disclaimer": "research",
        "study": study,
        "versions": {"opencmr": "0"},
        "files": [
            {"path": f.relative_to(folder).as_posix(), "sha256": storage.sha256_of(f)}
            for f in files
        ],
    }
    storage.write_json(folder / "run.json", record)


def run(out: Path, content: str = "new", *, overwrite: bool = False, inputs=()) -> None:
    with storage.result_folder(out, overwrite=overwrite, inputs=inputs) as folder:
        write_result(folder, content)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: files with content, links with target, folders."""

    def seen(path: Path) -> bytes | str:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        return "folder" if path.is_dir() else path.read_bytes()

    return {path.relative_to(folder).as_posix(): seen(path) for path in sorted(folder.rglob("*"))}


def is_whole(out: Path) -> str:
    """Return 'absent', 'old' or 'new'; fail on anything else."""
    if not os.path.lexists(out):
        return "absent"
    (content,) = {path.read_bytes().split()[0] for path in out.rglob("*.*z*")} | {
        (out / "report.html").read_bytes().split()[0]
    }
    listed = json.loads((out / "run.json").read_text())["files"]
    assert {row["path"] for row in listed} | {"run.json"} == {
        p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()
    }
    assert all(storage.sha256_of(out / row["path"]) == row["sha256"] for row in listed)
    return content.decode()


# One file ------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = storage.write_bytes(tmp_path / "a.txt", b"old")

    def fail(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        storage.write_bytes(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"


def test_written_files_have_the_rights_of_ordinary_files(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    path = storage.write_bytes(tmp_path / "a.txt", b"x")
    assert path.stat().st_mode == ordinary.stat().st_mode


def test_json_that_is_not_strict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


# What OUT may be -----------------------------------------------------------------------------


def absent(out: Path) -> None:
    pass


def empty(out: Path) -> None:
    out.mkdir()


def ours(out: Path) -> None:
    write_result(out, "old")


def ours_of_two_studies(out: Path) -> None:
    write_result(out / "a", "old", "a")
    write_result(out / "b", "old", "b")


def link_to_ours(out: Path) -> None:
    ours(out.with_name("real"))
    out.symlink_to("real")


def link_to_empty(out: Path) -> None:
    out.with_name("real").mkdir()
    out.symlink_to("real")


def foreign(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")


def foreign_run_json(out: Path) -> None:
    foreign(out)
    (out / "run.json").write_text('{"steps": 3}')


def foreign_beside_ours(out: Path) -> None:
    ours(out)
    (out / "segmentation" / "mine.nii.gz").write_text("mine")


def empty_folder_beside_ours(out: Path) -> None:
    ours(out)
    (out / "mine").mkdir()


def link_beside_ours(out: Path) -> None:
    ours(out)
    (out / "shortcut").symlink_to("/")


def corrected_labels(out: Path) -> None:
    ours(out)
    (out / "segmentation" / "s01_seg.nii.gz").write_text("corrected by hand")


def listed_elsewhere(out: Path) -> None:
    """A record that lists what lies outside its folder."""
    foreign(out.with_name("elsewhere"))
    ours(out)
    record = json.loads((out / "run.json").read_text())
    record["files"].append({"path": "../elsewhere/thesis.txt", "sha256": ""})
    (out / "run.json").write_text(json.dumps(record))


def folder_of_results(out: Path) -> None:
    """Results that the user gathered, each with a name of their own."""
    write_result(out / "Monday", "old", "a")
    write_result(out / "Tuesday", "old", "b")


def file(out: Path) -> None:
    out.write_text("mine")


def dangling_link(out: Path) -> None:
    out.symlink_to("nowhere")


def circular_link(out: Path) -> None:
    out.symlink_to(out.name)


def parent_is_a_file(out: Path) -> None:
    out.parent.rmdir()
    out.parent.write_text("mine")


NEVER, ALWAYS, OVERWRITE = (), (False, True), (True,)
STATES: list[tuple[Callable[[Path], None], tuple[bool, ...]]] = [
    (absent, ALWAYS),
    (empty, ALWAYS),
    (link_to_empty, ALWAYS),
    (ours, OVERWRITE),
    (ours_of_two_studies, OVERWRITE),
    (link_to_ours, OVERWRITE),
    (foreign, NEVER),
    (foreign_run_json, NEVER),
    (foreign_beside_ours, NEVER),
    (empty_folder_beside_ours, NEVER),
    (link_beside_ours, NEVER),
    (corrected_labels, NEVER),
    (listed_elsewhere, NEVER),
    (folder_of_results, NEVER),
    (file, NEVER),
    (dangling_link, NEVER),
    (circular_link, NEVER),
    (parent_is_a_file, NEVER),
]
"""A state of OUT, and with which values of ``overwrite`` it may be replaced."""


@pytest.mark.parametrize("overwrite", ALWAYS)
@pytest.mark.parametrize(
    ("state", "replaced_with"), STATES, ids=lambda v: getattr(v, "__name__", "")
)
def test_what_remains_of_out(tmp_path: Path, state, replaced_with, overwrite) -> None:
    out = tmp_path / "place" / "out"
    out.parent.mkdir()
    state(out)
    before = tree(tmp_path)
    if overwrite in replaced_with:
        was_link = out.is_symlink()
        run(out, overwrite=overwrite)
        assert is_whole(out) == "new"
        assert out.is_symlink() is was_link
        assert {p.name for p in out.parent.iterdir()} <= {"out", "real"}
        return
    with pytest.raises(ConfigurationError) as refused:
        run(out, overwrite=overwrite)
    assert tree(tmp_path) == before
    assert "thesis" not in str(refused.value)


@pytest.mark.parametrize("name", [".", "..", "/", "x" * 256, "x/" * 2100 + "x"])
def test_a_name_that_no_result_can_have_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    with pytest.raises(ConfigurationError):
        run(Path(name), overwrite=True)
    assert tree(tmp_path).keys() == {"a", "a/b"}


def test_the_longest_name_that_a_file_system_takes_is_taken(tmp_path: Path) -> None:
    run(tmp_path / ("x" * 255))
    assert is_whole(tmp_path / ("x" * 255)) == "new"


@pytest.mark.parametrize(("source", "out"), [("in", "in/out"), ("in", "in"), ("out/in", "out")])
def test_neither_input_nor_output_may_lie_in_the_other(
    tmp_path: Path, source: str, out: str
) -> None:
    (tmp_path / source).mkdir(parents=True)
    (tmp_path / source / "1.dcm").touch()
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    before = tree(tmp_path)
    for place in (tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigurationError, match="lies in"):
            run(place / out, overwrite=True, inputs=[tmp_path / source])
    assert tree(tmp_path) == before


def test_only_its_owner_may_look_at_a_result_before_it_is_whole(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.mkdir()
    with storage.result_folder(tmp_path / "out", overwrite=False) as folder:
        write_result(folder, "new")
        (workplace,) = (p for p in tmp_path.glob(".opencmr-*") if p.is_dir())
        assert workplace.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "out").stat().st_mode == ordinary.stat().st_mode


def test_missing_parents_are_made_and_go_again_when_the_work_fails(tmp_path: Path) -> None:
    run(tmp_path / "a" / "b" / "out")
    with (
        pytest.raises(RuntimeError),
        storage.result_folder(tmp_path / "c" / "d" / "out", overwrite=False),
    ):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


# During the work -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", [absent, empty, ours])
def test_files_put_into_out_during_the_work_stay_and_the_result_is_kept(
    tmp_path: Path, state
) -> None:
    out = tmp_path / "out"
    state(out)

    def work() -> None:
        with storage.result_folder(out, overwrite=state is ours) as folder:
            write_result(folder, "new")
            out.mkdir(exist_ok=True)
            (out / "late.txt").write_text("mine")

    with pytest.raises(StorageError, match="out-new"):
        work()
    assert (out / "late.txt").read_text() == "mine"
    assert is_whole(tmp_path / "out-new" / "out") == "new"
    if state is ours:
        (out / "late.txt").unlink()
        assert is_whole(out) == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"out", "out-new"}


def test_a_second_process_on_the_same_out_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "CLAIM_WAIT_S", 0.1)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    script = (
        "import sys; from pathlib import Path; from opencmr import storage\n"
        "with storage.result_folder(Path(sys.argv[1]), overwrite=True): sys.exit(9)"
    )
    with storage.result_folder(tmp_path / "out", overwrite=False) as folder:
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "link" / "out")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "another opencmr" in other.stderr
        run(tmp_path / "beside")
        write_result(folder, "new")
    assert is_whole(tmp_path / "out") == is_whole(tmp_path / "beside") == "new"


@pytest.mark.parametrize("lacks", ["file system", "system"])
def test_without_locks_the_owner_s_process_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no locks here")

    if lacks == "system":
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    monkeypatch.setattr(locks, "CLAIM_WAIT_S", 0.1)
    with storage.result_folder(tmp_path / "out", overwrite=False) as folder:
        write_result(folder, "new")
        (lock,) = tmp_path.glob(".opencmr-*.lock")
        with pytest.raises(ConfigurationError, match="another opencmr"):
            run(tmp_path / "out")
        record = lock.read_text()
    lock.write_text(record.replace(str(os.getpid()), str(2**22 + 1)))
    (lock.with_suffix("") / "new").mkdir(parents=True)
    run(tmp_path / "out", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# Kills ---------------------------------------------------------------------------------------


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """From its ``step``-th change of the file system on, every change raises, as if killed."""
    count = 0

    def deadly(change: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count >= step:
                raise KilledError
            return change(*args, **kwargs)

        return wrapped

    for name in SWITCHES:
        monkeypatch.setattr(Path, name, deadly(getattr(Path, name)))
    for name in ("rmdir", "unlink"):  # of shutil.rmtree
        monkeypatch.setattr(os, name, deadly(getattr(os, name)))
    return lambda: count


@pytest.mark.parametrize("state", [absent, ours, ours_of_two_studies])
def test_a_kill_at_any_change_leaves_out_absent_old_or_new_and_the_next_start_restores(
    tmp_path: Path, state
) -> None:
    step, finished = 0, False
    before = "absent" if state is absent else "old"
    seen = set()
    while not finished:
        step += 1
        place = tmp_path / str(step)
        out = place / "out"
        place.mkdir()
        state(out)
        with pytest.MonkeyPatch.context() as patched:
            killed_at(patched, step)
            try:
                run(out, overwrite=True)
                finished = True
            except KilledError:
                pass
        left = "absent" if not out.exists() else "old"
        if out.exists() and (out / "run.json").exists():
            left = is_whole(out)
        elif out.exists():
            assert {is_whole(study) for study in out.iterdir()} == {"old"}
        seen.add(left)
        assert left == "new" or not finished
        shutil.rmtree(place / "other", ignore_errors=True)
        run(place / "other")  # the next start, of anything in this folder
        assert {p.name for p in place.iterdir()} == {"other"} | ({"out"} if out.exists() else set())
        if out.exists() and (out / "run.json").exists():
            assert is_whole(out) in (before, "new")
        elif out.exists():
            assert {is_whole(study) for study in out.iterdir()} == {"old"}
        assert out.exists() or before == "absent", f"step {step} lost the earlier result"
    assert seen == {"absent", before, "new"}
    assert step > 20


def write_pair(folder: Path, content: bytes) -> None:
    for name in ("labels.json", "labels.nii"):
        storage.write_bytes(folder / name, content)


@pytest.mark.parametrize("before", ["absent", "old"])
def test_a_kill_never_leaves_labels_with_the_description_of_others(
    tmp_path: Path, before: str
) -> None:
    step, finished = 0, False
    while not finished:
        step += 1
        place = tmp_path / str(step)
        place.mkdir()
        labels, described = place / "labels.nii", place / "labels.json"
        (place / "thesis.txt").write_text("mine")
        if before == "old":
            write_pair(place, b"old")
        with pytest.MonkeyPatch.context() as patched:
            killed_at(patched, step)
            try:
                with storage.result_files(labels, described, overwrite=True) as folder:
                    write_pair(folder, b"new")
                finished = True
            except KilledError:
                pass
        assert not labels.exists() or labels.read_bytes() == described.read_bytes()
        run(place / "other")
        if labels.exists():
            assert labels.read_bytes() == described.read_bytes()
            assert labels.read_bytes() in (before.encode(), b"new")
        else:
            assert before == "absent"
            assert not described.exists()
        assert (place / "thesis.txt").read_text() == "mine"
        assert not list(place.glob(".opencmr*"))
    assert step > 15


def test_a_result_that_cannot_go_back_to_its_place_goes_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ours(out)
    digest = storage.sha256_of_bytes(b"out")[:16]
    workplace = tmp_path / f".opencmr-{digest}"
    (workplace / "new" / "out").mkdir(parents=True)
    (workplace / "old").mkdir()
    (workplace / "names.json").write_text('["out"]')
    (tmp_path / f".opencmr-{digest}.lock").touch()
    out.rename(workplace / "old" / "out")
    foreign(out)
    run(tmp_path / "other")
    assert is_whole(tmp_path / "out-old") == "old"
    assert (out / "thesis.txt").exists()


def test_the_spool_of_a_dead_process_is_swept_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "import os, sys; from opencmr import storage\n"
        "with storage.spool() as folder:\n"
        "    (folder / '1.dcm').write_bytes(b'Doe^Jane'); print(folder, flush=True)\n"
        "    sys.stdin.read() if sys.argv[1] == 'lives' else os.kill(os.getpid(), 9)"
    )

    def start(how: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, how],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with start("dies") as dead, start("lives") as living:
        assert dead.stdout is not None
        assert living.stdout is not None
        of_dead, of_living = Path(dead.stdout.readline()[:-1]), Path(living.stdout.readline()[:-1])
        dead.wait()
        (tmp_path / "opencmr-result").mkdir()
        with storage.spool() as own:
            assert not of_dead.exists()
            assert of_living.exists()
            assert own.stat().st_mode & 0o777 == 0o700
        living.communicate("")
    assert [p.name for p in tmp_path.iterdir()] == ["opencmr-result"]


# Disk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("state", [absent, ours])
def test_a_disk_that_fills_at_any_sync_leaves_the_earlier_result(
    tmp_path: Path, state, number: int
) -> None:
    for step in range(1, 4):
        out = tmp_path / str(step) / "out"
        out.parent.mkdir()
        state(out)
        before = tree(out.parent)
        count = 0

        def fail(_: int, step: int = step) -> None:
            nonlocal count
            count += 1
            if count == step:
                raise OSError(number, "full")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", fail)
            with pytest.raises(StorageError, match="no space"):
                run(out, overwrite=True)
        assert tree(out.parent) == before


def test_too_little_space_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 5))
    with pytest.raises(ConfigurationError, match="free space"):
        run(tmp_path / "out")
    with pytest.raises(ConfigurationError, match="free space"), storage.spool():
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_folder_is_named_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(ConfigurationError, match="TMPDIR"), storage.spool():
        pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_parent_that_cannot_be_written_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    for attempt in (
        lambda: storage.result_folder(tmp_path / "out", overwrite=False),
        lambda: storage.result_files(tmp_path / "a.nii", overwrite=False),
        lambda: storage.growing_folder(tmp_path / "run"),
    ):
        with pytest.raises(ConfigurationError, match="cannot be written"), attempt():
            pass


# Files and growing folders -------------------------------------------------------------------


@pytest.mark.parametrize("state", [empty, ours, file, dangling_link, link_to_ours])
def test_a_file_replaces_only_a_file_and_only_when_asked(tmp_path: Path, state) -> None:
    out = tmp_path / "out"
    state(out)
    before = tree(tmp_path)
    with pytest.raises(ConfigurationError), storage.result_files(out, overwrite=False):
        pass
    assert tree(tmp_path) == before
    if state is not file:
        with pytest.raises(ConfigurationError), storage.result_files(out, overwrite=True):
            pass
        assert tree(tmp_path) == before


def test_an_input_is_never_written_over_under_any_of_its_names(tmp_path: Path) -> None:
    source = storage.write_bytes(tmp_path / "in.nii", b"x")
    os.link(source, tmp_path / "twin.nii")
    for name in ("in.nii", "twin.nii"):
        with (
            pytest.raises(ConfigurationError, match="the input"),
            storage.result_files(tmp_path / name, overwrite=True, inputs=[source]),
        ):
            pass


def test_a_growing_folder_is_open_to_one_process_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "CLAIM_WAIT_S", 0.1)
    with (
        storage.growing_folder(tmp_path / "run"),
        pytest.raises(ConfigurationError, match="another opencmr"),
        storage.growing_folder(tmp_path / "run"),
    ):
        pass
    with storage.growing_folder(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)


@settings(max_examples=40)
@given(name=NAMES, others=st.lists(NAMES, max_size=3), nested=st.booleans())
def test_whatever_else_lies_in_out_is_never_lost(name, others, nested) -> None:
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / name
        try:
            ours(out)
            for other in others:
                place = out / "segmentation" / other if nested else out / other
                place.write_bytes(b"mine")
        except OSError:  # no name of a file, or one of ours: not this test's matter
            return
        mine = {p: v for p, v in tree(out).items() if v == b"mine"}
        try:
            run(out, overwrite=True)
        except OpencmrError:
            pass
        else:
            assert not mine
        assert {p: v for p, v in tree(out).items() if v == b"mine"} == mine


def of_a_collection(out: Path) -> None:
    """Two studies under a ``run.json`` of their own."""
    ours_of_two_studies(out)
    record = {"disclaimer": "d", "versions": {"opencmr": "0"}, "study": None, "studies": 2}
    storage.write_json(out / "run.json", record | {"files": []})


def test_a_collection_may_be_added_to_and_stays_claimed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    of_a_collection(out)
    before = sorted(out.rglob("*"))
    with storage.result_folder(out, overwrite=False, may_grow=True) as new:
        new.rmdir()
        with (
            pytest.raises(ConfigurationError, match="another opencmr"),
            storage.result_folder(out, overwrite=True),
        ):
            pass
        (out / "third").mkdir()
    assert sorted(out.rglob("*")) == sorted([*before, out / "third"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_collection_is_not_replaced_unasked_after_the_work(tmp_path: Path) -> None:
    out = tmp_path / "out"
    of_a_collection(out)
    before = sorted(out.rglob("*"))
    with (
        pytest.raises(StorageError, match="--overwrite"),
        storage.result_folder(out, overwrite=False, may_grow=True) as new,
    ):
        (new / "report.html").write_text("new")
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("state", [ours, ours_of_two_studies])
def test_what_is_no_collection_is_not_added_to_unasked(tmp_path: Path, state) -> None:
    state(tmp_path / "out")
    with (
        pytest.raises(ConfigurationError, match="--overwrite"),
        storage.result_folder(tmp_path / "out", overwrite=False, may_grow=True),
    ):
        pass
