"""The competition: entries, rounds, who goes where and the final order, as a pure fold."""
