"""The instructor's pages below /admin/surveys/, inside the frame of Django's admin: the list of
surveys, the builder, voting links and exports. All of them need an account of the staff.
"""
