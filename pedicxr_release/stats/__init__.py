"""The dataset's statistics: Table 3, computed from records and tables, and beside the paper's."""
