"""``opencmr validate``: two folders of label maps to a page and tables, or a clear refusal."""

import csv
import json
import re

import nibabel
import numpy as np
import pytest


def heart(shift=0, radius=9.0, slices=6):
    """Labels (x, y, z) in the ACDC scheme: a cone in a ring, the RV beside it."""
    labels = np.zeros((48, 48, slices), dtype=np.uint8)
    x, y = np.indices((48, 48))
    for z in range(slices):
        inner = radius * (1 - 0.5 * z / slices)
        far = np.hypot(x - 24 - shift, y - 24)
        labels[..., z][np.hypot(x - 12 - shift, y - 24) < inner] = 1
        labels[..., z][far < inner + 4] = 2
        labels[..., z][far < inner] = 3
    return labels


def save(path, labels, *, zooms=(1.5, 1.5, 8.0), unit="mm"):
    path.parent.mkdir(exist_ok=True)
    nifti = nibabel.Nifti1Image(labels, np.diag([*zooms, 1.0]))
    nifti.header.set_xyzt_units(unit)
    nibabel.save(nifti, path)


@pytest.fixture
def folders(tmp_path):
    """Four patients at ED and ES; predictions moved by none, one, two and three pixels."""
    for n in range(4):
        for phase, radius in (("ed", 9.0 + n / 2), ("es", 6.0)):
            name = f"p{n}_{phase}.nii.gz"
            save(tmp_path / "reference" / name, heart(radius=radius))
            save(tmp_path / "predictions" / name, heart(shift=n, radius=radius))
    lines = ["case,vendor", *(f"p{n},{'<b>A</b>' if n < 2 else 'B'}" for n in range(4))]
    (tmp_path / "groups.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def validated(opencmr, folders):
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out",
        "--groups", folders / "groups.csv", "--by", "vendor", "--json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    return folders / "out", outcome.json


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_files_are_there_and_say_the_same(validated):
    out, told = validated
    names = {"report.html", "results.csv", "results.json", "cases.csv", "volumes.csv", "run.json"}
    assert {path.name for path in out.iterdir()} == names
    assert told["cases"] == 4
    results = json.loads((out / "results.json").read_text())
    (dice,) = (
        row
        for row in results["results"]
        if (row["metric"], row["statistic"], row["group_by"]) == ("dice", "mean", "")
        and (row["structure"], row["phase"], row["level"]) == ("all", "all", "whole")
    )
    assert dice["value"] == told["dice"]
    assert dice["low"] < dice["value"] < dice["high"]
    assert len(rows(out / "results.csv")) == len(results["results"])


def test_distances_are_those_of_the_shift(validated):
    out, _ = validated
    found = {
        row["case"]: float(row["hausdorff_mm"])
        for row in rows(out / "cases.csv")
        if (row["structure"], row["level"], row["phase"]) == ("LV", "whole", "ED")
    }
    assert found == pytest.approx({"p0": 0, "p1": 1.5, "p2": 3.0, "p3": 4.5})


def test_a_moved_heart_has_the_same_volumes(validated):
    out, _ = validated
    volumes = rows(out / "volumes.csv")
    assert {row["symbol"] for row in volumes} >= {"LVEDV", "LVEF", "LVM", "RVEF"}
    assert all(float(row["difference"]) == pytest.approx(0, abs=1e-6) for row in volumes)


def test_the_page_stands_alone_and_escapes_what_it_is_given(validated):
    out, _ = validated
    page = (out / "report.html").read_text("utf-8")
    assert page.count('class="chart"') == 14
    assert page.count('class="slice"') == 12
    assert "&lt;b&gt;A&lt;/b&gt;" in page
    assert "<b>A</b>" not in page
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(http", page)
    for words in ("Base, middle, apex", "Passing and Bablok", "Empty masks", "not for diagnosis"):
        assert words in page


def test_the_same_files_give_the_same_result(opencmr, folders, validated):
    out, _ = validated
    again = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "again",
        "--groups", folders / "groups.csv", "--by", "vendor",
    )  # fmt: skip
    assert again.status == 0, again.err
    for path in out.iterdir():
        assert path.read_bytes() == (folders / "again" / path.name).read_bytes(), path.name


def test_a_result_is_replaced_only_when_asked_for(opencmr, folders, validated):
    words = ("validate", folders / "predictions", folders / "reference", "-o", folders / "out")
    refused = opencmr(*words)
    assert refused.status == 2
    assert "--overwrite" in refused.err
    assert opencmr(*words, "--overwrite").status == 0


def test_one_convention_against_another(opencmr, folders):
    for path in (folders / "predictions").iterdir():
        labels = np.asarray(nibabel.load(path).dataobj)
        save(path, np.array([0, 3, 2, 1], dtype=np.uint8)[labels])
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out",
        "--labels", "mnms", "--reference-labels", "acdc", "--json",
    )  # fmt: skip
    assert outcome.json["dice"] > 0.7


def test_suffixes_pick_the_files_and_are_no_part_of_the_case(opencmr, folders):
    for path in list((folders / "reference").iterdir()):
        path.rename(path.with_name(path.name.replace(".nii", "_gt.nii")))
        save(path, heart())
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out",
        "--reference-suffix", "_gt",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err


def test_a_cine_is_one_case_with_its_phases(opencmr, tmp_path):
    for n in range(3):
        cine = np.stack([heart(radius=9), heart(radius=7), heart(radius=6 + n / 9)], axis=-1)
        for side in ("predictions", "reference"):
            path = tmp_path / side / f"case{n}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            nifti = nibabel.Nifti1Image(cine, np.diag([1.5, 1.5, 8.0, 1.0]))
            nifti.header.set_zooms((1.5, 1.5, 8.0, 0.04))
            nifti.header.set_xyzt_units("mm", "sec")
            nibabel.save(nifti, path)
    outcome = opencmr(
        "validate", tmp_path / "predictions", tmp_path / "reference", "-o", tmp_path / "out"
    )
    assert outcome.status == 0, outcome.err
    assert {r["phase"] for r in rows(tmp_path / "out" / "cases.csv")} == {"ED", "between", "ES"}


def test_frames_of_a_case_are_its_phases_by_number(opencmr, tmp_path):
    radii = {1: 9.0, 2: 8.0, 12: 6.0}
    for side in ("predictions", "reference"):
        for frame, radius in radii.items():
            save(tmp_path / side / f"p_frame{frame}.nii.gz", heart(radius=radius))
    out = tmp_path / "out"
    outcome = opencmr("validate", tmp_path / "predictions", tmp_path / "reference", "-o", out)
    assert outcome.status == 0, outcome.err
    whole = [
        r["phase"]
        for r in rows(out / "cases.csv")
        if (r["level"], r["structure"]) == ("whole", "LV")
    ]
    assert whole == ["ED", "between", "ES"]


def test_spacing_that_the_files_lack_can_be_given(opencmr, tmp_path):
    for side, shift in (("predictions", 2), ("reference", 0)):
        save(tmp_path / side / "p.nii.gz", heart(shift), zooms=(1, 1, 1), unit="unknown")
    words = ("validate", tmp_path / "predictions", tmp_path / "reference", "-o", tmp_path / "out")
    refused = opencmr(*words)
    assert refused.status == 4
    assert "--spacing" in refused.err
    assert opencmr(*words, "--spacing", "1.5,1.5,8").status == 0
    assert {
        float(r["hausdorff_mm"])
        for r in rows(tmp_path / "out" / "cases.csv")
        if (r["level"], r["structure"]) == ("whole", "LV")
    } == {3.0}


def test_a_reference_without_any_label_leaves_nothing_to_score(opencmr, folders):
    for path in (folders / "reference").iterdir():
        save(path, np.zeros_like(heart()))
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out"
    )
    assert outcome.status == 0, outcome.err
    assert "nothing to score" in outcome.err
    assert "LV: no reference shows it" in (folders / "out" / "report.html").read_text("utf-8")


def test_nothing_found_is_scored_and_said(opencmr, folders):
    for path in (folders / "predictions").iterdir():
        save(path, np.zeros_like(heart()))
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out", "--json"
    )
    assert outcome.status == 0, outcome.err
    assert outcome.json["dice"] == 0
    page = (folders / "out" / "report.html").read_text("utf-8")
    assert "LVEF: 4 cases have a reference and no measured value" in page


def spoil_missing(folders):
    (folders / "predictions" / "p2_es.nii.gz").unlink()
    return "p2_es.nii.gz", 4


def spoil_extra(folders):
    save(folders / "predictions" / "p9_ed.nii.gz", heart())
    return "p9_ed.nii.gz", 4


def spoil_shape(folders):
    save(folders / "predictions" / "p1_ed.nii.gz", heart()[:-1])
    return "p1_ed.nii.gz", 4


def spoil_spacing(folders):
    save(folders / "predictions" / "p1_ed.nii.gz", heart(), zooms=(1.5, 1.5, 10.0))
    return "p1_ed.nii.gz", 4


def spoil_labels(folders):
    labels = heart()
    labels[3, 3, 3] = 7
    save(folders / "reference" / "p3_es.nii.gz", labels)
    return "p3_es.nii.gz", 4


def spoil_unit(folders):
    save(folders / "reference" / "p0_es.nii.gz", heart(), zooms=(1, 1, 1), unit="unknown")
    return "p0_es.nii.gz", 4


def spoil_image(folders):
    noise = np.random.default_rng(1).normal(100, 20, heart().shape).astype(np.float32)
    save(folders / "predictions" / "p0_ed.nii.gz", noise)
    return "p0_ed.nii.gz", 4


def spoil_bytes(folders):
    path = folders / "predictions" / "p0_ed.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    return "p0_ed.nii.gz", 4


def spoil_groups(folders):
    (folders / "groups.csv").write_text("case,vendor\np0,A\n")
    return "p1", 2


def spoil_column(folders):
    (folders / "groups.csv").write_text("case,site\np0,A\n")
    return "vendor", 2


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_missing, spoil_extra, spoil_shape, spoil_spacing, spoil_labels, spoil_unit,
        spoil_image, spoil_bytes, spoil_groups, spoil_column,
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_name_and_nothing_is_written(opencmr, folders, spoil):
    named, status = spoil(folders)
    outcome = opencmr(
        "validate", folders / "predictions", folders / "reference", "-o", folders / "out",
        "--groups", folders / "groups.csv", "--by", "vendor",
    )  # fmt: skip
    assert outcome.status == status, outcome.err
    assert named in outcome.err
    assert not (folders / "out").exists()


def test_an_empty_or_absent_folder_is_named(opencmr, folders):
    (folders / "empty").mkdir()
    outcome = opencmr("validate", folders / "empty", folders / "reference", "-o", folders / "out")
    assert outcome.status == 4
    assert "empty" in outcome.err
    outcome = opencmr("validate", folders / "none", folders / "reference", "-o", folders / "out")
    assert outcome.status == 2


@pytest.fixture
def of_two_sequences(folders):
    """Labels of a cine by acdc beside those of late enhancement by emidec, as analyze writes."""
    for side in ("predictions", "reference"):
        for name, scheme, labels in (
            ("s04", "acdc", [0, 1, 2, 3]),
            ("s11", "emidec", [0, 0, 2, 1]),
        ):
            stem = folders / "two" / side / f"{name}_seg"
            (folders / "two").mkdir(exist_ok=True)
            save(stem.with_suffix(".nii.gz"), np.array(labels, dtype=np.uint8)[heart()])
            stem.with_suffix(".json").write_text(json.dumps({"scheme": scheme}))
            save(stem.with_name(f"{name}.nii.gz"), heart().astype(np.float32))
    suffixes = ("--suffix", "_seg", "--reference-suffix", "_seg")
    two = folders / "two"
    return "validate", two / "predictions", two / "reference", "-o", folders / "out", *suffixes


def test_several_conventions_are_asked_about_and_nothing_is_written(
    opencmr, folders, of_two_sequences
):
    refused = opencmr(*of_two_sequences)
    assert refused.status == 2
    assert "--labels acdc or --labels emidec" in refused.err
    assert not (folders / "out").exists()


@pytest.mark.parametrize(("chosen", "other"), [("acdc", "s11"), ("emidec", "s04")])
def test_what_is_of_another_convention_is_left_out_and_named(
    opencmr, folders, of_two_sequences, chosen, other
):
    outcome = opencmr(*of_two_sequences, "--labels", chosen, "--json")
    assert outcome.status == 0, outcome.err
    assert (outcome.json["cases"], outcome.json["dice"]) == (1, 1)
    (left,) = outcome.json["left_out"]
    assert left["file"] == f"{other}_seg.nii.gz"
    results = json.loads((folders / "out" / "results.json").read_text())
    assert (results["labels"], results["left_out"]) == (chosen, [left])
    assert left["file"] in (folders / "out" / "report.html").read_text("utf-8")


def test_pictures_beside_labels_are_told_apart_by_the_suffix(opencmr, of_two_sequences):
    one_sided = of_two_sequences[:-4]
    next(one_sided[1].glob("s11.nii.gz")).unlink()
    outcome = opencmr(*one_sided)
    assert outcome.status == 4
    assert "--suffix" in outcome.err
