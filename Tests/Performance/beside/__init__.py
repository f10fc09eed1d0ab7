"""What Tests/Performance/compare is made of: processes, loads, peers, and the rows of its table."""
