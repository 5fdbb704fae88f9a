"""Descriptions by a vision model that the user runs: any endpoint with the OpenAI chat-completions API.

`options` says which one, `endpoint` asks it one question, `prompts` words the questions and reads the answers,
`ask_queue` keeps the questions in order and falls back, `describer` is what the rest of the service uses.
"""
