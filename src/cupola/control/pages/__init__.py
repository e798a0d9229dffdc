"""The sign-in pages: server-rendered, one style sheet, no script but the one that reads a fragment.

Begin with `render`; the routes are in `control.sign_in_pages`.
"""
