"""The page of a session: one HTML file with its data, its style and its scripts. Used by reports and by the player.

It imports nothing of ours, because the embedded service shows the same page and must share no code with clients.
"""
