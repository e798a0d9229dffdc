"""Who people are: users, how they sign in, and the tokens that say so afterwards.

Begin with `model`. What they may do is the business of `projects`.
"""
