"""The demonstration: the whole chain on simulated hardware, Tokyo 2020, kept running until its heats are official."""
