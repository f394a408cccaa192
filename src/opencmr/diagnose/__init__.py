"""What measurements may mean: rules as a table, and a classifier with its reasons."""
