-- Runs: what was trained, of what, and how it ended.

CREATE TABLE runs (
  id TEXT PRIMARY KEY,             -- 32 hex digits
  model TEXT NOT NULL,             -- a name; it need not have a version
  status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed', 'stopped')),
  started_at_us INTEGER NOT NULL,
  ended_at_us INTEGER,
  actor TEXT NOT NULL,
  hyperparameters TEXT NOT NULL,   -- JSON object
  origin TEXT NOT NULL,            -- JSON object: command, code, data, git, environment
  metrics TEXT NOT NULL,           -- JSON object: by split, what the evaluator returned
  reason TEXT NOT NULL,            -- one sentence: why it failed or stopped
  traceback TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_model ON runs (model, started_at_us);

-- What the trainer reported on the way.
CREATE TABLE run_reports (
  run TEXT NOT NULL REFERENCES runs(id),
  number INTEGER NOT NULL,         -- from 1, in the order of reporting
  step INTEGER NOT NULL,           -- the trainer's own count: epochs, rounds
  at_us INTEGER NOT NULL,
  metrics TEXT NOT NULL,           -- JSON object: numbers by name
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

ALTER TABLE versions ADD COLUMN run TEXT REFERENCES runs(id);
