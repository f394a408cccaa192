"""``opencmr analyze``: the whole pipeline over every study in the input."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencmr.cli import console
from opencmr.errors import ConfigurationError, InputError, OpencmrError

if TYPE_CHECKING:
    from opencmr.imaging.study import Study
    from opencmr.pipeline import Configuration
    from opencmr.report.contents import Report

PARTLY_FAILED = 3
NOTHING_ANALYSABLE = 4


def analyze(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.", show_default=False),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")
    ] = Path("opencmr-result"),
    ed: Annotated[Path | None, typer.Option(help="NIfTI stack at end-diastole.")] = None,
    es: Annotated[Path | None, typer.Option(help="NIfTI stack at end-systole.")] = None,
    height_cm: Annotated[float | None, typer.Option(min=20, max=260)] = None,
    weight_kg: Annotated[float | None, typer.Option(min=1, max=400)] = None,
    sex: Annotated[str | None, typer.Option(help="M or F.")] = None,
    age: Annotated[float | None, typer.Option(min=0, max=120, help="Years.")] = None,
    heart_rate: Annotated[
        float | None, typer.Option(min=20, max=250, help="Beats per minute.")
    ] = None,
    spacing: console.Spacing = None,
    model: console.ModelName = None,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Analyse every study in INPUT: sort, segment, measure, report.

    Writes report.html, report.pdf, measurements.json and .csv, the segmentation and run.json
    into OUT; for several studies, one such folder a study under OUT.
    """
    from opencmr.imaging.study import Demographics
    from opencmr.pipeline import Configuration

    if sex is not None and sex.upper() not in ("M", "F"):
        raise typer.BadParameter("--sex takes M or F")
    configuration = Configuration(
        model=model,
        demographics=Demographics(
            sex=sex.upper() if sex else None,
            age_years=age,
            height_cm=height_cm,
            weight_kg=weight_kg,
            heart_rate_bpm=heart_rate,
        ),
    )
    with console.progress_bar(quiet=quiet) as progress:
        studies = _read(source, ed, es, console.parse_spacing(spacing), progress)
        results = analyze_studies(studies, configuration, output, overwrite, progress)
    status = _exit_status(results)
    if as_json:
        console.print_json({"exit_status": status, "studies": [r.summary for r in results]})
    else:
        for result in results:
            console.say(result.text, quiet=quiet)
    if status:
        raise typer.Exit(status)


class StudyResult:
    """What became of one study: its report and folder, or the error that ended it."""

    def __init__(
        self, key: str, folder: Path, report: "Report | None", error: OpencmrError | None = None
    ) -> None:
        self.key, self.folder, self.report, self.error = key, folder, report, error

    @property
    def measured(self) -> bool:
        """Whether anything was measured."""
        return self.report is not None and bool(self.report.measurements)

    @property
    def withheld(self) -> bool:
        """Whether the study failed or a flag says that it must not be reported."""
        from opencmr.imaging.flag import Severity

        return self.report is None or any(
            f.severity is Severity.DO_NOT_REPORT for f in self.report.flags
        )

    @property
    def text(self) -> str:
        """A few lines for people."""
        if self.report is None:
            return f"study {self.key}: failed: {self.error}"
        lines = [f"study {self.key}: {self.folder / 'report.html'}"]
        for symbol in ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVESV", "RVEF"):
            found = self.report.find(symbol)
            if found is not None:
                lines.append(f"  {symbol:<6} {found.text:>6} {found.quantity.unit}")
        lines += [f"  {f.severity.value}: {f.code}: {f.message}" for f in self.report.flags]
        return "\n".join(lines)

    @property
    def summary(self) -> dict[str, Any]:
        """The same for machines."""
        if self.report is None:
            return {"key": self.key, "error": str(self.error), "measurements": {}, "flags": []}
        return {
            "key": self.key,
            "folder": str(self.folder),
            "measurements": {
                m.quantity.symbol: m.value
                for m in self.report.measurements
                if m.phase is None and m.segment is None
            },
            "flags": [f.code for f in self.report.flags],
        }


def analyze_studies(
    studies: "tuple[Study, ...]",
    configuration: "Configuration",
    output: Path,
    overwrite: bool,
    progress: console.Progress,
) -> list[StudyResult]:
    """Analyse and report each study; one that fails does not stop the others."""
    from opencmr.pipeline import analyze_study
    from opencmr.report.folder import result_folder
    from opencmr.report.writers import write_report

    alone = len(studies) == 1
    results: list[StudyResult] = []
    with result_folder(output, overwrite=overwrite) as folder:
        for study in studies:
            place = folder if alone else folder / study.key
            shown = output if alone else output / study.key
            try:
                report = analyze_study(study, configuration, progress=progress)
                write_report(
                    report,
                    place,
                    lambda what, share: progress("reporting", round(100 * share), 100),
                )
                results.append(StudyResult(study.key, shown, report))
            except (InputError, OpencmrError) as error:
                if alone:
                    raise
                results.append(StudyResult(study.key, shown, None, error))
    return results


def _read(
    source: Path | None,
    ed: Path | None,
    es: Path | None,
    spacing_mm: tuple[float, float, float] | None,
    progress: console.Progress,
) -> "tuple[Study, ...]":
    from opencmr.intake.studies import read_pair, read_studies

    if ed is not None or es is not None:
        if source is not None or ed is None or es is None:
            raise ConfigurationError("--ed and --es go together, without INPUT")
        console.require_file(ed, "--ed")
        console.require_file(es, "--es")
        return (read_pair(ed, es, spacing_mm=spacing_mm),)
    if source is None:
        raise ConfigurationError("name an INPUT: a file, folder, zip or DICOMDIR; or --ed and --es")
    console.require_file(source, "the input")
    return read_studies(source, spacing_mm=spacing_mm, progress=progress).studies


def _exit_status(results: list[StudyResult]) -> int:
    if not any(result.measured for result in results):
        return NOTHING_ANALYSABLE
    return PARTLY_FAILED if any(result.withheld for result in results) else 0
