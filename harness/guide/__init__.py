"""The production guide's checklists as data, and which scenario covers which line of them."""
