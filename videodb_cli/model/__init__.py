"""The words that every part of the program shares. Pure standard library; imports nothing else of ours."""
