"""Race logic as pure folds over journaled events: no clock, no timer, no chance inside (DESIGN §3-§5)."""
