"""What every room may use and that knows no word of the domain: errors, clock, tasks."""
