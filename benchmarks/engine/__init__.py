"""The parts of `engine_table.py`: data, peers, our measurements, cached cells, the table."""
