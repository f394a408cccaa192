"""What a result folder says, in short."""

import json

from opencmr.report.outcome import read_outcome


def row(symbol: str, value: float | None, **more: object) -> dict[str, object]:
    return {
        "symbol": symbol, "value": value, "unit": "mL", "interval": None, "phase": None,
        "segment": None, **more,
    }  # fmt: skip


def folder(tmp_path, rows, phases: int = 20):
    flag = {"severity": "review", "code": "NOISY", "message": "noisy", "evidence": "3"}
    record = {
        "study": "k1",
        "series": [{"measured": True, "phases": phases}, {"measured": False, "phases": 1}],
        "flags": [flag],
        "models": [{"name": "cine_sax", "version": "0.1.0"}],
        "versions": {"opencmr": "9.9"},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "measurements.json").write_text(json.dumps({"measurements": rows}))
    return tmp_path


def test_values_of_the_whole_heart_alone_are_told(tmp_path):
    rows = [
        row("LVEDV", 151.26, interval=[140.0, 152.0]),
        row("RVEDV", None),
        row("LVV", 99.0, phase=3),
        row("WT", 8.0, segment=4),
        row("T1", 1000.0, series="s02"),
        row("T1", 1100.0, series="s03"),
    ]
    found = read_outcome(folder(tmp_path, rows), tmp_path)
    assert found.values == {"LVEDV": 151.26, "RVEDV": None}
    assert found.intervals == {"LVEDV": (140.0, 152.0)}
    assert found.texts["LVEDV"].split() == ["151", "mL"]
    assert [flag.code for flag in found.flags] == ["NOISY"]
    assert (found.key, found.models, found.version) == ("k1", ("cine_sax@0.1.0",), "9.9")


def test_a_stack_at_one_phase_has_its_volume(tmp_path):
    found = read_outcome(folder(tmp_path, [row("LVV", 99.0, phase=0)], phases=1), tmp_path)
    assert found.values == {"LVV": 99.0}
