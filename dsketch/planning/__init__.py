"""What passes cost, and what that means for a choice: kinds of work, how fast this machine does them, prices, a probe of the data."""
