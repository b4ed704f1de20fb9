"""What ``genomics.linear`` says of itself."""

from typing import Final

from enclave.analyses.base import Descriptor, OutputSpec
from enclave.analyses.parameters import ParameterSpec
from protocol.documents.outputs import MAX_HITS

__all__ = ["BY_COHORT", "DESCRIPTOR", "POOLED", "SUBJECTS"]

POOLED: Final = "hits"
BY_COHORT: Final = "hits-by-cohort"
SUBJECTS: Final = "subjects"
_ALL = (POOLED, BY_COHORT, SUBJECTS)

DESCRIPTOR = Descriptor(
    name="genomics.linear",
    title="Genome-wide scan of a quantitative trait",
    estimand=(
        "For each variant, the difference in the mean of the trait per copy of the first allele, at equal covariates, "
        "among the partners' subjects taken together whose trait, covariates and call are known."
    ),
    profile="genomics",
    parameters=(
        ParameterSpec("trait", "column", "The quantitative trait: a number.", _ALL),
        ParameterSpec(
            "covariates",
            "columns",
            "Covariates: numbers as they are, categories against their first level. Left out, there are none.",
            (),
        ),
        ParameterSpec(
            "hits",
            "whole number",
            f"How many of the strongest variants to release at most, from 1 to {MAX_HITS}.",
            (POOLED, BY_COHORT),
        ),
    ),
    outputs=(
        OutputSpec(
            POOLED,
            "hits",
            "The strongest variants of a scan with one intercept for all partners.",
            "Which variants go most strongly with the trait, by how much, and the power of ten of p. No allele "
            "frequencies, no counts, nothing of any other variant. Fewer come where what is released would help to "
            "tell who took part.",
        ),
        OutputSpec(
            BY_COHORT,
            "hits",
            "The strongest variants of a scan with an intercept for each cohort.",
            "Which variants go most strongly with the trait once differences in the cohorts' mean trait are taken out, "
            "by how much, and the power of ten of p. No allele frequencies, no counts, nothing of any other variant, "
            "and not these differences. Fewer come where what is released would help to tell who took part.",
        ),
        OutputSpec(
            SUBJECTS,
            "counts",
            "Subjects with trait and covariates.",
            "About how many subjects of all partners together have the trait and every covariate, rounded; nothing "
            "where so few have not that these would show.",
        ),
    ),
    references=(
        "Chang CC, Chow CC, Tellier LC, et al. (2015). Second-generation PLINK. GigaScience 4:7.",
        (
            "Homer N, Szelinger S, Redman M, et al. (2008). Resolving individuals contributing trace amounts of DNA to "
            "highly complex mixtures. PLoS Genet 4:e1000167."
        ),
        (
            "Sankararaman S, Obozinski G, Jordan MI, Halperin E (2009). Genomic privacy and limits of individual "
            "detection in a pool. Nat Genet 41:965-967."
        ),
        (
            "Im HK, Gamazon ER, Nicolae DL, Cox NJ (2012). On sharing quantitative trait GWAS results in an era of "
            "multiple-omics data. Am J Hum Genet 90:591-598."
        ),
    ),
    outside_answer="PLINK v2.00a3.5, --glm on HapMap 3, maize and simulated genotypes.",
)
