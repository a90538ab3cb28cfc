"""Screens of what is uploaded, and of what became of it."""

from typing import Any

from rich.console import Group, RenderableType

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from infra.cli.screens.drawing import unseen_lines
from infra.cli.screens.prose import Prose
from infra.words import _, coded, counted, listed, plural, stored


def uploaded_screen(uploaded: dict[str, Any]) -> RenderableType:
    """Show an upload that nobody waits for."""
    model = layout.model_of(uploaded["key"])
    return Prose(_("uploaded as {key}; `everscore status {model}` shows the result soon", key=uploaded["key"], model=model))


def labels_screen(uploaded: dict[str, Any]) -> RenderableType:
    """Show what a file of labels holds; they are joined in the background."""
    labels = plural("{number:,} label", "{number:,} labels", uploaded["labels"])
    lines = [_("uploaded {labels} as {key}", labels=labels, key=uploaded["key"])]
    if uploaded["encoding"]:
        lines.append(_("  read as {encoding}, since it is not UTF-8", encoding=uploaded["encoding"]))
    if uploaded["unlabelled"] or uploaded["rejected"]:
        reasons = _(" ({reasons})", reasons=listed(map(stored, uploaded["reasons"]))) if uploaded["reasons"] else ""
        unlabelled = plural("{number:,} row without a label", "{number:,} rows without a label", uploaded["unlabelled"])
        unreadable = plural("{number:,} unreadable row", "{number:,} unreadable rows", uploaded["rejected"])
        lines.append(_("  left out: {unlabelled}, {unreadable}{reasons}", unlabelled=unlabelled, unreadable=unreadable, reasons=reasons))
    if uploaded["refused"]:
        lines.append(
            plural(
                "  {number:,} label is not a number and not used", "  {number:,} labels are not a number and not used", uploaded["refused"]
            )
        )
    if uploaded["unknown"]:
        classes = listed(f"{name!r} {rows:,}" for name, rows in uploaded["unknown"].items())
        lines.append(_("  not used, since the model does not know these classes: {classes}", classes=classes))
    model = layout.model_of(uploaded["key"])
    lines.append(_("  they are being joined with their rows: `everscore status {model}` shows performance", model=model))
    return Prose("\n".join(lines))


def manifest_screen(manifest: dict[str, Any]) -> RenderableType:
    """Show the result of a batch."""
    name = stored(layout.upload_name(manifest["source"]["key"]))
    if manifest["error"]:
        error = manifest["error"]
        failed = _("{name}: failed ({code})", name=name, code=error["code"])
        remedy = f"  {_('remedy:')} {stored(error['remedy'])}"
        return Prose.assemble((f"{failed}\n", "red"), f"  {stored(error['message'])}\n{remedy}")
    release, challenger = manifest["release"], manifest["release"]["challenger"]
    parts = {
        "rows": plural("{number:,} row", "{number:,} rows", manifest["rows_in"]),
        "scored": manifest["rows_scored"],
        "champion": release["champion"],
        "second": _(" ({share:.0%} by version {version})", **challenger) if challenger else "",
        "quarantined": manifest["rows_quarantined"],
        "gone": _(" + {rows:,} erased", rows=manifest["rows_erased"]) if manifest["rows_erased"] else "",
    }
    lines = [
        _("{name}: {status} in {seconds:.2f} s", name=name, status=coded(manifest["status"]), seconds=manifest["timings"]["total_s"]),
        _("  {rows} in = {scored:,} scored by version {champion}{second} + {quarantined:,} quarantined{gone}", **parts),
        *([_("  read as {encoding}, since it is not UTF-8", encoding=manifest["encoding"])] if manifest.get("encoding") else []),
        *([plural("  in {number:,} partition", "  in {number:,} partitions", manifest["partitions"])] if manifest["partitions"] else []),
        *([_predicting(manifest["timings"])] if challenger else []),
        *([_("  the upload was removed with the erased rows")] if manifest["rows_erased"] else []),
        *([_("  replaces batch {batch}", batch=manifest["supersedes"][:8])] if manifest["supersedes"] else []),
        *(_("  quarantined as {reason}: {rows:,}", reason=reason, rows=rows) for reason, rows in manifest["quarantined_by_reason"].items()),
        *_where(manifest),
    ]
    return Group(Prose("\n".join(lines)), *unseen_lines(Manifest.model_validate(manifest).unseen_shares))


def _where(manifest: dict[str, Any]) -> list[str]:
    """Return lines on what else can be had of a batch."""
    if manifest.get("offline"):
        return [_("  quarantined rows: {file}", file=file["key"]) for file in manifest["quarantine"]]
    command = f"everscore replay {manifest['model']} {manifest['batch_id'][:8]}"
    mend = [_("  to mend the quarantined rows: {command}", command=command)] if manifest["quarantine"] else []
    return [*mend, _("  batch {batch}", batch=manifest["batch_id"])]


def _predicting(timings: dict[str, float]) -> str:
    champion = timings["predict_s"] - timings["challenger_predict_s"]
    challenger = timings["challenger_predict_s"]
    return _(
        "  prediction took {champion:.3f} s by the champion and {challenger:.3f} s by the challenger",
        champion=champion,
        challenger=challenger,
    )


def quarantine_screen(written: dict[str, Any]) -> RenderableType:
    """Show where the rows to mend are, and the next step."""
    rows = plural("{number:,} quarantined row", "{number:,} quarantined rows", written["rows"])
    head = _("{file}: {rows}. Mend the file, then:", file=written["file"], rows=rows)
    return Prose(f"{head}\n  everscore replay {written['model']} {written['batch_id'][:8]} {written['file']}")


def fetched_screen(written: dict[str, Any]) -> RenderableType:
    """Show where scored rows were written."""
    rows = plural("{number:,} scored row", "{number:,} scored rows", written["rows"])
    number = len(written["batches"])
    batches = _("batch {batch}", batch=written["batches"][0][:8]) if number == 1 else counted(number, "batches")
    whole = _("{file}: {rows} of {model}, {batches}", file=written["file"], rows=rows, model=written["model"], batches=batches)
    return Prose("\n".join([whole, _("  days and times of {zone}", zone=written["day_zone"])]))


def rescored_screen(answer: dict[str, Any]) -> RenderableType:
    """Show batches that were scored again, and those that could not be."""
    if not answer["rescored"] and not answer["refused"]:
        return Prose(_("{model}: no batch is left to score again", model=answer["model"]))
    return Group(*map(manifest_screen, answer["rescored"]), *map(_not_rescored, answer["refused"]))


def _not_rescored(refused: dict[str, Any]) -> RenderableType:
    remedy = [f"  {_('remedy:')} {stored(refused['remedy'])}"] if refused["remedy"] else []
    head = _("batch {batch}: not scored again ({code})", batch=refused["batch_id"][:8], code=refused["code"])
    return Prose.assemble((f"{head}\n", "red"), "\n".join([f"  {stored(refused['error'])}", *remedy]))


def verification_screen(found: dict[str, Any]) -> RenderableType:
    """Show whether a batch came out the same."""
    named = {"batch": found["batch_id"][:8], "model": found["model"]}
    if found["identical"]:
        return Prose(_("batch {batch} of {model}: scored again, identical byte by byte", **named))
    return Prose("\n".join([_("batch {batch} of {model}: not identical", **named), *(f"  {key}" for key in found["different"])]))
