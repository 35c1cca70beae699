"""Put scikit-learn's handwritten digits into digits.db: the table that your data would be in."""

import sqlite3

from sklearn.datasets import load_digits

with sqlite3.connect("digits.db") as database:
    frame = load_digits(as_frame=True).frame
    frame.to_sql("digits", database, index=False, if_exists="replace")
database.close()
