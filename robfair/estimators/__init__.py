"""Classifiers for scikit-learn: natural, adversarial and fair adversarial training."""

from robfair.estimators._adversarial import AdversarialClassifier
from robfair.estimators._even_margin import EvenMarginClassifier
from robfair.estimators._farmur import FarmurClassifier
from robfair.estimators._natural import NaturalClassifier

__all__ = ["AdversarialClassifier", "EvenMarginClassifier", "FarmurClassifier", "NaturalClassifier"]
