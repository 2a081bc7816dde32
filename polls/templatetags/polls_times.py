"""`{{ at|with_offset }}`: a time for people, with the offset of its clock."""

from django import template

from polls.common.local_times import with_offset

register = template.Library()
register.filter("with_offset", with_offset)
