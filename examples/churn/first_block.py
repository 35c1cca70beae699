"""README's first block: the model you already have becomes a service."""

from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

rows = pd.read_csv(Path(__file__).parent / "rows.csv")
X, y = rows.drop(columns="churned"), rows["churned"]
clf = RandomForestClassifier(random_state=0).fit(X, y)

import penstock

v = penstock.register(clf, X, y, name="churn")
print(v)
print(v.predict(X.head(3)))
service = v.serve()
print(service.url)
service.stop()
