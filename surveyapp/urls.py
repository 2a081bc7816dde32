"""Every address of the application; the public ones are fixed by contract."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from failover.web.metrics import metrics

urlpatterns = [
    path("", include("polls.urls")),
    path("admin/surveys/", include("polls.admin_urls")),
    path("admin/failover/", include("failover.dashboard.urls")),
    path("admin/", admin.site.urls),
    path("language/", set_language, name="set-language"),
    path("healthz/", include("failover.web.healthz")),
    path("metrics", metrics),
]
