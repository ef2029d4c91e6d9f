"""Turn a method's term sections into terms that compute, one file a method."""

from trainers.distill.terms.base import Term as Term
from trainers.distill.terms.bckd import BckdClsTerm, BckdLocTerm
from trainers.distill.terms.crosskd import CrossKdBoxTerm, CrossKdClsTerm
from trainers.distill.terms.gid import GidResponseTerm
from trainers.distill.terms.ld import KdMainTerm, LdMainTerm, LdVlrTerm
from trainers.distill.terms.pkd import PkdTerm
from trainers.schema.method import MethodSpec, terms_of
from trainers.schema.terms import (
    BckdCls,
    BckdLoc,
    CrossKdBox,
    CrossKdCls,
    GidResponse,
    KdMain,
    LdMain,
    LdVlr,
    Pkd,
    TermSpec,
)


def terms(method: MethodSpec) -> dict[str, Term]:
    """Return the terms that weigh more than nothing, by the name that their losses are logged under.

    A term of weight 0 is left out, not computed and multiplied: such a student trains bit for bit as ``none``. Terms
    come in the order of their names, so that the order in which a study lists them does not change a sum's last bit.
    """
    chosen = sorted((spec for spec in terms_of(method) if spec.weight > 0), key=name_of)
    return {name_of(spec): build(spec) for spec in chosen}


def name_of(spec: TermSpec) -> str:
    """Return a term's name in losses and metrics."""
    return spec.kind.replace("-", "_")


def build(spec: TermSpec) -> Term:
    """Return the term that computes ``spec``."""
    match spec:
        case BckdCls():
            return BckdClsTerm(spec)
        case BckdLoc():
            return BckdLocTerm(spec)
        case LdMain():
            return LdMainTerm(spec)
        case LdVlr():
            return LdVlrTerm(spec)
        case KdMain():
            return KdMainTerm(spec)
        case Pkd():
            return PkdTerm(spec)
        case GidResponse():
            return GidResponseTerm(spec)
        case CrossKdCls():
            return CrossKdClsTerm(spec)
        case CrossKdBox():
            return CrossKdBoxTerm(spec)
