"""The HTTP edge of `polls`: a module for each page, in a folder for each kind of reader.

`public/` is what students and the projector open, `instructor/` is what the staff open below
/admin/surveys/, and `api/` is the JSON API. The modules beside the folders are shared by the pages.
A view reads a request, calls one service or selector and renders one template; it holds no rule of
its own.
"""
