"""The model of app.py as a native service: the estimator alone, without the predictor."""

from app import model, reader

import penstock

estimator = model.load("model_object.joblib")
X = reader().drop(columns="target")
print(penstock.register(estimator, X, name=model.name))
