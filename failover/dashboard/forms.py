"""The routing toggle's form: the mode, the region, a reason, and the region's name typed as
confirmation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from failover.core.decisions import LONGEST_REASON, checked_reason
from failover.dashboard.language import translated


class ModeField(forms.ChoiceField):
    """`auto` or `pinned`; the command line's word `pin` is understood too."""

    def to_python(self, value: Any) -> str:
        """The mode's one spelling."""
        mode = str(super().to_python(value))
        return "pinned" if mode == "pin" else mode


class RoutingForm(forms.Form):
    """A person's routing decision. The gateway checks the safety rules, not this form."""

    mode = ModeField(
        choices=[("auto", gettext_lazy("Auto: the rules choose")), ("pinned", gettext_lazy("Pin a region"))],
        widget=forms.RadioSelect,
        label=gettext_lazy("Mode"),
        error_messages=dict.fromkeys(("required", "invalid_choice"), gettext_lazy("Choose auto or a pin.")),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Everyone who reads the log sees it."),
        max_length=LONGEST_REASON,
        error_messages={"required": gettext_lazy("Say why: the reason is kept in the log.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    confirm = forms.CharField(
        label=gettext_lazy("Type the region’s name to confirm"),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    force = forms.BooleanField(label=gettext_lazy("Pin it all the same. The override is recorded."), required=False)

    def __init__(self, *args: Any, regions: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["region"] = forms.ChoiceField(
            label=_("Region to pin"),
            choices=[(name, name) for name in regions],
            required=False,
            widget=forms.RadioSelect,
            error_messages={
                "invalid_choice": _("%(value)s is not one of the configured regions (%(regions)s).")
                % {"value": "%(value)s", "regions": ", ".join(regions)}
            },
        )
        self.order_fields(["mode", "region", "reason", "confirm", "force"])

    offer_force = False
    """Whether the page shows the checkbox that overrides a safety rule: after a refusal only."""

    def full_clean(self) -> None:
        """Validates, and puts the cursor into the first invalid field."""
        super().full_clean()
        for name in self.fields:
            if name in self.errors:
                self.fields[name].widget.attrs["autofocus"] = True
                return

    def refused(self, rule: str) -> None:
        """Show the safety rule at the region, and offer to override it."""
        self.add_error("region", _("Refused: %(rule)s") % {"rule": rule})
        self.offer_force = True

    def clean_reason(self) -> str:
        """Checks the reason by the rules of the command line."""
        try:
            return checked_reason(self.cleaned_data["reason"])
        except ValueError as error:
            raise forms.ValidationError(_("Not kept: %(why)s.") % {"why": translated(error.args[0])}) from error

    def clean(self) -> dict[str, Any]:
        """A pin needs its region, and the region's name typed out; auto needs neither."""
        cleaned = super().clean() or {}
        if cleaned.get("mode") != "pinned":
            # Auto ignores the pin's fields, so text that remained in them is no error.
            for name in ("region", "confirm"):
                self.errors.pop(name, None)
            return {**cleaned, "region": "", "confirm": "", "force": False}
        region = cleaned.get("region", "")
        if "region" not in self.errors and not region:
            self.add_error("region", _("Choose the region to pin."))
        elif region and cleaned.get("confirm", "") != region:
            self.add_error("confirm", _("Type %(region)s to confirm.") % {"region": region})
        return cleaned
