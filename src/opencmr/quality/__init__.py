"""What makes a number doubtful: checks that end as flags."""
