"""Rows in blocks, for tests of audits of what need not fit into memory."""

import numpy as np

from robfair.auditing import RowBlocks


class Rows(RowBlocks):
    """Rows of an array, counted as they are read; the reading fails after some of them."""

    def __init__(self, X, checkpoint=None, fails_after=None):
        super().__init__(None, checkpoint)
        self.X, self.size, self.n_read, self.fails_after = X, 70, 0, fails_after
        self.sizes = []

    def __len__(self):
        return len(self.X)

    def read(self, rows):
        assert (np.diff(rows) > 0).all()
        self.n_read += len(rows)
        self.sizes.append(len(rows))
        if self.fails_after is not None and self.n_read > self.fails_after:
            raise KeyboardInterrupt
        return self.X[rows]
