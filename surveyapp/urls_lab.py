"""The addresses of the lab: the application's, and pages that production does not have."""

from django.urls import include, path

from surveyapp.urls import urlpatterns as everywhere

urlpatterns = [
    path("admin/failover/drills/", include("failover.drills.pages.urls")),
    path("stock/", include("failover.drills.pages.stock_urls")),
    *everywhere,
]
