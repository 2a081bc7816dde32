"""The dashboard's addresses, below `/admin/failover/`."""

from django.contrib import admin
from django.urls import path

from failover.dashboard import views

app_name = "failover"

# `cacheable`: the page and its fragments say themselves how they may be cached, with an ETag.
urlpatterns = [
    path("", admin.site.admin_view(views.dashboard, cacheable=True), name="dashboard"),
    path("live/", views.live, name="live"),
    path("status.json", views.status_json, name="status"),
    path("routing/", admin.site.admin_view(views.routing), name="routing"),
]
