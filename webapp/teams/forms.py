"""Forms about people and teams."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm
from django import forms
from django.contrib.auth.password_validation import validate_password

from webapp.teams.models import Membership, Team, User

ROLES = {
    Membership.Role.OWNER: "Owner: may do everything, and make other owners",
    Membership.Role.ADMIN: "Admin: runs the team's members too",
    Membership.Role.EDITOR: "Editor: uploads data, starts and shares runs",
    Membership.Role.VIEWER: "Viewer: sees everything, changes nothing",
}


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Team
        fields = ("name",)
        labels = {"name": "Team name"}


class InvitationForm(forms.Form):
    """Whom to invite, and as what; offers only the roles that the inviter may give."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(label="Role", initial=Membership.Role.EDITOR, widget=forms.RadioSelect)

    def __init__(self, *args: Any, inviter: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.inviter = inviter
        self.fields["role"].choices = [(role, ROLES[Membership.Role(role)]) for role in inviter.roles_to_give()]  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        if self.inviter.team.memberships.filter(user__email__iexact=email).exists():
            raise forms.ValidationError(f"{email} is already in this team.")
        return email


class AccountForm(forms.Form):
    """What a new person says about herself. The address may be fixed by an invitation."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(label="Your name", max_length=150, required=False, help_text="Colleagues see it.")
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters.",
    )

    def __init__(self, *args: Any, fixed_email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].widget.attrs["autocomplete"] = "username"
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        if fixed_email:
            self.fields["email"].initial = fixed_email
            self.fields["email"].disabled = True

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError("There is already an account with this address.")
        return email

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password

    def save(self) -> User:
        data = self.cleaned_data
        return User.objects.create_user(data["email"], data["password"], first_name=data["name"])


class PasswordForm(ChangePasswordForm):
    """allauth's, in our words and without placeholders that repeat the labels."""

    LABELS = {"oldpassword": "Current password", "password1": "New password", "password2": "New password, again"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.LABELS.items():
            self.fields[name].label = label
            self.fields[name].help_text = "At least 10 characters." if name == "password1" else ""
            self.fields[name].widget.attrs.pop("placeholder", None)


class FirstOwnerForm(AccountForm):
    team = forms.CharField(label="Team name", max_length=100, help_text="You can invite colleagues to it later.")
