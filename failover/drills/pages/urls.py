"""The addresses of the drills, below `/admin/failover/drills/`."""

from django.contrib import admin
from django.urls import path

from failover.drills.pages import views

app_name = "drills"
urlpatterns = [
    path("", admin.site.admin_view(views.drills), name="list"),
    path("<str:name>/<str:file>", admin.site.admin_view(views.evidence), name="evidence"),
]
