"""Race control: the published picture, its topics and messages, and the commands that come back."""
