"""What a user's program declares: a dataset, a model, the functions that only they can write."""
