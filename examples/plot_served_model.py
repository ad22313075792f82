"""
A model behind a service: labels and nothing else
=================================================

A model that is served gives answers, and no gradients. robfair takes any function from rows to
labels, so that a client of the service is enough. Every question costs something: the example
counts them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from robfair import ThreatModel, audit, boundary_distance
from robfair.datasets import load_adult

# %%
# The service: in earnest ``ask`` sends the rows in a request, and waits where there is a limit of
# requests a minute.
columns = ["age", "education-num", "hours-per-week", "capital-gain"]
train, test = load_adult(split="train"), load_adult(split="test")
scaler = StandardScaler().fit(train.data[columns].to_numpy(float))
X = scaler.transform(train.data[columns].to_numpy(float))
secret = MLPClassifier((16,), random_state=0, max_iter=30, tol=0.01).fit(X, train.target)
asked = {"rows": 0, "requests": 0}


def ask(rows):
    asked["requests"] += 1
    asked["rows"] += len(rows)
    return secret.predict(rows)


# %%
# A budget bounds the questions for each row. All rows are asked about together, in few requests.
n = 150
X_test = scaler.transform(test.data[columns].to_numpy(float))[:n]
threat_model = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)))
result = audit(
    ask,
    X_test,
    test.target[:n],
    sensitive_features=test.sensitive_features["sex"][:n],
    threat_model=threat_model,
    budget=300,
    n_check=0,
    name="service",
)
print(f"{asked['rows']:,} rows in {asked['requests']} requests")
print(result.by_group[["size", "accuracy", "mean_distance", "robustness"]].round(3).to_string())
print(result.by_label[["size", "robustness"]].round(3).to_string())

# %%
# More questions find nearer points. Who has the model itself sees how much longer the distances by
# labels are.
exact = boundary_distance(secret, X_test, threat_model=threat_model).distance
budgets, ratios = (60, 125, 250, 500, 1000), []
for budget in budgets:
    found = boundary_distance(
        ask, X_test, threat_model=threat_model, method="decision", budget=budget
    )
    ratios.append(float(np.mean(found.distance) / np.mean(exact)))
    print(f"{budget:5} questions a row: {ratios[-1]:.3f} times the distance by gradients")

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.semilogx(budgets, ratios, marker="o")
ax.axhline(1, color="grey", linewidth=1)
ax.set(xlabel="questions for each row", ylabel="mean distance, of that by gradients")
plt.show()
