"""The four hospitals: they hold what R counted, in one schema and mapped from schemas of their own."""

import json

import heart
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def answers(reference):
    return json.loads((reference / "data/clinical/heart_disease.reference.json").read_text("utf-8"))


def test_cohorts_hold_what_r_counted(answers, reference):
    missing = {row["_row"]: row for row in answers["missing_by_site"]}
    for cohort in heart.cohorts(reference):
        assert len(cohort.frame) == answers["rows_raw"][cohort.slot]
        complete = cohort.frame.dropna(subset=list(heart.TEN))
        assert len(complete) == answers["rows_complete_10vars"][cohort.slot]
        for name, wanted in missing.items():
            assert cohort.frame[name].isna().sum() == wanted[cohort.slot]
        diseased = {row["y"]: row["Freq"] for row in answers["disease_by_site"] if row["site"] == cohort.slot}
        assert complete.disease.value_counts().to_dict() == diseased
        for name, wanted in answers["describe"][cohort.slot].items():
            assert complete[name].mean() == pytest.approx(wanted["mean"], rel=1e-12)
            assert complete[name].std() == pytest.approx(wanted["sd"], rel=1e-12)


def test_mapped_cohorts_are_those_of_one_schema(reference):
    plain = heart.cohorts(reference, zero_missing=True)
    for wanted, found in zip(plain, heart.cohorts(reference, mapped=True), strict=True):
        assert (found.slot, found.owner) == (wanted.slot, wanted.owner)
        columns = [column.name for column in heart.SCHEMA.columns[1:]]
        ordered = found.frame[columns].copy()
        for column in heart.SCHEMA.columns:
            if column.kind == "category":
                assert found.schema.table.column(column.name).levels == column.levels
        pd.testing.assert_frame_equal(ordered, wanted.frame[columns], rtol=1e-9, check_column_type=False)
        assert found.schema.table.column("chol").unit == "mg/dL"
