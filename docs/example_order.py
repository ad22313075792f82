"""The order of the gallery: what a newcomer wants first."""

from sphinx_gallery.sorting import ExampleTitleSortKey

ORDER = (
    "plot_first_distance.py",
    "plot_audit_adult.py",
    "plot_by_label.py",
    "plot_boosting_categories.py",
    "plot_attacks_in_words.py",
    "plot_digits.py",
    "plot_faces.py",
    "plot_metric_frame.py",
    "plot_compare_models.py",
    "plot_served_model.py",
    "plot_grid_search.py",
    "plot_fair_retraining.py",
)


class SimpleFirst(ExampleTitleSortKey):
    """The key by which sphinx-gallery sorts: a new example stands last until it has a place."""

    def __call__(self, filename: str) -> int:
        """Return the place of an example."""
        return ORDER.index(filename) if filename in ORDER else len(ORDER)
