"""The commands of `velodrome`, one file each; imported when they are called."""
