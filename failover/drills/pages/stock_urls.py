"""The address of the single-region application beside ours."""

from django.urls import path

from failover.drills.pages import views

urlpatterns = [path("", views.stock, name="stock")]
