"""Recipes of paper A: names of methods, and the recipe that only shows that all works."""

from robfair.reproduction.farmur._recipes import FarmurRecipe


def test_names_have_the_numbers_of_epochs():
    assert FarmurRecipe().names == (
        "natural", "TRADES 100", "TRADES 100+20", "TRADES 120 averaged", "FARMUR 100+20",
        "TRADES-FARMUR interpolated",
    )  # fmt: skip


def test_a_small_recipe_keeps_what_is_not_a_size():
    recipe = FarmurRecipe(eps=0.1, lr=0.5).small(n_train=30, n_measured=4)
    assert (recipe.n_train, recipe.n_test, recipe.n_distance, recipe.n_path) == (30, 12, 4, 4)
    assert (recipe.eps, recipe.lr) == (0.1, 0.5)
    assert recipe.n_epochs == 3
    assert recipe.names.farmur == "FARMUR 2+1"
    # Its two steps reach the border of the ball.
    assert recipe.n_steps * recipe.step_size > recipe.eps
