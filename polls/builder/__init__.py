"""Writing a survey: the draft in the form, saving it without overwriting what others changed, and
choosing between versions that two instructors wrote on two sides of a network partition.
"""
