"""Screens of what is uploaded, and of what became of it."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from functions.shared.domain.manifest import Manifest
from infra.cli.screens.drawing import unseen_lines


def uploaded_screen(uploaded: dict[str, Any]) -> RenderableType:
    """An upload that nobody waits for."""
    return Text(f"uploaded as {uploaded['key']} (version {uploaded['version_id']})")


def labels_screen(uploaded: dict[str, Any]) -> RenderableType:
    """What a file of labels holds; labels are joined with their rows in the background."""
    lines = [f"uploaded {uploaded['labels']:,} labels as {uploaded['key']} (version {uploaded['version_id']})"]
    if uploaded["encoding"]:
        lines.append(f"  read as {uploaded['encoding']}, for it is not UTF-8")
    if uploaded["unlabelled"] or uploaded["rejected"]:
        reasons = f" ({', '.join(uploaded['reasons'])})" if uploaded["reasons"] else ""
        lines.append(
            f"  {uploaded['unlabelled']:,} rows without a label and {uploaded['rejected']:,} that cannot be read{reasons} are left out"
        )
    if uploaded["refused"]:
        lines.append(f"  {uploaded['refused']:,} labels that are no numbers measure nothing")
    if uploaded["unknown"]:
        classes = ", ".join(f"{name!r} {rows:,}" for name, rows in uploaded["unknown"].items())
        lines.append(f"  classes that the model does not know measure nothing: {classes}")
    return Text("\n".join(lines))


def manifest_screen(manifest: dict[str, Any]) -> RenderableType:
    """What became of a batch."""
    name = manifest["source"]["key"].split("/", 2)[-1]
    if manifest["error"]:
        error = manifest["error"]
        return Text.assemble((f"{name}: failed ({error['code']})\n", "red"), f"{error['message']}\n{error['remedy']}")
    release, challenger = manifest["release"], manifest["release"]["challenger"]
    beside = f", version {challenger['version']} beside it on {challenger['share']:.0%}" if challenger else ""
    gone = f", {manifest['rows_erased']:,} erased since" if manifest["rows_erased"] else ""
    head = (
        f"{name}: {manifest['rows_in']:,} rows in, {manifest['rows_scored']:,} scored by version {release['champion']}{beside}, "
        f"{manifest['rows_quarantined']:,} quarantined{gone}, {manifest['timings']['total_s']:.2f} s ({manifest['status']})"
    )
    lines = [
        head,
        *([f"  read as {manifest['encoding']}, for it is not UTF-8"] if manifest.get("encoding") else []),
        *([f"  in {manifest['partitions']} partitions"] if manifest["partitions"] else []),
        *([f"  predicting took {_predicting(manifest['timings'])}"] if challenger else []),
        *(["  the upload was removed with the erased rows"] if manifest["rows_erased"] else []),
        *([f"  supersedes batch {manifest['supersedes']}"] if manifest["supersedes"] else []),
        *([f"  mended rows of batch {manifest['replays']}"] if manifest["replays"] else []),
        *(f"  {rows:,} {reason}" for reason, rows in manifest["quarantined_by_reason"].items()),
        *(f"  {file['key']}" for file in (*manifest["outputs"], *manifest["quarantine"])),
    ]
    return Group(Text("\n".join(lines)), *unseen_lines(Manifest.model_validate(manifest).unseen_shares))


def _predicting(timings: dict[str, float]) -> str:
    champion = timings["predict_s"] - timings["challenger_predict_s"]
    return f"{champion:.3f} s by the champion, {timings['challenger_predict_s']:.3f} s by the challenger beside it"


def quarantine_screen(written: dict[str, Any]) -> RenderableType:
    """Where the rows to mend are, and what to do then."""
    return Text(
        f"{written['rows']:,} quarantined rows are in {written['file']}. Mend them, then:\n"
        f"  everscore replay {written['model']} {written['batch_id'][:8]} {written['file']}"
    )


def fetched_screen(written: dict[str, Any]) -> RenderableType:
    """Where scored rows were written."""
    batches = len(written["batches"])
    which = f"batch {written['batches'][0][:8]}" if batches == 1 else f"{batches:,} batches"
    return Text(f"{written['model']}: {written['rows']:,} scored rows of {which} are in {written['file']}")


def rescored_screen(answer: dict[str, Any]) -> RenderableType:
    """Batches that were scored again."""
    if not answer["rescored"]:
        return Text(f"{answer['model']}: nothing is left to be scored again")
    return Group(*(manifest_screen(manifest) for manifest in answer["rescored"]))


def verification_screen(found: dict[str, Any]) -> RenderableType:
    """Whether a batch came out again."""
    if found["identical"]:
        return Text(f"batch {found['batch_id'][:8]} of {found['model']}: scored again, identical byte by byte")
    return Text(
        "\n".join([f"batch {found['batch_id'][:8]} of {found['model']}: not identical", *(f"  {key}" for key in found["different"])])
    )
