"""Turn a method's term sections into terms that compute, one file a method; each section names its own."""

from trainers.distill.connectors import Pyramids
from trainers.distill.terms.base import Term as Term
from trainers.schema import plugins
from trainers.schema.method import MethodSpec, terms_of
from trainers.schema.terms import TermSection, term_name


def terms(method: MethodSpec, pyramids: Pyramids | None = None) -> dict[str, Term]:
    """Return the terms that weigh more than nothing, by the name that their losses are logged under.

    A term of weight 0 is left out, not computed and multiplied: such a student trains bit for bit as ``none``. Terms
    come in the order of their names, so that the order in which a study lists them does not change a sum's last bit.
    The terms' connectors are made between ``pyramids``; terms that need connectors cannot be computed without.
    """
    chosen = sorted((spec for spec in terms_of(method) if spec.counts), key=term_name)
    return {term_name(spec): build(spec, pyramids) for spec in chosen}


def build(spec: TermSection, pyramids: Pyramids | None = None) -> Term:
    """Return the term that computes ``spec``; one on pyramid features is made ``between`` the two pyramids."""
    named_by = f"{plugins.name_of(type(spec))}.computed_by"
    kind = plugins.resolved(spec.computed_by, named_by)
    found: Term = kind.between(spec, pyramids) if hasattr(kind, "between") else kind(spec)
    plugins.require_members(found, Term, named_by, spec.computed_by)
    return found
