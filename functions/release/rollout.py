"""A running rollout: the step that its evidence allows, and how that is taken."""

from functions.release.batches import tally
from functions.release.evidence import rollout_evidence
from functions.release.ports import Ports
from functions.release.publication import publish_next
from functions.shared.domain.decision import Decision
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.release import Release, ServedModel
from functions.shared.domain.rollout.canary import Action, Step, decide_step
from functions.shared.engines.bundle import BASELINE
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.performances import labelled_days, performances
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases, StandingRelease

GROWTH = frozenset({Action.EXPAND, Action.PROMOTE})
"""Steps that give a challenger more rows."""


def decided_step(release: Release, ports: Ports) -> Step:
    """Return the step that the evidence on a release's challenger allows."""
    policy = Policies(ports.store).current(release.model)
    rollout = Releases(ports.store).rollout(release)
    days = list(performances(release.model, ports.store, labelled_days(release.model, ports.store)))
    decision = _decision(release, ports)
    least_loss = decision.least_loss if decision else None
    if least_loss is None:
        least_loss = policy.gate.minimum_effect * (_loss_at_training(release.champion, ports) or 0.0)
    evidence = rollout_evidence(rollout, decision, least_loss, tally(rollout, ports.store), days, policy)
    return decide_step(release.challenger, policy.canary, evidence)


def take_step(standing: StandingRelease, step: Step, *, why: str, who: str, ports: Ports) -> Release:
    """Publish a step of a rollout that changes what is served."""
    release = standing.release
    challenger = release.challenger
    assert challenger is not None, "asked only during a rollout"
    match step.action:
        case Action.EXPAND:
            grown = challenger.model_copy(update={"share": step.share})
            return publish_next(standing, ports, challenger=grown, reason=why, who=who)
        case Action.PROMOTE:
            champion = ServedModel(version=challenger.version, digest=challenger.digest, prefix=challenger.prefix)
            return publish_next(standing, ports, champion=champion, challenger=None, previous=release.champion, reason=why, who=who)
        case _:
            return publish_next(standing, ports, challenger=None, reason=why, who=who, rolled_back=challenger.version)


def _loss_at_training(served: ServedModel, ports: Ports) -> float | None:
    """Return a version's mean loss on rows that it had not seen, or None."""
    baseline = read_document(ports.store, Baseline, served.prefix + BASELINE)
    return baseline.loss if baseline else None


def _decision(release: Release, ports: Ports) -> Decision | None:
    """Return a challenger's decision if it was compared with this champion, or None."""
    assert release.challenger is not None, "asked only during a rollout"
    decision = Decisions(ports.store).of(release.model, release.challenger.version)
    return decision if decision is not None and decision.champion_version == release.champion.version else None
