"""The pages that people read: they run, link, and name everything public."""
