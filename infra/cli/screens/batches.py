"""Screens of what is uploaded, and of what became of it."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from functions.shared.domain.manifest import Manifest
from infra.cli.screens.drawing import unseen_lines
from infra.words import plural


def uploaded_screen(uploaded: dict[str, Any]) -> RenderableType:
    """Show an upload that nobody waits for."""
    return Text(f"uploaded as {uploaded['key']}")


def labels_screen(uploaded: dict[str, Any]) -> RenderableType:
    """Show what a file of labels holds; labels are joined with their rows in the background."""
    lines = [f"uploaded {plural('{number:,} label', '{number:,} labels', uploaded['labels'])} as {uploaded['key']}"]
    if uploaded["encoding"]:
        lines.append(f"  read as {uploaded['encoding']}, since it is not UTF-8")
    if uploaded["unlabelled"] or uploaded["rejected"]:
        reasons = f" ({', '.join(uploaded['reasons'])})" if uploaded["reasons"] else ""
        unlabelled = plural("{number:,} row without a label", "{number:,} rows without a label", uploaded["unlabelled"])
        unreadable = plural("{number:,} unreadable row", "{number:,} unreadable rows", uploaded["rejected"])
        lines.append(f"  left out: {unlabelled}, {unreadable}{reasons}")
    if uploaded["refused"]:
        lines.append(f"  {plural('{number:,} label is', '{number:,} labels are', uploaded['refused'])} not a number and not used")
    if uploaded["unknown"]:
        classes = ", ".join(f"{name!r} {rows:,}" for name, rows in uploaded["unknown"].items())
        lines.append(f"  not used, since the model does not know these classes: {classes}")
    return Text("\n".join(lines))


def manifest_screen(manifest: dict[str, Any]) -> RenderableType:
    """Show the result of a batch."""
    name = manifest["source"]["key"].split("/", 2)[-1]
    if manifest["error"]:
        error = manifest["error"]
        return Text.assemble((f"{name}: failed ({error['code']})\n", "red"), f"  {error['message']}\n  remedy: {error['remedy']}")
    release, challenger = manifest["release"], manifest["release"]["challenger"]
    second = f" ({challenger['share']:.0%} by version {challenger['version']})" if challenger else ""
    gone = f" + {manifest['rows_erased']:,} erased" if manifest["rows_erased"] else ""
    rows = plural("{number:,} row", "{number:,} rows", manifest["rows_in"])
    head = (
        f"{name}: {manifest['status']} in {manifest['timings']['total_s']:.2f} s\n"
        f"  {rows} in = {manifest['rows_scored']:,} scored by version {release['champion']}{second} + "
        f"{manifest['rows_quarantined']:,} quarantined{gone}"
    )
    lines = [
        head,
        *([f"  read as {manifest['encoding']}, since it is not UTF-8"] if manifest.get("encoding") else []),
        *([f"  in {plural('{number:,} partition', '{number:,} partitions', manifest['partitions'])}"] if manifest["partitions"] else []),
        *([f"  prediction took {_predicting(manifest['timings'])}"] if challenger else []),
        *(["  the upload was removed with the erased rows"] if manifest["rows_erased"] else []),
        *([f"  replaces batch {manifest['supersedes'][:8]}"] if manifest["supersedes"] else []),
        *([f"  mended rows of batch {manifest['replays'][:8]}"] if manifest["replays"] else []),
        *(f"  quarantined as {reason}: {rows:,}" for reason, rows in manifest["quarantined_by_reason"].items()),
        *_where(manifest),
    ]
    return Group(Text("\n".join(lines)), *unseen_lines(Manifest.model_validate(manifest).unseen_shares))


def _where(manifest: dict[str, Any]) -> list[str]:
    """Return lines on what else can be had of a batch."""
    if manifest.get("offline"):
        return [f"  quarantined rows: {file['key']}" for file in manifest["quarantine"]]
    mend = f"  to mend the quarantined rows: everscore replay {manifest['model']} {manifest['batch_id'][:8]}"
    return [*([mend] if manifest["quarantine"] else []), f"  batch {manifest['batch_id']}"]


def _predicting(timings: dict[str, float]) -> str:
    champion = timings["predict_s"] - timings["challenger_predict_s"]
    return f"{champion:.3f} s by the champion and {timings['challenger_predict_s']:.3f} s by the challenger"


def quarantine_screen(written: dict[str, Any]) -> RenderableType:
    """Show where the rows to mend are, and the next step."""
    rows = plural("{number:,} quarantined row", "{number:,} quarantined rows", written["rows"])
    return Text(
        f"{written['file']}: {rows}. Mend the file, then:\n"
        f"  everscore replay {written['model']} {written['batch_id'][:8]} {written['file']}"
    )


def fetched_screen(written: dict[str, Any]) -> RenderableType:
    """Show where scored rows were written."""
    rows = plural("{number:,} scored row", "{number:,} scored rows", written["rows"])
    batches = plural("batch {first}", "{number:,} batches", len(written["batches"]), first=written["batches"][0][:8])
    return Text(f"{written['file']}: {rows} of {written['model']}, {batches}")


def rescored_screen(answer: dict[str, Any]) -> RenderableType:
    """Show batches that were scored again."""
    if not answer["rescored"]:
        return Text(f"{answer['model']}: no batch is left to score again")
    return Group(*(manifest_screen(manifest) for manifest in answer["rescored"]))


def verification_screen(found: dict[str, Any]) -> RenderableType:
    """Show whether a batch came out the same."""
    if found["identical"]:
        return Text(f"batch {found['batch_id'][:8]} of {found['model']}: scored again, identical byte by byte")
    return Text(
        "\n".join([f"batch {found['batch_id'][:8]} of {found['model']}: not identical", *(f"  {key}" for key in found["different"])])
    )
