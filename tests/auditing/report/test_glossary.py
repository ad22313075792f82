"""The glossary: each measure of an audit is explained, by its meaning in the registry."""

from robfair.auditing.report._glossary import GLOSSARY
from robfair.metrics import AUDIT_MEASURES


def test_each_measure_across_groups_is_explained():
    texts = dict(GLOSSARY)
    for measure in AUDIT_MEASURES:
        if measure.key != "accuracy":
            assert texts[measure.symbol].lower().startswith(measure.meaning.lower())


def test_terms_are_unique_and_texts_are_sentences():
    terms = [term for term, _ in GLOSSARY]
    assert len(set(terms)) == len(terms)
    for term, text in GLOSSARY:
        assert text[0].isupper(), term
        assert text.endswith("."), term


def test_a_variance_is_never_explained_alone():
    assert "read it with Rob(f)" in dict(GLOSSARY)["V_f"]
